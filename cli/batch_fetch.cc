#include "cli/batch_fetch.h"

#include <set>

#include "cli/batch_scan.h"
#include "net/wire/fetch.h"

namespace millrace::cli {
namespace {

// Topics go by name in these.
constexpr wire::VersionRange kFetchByName{4, 12};
constexpr std::int32_t kWaitMs = 500;

// A batch of what producers send unless told otherwise fits.
constexpr FetchLimits kTimestampLimits{.partition_bytes_max = 16 * 1024 + 512,
                                       .bytes_max = 8 << 20};

}  // namespace

Result<void> fetch_batches(AdminClient& leader, const FetchOffsets& offsets, FetchLimits limits,
                           const std::function<void(const TopicPartition&, FetchedBatches)>& take) {
  wire::FetchRequest request{.max_wait_ms = kWaitMs, .min_bytes = 1, .max_bytes = limits.bytes_max};
  for (const auto& [partition, offset] : offsets) {
    if (request.topics.empty() || request.topics.back().topic != partition.topic) {
      auto& topic = request.topics.emplace_back();
      topic.topic = partition.topic;
    }
    auto& asked = request.topics.back().partitions.emplace_back();
    asked.partition = partition.partition;
    asked.fetch_offset = offset;
    asked.partition_max_bytes = limits.partition_bytes_max;
  }
  TRY(answer, leader.call(request, kFetchByName));
  TRY_DONE(check_answer("fetch", answer.message.error_code));
  for (const auto& topic : answer.message.responses) {
    for (const auto& said : topic.partitions) {
      take({std::string(topic.topic), said.partition_index},
           {said.error_code, said.records.here.value_or(wire::WireBytes{})});
    }
  }
  return {};
}

Result<std::map<TopicPartition, std::int64_t>> timestamps_at(ClusterClient& cluster,
                                                             FetchOffsets offsets) {
  std::map<TopicPartition, std::int64_t> found;
  std::set<TopicPartition> all;
  for (const auto& [partition, offset] : offsets) all.insert(partition);
  for (const auto& [leader, partitions] : cluster.by_leader(all)) {
    TRY(client, cluster.broker(leader));
    FetchOffsets open;
    for (const TopicPartition& partition : partitions) open[partition] = offsets.at(partition);
    // The first partition of each answer has its batch or never will: every round settles it.
    while (!open.empty()) {
      const TopicPartition first = open.begin()->first;
      const auto take = [&](const TopicPartition& partition, FetchedBatches fetched) {
        const auto asked = open.find(partition);
        if (asked == open.end()) return;
        const auto timestamp = timestamp_at(fetched.batches, asked->second);
        if (timestamp && *timestamp >= 0) found[partition] = *timestamp;
        if (timestamp || fetched.error != wire::ErrorCode::none) open.erase(asked);
      };
      TRY_DONE(fetch_batches(*client, open, kTimestampLimits, take));
      open.erase(first);
    }
  }
  return found;
}

}  // namespace millrace::cli
