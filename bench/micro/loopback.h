// What the benches of connections share: a client and a measure of CPU, both as bare as can be.
#pragma once

#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "io/reactor.h"
#include "net/transport/address.h"
#include "net/transport/server.h"

namespace millrace::bench {

// What the broker sets by default on its listeners, and so both sides here: the system's own congestion control may
// pace by timers, which would be all that is measured.
inline constexpr const char* kCongestionControl = "cubic";
inline constexpr int kSocketBufferBytes = 1 << 20;

inline double cpu_seconds(::clockid_t clock) {
  ::timespec time{};
  CHECK(::clock_gettime(clock, &time) == 0);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}
inline double thread_cpu_seconds() {
  return cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
}

// How often this thread has slept.
inline long thread_sleeps() {
  ::rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

// Server and client on cores of their own, where there are two: whether they share one decides more than what is compared.
inline void pin_to(std::size_t nth) {
  static const ::cpu_set_t allowed = [] {
    ::cpu_set_t cores;
    CPU_ZERO(&cores);
    ::sched_getaffinity(0, sizeof cores, &cores);
    return cores;
  }();
  const auto count = static_cast<std::size_t>(CPU_COUNT(&allowed));
  std::size_t left = nth % count;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || left-- > 0) continue;
    ::cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    ::sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

// What one side of a comparison used while it served one client.
struct Used {
  double cpu_seconds = 0;  // of the server: its thread, and threads of the kernel that work for it
  double wall_seconds = 0;
  long sleeps = 0;
  std::uint64_t bytes = 0;  // as the client counts them
};

// Measures from the first line of serving on; what was set up before is not counted.
class Meter {
 public:
  Meter() : cpu_(thread_cpu_seconds()), sleeps_(thread_sleeps()) {}
  void stop(Used& used) const {
    used.cpu_seconds = thread_cpu_seconds() - cpu_;
    used.sleeps = thread_sleeps() - sleeps_;
  }

 private:
  double cpu_;
  long sleeps_;
};

// Runs `serve(ready, used)` on a thread and `drive(address)`, which counts bytes, on this one.
template <class Serve, class Drive>
Used measure(Serve&& serve, Drive&& drive) {
  Used used;
  double thread_total = 0;
  const double process_before = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  const double client_before = thread_cpu_seconds();
  std::promise<net::Address> ready;
  std::thread server([&] {
    pin_to(0);
    serve(ready, used);
    thread_total = thread_cpu_seconds();
  });
  pin_to(1);
  const net::Address address = ready.get_future().get();
  const auto before = std::chrono::steady_clock::now();
  used.bytes = drive(address);
  used.wall_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  server.join();
  // The rest is of threads that the ring has made for the server.
  const double process = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - process_before;
  const double client = thread_cpu_seconds() - client_before;
  used.cpu_seconds += std::max(0.0, process - client - thread_total);
  return used;
}

inline double median(std::vector<double> values) {
  CHECK(!values.empty());
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Each round's two were measured one right after the other, so their ratio says more than that of two medians.
inline void print_ratio(const std::vector<double>& floor, const std::vector<double>& server) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < floor.size(); ++i) ratios.push_back(server[i] / floor[i]);
  const auto [least, most] = std::ranges::minmax(ratios);
  fmt::print("server / floor: {:.2f} (median of {} rounds, {:.2f} to {:.2f})\n", median(ratios),
             ratios.size(), least, most);
}

// Page-aligned, and touched before it is used: both matter more than anything measured here.
inline std::byte* make_buffer(std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096));
  CHECK(memory != nullptr);
  std::memset(memory, 7, bytes);
  return memory;
}

inline int connect_to(const net::Address& address) {
  const auto target = net::to_socket_address(address);
  const int socket = ::socket(target->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(::connect(socket, target->get(), target->length) == 0);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, kCongestionControl,
               std::strlen(kCongestionControl));
  return socket;
}

inline bool send_whole(int socket, const std::byte* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = ::send(socket, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

inline bool receive_whole(int socket, std::byte* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t received = ::recv(socket, bytes, size, 0);
    if (received <= 0) return false;
    bytes += received;
    size -= static_cast<std::size_t>(received);
  }
  return true;
}

// A listening socket on loopback, and where.
inline int listen_somewhere(net::Address& address) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, kCongestionControl,
               std::strlen(kCongestionControl));
  for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
    ::setsockopt(listener, SOL_SOCKET, option, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  }
  auto any = net::to_socket_address({.host = "127.0.0.1"});
  CHECK(::bind(listener, any->get(), any->length) == 0);
  CHECK(::listen(listener, 1) == 0);
  CHECK(::getsockname(listener, any->get(), &any->length) == 0);
  address = net::from_socket_address(*any);
  return listener;
}

// The same for net/transport.
inline net::ListenerOptions bench_listener() {
  return {.name = "BENCH",
          .listen = {.address = {.host = "127.0.0.1"},
                     .congestion_control = kCongestionControl,
                     .congestion_control_required = false,
                     .send_buffer_bytes = kSocketBufferBytes,
                     .receive_buffer_bytes = kSocketBufferBytes}};
}

// Until the one client has come and gone. Its waking is not to be seen in what is measured.
inline io::Task<void> serve_one(net::Server& server) {
  while (server.counts().accepted == 0 || server.connections() > 0) {
    co_await io::sleep_for(std::chrono::milliseconds(20));
  }
  co_await server.stop(std::chrono::seconds(1));
}

inline int accept_one(int listener) {
  const int socket = ::accept(listener, nullptr, nullptr);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

}  // namespace millrace::bench
