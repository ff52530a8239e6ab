// What registering files and buffers with the ring saves, and what a wake through it costs: CPU time per operation, kernel
// included, of bare loops. docs/decisions/ tells what was chosen from it.
#include <fcntl.h>
#include <fmt/core.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "io/uring_proactor.h"

namespace millrace {
namespace {

std::uint64_t checksum = 0;

std::int64_t cpu_ns() {
  ::rusage usage{};
  CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
  const auto ns = [](const ::timeval& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_usec} * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

struct Ring {
  Ring() {
    CHECK(io::make_ring(64, 128, ring).has_value());
    CHECK(io::enable_ring(ring) == 0);
    CHECK(io_uring_register_ring_fd(&ring) >= 0);
  }
  ~Ring() { io_uring_queue_exit(&ring); }

  ::io_uring_sqe& entry() {
    ::io_uring_sqe* const next = io_uring_get_sqe(&ring);
    CHECK(next != nullptr);
    return *next;
  }
  int complete_one() {
    CHECK(io_uring_submit_and_wait(&ring, 1) >= 0);
    ::io_uring_cqe* done = nullptr;
    CHECK(io_uring_wait_cqe(&ring, &done) == 0);
    const int result = done->res;
    io_uring_cqe_seen(&ring, done);
    return result;
  }
  ::io_uring ring{};
};

template <class Loop>
void measure(const char* name, int count, Loop loop) {
  for (int i = 0; i < count / 10 + 1; ++i) loop();
  const std::int64_t before = cpu_ns();
  for (int i = 0; i < count; ++i) loop();
  fmt::print("{:<44} {:>8} ns CPU each\n", name, (cpu_ns() - before) / count);
}

// One byte to oneself, received through the ring.
void receives(int count, bool fixed_file) {
  int pair[2];
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
  Ring ring;
  CHECK(io_uring_register_files(&ring.ring, pair, 1) == 0);
  std::array<char, 64> bytes{};
  measure(fixed_file ? "receive, registered file" : "receive, descriptor", count, [&] {
    CHECK(::send(pair[1], "x", 1, 0) == 1);
    ::io_uring_sqe& entry = ring.entry();
    io_uring_prep_recv(&entry, fixed_file ? 0 : pair[0], bytes.data(), bytes.size(), 0);
    if (fixed_file) entry.flags |= IOSQE_FIXED_FILE;
    checksum += static_cast<std::uint64_t>(ring.complete_one());
  });
  ::close(pair[0]);
  ::close(pair[1]);
}

// A write-ahead log's write: aligned, past the page cache, in place.
void direct_writes(int count, const std::string& directory, std::size_t bytes, bool fixed_buffer) {
  const std::string path = directory + "/ring_registration.tmp";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_DSYNC, 0644);
  if (file < 0) {
    fmt::print("direct writes: skipped, {} has no direct I/O\n", directory);
    return;
  }
  void* const buffer = std::aligned_alloc(4096, bytes);
  std::memset(buffer, 'w', bytes);
  CHECK(::pwrite(file, buffer, bytes, 0) == static_cast<ssize_t>(bytes));
  Ring ring;
  const ::iovec registered{buffer, bytes};
  CHECK(io_uring_register_buffers(&ring.ring, &registered, 1) == 0);
  const std::string name =
      fmt::format("direct write of {} KiB{}", bytes / 1024, fixed_buffer ? ", registered buffer" : "");
  measure(name.c_str(), count, [&] {
    ::io_uring_sqe& entry = ring.entry();
    const auto length = static_cast<unsigned>(bytes);
    if (fixed_buffer) io_uring_prep_write_fixed(&entry, file, buffer, length, 0, 0);
    else io_uring_prep_write(&entry, file, buffer, length, 0);
    checksum += static_cast<std::uint64_t>(ring.complete_one());
  });
  ::close(file);
  ::unlink(path.c_str());
  std::free(buffer);
}

// What the sender pays for waking another ring, and that ring for taking note of it.
void wakes(int count, bool by_message) {
  Ring sender;
  Ring receiver;
  const int event = ::eventfd(0, EFD_CLOEXEC);
  std::uint64_t value = 0;
  measure(by_message ? "wake by MSG_RING" : "wake by eventfd, re-armed", count, [&] {
    if (by_message) {
      ::io_uring_sqe& entry = sender.entry();
      io_uring_prep_msg_ring(&entry, receiver.ring.ring_fd, 0, 7, 0);
      entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
      CHECK(io_uring_submit(&sender.ring) == 1);
    } else {
      ::io_uring_sqe& entry = receiver.entry();
      io_uring_prep_read(&entry, event, &value, sizeof value, 0);
      CHECK(io_uring_submit(&receiver.ring) == 1);
      const std::uint64_t one = 1;
      CHECK(::write(event, &one, sizeof one) == sizeof one);
    }
    checksum += static_cast<std::uint64_t>(receiver.complete_one()) + 1;
  });
  ::close(event);
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 100'000;
  const std::string directory = argc > 2 ? argv[2] : ".";
  for (int round = 0; round < (count > 1000 ? 3 : 1); ++round) {
    for (const bool registered : {false, true}) millrace::receives(count, registered);
    for (const std::size_t bytes : {std::size_t{16} * 1024, std::size_t{256} * 1024}) {
      for (const bool registered : {false, true}) {
        millrace::direct_writes(count / 50 + 1, directory, bytes, registered);
      }
    }
    for (const bool by_message : {false, true}) millrace::wakes(count, by_message);
  }
  fmt::print("checksum {}\n", millrace::checksum > 0 ? "ok" : "zero");
  return millrace::checksum > 0 ? 0 : 1;
}
