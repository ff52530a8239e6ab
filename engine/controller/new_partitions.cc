#include "engine/controller/new_partitions.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/controller/elections.h"
#include "engine/controller/replica_placement.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

std::optional<Refusal> wrong_assignment(std::string why) {
  return Refusal{ErrorCode::invalid_replica_assignment, std::move(why)};
}

}  // namespace

std::optional<Refusal> check_assignment(const MetadataImage& image,
                                        const std::vector<std::int32_t>& replicas,
                                        std::optional<std::size_t> replication_factor) {
  if (replicas.empty()) {
    return wrong_assignment("The manual partition assignment includes an empty replica list.");
  }
  std::vector<std::int32_t> sorted = replicas;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (image.brokers.find(BrokerId(sorted[i])) == nullptr) {
      return wrong_assignment(fmt::format(
          "The manual partition assignment includes broker {}, but no such broker is registered.",
          sorted[i]));
    }
    if (i > 0 && sorted[i] == sorted[i - 1]) {
      return wrong_assignment(fmt::format(
          "The manual partition assignment includes the broker {} more than once.", sorted[i]));
    }
  }
  if (replication_factor && replicas.size() != *replication_factor) {
    return wrong_assignment(fmt::format(
        "The manual partition assignment includes a partition with {} replica(s), but this is not "
        "consistent with previous partitions, which have {} replica(s).",
        replicas.size(), *replication_factor));
  }
  return std::nullopt;
}

std::expected<PartitionImage, Refusal> new_partition(const MetadataImage& image,
                                                     const std::vector<BrokerId>& replicas,
                                                     std::int32_t index) {
  PartitionImage partition{.replicas = replicas};
  for (const BrokerId id : replicas) {
    const BrokerImage* broker = image.brokers.find(id);
    if (broker != nullptr && broker->active()) partition.isr.push_back(id);
    if (has_directories(image.metadata_version())) {
      partition.directories.push_back(directory_for_new_replica(broker));
    }
  }
  if (partition.isr.empty()) {
    return std::unexpected(Refusal{
        ErrorCode::invalid_replica_assignment,
        fmt::format(
            "All brokers specified in the manual partition assignment for partition {} are fenced "
            "or in controlled shutdown.",
            index)});
  }
  partition.leader = partition.isr.front();
  return partition;
}

std::expected<std::vector<std::vector<BrokerId>>, Refusal> place(const MetadataImage& image,
                                                                 std::int32_t count,
                                                                 std::int16_t replication_factor,
                                                                 Prng& prng) {
  std::vector<PlacementBroker> brokers;
  image.brokers.for_each([&](BrokerId id, const BrokerImage& broker) {
    if (broker.in_controlled_shutdown) return;
    brokers.push_back({.id = id, .rack = broker.rack.value_or(""), .fenced = broker.fenced});
  });
  auto placed = place_replicas({.partitions = count, .replication_factor = replication_factor},
                               brokers, prng);
  if (placed) return std::move(*placed);
  return std::unexpected(Refusal{ErrorCode::invalid_replication_factor,
                                 fmt::format("Unable to replicate the partition {} time(s): {}",
                                             replication_factor, placed.error().message)});
}

}  // namespace millrace::engine
