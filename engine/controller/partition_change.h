// How one partition changes: who is in its ISR, who leads it, which replicas it has. Every change
// of a partition, whatever the reason, goes through change_partition().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

enum class Election : std::uint8_t {
  preferred,  // the first replica, when it may lead
  online,     // whoever leads now stays, when it may; else the first that may
  unclean,    // as online, but rather a replica that is behind than none
};

struct PlacedReplica {
  BrokerId broker;
  Uuid directory;
};

// What is asked for. What is not set stays as it is.
struct PartitionChangeRequest {
  TopicId topic_id;
  PartitionIndex index;
  const PartitionImage& current;
  Election election = Election::online;
  // Whether a broker could lead or be in the ISR now: unfenced, not shutting down, its replica's
  // directory online.
  std::function<bool(BrokerId)> live;
  std::optional<std::vector<BrokerId>> isr;
  std::optional<std::vector<BrokerId>> replicas;
  std::optional<std::vector<BrokerId>> removing_replicas;
  std::optional<std::vector<BrokerId>> adding_replicas;
  // Where a replica that is new to the partition will be kept.
  std::function<Uuid(BrokerId)> directory_for;
  // A replica whose directory is another than was known.
  std::optional<PlacedReplica> placed;
  // Brokers known to have lost what they had not flushed.
  std::vector<BrokerId> uncleanly_stopped;
  std::int32_t min_insync_replicas = 1;
  std::int16_t metadata_version = kMetadataVersionMax;
  bool eligible_leader_replicas = false;
};

// The record that makes the change; nothing when nothing would change.
std::optional<VersionedRecord> change_partition(const PartitionChangeRequest& request);

}  // namespace millrace::engine
