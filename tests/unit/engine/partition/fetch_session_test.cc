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

}  // namespace
}  // namespace millrace::engine
