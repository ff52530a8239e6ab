#include "io/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "io/gate.h"
#include "io/run.h"
#include "io/sanitizer.h"
#include "tests/unit/io/idle_proactor.h"

namespace millrace::io {
namespace {

TEST(BufferPool, buffers_are_page_aligned_and_at_least_as_large_as_asked) {
  BufferPool pool;
  for (const std::size_t bytes : {1UL, 4096UL, 4097UL, 100'000UL, 1'048'576UL, 3'000'000UL}) {
    const PooledBuffer buffer = pool.take(bytes).value();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % BufferPool::kAlignment, 0u);
    EXPECT_GE(buffer.size(), bytes);
    EXPECT_EQ(buffer.size() % BufferPool::kAlignment, 0u);
    std::memset(buffer.data(), 1, buffer.size());
  }
  EXPECT_EQ(pool.lent_bytes(), 0u);
}

TEST(BufferPool, refuses_beyond_the_budget_and_serves_again_after_a_return) {
  BufferPool pool({.budget_bytes = 128 * 1024});
  PooledBuffer first = pool.take(64 * 1024).value();
  PooledBuffer second = pool.take(64 * 1024).value();
  EXPECT_EQ(pool.take(1).error().code, Errc::refused);
  EXPECT_EQ(pool.take(256 * 1024).error().code, Errc::too_large);
  first.reset();
  EXPECT_TRUE(pool.take(1));
  second = PooledBuffer();
  EXPECT_EQ(pool.lent_bytes(), 0u);
}

TEST(BufferPool, keeps_returned_buffers_up_to_a_bound) {
  if (MILLRACE_ASAN || MILLRACE_TSAN) GTEST_SKIP() << "nothing is kept under a sanitizer";
  BufferPool pool({.kept_bytes_max = 32 * 1024});
  std::vector<PooledBuffer> buffers;
  for (int i = 0; i < 5; ++i) buffers.push_back(pool.take(16 * 1024).value());
  std::byte* const last = buffers.front().data();
  buffers.clear();
  EXPECT_EQ(pool.kept_bytes(), 32u * 1024);
  std::vector<PooledBuffer> again;
  again.push_back(pool.take(16 * 1024).value());
  again.push_back(pool.take(16 * 1024).value());
  EXPECT_TRUE(again[0].data() == last || again[1].data() == last);
  EXPECT_EQ(pool.kept_bytes(), 0u);
}

Task<void> take_and_tell(BufferPool& pool, std::size_t bytes, int number, std::vector<int>& order) {
  const PooledBuffer buffer = (co_await pool.take_when_free(bytes)).value();
  order.push_back(number);
  co_await yield();
}

Task<void> compete(BufferPool& pool, std::vector<int>& order) {
  PooledBuffer held = pool.take(64 * 1024).value();
  Gate gate;
  gate.spawn(take_and_tell(pool, 64 * 1024, 1, order));
  gate.spawn(take_and_tell(pool, 4096, 2, order));
  EXPECT_EQ(pool.take(4096).error().code, Errc::refused) << "others wait already";
  held.reset();
  co_await gate.close();
}

TEST(BufferPool, those_who_wait_are_served_in_order) {
  IdleProactor proactor;
  BufferPool pool({.budget_bytes = 64 * 1024});
  std::vector<int> order;
  run_task(proactor, compete(pool, order));
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace millrace::io
