#include "cli/group_lag.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/batch_fetch.h"

namespace millrace::cli {
namespace {

std::optional<std::int64_t> offset_in(const ListedOffsets& listed,
                                      const TopicPartition& partition) {
  const auto said = listed.find(partition);
  if (said == listed.end() || said->second.error != wire::ErrorCode::none) return std::nullopt;
  return said->second.offset;
}

Result<void> add_times(ClusterClient& cluster, std::vector<PartitionLag>& lags) {
  FetchOffsets unread;
  for (PartitionLag& each : lags) {
    const auto lag = each.lag();
    if (!lag) continue;
    if (*lag <= 0) {
      each.lag_ms = 0;
    } else {
      // What lies before the log's start is gone, and with it the time it was written.
      unread[each.partition] = std::max(*each.committed, each.log_start.value_or(0));
    }
  }
  TRY(timestamps, timestamps_at(cluster, std::move(unread)));
  const WallTime at = wall_now();
  for (PartitionLag& each : lags) {
    const auto found = timestamps.find(each.partition);
    if (found != timestamps.end()) each.lag_ms = age_ms(found->second, at);
  }
  return {};
}

}  // namespace

std::vector<PartitionLag> join_lag(const GroupState& state, const CommittedOffsets& committed) {
  std::map<TopicPartition, PartitionLag> joined;
  for (const auto& [partition, offset] : committed) joined[partition].committed = offset.offset;
  for (const GroupMember& member : state.members) {
    for (const TopicPartition& partition : member.partitions) joined[partition].member = &member;
  }
  std::vector<PartitionLag> lags;
  for (auto& [partition, lag] : joined) {
    lag.partition = partition;
    lags.push_back(std::move(lag));
  }
  return lags;
}

Result<std::vector<PartitionLag>> measure_lag(ClusterClient& cluster, const GroupState& state,
                                              bool with_time) {
  TRY(committed, committed_offsets(cluster, state.group));
  auto lags = join_lag(state, committed);
  std::set<TopicPartition> partitions;
  std::set<std::string> topics;
  for (const PartitionLag& each : lags) {
    partitions.insert(each.partition);
    topics.insert(each.partition.topic);
  }
  if (lags.empty()) return lags;
  TRY_DONE(cluster.learn(topics));
  TRY(starts, cluster.list_offsets(partitions, kEarliestTimestamp));
  TRY(ends, cluster.list_offsets(partitions, kLatestTimestamp));
  for (PartitionLag& each : lags) {
    each.log_start = offset_in(starts, each.partition);
    each.log_end = offset_in(ends, each.partition);
  }
  if (with_time) TRY_DONE(add_times(cluster, lags));
  return lags;
}

TotalLag total_of(const std::vector<PartitionLag>& lags) {
  TotalLag total;
  for (const PartitionLag& each : lags) {
    total.records += std::max<std::int64_t>(each.lag().value_or(0), 0);
    if (each.lag_ms) total.ms = std::max(total.ms.value_or(0), *each.lag_ms);
  }
  return total;
}

std::int64_t age_ms(std::int64_t timestamp_ms, WallTime at) {
  return std::max<std::int64_t>(at.ms - timestamp_ms, 0);
}

std::string duration_text(std::int64_t ms) {
  const std::int64_t seconds = ms / 1000;
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (seconds < 60) return fmt::format("{}.{}s", seconds, ms % 1000 / 100);
  if (seconds < 3600) return fmt::format("{}m {:02}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h {:02}m", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{}d {:02}h", seconds / 86400, seconds % 86400 / 3600);
}

}  // namespace millrace::cli
