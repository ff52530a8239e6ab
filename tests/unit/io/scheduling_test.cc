// What a shard asks of the kernel's scheduler, asked by a thread of its own and read back from the kernel.
#include "io/scheduling.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <functional>
#include <thread>

namespace millrace::io {
namespace {

void on_a_thread(const std::function<void()>& body) { std::thread(body).join(); }

TEST(SchedulingTest, a_thread_that_asks_for_short_slices_has_them_and_nothing_else_changes) {
  on_a_thread([] {
    const int policy = ::sched_getscheduler(0);
    const int nice = ::getpriority(PRIO_PROCESS, 0);
    const auto before = current_slice();
    const bool taken = take_short_slices(kShardSlice);
    EXPECT_EQ(current_slice(), taken ? kShardSlice : before);
    EXPECT_EQ(::sched_getscheduler(0), policy);
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), nice);
  });
}

TEST(SchedulingTest, the_threads_that_a_thread_with_short_slices_makes_have_them_too) {
  on_a_thread([] {
    if (!take_short_slices(kShardSlice)) GTEST_SKIP() << "not on this kernel";
    on_a_thread([] { EXPECT_EQ(current_slice(), kShardSlice); });
  });
}

TEST(SchedulingTest, a_class_that_somebody_has_chosen_stays) {
  on_a_thread([] {
    const sched_param none{};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &none), 0);
    const auto before = current_slice();
    EXPECT_FALSE(take_short_slices(kShardSlice));
    EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
    EXPECT_EQ(current_slice(), before);
  });
}

}  // namespace
}  // namespace millrace::io
