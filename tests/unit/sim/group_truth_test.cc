// What the simulator takes for wrong in groups, and what it does not: answers are told as clients get them.
#include "tests/sim/group_truth.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/sim/subscriber_truth.h"

namespace millrace::sim {
namespace {

void commit(GroupTruth& truth, const std::string& topic, std::int32_t generation) {
  const PartitionName partition{topic, 0};
  truth.commit_done(partition, truth.begin_commit(partition, 7, "m"), generation);
}

std::string first_generation(GroupTruth& truth, const std::string& mark) {
  return truth.assigned(1, "member", {.mark = mark, .partitions = {{"t", 0}}});
}

TEST(GroupTruth, a_group_with_offsets_does_not_begin_anew) {
  GroupTruth truth;
  EXPECT_EQ(first_generation(truth, "a"), "");
  commit(truth, "t", 1);
  EXPECT_NE(first_generation(truth, "b"), "");
}

TEST(GroupTruth, what_is_committed_first_while_its_topic_goes_may_go_with_it_and_the_group_too) {
  GroupTruth truth;
  EXPECT_EQ(first_generation(truth, "a"), "");
  truth.topic_goes("t");
  commit(truth, "t", 1);
  EXPECT_EQ(first_generation(truth, "b"), "");
}

TEST(GroupTruth, what_is_committed_for_a_topic_that_stays_or_is_new_keeps_the_group) {
  for (const bool is_new : {false, true}) {
    GroupTruth truth;
    truth.topic_goes("t");
    if (is_new) truth.topic_is_new("t", false);
    else truth.topic_stays("t");
    EXPECT_EQ(first_generation(truth, "a"), "");
    commit(truth, "t", 1);
    EXPECT_NE(first_generation(truth, "b"), "");
  }
}

TEST(GroupTruth, nobody_joins_in_an_older_epoch_while_there_are_offsets) {
  GroupTruth truth;
  EXPECT_EQ(truth.joined_in_epoch(3, truth.epoch_least()), "");
  EXPECT_EQ(truth.joined_in_epoch(1, truth.epoch_least()), "");
  truth.told_epoch(3);
  commit(truth, "t", 3);
  const std::int32_t least = truth.epoch_least();
  EXPECT_EQ(truth.joined_in_epoch(3, least), "");
  EXPECT_NE(truth.joined_in_epoch(2, least), "");
  truth.may_begin_anew();
  EXPECT_EQ(truth.joined_in_epoch(1, truth.epoch_least()), "");
}

// ---- Who has what

const OwnedPartitions kOne{{TopicId{}, 0}};

TEST(Ownership, one_that_was_thrown_out_is_no_member_until_it_joins_again) {
  Ownership ownership;
  ownership.given("a", ownership.ask(), kOne);
  EXPECT_EQ(ownership.confirmed("a", ownership.ask()), "");
  ownership.given("b", ownership.ask(), kOne);
  EXPECT_NE(ownership.confirmed("a", ownership.ask()), "");
  EXPECT_EQ(ownership.confirmed("b", ownership.ask()), "");
  ownership.release("a");
  EXPECT_EQ(ownership.confirmed("a", ownership.ask()), "");
}

TEST(Ownership, what_was_given_back_is_anothers) {
  Ownership ownership;
  ownership.given("a", ownership.ask(), kOne);
  ownership.gives_back("a", {});
  ownership.given("b", ownership.ask(), kOne);
  EXPECT_EQ(ownership.confirmed("a", ownership.ask()), "");
}

TEST(Ownership, of_two_that_were_told_the_same_at_the_same_time_one_has_been_thrown_out) {
  for (const auto& [stays, goes] : {std::pair("a", "b"), std::pair("b", "a")}) {
    Ownership ownership;
    const std::uint64_t one = ownership.ask();
    const std::uint64_t two = ownership.ask();
    ownership.given("a", one, kOne);
    ownership.given("b", two, kOne);
    EXPECT_EQ(ownership.confirmed(stays, ownership.ask()), "");
    EXPECT_EQ(ownership.confirmed(stays, ownership.ask()), "");
    EXPECT_NE(ownership.confirmed(goes, ownership.ask()), "");
  }
}

TEST(SubscriberTruth, must_be_a_member_until_its_session_or_the_time_to_give_back_is_over) {
  const Duration session = std::chrono::milliseconds(200);
  const Instant start{std::chrono::seconds(1)};
  SubscriberTruth member;
  member.rebalance_timeout = std::chrono::milliseconds(50);
  member.is_known = true;
  member.confirmed(1, start, kOne);
  EXPECT_TRUE(member.must_be_member(start + std::chrono::milliseconds(49), session));
  EXPECT_FALSE(member.must_be_member(start + std::chrono::milliseconds(50), session));
  member.confirmed(1, start, {});
  EXPECT_TRUE(member.must_be_member(start + std::chrono::milliseconds(199), session));
  EXPECT_FALSE(member.must_be_member(start + session, session));
}

}  // namespace
}  // namespace millrace::sim
