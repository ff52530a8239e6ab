// Poll: one epoll over all connections of a load generator, so that the load takes little from the broker's cores.
#pragma once

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>

#include "bench/load/request.h"

namespace millrace::bench {

// A Connection has socket() and outlives the Poll or is at least not waited for after its end.
template <class Connection>
class Poll {
 public:
  Poll() : descriptor_(epoll_create1(0)) {
    if (descriptor_ < 0) give_up("no epoll");
  }
  ~Poll() { close(descriptor_); }
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  void watch(Connection& connection) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    if (epoll_ctl(descriptor_, EPOLL_CTL_ADD, connection.socket(), &event) != 0) give_up("no more room in the epoll");
  }

  // Waits for at most `nanoseconds` and calls serve(connection, now) for those with something to read. Returns how many.
  template <class Serve>
  int wait(std::uint64_t nanoseconds, Serve serve) {
    const timespec longest{.tv_sec = static_cast<time_t>(nanoseconds / kNanosPerSecond),
                           .tv_nsec = static_cast<long>(nanoseconds % kNanosPerSecond)};
    epoll_event events[64];
    const int count = epoll_pwait2(descriptor_, events, 64, &longest, nullptr);
    const std::uint64_t now = now_ns();
    for (int i = 0; i < count; ++i) serve(*static_cast<Connection*>(events[i].data.ptr), now);
    return count;
  }

 private:
  int descriptor_;
};

}  // namespace millrace::bench
