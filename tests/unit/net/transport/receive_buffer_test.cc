#include "net/transport/receive_buffer.h"

#include <gtest/gtest.h>

#include "io/gate.h"
#include "tests/sim/sim_proactor.h"

namespace millrace::net {
namespace {

class ReceiveBuffersTest : public testing::Test {
 public:
  void settle() {
    for (int i = 0; i < 5; ++i) reactor_.turn(false);
  }

  sim::World world_{1};
  sim::SimDisk disk_{world_.stream("disk")};
  sim::SimProactor proactor_{world_, disk_, "test"};
  io::Reactor reactor_{ShardId{0}, proactor_};
  io::Reactor::Enter enter_{reactor_};
};

io::Task<void> hold(ReceiveBuffers& buffers, std::size_t bytes, ReceiveBuffer& out) {
  out = co_await buffers.take(bytes);
}

TEST_F(ReceiveBuffersTest, a_buffer_is_large_enough_aligned_and_at_most_a_quarter_too_large) {
  ReceiveBuffers buffers({});
  for (std::size_t bytes : {1UL, 1024UL, 1025UL, 4096UL, 16384UL, 16385UL, 131136UL, 1048640UL,
                            4194304UL, 4194305UL, 100000000UL}) {
    const ReceiveBuffer buffer = buffers.try_take(bytes);
    ASSERT_TRUE(buffer) << bytes;
    EXPECT_GE(buffer.capacity(), bytes);
    if (bytes > 8192) {
      EXPECT_LE(buffer.capacity(), bytes + bytes / 4 + 4096);
    }
    if (bytes >= 4096) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 4096, 0) << bytes;
    }
    EXPECT_EQ(buffers.bytes_lent(), buffer.capacity());
  }
  EXPECT_EQ(buffers.bytes_lent(), 0);
}

TEST_F(ReceiveBuffersTest, the_same_memory_is_lent_again_until_it_is_trimmed) {
  ReceiveBuffers buffers({});
  const std::byte* first = buffers.try_take(100'000).data();
  EXPECT_EQ(buffers.try_take(100'000).data(), first);
  EXPECT_GT(buffers.bytes_kept(), 0);
  buffers.trim();
  EXPECT_GT(buffers.bytes_kept(), 0) << "it was used since";
  buffers.trim();
  EXPECT_EQ(buffers.bytes_kept(), 0);
}

TEST_F(ReceiveBuffersTest, no_more_is_kept_than_allowed) {
  ReceiveBuffers buffers({.bytes_max = 100 << 20, .bytes_kept_max = 300'000});
  {
    std::vector<ReceiveBuffer> many;
    for (int i = 0; i < 10; ++i) many.push_back(buffers.try_take(100'000));
  }
  EXPECT_LE(buffers.bytes_kept(), 300'000);
}

TEST_F(ReceiveBuffersTest, copies_share_the_buffer_and_the_last_gives_it_back) {
  ReceiveBuffers buffers({});
  ReceiveBuffer one = buffers.try_take(5000);
  EXPECT_TRUE(one.unique());
  ReceiveBuffer two = one;
  EXPECT_FALSE(one.unique());
  one.reset();
  EXPECT_GT(buffers.bytes_lent(), 0);
  two = {};
  EXPECT_EQ(buffers.bytes_lent(), 0);
}

TEST_F(ReceiveBuffersTest, spent_memory_refuses_all_but_small_buffers) {
  ReceiveBuffers buffers({.bytes_max = 200'000});
  const ReceiveBuffer all = buffers.try_take(190'000);
  EXPECT_FALSE(buffers.try_take(20'000));
  EXPECT_TRUE(buffers.try_take(ReceiveBuffers::kSmallBytes));
}

TEST_F(ReceiveBuffersTest, who_waits_first_is_served_first_and_only_one_beyond_the_bound) {
  ReceiveBuffers buffers({.bytes_max = 200'000});
  ReceiveBuffer held = buffers.try_take(190'000);
  ReceiveBuffer first;
  ReceiveBuffer second;
  ReceiveBuffer third;
  io::Gate gate;
  gate.spawn(hold(buffers, 150'000, first));
  gate.spawn(hold(buffers, 50'000, second));
  gate.spawn(hold(buffers, 8'192, third));
  settle();
  EXPECT_TRUE(first) << "beyond the bound, so that it cannot wait for ever";
  EXPECT_FALSE(second);
  EXPECT_FALSE(third) << "it came after the second";
  EXPECT_TRUE(buffers.has_waiters());
  held.reset();
  settle();
  EXPECT_FALSE(third && !second);
  first.reset();
  settle();
  EXPECT_TRUE(second);
  EXPECT_TRUE(third);
}

}  // namespace
}  // namespace millrace::net
