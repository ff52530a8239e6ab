// Which segments may go, as a decision over plain values.
#include <gtest/gtest.h>

#include <vector>

#include "engine/log/retention.h"

namespace millrace::log {
namespace {

constexpr WallTime kNow{1'000'000};

// Four segments of 100 bytes and 10 offsets each, youngest records 4000, 3000, 2000 and 1000 ms old.
std::vector<RetentionSegment> four() {
  std::vector<RetentionSegment> segments;
  for (int i = 0; i < 4; ++i) {
    segments.push_back({.base_offset = Offset(i * 10),
                        .end_offset = Offset(i * 10 + 10),
                        .bytes = 100,
                        .youngest_ms = kNow.ms - 4000 + i * 1000});
  }
  return segments;
}

constexpr Offset kEnd{40};

TEST(Retention, keeps_everything_without_limits) {
  EXPECT_EQ(expired_segments(four(), {.high_watermark = kEnd}, kNow), 0U);
}

TEST(Retention, removes_what_is_older_than_the_limit_and_not_what_is_as_old) {
  EXPECT_EQ(expired_segments(four(), {.retention_ms = 3000, .high_watermark = kEnd}, kNow), 1U);
  EXPECT_EQ(expired_segments(four(), {.retention_ms = 2999, .high_watermark = kEnd}, kNow), 2U);
}

TEST(Retention, stops_at_the_first_segment_that_is_young) {
  auto segments = four();
  segments[1].youngest_ms = kNow.ms;
  EXPECT_EQ(expired_segments(segments, {.retention_ms = 500, .high_watermark = kEnd}, kNow), 1U);
}

TEST(Retention, may_take_the_active_segment_by_time) {
  EXPECT_EQ(expired_segments(four(), {.retention_ms = 10, .high_watermark = kEnd}, kNow), 4U);
}

TEST(Retention, never_takes_an_empty_segment) {
  auto segments = four();
  segments[3].bytes = 0;
  EXPECT_EQ(expired_segments(segments, {.retention_ms = 10, .high_watermark = kEnd}, kNow), 3U);
}

TEST(Retention, keeps_at_least_the_bytes_asked_for) {
  EXPECT_EQ(expired_segments(four(), {.retention_bytes = 400, .high_watermark = kEnd}, kNow), 0U);
  EXPECT_EQ(expired_segments(four(), {.retention_bytes = 301, .high_watermark = kEnd}, kNow), 0U);
  EXPECT_EQ(expired_segments(four(), {.retention_bytes = 300, .high_watermark = kEnd}, kNow), 1U);
  EXPECT_EQ(expired_segments(four(), {.retention_bytes = 0, .high_watermark = kEnd}, kNow), 4U);
}

TEST(Retention, takes_nothing_at_or_behind_the_high_watermark) {
  EXPECT_EQ(expired_segments(four(), {.retention_ms = 10, .high_watermark = Offset(25)}, kNow), 2U);
  EXPECT_EQ(expired_segments(four(), {.retention_bytes = 0, .high_watermark = Offset(9)}, kNow), 0U);
}

TEST(Retention, removes_what_lies_below_the_log_start_whatever_the_policy) {
  const RetentionRules rules{.deletes = false, .retention_ms = 10, .log_start_offset = Offset(20), .high_watermark = kEnd};
  EXPECT_EQ(expired_segments(four(), rules, kNow), 2U);
}

TEST(Retention, leaves_the_active_segment_when_only_the_log_start_is_behind_it) {
  const RetentionRules rules{.deletes = false, .log_start_offset = kEnd, .high_watermark = kEnd};
  EXPECT_EQ(expired_segments(four(), rules, kNow), 3U);
}

}  // namespace
}  // namespace millrace::log
