#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "io/frame_pool.h"
#include "io/gate.h"
#include "io/run.h"
#include "io/sanitizer.h"
#include "io/wait.h"
#include "tests/unit/io/idle_proactor.h"

namespace millrace::io {
namespace {

Task<int> add(int a, int b) { co_return a + b; }

Task<int> add_later(int a, int b) {
  co_await yield();
  const int sum = co_await add(a, b);
  co_return sum;
}

Task<Result<std::string>> greet(bool fails) {
  if (fails) co_return fail(Errc::refused, "no greeting today");
  co_return std::string("hello");
}

Task<Result<std::size_t>> greeting_length(bool fails) {
  CO_TRY(text, co_await greet(fails));
  co_return text.size();
}

TEST(Task, gives_the_value_of_a_child_that_waited) {
  IdleProactor proactor;
  EXPECT_EQ(run_task(proactor, add_later(2, 3)), 5);
}

TEST(Task, an_error_ends_the_parent_through_co_try) {
  IdleProactor proactor;
  EXPECT_EQ(run_task(proactor, greeting_length(false)).value(), 5u);
  EXPECT_EQ(run_task(proactor, greeting_length(true)).error().code, Errc::refused);
}

TEST(Task, nothing_runs_before_it_is_awaited) {
  bool ran = false;
  const auto body = [](bool& flag) -> Task<void> {
    flag = true;
    co_return;
  };
  {
    const Task<void> task = body(ran);
    EXPECT_FALSE(ran);
  }
  EXPECT_FALSE(ran);
}

Task<int> deep(int levels) {
  if (levels == 0) co_return 0;
  const int below = co_await deep(levels - 1);
  co_return below + 1;
}

Task<std::int64_t> many_children(int count) {
  std::int64_t sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await add(i, 1);
  co_return sum;
}

TEST(Task, ten_thousand_levels_and_a_million_children_do_not_grow_the_stack) {
  IdleProactor proactor;
  // Sanitizers turn off the tail call that a symmetric transfer is; a plain build must not need the stack.
  const bool plain = !MILLRACE_ASAN && !MILLRACE_TSAN;
  EXPECT_EQ(run_task(proactor, deep(plain ? 10'000 : 500)), plain ? 10'000 : 500);
  EXPECT_EQ(run_task(proactor, many_children(plain ? 1'000'000 : 5'000)),
            plain ? 500'000'500'000 : 12'502'500);
}

TEST(FramePool, a_freed_frame_is_given_to_the_next_of_its_size_class) {
  if (MILLRACE_ASAN || MILLRACE_TSAN) GTEST_SKIP() << "frames are not pooled under a sanitizer";
  void* const first = allocate_frame(200);
  free_frame(first, 200);
  const FramePoolCounts before = frame_pool_counts();
  void* const other_class = allocate_frame(300);
  void* const second = allocate_frame(250);
  EXPECT_NE(other_class, first);
  EXPECT_EQ(second, first);
  EXPECT_GE(frame_pool_counts().reused, before.reused + 1);
  free_frame(second, 250);
  free_frame(other_class, 300);
}

TEST(FramePool, keeps_no_more_than_its_bound) {
  if (MILLRACE_ASAN || MILLRACE_TSAN) GTEST_SKIP() << "frames are not pooled under a sanitizer";
  constexpr std::size_t kBytes = 4000;
  std::vector<void*> frames;
  for (std::size_t i = 0; i < 2 * kFrameBytesKept / kBytes; ++i) frames.push_back(allocate_frame(kBytes));
  for (void* frame : frames) free_frame(frame, kBytes);
  EXPECT_LE(frame_pool_counts().bytes_kept, kFrameBytesKept + kFrameBytesPooledMax);
}

Task<void> wait_then_count(Event& event, int& count) {
  co_await event.wait();
  ++count;
}

Task<void> gate_scenario(std::vector<std::string>& story) {
  Gate gate;
  Event event;
  int count = 0;
  gate.spawn(wait_then_count(event, count));
  gate.spawn(wait_then_count(event, count));
  story.push_back("running " + std::to_string(gate.running()));
  event.notify_all();
  story.push_back("counted " + std::to_string(count));
  co_await gate.close();
  story.push_back("counted " + std::to_string(count));
  gate.spawn(wait_then_count(event, count));  // dropped
  story.push_back("running " + std::to_string(gate.running()));
}

TEST(Gate, close_waits_for_all_that_run_and_lets_nothing_in) {
  IdleProactor proactor;
  std::vector<std::string> story;
  run_task(proactor, gate_scenario(story));
  EXPECT_EQ(story, (std::vector<std::string>{"running 2", "counted 0", "counted 2", "running 0"}));
}

Task<void> take(Semaphore& units, std::uint64_t count, std::string name, std::vector<std::string>& story) {
  co_await units.acquire(count);
  story.push_back(name);
}

Task<void> semaphore_scenario(std::vector<std::string>& story) {
  Gate gate;
  Semaphore units(4);
  gate.spawn(take(units, 3, "small", story));
  gate.spawn(take(units, 4, "large", story));
  gate.spawn(take(units, 1, "late", story));
  EXPECT_FALSE(units.try_acquire(1)) << "a free unit must not be taken from those who wait";
  units.release(3);
  co_await yield();
  EXPECT_EQ(units.available(), 0u);
  units.release(4);
  co_await gate.close();
  EXPECT_EQ(units.available(), 3u);
}

TEST(Semaphore, serves_in_the_order_of_coming_so_that_large_requests_are_not_starved) {
  IdleProactor proactor;
  std::vector<std::string> story;
  run_task(proactor, semaphore_scenario(story));
  EXPECT_EQ(story, (std::vector<std::string>{"small", "large", "late"}));
}

}  // namespace
}  // namespace millrace::io
