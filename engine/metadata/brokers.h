// What the cluster knows of its brokers and controllers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "engine/metadata/persistent_map.h"
#include "engine/metadata/records.h"

namespace millrace::engine {

// One start of one broker: a new process registers anew and gets a higher epoch.
struct BrokerImage {
  BrokerId id;
  BrokerEpoch epoch;
  Uuid incarnation_id;
  std::vector<EndpointData> endpoints;
  std::vector<FeatureRange> features;
  std::optional<std::string> rack;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  std::vector<Uuid> directories;
  std::optional<std::vector<Uuid>> cordoned_directories;
  bool operator==(const BrokerImage&) const = default;

  // Null when the broker does not have that listener.
  const EndpointData* endpoint(std::string_view listener) const {
    for (const EndpointData& endpoint : endpoints) {
      if (endpoint.name == listener) return &endpoint;
    }
    return nullptr;
  }
  // May lead partitions and be counted in an ISR.
  bool active() const { return !fenced && !in_controlled_shutdown; }
};
using Brokers = PersistentMap<BrokerId, BrokerImage>;

struct ControllerImage {
  BrokerId id;
  Uuid incarnation_id;
  bool zk_migration_ready = false;
  std::vector<EndpointData> endpoints;
  std::vector<FeatureRange> features;
  bool operator==(const ControllerImage&) const = default;
};
using Controllers = PersistentMap<BrokerId, ControllerImage>;

}  // namespace millrace::engine
