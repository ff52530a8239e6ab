// The ids, offsets and epochs that cross layers. Names are Kafka's.
#pragma once

#include <cstdint>

#include "base/strong.h"
#include "base/uuid.h"

namespace millrace {

struct OffsetTag { static constexpr auto kind = StrongKind::point; };
struct LeaderEpochTag { static constexpr auto kind = StrongKind::point; };
struct PartitionEpochTag { static constexpr auto kind = StrongKind::point; };
struct BrokerIdTag { static constexpr auto kind = StrongKind::id; };
struct BrokerEpochTag { static constexpr auto kind = StrongKind::id; };
struct PartitionIndexTag { static constexpr auto kind = StrongKind::id; };
struct ProducerIdTag { static constexpr auto kind = StrongKind::point; };
struct ShardIdTag { static constexpr auto kind = StrongKind::id; };

// Numbers records of a partition. A range of offsets is half-open: end_offset is the next to be written.
using Offset = Strong<std::int64_t, OffsetTag>;
using LeaderEpoch = Strong<std::int32_t, LeaderEpochTag>;
using PartitionEpoch = Strong<std::int32_t, PartitionEpochTag>;
// node.id: brokers and controllers share one integer space.
using BrokerId = Strong<std::int32_t, BrokerIdTag>;
using BrokerEpoch = Strong<std::int64_t, BrokerEpochTag>;
using PartitionIndex = Strong<std::int32_t, PartitionIndexTag>;
using ProducerId = Strong<std::int64_t, ProducerIdTag>;
// One core's share of the process, counted from 0.
using ShardId = Strong<std::uint32_t, ShardIdTag>;
using TopicId = Uuid;

inline constexpr BrokerId kNoBroker{-1};
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
inline constexpr Offset kNoOffset{-1};
inline constexpr ProducerId kNoProducerId{-1};

// Names a partition for as long as its topic lives; a topic made again under the same name has another id.
struct TopicPartition {
  TopicId topic_id;
  PartitionIndex partition;
  auto operator<=>(const TopicPartition&) const = default;
};

}  // namespace millrace

template <>
struct std::hash<millrace::TopicPartition> {
  std::size_t operator()(const millrace::TopicPartition& key) const noexcept {
    return std::hash<millrace::Uuid>{}(key.topic_id) * 0x9e3779b97f4a7c15ULL +
           static_cast<std::size_t>(key.partition.value());
  }
};
