#include "engine/partition/fetch_session.h"

#include <gtest/gtest.h>

namespace millrace::engine {
namespace {

FetchPartition partition(std::int32_t index, std::int64_t offset = 0) {
  FetchPartition wanted;
  wanted.topic = "t";
  wanted.partition = index;
  wanted.fetch_offset = offset;
  return wanted;
}

FetchSessionRequest request(std::int32_t id, std::int32_t epoch, std::vector<FetchPartition> partitions) {
  FetchSessionRequest wanted;
  wanted.session_id = id;
  wanted.session_epoch = epoch;
  wanted.partitions = std::move(partitions);
  return wanted;
}

class FetchSessionsTest : public testing::Test {
 protected:
  Instant now_{std::chrono::hours(1)};
  FetchSessions sessions_{{.sessions = 2}, Prng(1)};
};

TEST_F(FetchSessionsTest, epoch_minus_one_makes_no_session) {
  auto opened = sessions_.open(request(0, -1, {partition(0)}), now_);
  EXPECT_EQ(opened.session_id, 0);
  EXPECT_EQ(opened.partitions().size(), 1U);
  EXPECT_EQ(sessions_.size(), 0U);
}

TEST_F(FetchSessionsTest, incremental_requests_change_what_is_remembered) {
  const auto first = sessions_.open(request(0, 0, {partition(0), partition(1)}), now_);
  ASSERT_NE(first.session_id, 0);
  EXPECT_FALSE(first.incremental);

  auto second = request(first.session_id, 1, {partition(1, 7), partition(2)});
  second.forgotten.push_back({"t", {}, 0});
  auto opened = sessions_.open(std::move(second), now_);
  EXPECT_TRUE(opened.incremental);
  ASSERT_EQ(opened.partitions().size(), 2U);
  EXPECT_EQ(opened.partitions().front().partition, 1);
  EXPECT_EQ(opened.partitions().front().fetch_offset, 7);
  EXPECT_EQ(opened.partitions().back().partition, 2);
}

TEST_F(FetchSessionsTest, a_repeated_epoch_is_refused_and_the_session_stays) {
  const auto first = sessions_.open(request(0, 0, {partition(0)}), now_);
  EXPECT_EQ(sessions_.open(request(first.session_id, 1, {}), now_).error, FetchSessionError::none);
  EXPECT_EQ(sessions_.open(request(first.session_id, 1, {}), now_).error,
            FetchSessionError::invalid_epoch);
  EXPECT_EQ(sessions_.open(request(first.session_id, 2, {}), now_).error, FetchSessionError::none);
}

TEST_F(FetchSessionsTest, an_unknown_session_is_named_as_such) {
  EXPECT_EQ(sessions_.open(request(99, 1, {}), now_).error, FetchSessionError::id_not_found);
}

TEST_F(FetchSessionsTest, names_and_topic_ids_do_not_mix_within_a_session) {
  const auto first = sessions_.open(request(0, 0, {partition(0)}), now_);
  auto second = request(first.session_id, 1, {});
  second.uses_topic_ids = true;
  EXPECT_EQ(sessions_.open(std::move(second), now_).error, FetchSessionError::topic_id);
}

TEST_F(FetchSessionsTest, what_was_told_survives_an_update_of_the_partition) {
  auto first = sessions_.open(request(0, 0, {partition(0)}), now_);
  first.partitions().front().told_high_watermark = 5;
  auto opened = sessions_.open(request(first.session_id, 1, {partition(0, 3)}), now_);
  EXPECT_EQ(opened.partitions().front().told_high_watermark, 5);
  EXPECT_EQ(opened.partitions().front().fetch_offset, 3);
}

TEST_F(FetchSessionsTest, a_full_table_gives_no_session_until_one_is_idle) {
  sessions_.open(request(0, 0, {partition(0)}), now_);
  sessions_.open(request(0, 0, {partition(0)}), now_);
  EXPECT_EQ(sessions_.open(request(0, 0, {partition(0)}), now_).session_id, 0);
  now_ += std::chrono::minutes(3);
  EXPECT_NE(sessions_.open(request(0, 0, {partition(0)}), now_).session_id, 0);
  EXPECT_EQ(sessions_.size(), 2U);
  EXPECT_EQ(sessions_.evictions(), 1U);
}

TEST_F(FetchSessionsTest, forgetting_everything_ends_the_session) {
  const auto first = sessions_.open(request(0, 0, {partition(0)}), now_);
  auto second = request(first.session_id, 1, {});
  second.forgotten.push_back({"t", {}, 0});
  EXPECT_EQ(sessions_.open(std::move(second), now_).session_id, 0);
  EXPECT_EQ(sessions_.size(), 0U);
}

std::vector<FetchPartition> partitions(std::int32_t count, std::int32_t first = 0) {
  std::vector<FetchPartition> wanted;
  for (std::int32_t i = 0; i < count; ++i) wanted.push_back(partition(first + i));
  return wanted;
}

std::size_t bytes_of(std::int32_t count) {
  return static_cast<std::size_t>(count) * FetchSession::bytes_of(partition(0));
}

TEST_F(FetchSessionsTest, a_partition_named_many_times_is_answered_once) {
  std::vector<FetchPartition> repeated(1000, partition(3));
  repeated.push_back(partition(3, 9));
  auto without_session = sessions_.open(request(0, -1, repeated), now_);
  ASSERT_EQ(without_session.partitions().size(), 1U);
  EXPECT_EQ(without_session.partitions().front().fetch_offset, 9);
  auto with_session = sessions_.open(request(0, 0, repeated), now_);
  EXPECT_EQ(with_session.partitions().size(), 1U);
}

TEST_F(FetchSessionsTest, of_the_old_sessions_the_smallest_goes_although_a_young_one_is_smaller) {
  const auto old = sessions_.open(request(0, 0, partitions(5)), now_);
  now_ += std::chrono::minutes(2) - std::chrono::seconds(1);
  const auto young = sessions_.open(request(0, 0, partitions(1)), now_);
  sessions_.open(request(old.session_id, 1, {}), now_);
  now_ += std::chrono::seconds(2);
  EXPECT_NE(sessions_.open(request(0, 0, partitions(9)), now_).session_id, 0);
  EXPECT_EQ(sessions_.open(request(young.session_id, 1, {}), now_).error, FetchSessionError::none);
  EXPECT_EQ(sessions_.open(request(old.session_id, 2, {}), now_).error, FetchSessionError::id_not_found);
}

TEST_F(FetchSessionsTest, a_follower_takes_the_place_of_a_consumer_and_no_consumer_that_of_a_follower) {
  const auto first = sessions_.open(request(0, 0, partitions(8)), now_);
  const auto second = sessions_.open(request(0, 0, partitions(9)), now_);
  auto follower = request(0, 0, partitions(1));
  follower.privileged = true;
  const auto made = sessions_.open(follower, now_);
  ASSERT_NE(made.session_id, 0);
  EXPECT_EQ(sessions_.open(request(first.session_id, 1, {}), now_).error, FetchSessionError::id_not_found);
  now_ += std::chrono::minutes(2) - std::chrono::seconds(1);
  for (const std::int32_t id : {second.session_id, made.session_id}) {
    EXPECT_EQ(sessions_.open(request(id, 1, {}), now_).error, FetchSessionError::none);
  }
  now_ += std::chrono::seconds(2);
  ASSERT_NE(sessions_.open(request(0, 0, partitions(20)), now_).session_id, 0);
  EXPECT_EQ(sessions_.open(request(made.session_id, 2, {}), now_).error, FetchSessionError::none);
}

TEST(FetchSessionBytes, a_session_that_would_exceed_the_bound_is_answered_and_not_remembered) {
  const Instant now{std::chrono::hours(1)};
  FetchSessions sessions({.sessions = 100, .bytes = bytes_of(10)}, Prng(1));
  const auto first = sessions.open(request(0, 0, partitions(7)), now);
  EXPECT_NE(first.session_id, 0);
  auto second = sessions.open(request(0, 0, partitions(4)), now);
  EXPECT_EQ(second.session_id, 0);
  EXPECT_EQ(second.partitions().size(), 4U);
  EXPECT_NE(sessions.open(request(0, 0, partitions(3)), now).session_id, 0);
  EXPECT_EQ(sessions.bytes(), bytes_of(10));
  EXPECT_EQ(sessions.open(request(first.session_id, 1, {}), now).error, FetchSessionError::none);
}

TEST(FetchSessionBytes, idle_sessions_make_room_for_as_many_bytes_as_are_needed) {
  Instant now{std::chrono::hours(1)};
  FetchSessions sessions({.sessions = 100, .bytes = bytes_of(10)}, Prng(1));
  for (int i = 0; i < 5; ++i) sessions.open(request(0, 0, partitions(2)), now);
  now += std::chrono::minutes(3);
  EXPECT_NE(sessions.open(request(0, 0, partitions(5)), now).session_id, 0);
  EXPECT_EQ(sessions.evictions(), 3U);
  EXPECT_EQ(sessions.bytes(), bytes_of(9));
}

TEST(FetchSessionBytes, a_session_that_grows_beyond_the_bound_is_ended_and_may_begin_anew) {
  const Instant now{std::chrono::hours(1)};
  FetchSessions sessions({.sessions = 100, .bytes = bytes_of(10)}, Prng(1));
  const auto other = sessions.open(request(0, 0, partitions(6)), now);
  const auto grows = sessions.open(request(0, 0, partitions(4)), now);
  EXPECT_EQ(sessions.open(request(grows.session_id, 1, partitions(1, 4)), now).error, FetchSessionError::id_not_found);
  EXPECT_EQ(sessions.bytes(), bytes_of(6));
  EXPECT_EQ(sessions.open(request(other.session_id, 1, {}), now).error, FetchSessionError::none);
  EXPECT_NE(sessions.open(request(0, 0, partitions(4)), now).session_id, 0);
}

TEST(FetchSessionBytes, forgotten_partitions_give_their_bytes_back) {
  const Instant now{std::chrono::hours(1)};
  FetchSessions sessions({.sessions = 100, .bytes = bytes_of(10)}, Prng(1));
  const auto opened = sessions.open(request(0, 0, partitions(10)), now);
  auto less = request(opened.session_id, 1, {});
  less.forgotten.push_back({"t", {}, 9});
  sessions.open(less, now);
  EXPECT_EQ(sessions.bytes(), bytes_of(9));
  sessions.open(request(opened.session_id, -1, {}), now);
  EXPECT_EQ(sessions.bytes(), 0U);
}

TEST(FetchSessionBytes, without_slots_no_session_is_made) {
  const Instant now{std::chrono::hours(1)};
  FetchSessions sessions({.sessions = 0}, Prng(1));
  auto opened = sessions.open(request(0, 0, partitions(2)), now);
  EXPECT_EQ(opened.session_id, 0);
  EXPECT_EQ(opened.partitions().size(), 2U);
}

}  // namespace
}  // namespace millrace::engine
