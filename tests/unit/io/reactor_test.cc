#include "io/reactor.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "io/gate.h"
#include "io/run.h"
#include "tests/unit/io/idle_proactor.h"

namespace millrace::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Task<void> nap(Duration duration, std::string name, std::vector<std::string>& story) {
  co_await sleep_for(duration);
  story.push_back(name);
}

Task<void> naps(std::vector<std::string>& story) {
  Gate gate;
  gate.spawn(nap(milliseconds(30), "third", story));
  gate.spawn(nap(milliseconds(10), "first", story));
  gate.spawn(nap(milliseconds(10), "second", story));
  co_await gate.close();
}

TEST(Reactor, timers_expire_in_the_order_of_their_deadlines_and_then_of_arming) {
  IdleProactor proactor;
  std::vector<std::string> story;
  const Instant before = proactor.now();
  run_task(proactor, naps(story));
  EXPECT_EQ(story, (std::vector<std::string>{"first", "second", "third"}));
  EXPECT_EQ(proactor.now() - before, milliseconds(30)) << "the loop must sleep exactly to the deadline";
}

TEST(Reactor, a_cancelled_or_destroyed_timer_does_not_expire) {
  IdleProactor proactor;
  Reactor reactor(ShardId{0}, proactor);
  int expired = 0;
  Timer cancelled([&] { expired += 1; });
  Timer moved([&] { expired += 10; });
  {
    const Reactor::Enter enter(reactor);
    Timer destroyed([&] { expired += 100; });
    destroyed.arm(proactor.now() + seconds(1));
    cancelled.arm(proactor.now() + seconds(1));
    moved.arm(proactor.now() + seconds(1));
    moved.arm(proactor.now() + seconds(3));
    cancelled.cancel();
  }
  proactor.advance(seconds(2));
  reactor.turn(false);
  EXPECT_EQ(expired, 0);
  proactor.advance(seconds(2));
  reactor.turn(false);
  EXPECT_EQ(expired, 10);
}

TEST(Reactor, a_timer_that_rearms_itself_in_the_past_does_not_hold_up_the_turn) {
  IdleProactor proactor;
  Reactor reactor(ShardId{0}, proactor);
  std::uint64_t expired = 0;
  Timer* again = nullptr;
  Timer timer([&] {
    ++expired;
    again->arm(Instant{});
  });
  again = &timer;
  {
    const Reactor::Enter enter(reactor);
    timer.arm(Instant{});
  }
  EXPECT_TRUE(reactor.turn(true));
  EXPECT_GT(expired, 0u);
  EXPECT_EQ(proactor.sleeps(), 0);
}

class CountingHook : public TurnHook {
 public:
  void at_turn_end() override {
    ++runs;
    if (arms_again) Reactor::current().arm_turn_end(*this);
  }
  int runs = 0;
  bool arms_again = false;
};

TEST(Reactor, a_hook_armed_twice_runs_once_and_one_that_arms_itself_runs_next_turn) {
  IdleProactor proactor;
  Reactor reactor(ShardId{0}, proactor);
  CountingHook twice;
  CountingHook again;
  again.arms_again = true;
  reactor.arm_turn_end(twice);
  reactor.arm_turn_end(twice);
  reactor.arm_turn_end(again);
  reactor.turn(true);
  EXPECT_EQ(twice.runs, 1);
  EXPECT_EQ(again.runs, 1);
  reactor.turn(true);
  EXPECT_EQ(twice.runs, 1);
  EXPECT_EQ(again.runs, 2);
  EXPECT_EQ(proactor.sleeps(), 0) << "an armed hook keeps the shard awake";
}

TEST(Reactor, a_destroyed_hook_does_not_run) {
  IdleProactor proactor;
  Reactor reactor(ShardId{0}, proactor);
  {
    CountingHook hook;
    reactor.arm_turn_end(hook);
  }
  EXPECT_FALSE(reactor.turn(false));
}

class FakeInbox : public Inbox {
 public:
  std::size_t drain() override { return std::exchange(arrived, 0); }
  bool prepare_sleep() override {
    ++prepared;
    return !arrives_late;
  }
  void finish_sleep() override { ++finished; }
  std::size_t arrived = 0;
  bool arrives_late = false;
  int prepared = 0;
  int finished = 0;
};

TEST(Reactor, does_not_sleep_when_a_message_arrives_while_it_prepares_to) {
  IdleProactor proactor;
  Reactor reactor(ShardId{0}, proactor);
  FakeInbox inbox;
  reactor.set_inbox(&inbox);
  inbox.arrives_late = true;
  reactor.turn(true);
  EXPECT_EQ(proactor.sleeps(), 0);
  inbox.arrives_late = false;
  reactor.turn(true);
  EXPECT_EQ(proactor.sleeps(), 1);
  EXPECT_EQ(inbox.finished, 1);
}

TEST(Reactor, spins_for_the_set_time_after_work_and_then_sleeps) {
  IdleProactor proactor;
  Reactor reactor(ShardId{0}, proactor, {.spin = std::chrono::microseconds(100)});
  FakeInbox inbox;
  reactor.set_inbox(&inbox);
  inbox.arrived = 1;
  reactor.turn(true);
  for (int i = 0; i < 5; ++i) {
    reactor.turn(true);
    proactor.advance(std::chrono::microseconds(20));
    EXPECT_EQ(proactor.sleeps(), 0);
  }
  reactor.turn(true);
  EXPECT_EQ(proactor.sleeps(), 1);
}

TEST(Reactor, gives_up_spinning_that_never_pays) {
  IdleProactor proactor;
  Reactor reactor(ShardId{0}, proactor, {.spin = std::chrono::microseconds(100)});
  FakeInbox inbox;
  reactor.set_inbox(&inbox);
  int spun = 0;
  for (int round = 0; round < 400; ++round) {
    inbox.arrived = 1;
    reactor.turn(true);
    const int sleeps = proactor.sleeps();
    while (proactor.sleeps() < sleeps + 3) {
      const int before = proactor.sleeps();
      reactor.turn(true);
      if (round >= 100 && proactor.sleeps() == before) ++spun;
      proactor.advance(seconds(1));  // far beyond the spin: it was for nothing
    }
  }
  EXPECT_LT(spun, 100) << "of 900 sleeps turns";
  EXPECT_GT(spun, 0) << "now and then it must be tried again";
}

Task<void> ask_clock_after_sleep(Reactor& reactor, Instant& seen) {
  co_await sleep_for(seconds(5));
  co_await yield();
  seen = reactor.now();
}

TEST(Reactor, the_clock_is_new_after_a_sleep) {
  IdleProactor proactor;
  Reactor reactor(ShardId{0}, proactor);
  Instant seen{};
  const Instant before = proactor.now();
  run_task(reactor, ask_clock_after_sleep(reactor, seen));
  EXPECT_EQ(seen - before, seconds(5));
}

}  // namespace
}  // namespace millrace::io
