// A group so large that it is not assigned anew for each member that comes or goes: its consumers are restarted with the other
// protocol, some at a time and without a stop, and then back.
#include <gtest/gtest.h>

#include "tests/unit/engine/group/consumer_town.h"

namespace millrace::engine {
namespace {

constexpr std::size_t kClients = 400;
constexpr std::size_t kAtOnce = 50;
constexpr std::int32_t kPartitions = 1000;

class LargeGroupMove : public ::testing::Test {
 protected:
  void settle() {
    for (int i = 0; i < 12; ++i) town_.round();
    town_.expect_at_rest();
  }
  void roll(bool to_consumer) {
    for (std::size_t first = 0; first < kClients && !HasFailure(); first += kAtOnce) {
      for (std::size_t i = first; i < first + kAtOnce; ++i) come(i, to_consumer);
      // Meanwhile the rest goes on, at times without a target for those who have just come.
      for (int i = 0; i < 3; ++i) {
        town_.round();
        rounds_without_target_ += town_.state() == "Assigning";
      }
    }
  }
  // Some revoke all that they have when the group is assigned anew, some only what goes to others.
  void come(std::size_t number, bool as_consumer) {
    Town::Client& client = town_.client(number);
    if (client.is_in && !client.waits) town_.leave(client);
    ASSERT_FALSE(client.waits);
    client.is_consumer = as_consumer;
    client.is_cooperative = number % 3 == 0;
    client.is_in = true;
  }

  int rounds_without_target_ = 0;
  Town town_{7, {.clients = kClients, .partitions = kPartitions, .is_large = true}};
};

TEST_F(LargeGroupMove, consumers_go_over_to_the_other_protocol_and_back_without_a_stop) {
  ASSERT_GT(kClients - kAtOnce, ConsumerGroupOptions{}.assign_at_once_max);
  for (std::size_t i = 0; i < kClients; ++i) come(i, false);
  settle();
  roll(true);
  settle();
  EXPECT_EQ(town_.type(), "consumer");
  roll(false);
  settle();
  EXPECT_EQ(town_.type(), "classic");
  EXPECT_EQ(town_.moves(), 2);
  EXPECT_GT(rounds_without_target_, 0);
}

TEST_F(LargeGroupMove, a_coordinator_that_starts_again_amid_the_move_goes_on_with_it) {
  for (std::size_t i = 0; i < kClients; ++i) come(i, false);
  settle();
  for (std::size_t i = 0; i < kAtOnce; ++i) come(i, true);
  town_.work(town_.client(0));
  EXPECT_EQ(town_.type(), "consumer");
  town_.restart();
  town_.round();
  town_.restart();
  settle();
}

}  // namespace
}  // namespace millrace::engine
