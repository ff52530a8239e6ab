// Fetch, for commands that look at batches without being consumers: no session, no group, no
// waiting for what is not there yet.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/cluster_client.h"
#include "cli/topic_partition.h"

namespace millrace::cli {

using FetchOffsets = std::map<TopicPartition, std::int64_t>;

// What came for one partition: an error, or batches, the last of which may be cut off.
struct FetchedBatches {
  wire::ErrorCode error{};
  ConstBytes batches;
};

struct FetchLimits {
  std::int32_t partition_bytes_max = 0;
  std::int32_t bytes_max = 0;  // of the whole answer
};

// Asks one broker once. A broker fills its answer in the order of the partitions and stops at the
// limits, but the first partition that has records gets at least one batch.
Result<void> fetch_batches(AdminClient& leader, const FetchOffsets& offsets, FetchLimits limits,
                           const std::function<void(const TopicPartition&, FetchedBatches)>& take);

// The timestamp of the first record at or after each offset; partitions where it cannot be told are
// missing. Of each partition no more than one batch or some 16 KiB are read.
//
// Requires: learn() of the topics.
Result<std::map<TopicPartition, std::int64_t>> timestamps_at(ClusterClient& cluster,
                                                             FetchOffsets offsets);

}  // namespace millrace::cli
