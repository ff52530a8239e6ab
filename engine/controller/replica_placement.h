// Which brokers get the replicas of new partitions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/prng.h"
#include "base/result.h"

namespace millrace::engine {

struct PlacementBroker {
  BrokerId id;
  std::string rack;  // "" for a broker without one; those count as one rack
  bool fenced = false;
};

struct PlacementRequest {
  std::int32_t partitions = 1;
  std::int16_t replication_factor = 1;
};

// Replicas for each partition, the leader first. Striped: each partition starts at the next rack,
// and takes from the racks in turn, from each the broker whose turn it is, so that leaders,
// replicas and racks are shared out evenly. Unfenced brokers come before fenced ones, and a leader
// is always unfenced. `prng` draws where to start.
//
// Errors:  invalid_argument, with Kafka's sentence.
Result<std::vector<std::vector<BrokerId>>> place_replicas(const PlacementRequest& request,
                                                          std::span<const PlacementBroker> brokers,
                                                          Prng& prng);

}  // namespace millrace::engine
