// Where `millrace group seek` moves committed offsets: how it is written, and which offset it comes
// to in a partition.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/topic_partition.h"

namespace millrace::cli {

// A topic, or some of its partitions: T or T:0,3,5-7.
struct TopicChoice {
  std::string topic;
  std::vector<std::int32_t> partitions;  // empty: all

  bool operator==(const TopicChoice&) const = default;
};
// Errors: invalid_argument.
Result<TopicChoice> parse_topic_choice(std::string_view text);

// 90s, 15m, 2h30m, 7d, 250ms, or as ISO 8601 has it: P1DT12H, PT90S. In milliseconds, more than
// zero. Errors: invalid_argument.
Result<std::int64_t> parse_duration_ms(std::string_view text);

struct SeekTarget {
  enum class Kind : std::uint8_t { offset, time, earliest, latest, shift };
  Kind kind = Kind::latest;
  std::int64_t value = 0;  // an offset, a number of records, or milliseconds since 1970

  // What ListOffsets has to be asked for, beside the log's start and end.
  bool needs_time() const { return kind == Kind::time; }
};

// What is known of a partition.
struct SeekPartition {
  TopicPartition partition;
  std::optional<std::int64_t> committed;
  std::int64_t log_start = 0;
  std::int64_t log_end = 0;
  std::optional<std::int64_t> at_time;  // first offset that is not older than the target's time
};

// The offset to commit, always within the log: what lies outside is moved to its nearer end.
//
// Errors: not_found, for a shift of a partition without committed offset.
Result<std::int64_t> seek_offset(const SeekTarget& target, const SeekPartition& partition);
// What to say where `given` is not the offset that was asked for, because the log does not reach there; none: it is.
std::optional<std::string> seek_beyond_log(const SeekTarget& target, const SeekPartition& partition,
                                           std::int64_t given);

}  // namespace millrace::cli
