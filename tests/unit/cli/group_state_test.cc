#include "cli/group_state.h"

#include <gtest/gtest.h>

#include <initializer_list>

#include "cli/group.h"
#include "cli/group_lag.h"

namespace millrace::cli {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(GroupState, an_assignment_names_topics_and_partitions) {
  const auto bytes = bytes_of({0, 3,                                        // version
                               0, 0, 0,   2,                                // topics
                               0, 1, 'a', 0,   0, 0,   1,   0,   0,  0, 7,  // a: 7
                               0, 2, 'b', 'c', 0, 0,   0,   2,   0,  0, 0,
                               0, 0, 0,   0,   1, 255, 255, 255, 255});  // no user data
  EXPECT_EQ(parse_assignment(bytes), (std::vector<TopicPartition>{{"a", 7}, {"bc", 0}, {"bc", 1}}));
}

TEST(GroupState, an_assignment_that_ends_early_or_counts_wrongly_is_malformed) {
  for (const auto& bytes :
       {bytes_of({0}), bytes_of({0, 0, 0, 0, 0, 1}), bytes_of({0, 0, 0, 0, 0, 1, 0, 9, 'a'}),
        bytes_of({0, 0, 0, 0, 0, 1, 0, 1, 'a', 127, 255, 255, 255, 0, 0})}) {
    const auto parsed = parse_assignment(bytes);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, Errc::malformed);
  }
}

GroupState sample() {
  return {.group = "g",
          .type = "classic",
          .state = "Stable",
          .protocol_type = "consumer",
          .assignor = "range",
          .epoch = std::nullopt,
          .coordinator = {},
          .members = {{.id = "m1",
                       .instance_id = std::nullopt,
                       .client_id = "one",
                       .host = "/h",
                       .epoch = std::nullopt,
                       .partitions = {{"t", 0}, {"t", 2}}}}};
}

TEST(GroupState, lag_has_a_row_for_what_is_committed_and_for_what_is_assigned) {
  const GroupState state = sample();
  const auto lags = join_lag(state, {{{"t", 0}, {.offset = 5, .metadata = ""}},
                                     {{"t", 1}, {.offset = 6, .metadata = ""}}});
  ASSERT_EQ(lags.size(), 3u);
  EXPECT_EQ(lags[0].committed, 5);
  EXPECT_EQ(lags[0].member, &state.members[0]);
  EXPECT_EQ(lags[1].committed, 6);
  EXPECT_EQ(lags[1].member, nullptr);
  EXPECT_EQ(lags[2].committed, std::nullopt);
  EXPECT_EQ(lags[2].member, &state.members[0]);
}

TEST(GroupState, lag_is_unknown_without_an_end_and_negative_when_the_log_was_cut) {
  PartitionLag lag{.partition = {"t", 0}, .committed = 10};
  EXPECT_EQ(lag.lag(), std::nullopt);
  lag.log_end = 25;
  EXPECT_EQ(lag.lag(), 15);
  lag.log_end = 4;
  EXPECT_EQ(lag.lag(), -6);
}

TEST(GroupState, the_total_counts_records_and_takes_the_oldest_time) {
  PartitionLag behind{.partition = {"t", 0}, .committed = 0, .log_end = 7, .lag_ms = 300};
  PartitionLag further{.partition = {"t", 1}, .committed = 1, .log_end = 3, .lag_ms = 900};
  PartitionLag cut{.partition = {"t", 2}, .committed = 9, .log_end = 2};
  const TotalLag total = total_of({behind, further, cut});
  EXPECT_EQ(total.records, 9);
  EXPECT_EQ(total.ms, 900);
  EXPECT_EQ(total_of({cut}).ms, std::nullopt);
}

TEST(GroupState, a_record_from_the_future_has_no_age) {
  EXPECT_EQ(age_ms(1000, WallTime{4000}), 3000);
  EXPECT_EQ(age_ms(5000, WallTime{4000}), 0);
}

TEST(GroupState, times_are_shown_in_two_units_at_most) {
  EXPECT_EQ(duration_text(0), "0ms");
  EXPECT_EQ(duration_text(999), "999ms");
  EXPECT_EQ(duration_text(4250), "4.2s");
  EXPECT_EQ(duration_text(187'000), "3m 07s");
  EXPECT_EQ(duration_text(7'500'000), "2h 05m");
  EXPECT_EQ(duration_text(443'000'000), "5d 03h");
}

TEST(GroupState, who_stands_in_the_way_is_named_with_what_to_do) {
  const std::string text = still_active(sample());
  EXPECT_NE(text.find("1 member "), std::string::npos) << text;
  EXPECT_NE(text.find("client id one"), std::string::npos) << text;
  EXPECT_NE(text.find("group remove-member g --all"), std::string::npos) << text;
}

}  // namespace
}  // namespace millrace::cli
