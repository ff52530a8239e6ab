// The loop, calls between shards and queued I/O ask nothing of the allocator once they are warm.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

#include "io/run.h"
#include "io/shard.h"
#include "io/uring_features.h"
#include "tests/support/alloc_counter.h"
#include "tests/unit/io/idle_proactor.h"

namespace millrace::io {
namespace {

Task<int> answer() {
  co_await yield();
  co_return 1;
}

Task<void> call_often(Shards& shards, int count, std::uint64_t& allocated) {
  const std::uint64_t before = allocations();
  for (int i = 0; i < count; ++i) {
    const int one = co_await shards.call(ShardId{1}, [] { return answer(); });
    EXPECT_EQ(one, 1);
  }
  allocated = allocations() - before;
}

TEST(Allocation, a_call_to_another_shard_allocates_nothing) {
  if (!counts_allocations()) GTEST_SKIP() << "not counted under a sanitizer";
  IdleProactor first;
  IdleProactor second;
  Shards shards(2);
  Reactor zero(ShardId{0}, first);
  Reactor one(ShardId{1}, second);
  shards.adopt(ShardId{0}, zero);
  shards.adopt(ShardId{1}, one);
  std::uint64_t allocated = 1;
  for (const int calls : {10, 1000}) {
    auto task = call_often(shards, calls, allocated);
    zero.schedule(task.handle());
    while (!task.done()) {
      zero.turn(false);
      one.turn(false);
    }
  }
  EXPECT_EQ(allocated, 0u);
}

Task<void> echo_often(Proactor& proactor, SocketHandle near, SocketHandle far, int count,
                      std::uint64_t& allocated) {
  const std::uint64_t before = allocations();
  std::byte sent[16]{};
  std::byte received[16];
  const ::iovec slice{sent, sizeof sent};
  for (int i = 0; i < count; ++i) {
    (void)co_await Operation([&](Completion& done) { proactor.send(near, {&slice, 1}, false, done); });
    const std::int64_t got =
        co_await Operation([&](Completion& done) { proactor.receive(far, received, done); });
    EXPECT_EQ(got, 16);
    co_await sleep_for(Duration(1));
  }
  allocated = allocations() - before;
}

TEST(Allocation, queued_operations_and_timers_allocate_nothing) {
  if (!counts_allocations()) GTEST_SKIP() << "not counted under a sanitizer";
  for (const Backend backend : {Backend::io_uring, Backend::epoll}) {
    if (backend == Backend::io_uring && !probe_uring().usable) continue;
    const auto proactor = make_proactor(backend).value();
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    Reactor reactor(ShardId{0}, *proactor);
    std::uint64_t allocated = 1;
    for (const int rounds : {10, 1000}) {
      run_task(reactor, echo_often(*proactor, SocketHandle{pair[0]}, SocketHandle{pair[1]}, rounds,
                                   allocated));
    }
    EXPECT_EQ(allocated, 0u) << proactor->name();
    ::close(pair[0]);
    ::close(pair[1]);
  }
}

}  // namespace
}  // namespace millrace::io
