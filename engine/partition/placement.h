// Which shard owns a partition. A pure function of the partition and the number of shards, so that every shard routes a request
// without asking anybody; nothing on disk depends on it.
#pragma once

#include <cstdint>
#include <functional>

#include "base/ids.h"

namespace millrace::engine {

// The partitions of one topic go round the shards in order, so that a topic with as many partitions as shards uses all of them.
inline ShardId shard_of(const TopicPartition& partition, std::uint32_t shard_count) {
  const std::uint64_t start = std::hash<Uuid>{}(partition.topic_id) >> 7;
  const auto index = static_cast<std::uint64_t>(partition.partition.value());
  return ShardId{static_cast<std::uint32_t>((start + index) % shard_count)};
}

}  // namespace millrace::engine
