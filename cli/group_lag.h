// How far a group is behind: in records, and in time.
//
// Lag in records is the end of the log minus the committed offset, as Kafka's tools count it. Lag in
// time is the age of the first record that the group has not committed: how long the oldest unread
// record has been waiting. It is zero when there is none, so it does not grow while nobody produces.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cli/group_state.h"

namespace millrace::cli {

struct PartitionLag {
  TopicPartition partition;
  std::optional<std::int64_t> committed;  // nothing: assigned, but nothing committed yet
  std::optional<std::int64_t> log_start;  // nothing: nobody leads it, or its topic is gone
  std::optional<std::int64_t> log_end;
  std::optional<std::int64_t> lag_ms;  // nothing where it cannot be told
  const GroupMember* member = nullptr;

  // Negative when the log ends before what was committed: it lost its end, or was made anew.
  std::optional<std::int64_t> lag() const {
    if (!committed || !log_end) return std::nullopt;
    return *log_end - *committed;
  }
};

struct TotalLag {
  std::int64_t records = 0;
  std::optional<std::int64_t> ms;  // of the partition that is farthest behind
};

// Each partition that the group has committed or is assigned, in order. Members are borrowed from
// `state`.
std::vector<PartitionLag> join_lag(const GroupState& state, const CommittedOffsets& committed);

// Asks the brokers. `with_time` costs a Fetch of one batch of each partition that has lag.
Result<std::vector<PartitionLag>> measure_lag(ClusterClient& cluster, const GroupState& state,
                                              bool with_time);

TotalLag total_of(const std::vector<PartitionLag>& lags);

// The age of a record: zero for one from the future.
std::int64_t age_ms(std::int64_t timestamp_ms, WallTime at);

// 5d 03h, 2h 05m, 3m 07s, 4.2s, 17ms: two units at most.
std::string duration_text(std::int64_t ms);

}  // namespace millrace::cli
