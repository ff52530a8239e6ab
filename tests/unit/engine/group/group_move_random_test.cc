// Consumers of both protocols that follow them come to one group and leave it in any order, some static, some cooperative; the
// coordinator restarts now and then. With an odd seed those who join an empty group wait for others. The group moves between the protocols under them (Town looks at what must always hold), and once
// nobody comes or goes any more all partitions are read.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/engine/group/consumer_town.h"

namespace millrace::engine {
namespace {

constexpr int kSteps = 2000;

class GroupMoveRandom : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  GroupMoveRandom()
      : town_(GetParam(), {.join_pause = from_ms(GetParam() % 2 == 0 ? 0 : 5)}), prng_(GetParam() + 1'000) {
    for (std::size_t i = 0; i < town_.size(); ++i) {
      if (i < 2) town_.client(i).instance_id = "i" + std::to_string(i);
      draw_protocol(town_.client(i));
    }
  }

  // At times everybody who comes is of the classic protocol.
  void act(int number) {
    era_ = number / 250 % 3;
    if (prng_.chance(4)) town_.pass(from_ms(static_cast<std::int64_t>(prng_.below(4))));
    Town::Client& client = town_.client(prng_.below(town_.size()));
    if (prng_.chance(200)) return town_.restart();
    if (!client.is_in) {
      if (prng_.chance(3)) client.is_in = true;
      return;
    }
    if (client.waits) return;
    if (!prng_.chance(12)) return town_.work(client);
    town_.leave(client);
    draw_protocol(client);
    // A static member is missed: nobody waits for it without end here, it comes back with either protocol.
    client.is_in = !client.instance_id.empty();
  }
  void draw_protocol(Town::Client& client) {
    client.is_consumer = era_ > 0 && prng_.chance(2);
    client.is_cooperative = prng_.chance(2);
  }

  Town town_;
  Prng prng_;
  int era_ = 1;
};

TEST_P(GroupMoveRandom, every_partition_is_read_by_one_consumer_whatever_protocol_it_speaks) {
  for (int i = 0; i < kSteps && !HasFailure(); ++i) act(i);
  // Nobody comes or goes any more.
  town_.client(0).is_in = true;
  for (int i = 0; i < 60; ++i) town_.round();
  town_.expect_at_rest();
  EXPECT_GT(town_.moves(), 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, GroupMoveRandom, ::testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace millrace::engine
