// Real threads on both backends, and reactors of a simulator in one thread.
#include "io/shard.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <numeric>
#include <set>
#include <string>

#include "io/gate.h"
#include "io/mailbox.h"
#include "io/run.h"
#include "io/uring_features.h"
#include "tests/unit/io/idle_proactor.h"

namespace millrace::io {
namespace {

struct Numbered : Message {
  void run() override { order->push_back(number); }
  int number = 0;
  std::vector<int>* order = nullptr;
};

TEST(Ring, refuses_when_full_and_keeps_the_order) {
  Ring ring(4);
  std::vector<int> order;
  std::vector<Numbered> messages(6);
  for (int i = 0; i < 6; ++i) {
    messages[static_cast<std::size_t>(i)].number = i;
    messages[static_cast<std::size_t>(i)].order = &order;
  }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(messages[i]));
  EXPECT_TRUE(ring.full());
  EXPECT_FALSE(ring.push(messages[4]));
  EXPECT_EQ(ring.drain(), 4u);
  EXPECT_TRUE(ring.push(messages[4]));
  EXPECT_TRUE(ring.push(messages[5]));
  EXPECT_FALSE(ring.empty());
  EXPECT_EQ(ring.drain(), 2u);
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5}));
}

TEST(Mailboxes, what_does_not_fit_follows_in_order_and_lets_the_sender_sleep_until_there_is_room) {
  Mailboxes mailboxes(2, 4);
  std::vector<int> order;
  std::deque<Numbered> messages(11);
  for (int i = 0; i < 11; ++i) {
    messages[static_cast<std::size_t>(i)].number = i;
    messages[static_cast<std::size_t>(i)].order = &order;
    mailboxes.send(messages[static_cast<std::size_t>(i)], ShardId{0}, ShardId{1});
  }
  Mailbox& sender = mailboxes.of(ShardId{0});
  Mailbox& receiver = mailboxes.of(ShardId{1});
  IdleProactor proactor;
  mailboxes.set_proactor(ShardId{0}, &proactor);
  for (int wakes = 1; wakes <= 2; ++wakes) {
    EXPECT_TRUE(sender.prepare_sleep());
    receiver.drain();
    EXPECT_EQ(proactor.wakes(), wakes);
    sender.finish_sleep();
    sender.drain();
  }
  EXPECT_TRUE(sender.prepare_sleep());
  receiver.drain();
  EXPECT_EQ(proactor.wakes(), 2) << "all have been sent: nobody waits for room";
  sender.finish_sleep();
  EXPECT_TRUE(sender.prepare_sleep());
  sender.finish_sleep();
  std::vector<int> expected(11);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST(Mailboxes, a_sender_stays_awake_while_what_waits_would_fit) {
  Mailboxes mailboxes(2, 4);
  std::vector<int> order;
  std::deque<Numbered> messages(5);
  for (auto& message : messages) {
    message.order = &order;
    mailboxes.send(message, ShardId{0}, ShardId{1});
  }
  mailboxes.of(ShardId{1}).drain();
  EXPECT_FALSE(mailboxes.of(ShardId{0}).prepare_sleep());
}

TEST(Mailboxes, wakes_a_sleeper_once_and_nobody_else) {
  Mailboxes mailboxes(2, 4);
  IdleProactor proactor;
  mailboxes.set_proactor(ShardId{1}, &proactor);
  std::vector<int> order;
  std::vector<Numbered> messages(3);
  for (auto& message : messages) message.order = &order;
  mailboxes.send(messages[0], ShardId{0}, ShardId{1});
  EXPECT_EQ(proactor.wakes(), 0);
  Mailbox& receiver = mailboxes.of(ShardId{1});
  EXPECT_FALSE(receiver.prepare_sleep()) << "a message has arrived";
  receiver.drain();
  EXPECT_TRUE(receiver.prepare_sleep());
  mailboxes.send(messages[1], ShardId{0}, ShardId{1});
  mailboxes.send(messages[2], ShardId{0}, ShardId{1});
  EXPECT_EQ(proactor.wakes(), 1);
}

Task<int> answer_on(Shards& shards, ShardId target) {
  struct Body {
    static Task<int> run() {
      co_await yield();
      co_return static_cast<int>(Reactor::current().shard().value()) * 100;
    }
  };
  co_return co_await shards.call(target, [] { return Body::run(); });
}

TEST(Shards, adopted_reactors_take_calls_in_one_thread) {
  IdleProactor first;
  IdleProactor second;
  Shards shards(2);
  Reactor zero(ShardId{0}, first);
  Reactor one(ShardId{1}, second);
  shards.adopt(ShardId{0}, zero);
  shards.adopt(ShardId{1}, one);
  auto far = answer_on(shards, ShardId{1});
  auto near = answer_on(shards, ShardId{0});
  zero.schedule(far.handle());
  zero.schedule(near.handle());
  for (int i = 0; i < 10; ++i) {
    zero.turn(false);
    one.turn(false);
  }
  ASSERT_TRUE(far.done());
  ASSERT_TRUE(near.done());
  EXPECT_EQ(*far.handle().promise().value, 100);
  EXPECT_EQ(*near.handle().promise().value, 0);
}

class ShardsTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (backend() == Backend::io_uring && !probe_uring().usable) {
      GTEST_SKIP() << probe_uring().reason;
    }
  }
  static Backend backend() {
    return std::string(GetParam()) == "io_uring" ? Backend::io_uring : Backend::epoll;
  }
};

// Each shard's own count, changed only by its own coroutines: ThreadSanitizer sees it when a call runs elsewhere.
struct Counts {
  explicit Counts(std::uint32_t shards) : by_shard(shards) {}
  struct alignas(64) One {
    std::uint64_t value = 0;
  };
  std::vector<One> by_shard;
};

Task<std::uint64_t> add_here(Counts& counts, std::uint64_t amount) {
  auto& mine = counts.by_shard[Reactor::current().shard().value()].value;
  mine += amount;
  if (mine % 7 == 0) co_await yield();
  co_return mine;
}

Task<void> call_round(Shards& shards, Counts& counts, ShardId start, int calls, std::string& trouble) {
  for (int i = 0; i < calls; ++i) {
    const ShardId target{(start.value() + static_cast<std::uint32_t>(i)) % shards.count()};
    std::string carried(static_cast<std::size_t>(i % 50), 'x');  // lives here while the other shard reads it
    const std::uint64_t seen = co_await shards.call(
        target, [&counts, &carried] { return add_here(counts, 1 + carried.size() * 0); });
    if (seen == 0) trouble = "a call came back without having run";
    if (Reactor::current().shard() != start) trouble = "a call came back to another shard";
  }
}

Task<void> callers(Shards& shards, Counts& counts, ShardId mine, int coroutines, int calls) {
  Gate gate;
  std::string trouble;
  for (int i = 0; i < coroutines; ++i) gate.spawn(call_round(shards, counts, mine, calls, trouble));
  co_await gate.close();
  EXPECT_EQ(trouble, "");
}

TEST_P(ShardsTest, every_call_runs_once_on_its_shard_and_comes_home) {
  constexpr std::uint32_t kShards = 3;
  constexpr int kCoroutines = 400;  // more than a ring holds
  constexpr int kCalls = 30;
  Shards shards(kShards);
  Counts counts(kShards);
  const auto report = shards.start({.backend = backend()});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->backend, GetParam());
  EXPECT_FALSE(report->backend_reason.empty());
  ASSERT_EQ(report->cores.size(), kShards);
  shards.run([&](ShardId shard) { return callers(shards, counts, shard, kCoroutines, kCalls); });
  std::uint64_t sum = 0;
  for (const auto& one : counts.by_shard) sum += one.value;
  EXPECT_EQ(sum, std::uint64_t{kShards} * kCoroutines * kCalls);
}

Task<void> ping(Shards& shards, ShardId mine, int rounds, Counts& counts) {
  if (mine != ShardId{0}) co_return;  // answers calls until shard 0 is done
  for (int i = 0; i < rounds; ++i) {
    // Long enough for the others to fall asleep now and then.
    if (i % 50 == 0) co_await sleep_for(std::chrono::milliseconds(2));
    co_await shards.call(ShardId{1}, [&counts] { return add_here(counts, 1); });
  }
}

TEST_P(ShardsTest, a_sleeping_shard_answers_and_all_stop_when_the_last_is_done) {
  Shards shards(2);
  Counts counts(2);
  ASSERT_TRUE(shards.start({.backend = backend(), .pin = false}));
  shards.run([&](ShardId shard) { return ping(shards, shard, 1000, counts); });
  EXPECT_EQ(counts.by_shard[1].value, 1000u);
}

TEST_P(ShardsTest, started_and_never_run_ends) {
  Shards shards(2);
  ASSERT_TRUE(shards.start({.backend = backend()}));
}

INSTANTIATE_TEST_SUITE_P(Backends, ShardsTest, testing::Values("io_uring", "epoll"));

TEST(ChooseBackend, automatic_follows_the_probe_and_says_why) {
  const auto choice = choose_backend(Backend::automatic);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->backend == Backend::io_uring, probe_uring().usable);
  EXPECT_FALSE(choice->reason.empty());
  EXPECT_EQ(choose_backend(Backend::epoll)->backend, Backend::epoll);
}

}  // namespace
}  // namespace millrace::io
