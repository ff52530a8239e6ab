#include "cli/seek_target.h"

#include <gtest/gtest.h>

#include <limits>

namespace millrace::cli {
namespace {

using Kind = SeekTarget::Kind;

TEST(SeekTarget, a_topic_may_be_followed_by_partitions_and_ranges_of_them) {
  EXPECT_EQ(parse_topic_choice("orders"), (TopicChoice{"orders", {}}));
  EXPECT_EQ(parse_topic_choice("orders:3"), (TopicChoice{"orders", {3}}));
  EXPECT_EQ(parse_topic_choice("orders:5-7,0,6"), (TopicChoice{"orders", {0, 5, 6, 7}}));
}

TEST(SeekTarget, a_choice_that_is_not_one_is_wrong_usage) {
  for (const char* text :
       {"", ":1", "t:", "t:x", "t:-1", "t:3-1", "t:1,", "t:1;2", "t:0-9999999", "t:99999999999"}) {
    const auto choice = parse_topic_choice(text);
    ASSERT_FALSE(choice) << text;
    EXPECT_EQ(choice.error().code, Errc::invalid_argument) << text;
  }
}

TEST(SeekTarget, durations_are_read_in_short_and_in_iso_form) {
  EXPECT_EQ(parse_duration_ms("250ms"), 250);
  EXPECT_EQ(parse_duration_ms("90s"), 90'000);
  EXPECT_EQ(parse_duration_ms("2h30m"), 9'000'000);
  EXPECT_EQ(parse_duration_ms("1w2d"), 777'600'000);
  EXPECT_EQ(parse_duration_ms("PT1H30M"), 5'400'000);
  EXPECT_EQ(parse_duration_ms("P1DT12H"), 129'600'000);
  EXPECT_EQ(parse_duration_ms("P7D"), 604'800'000);
}

TEST(SeekTarget, what_is_no_duration_is_refused) {
  for (const char* text : {"", "5", "h", "-5m", "0s", "1y", "P1M", "PT", "1h5",
                           "99999999999999999d", "9223372036854775807ms9223372036854775807ms"}) {
    EXPECT_FALSE(parse_duration_ms(text)) << text;
  }
}

SeekPartition sample() {
  return {.partition = {"t", 0}, .committed = 50, .log_start = 10, .log_end = 100, .at_time = 70};
}

TEST(SeekTarget, each_target_comes_to_its_offset) {
  EXPECT_EQ(seek_offset({Kind::offset, 33}, sample()), 33);
  EXPECT_EQ(seek_offset({Kind::time, 1}, sample()), 70);
  EXPECT_EQ(seek_offset({Kind::earliest, 0}, sample()), 10);
  EXPECT_EQ(seek_offset({Kind::latest, 0}, sample()), 100);
  EXPECT_EQ(seek_offset({Kind::shift, -7}, sample()), 43);
  EXPECT_EQ(seek_offset({Kind::shift, 7}, sample()), 57);
}

TEST(SeekTarget, a_time_after_the_last_record_is_the_end) {
  SeekPartition partition = sample();
  partition.at_time.reset();
  EXPECT_EQ(seek_offset({Kind::time, 1}, partition), 100);
}

TEST(SeekTarget, an_offset_outside_of_the_log_becomes_its_nearer_end) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(seek_offset({Kind::offset, 3}, sample()), 10);
  EXPECT_EQ(seek_offset({Kind::offset, 101}, sample()), 100);
  EXPECT_EQ(seek_offset({Kind::shift, -1000}, sample()), 10);
  EXPECT_EQ(seek_offset({Kind::shift, kMost}, sample()), 100);
  EXPECT_EQ(seek_offset({Kind::shift, -kMost}, sample()), 10);
}

TEST(SeekTarget, an_offset_outside_of_the_log_is_said_and_one_inside_is_not) {
  EXPECT_EQ(seek_beyond_log({Kind::offset, 101}, sample(), 100),
            "t-0: offset 101 is beyond the end of the log, which holds 10 to 100; 100 is taken");
  EXPECT_EQ(seek_beyond_log({Kind::shift, -1000}, sample(), 10),
            "t-0: offset -950 is before the beginning of the log, which holds 10 to 100; 10 is taken");
  EXPECT_EQ(seek_beyond_log({Kind::offset, 100}, sample(), 100), std::nullopt);
  EXPECT_EQ(seek_beyond_log({Kind::shift, 1}, sample(), 51), std::nullopt);
  EXPECT_EQ(seek_beyond_log({Kind::earliest, 0}, sample(), 10), std::nullopt);
}

TEST(SeekTarget, nothing_committed_cannot_be_shifted_but_can_be_set) {
  SeekPartition partition = sample();
  partition.committed.reset();
  const auto shifted = seek_offset({Kind::shift, 1}, partition);
  ASSERT_FALSE(shifted);
  EXPECT_NE(shifted.error().message.find("--to-earliest"), std::string::npos);
  EXPECT_EQ(seek_offset({Kind::offset, 40}, partition), 40);
}

}  // namespace
}  // namespace millrace::cli
