// What only io_uring has: queues that overflow.
#include "io/uring_proactor.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "io/sanitizer.h"
#include "io/shard.h"
#include "io/uring_features.h"

namespace millrace::io {
namespace {

struct Counted : Completion {
  Counted() : Completion(&Counted::on_done) {}
  static void on_done(Completion& self, std::int64_t result) {
    auto& counted = static_cast<Counted&>(self);
    ++counted.times;
    counted.result = result;
  }
  int times = 0;
  std::int64_t result = -1;
};

TEST(UringFeatures, a_usable_ring_is_explained_and_so_is_an_unusable_one) {
  const UringFeatures features = probe_uring();
  EXPECT_FALSE(features.reason.empty());
  EXPECT_FALSE(features.kernel.empty());
  if (features.usable) EXPECT_TRUE(features.missing.empty());
}

// Refuses `system_call` with `error` from here on, in this process.
void forbid(std::uint32_t system_call, std::uint32_t error) {
  ::sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(::seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const ::sock_fprog filter{.len = 4, .filter = program};
  CHECK(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

// Runs `body` in a child and gives its exit code.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(UringFeatures, a_seccomp_filter_is_named_and_leads_to_epoll) {
  for (const std::uint32_t system_call : {__NR_io_uring_setup, __NR_io_uring_enter}) {
    EXPECT_EQ(in_child([system_call] {
                forbid(system_call, EPERM);
                const UringFeatures features = probe_uring();
                if (features.usable) return 1;
                if (features.reason.find("seccomp") == std::string::npos &&
                    features.reason.find("io_uring_disabled") == std::string::npos) {
                  return 2;
                }
                const auto choice = choose_backend(Backend::automatic);
                if (!choice || choice->backend != Backend::epoll) return 3;
                if (choice->reason != features.reason) return 4;
                if (choose_backend(Backend::io_uring)) return 5;
                return 0;
              }),
              0)
        << "system call " << system_call;
  }
}

TEST(UringProactor, no_completion_is_lost_when_both_queues_overflow) {
  if (!probe_uring().usable) GTEST_SKIP() << probe_uring().reason;
  auto proactor =
      UringProactor::create({.submission_entries = 4, .completion_entries = 8}).value();
  proactor->run_once(std::nullopt);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
  constexpr std::size_t kOperations = 200;
  std::vector<std::unique_ptr<Counted>> pending;
  std::vector<std::byte> bytes(kOperations);
  for (std::size_t i = 0; i < kOperations; ++i) {
    pending.push_back(std::make_unique<Counted>());
    proactor->receive(SocketHandle{pair[0]}, Bytes(bytes).subspan(i, 1), *pending.back());
  }
  EXPECT_GT(proactor->submission_stalls(), 0u);
  proactor->run_once(std::nullopt);
  std::size_t sent = 0;
  for (int turns = 0; turns < 10'000; ++turns) {
    while (sent < kOperations && ::send(pair[1], "x", 1, 0) == 1) ++sent;
    proactor->run_once(std::nullopt);
    if (std::ranges::all_of(pending, [](const auto& one) { return one->times > 0; })) break;
  }
  for (const auto& one : pending) {
    EXPECT_EQ(one->times, 1);
    EXPECT_EQ(one->result, 1);
  }
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST(UringProactor, is_destroyed_with_operations_pending) {
  if (!probe_uring().usable) GTEST_SKIP() << probe_uring().reason;
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
  std::vector<std::byte> buffer(16);
  Counted pending;
  {
    auto proactor = UringProactor::create().value();
    proactor->receive(SocketHandle{pair[0]}, buffer, pending);
    proactor->run_once(std::nullopt);
  }
  // The buffer is ours again, and the kernel does not write to it any more.
  buffer.assign(16, std::byte{7});
  ASSERT_EQ(::send(pair[1], "late", 4, 0), 4);
  EXPECT_EQ(buffer[0], std::byte{7});
  EXPECT_EQ(pending.times, 0);
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST(KernelOwnedDeathTest, touching_a_buffer_the_kernel_writes_to_is_caught) {
  if (!MILLRACE_ASAN) GTEST_SKIP() << "needs AddressSanitizer";
  if (!probe_uring().usable) GTEST_SKIP() << probe_uring().reason;
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
  std::vector<std::byte> buffer(64);
  Counted pending;
  auto proactor = UringProactor::create().value();
  proactor->receive(SocketHandle{pair[0]}, buffer, pending);
  EXPECT_DEATH(buffer[3] = std::byte{1}, "use-after-poison");
  proactor->run_once(std::nullopt);
  ASSERT_EQ(::send(pair[1], "x", 1, 0), 1);
  while (pending.times == 0) proactor->run_once(std::nullopt);
  buffer[3] = std::byte{1};  // ours again
  EXPECT_EQ(buffer[0], std::byte{'x'});
  ::close(pair[0]);
  ::close(pair[1]);
}

}  // namespace
}  // namespace millrace::io
