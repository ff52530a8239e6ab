// Configuration that is kept in the cluster's metadata: what was set for a topic, a broker, all
// brokers or a group, as the text that was set. What the keys mean is for
// engine/metadata/topic_config and group_config, and the settings table.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "engine/metadata/persistent_map.h"

namespace millrace::engine {

// Values as they stand in records and requests.
enum class ConfigResourceType : std::int8_t {
  unknown = 0,
  topic = 2,
  broker = 4,
  broker_logger = 8,
  client_metrics = 16,
  group = 32,
};

struct ConfigResource {
  ConfigResourceType type = ConfigResourceType::unknown;
  std::string name;  // "" for brokers: the default of all
  auto operator<=>(const ConfigResource&) const = default;

  static ConfigResource topic(std::string_view name) {
    return {ConfigResourceType::topic, std::string(name)};
  }
  static ConfigResource broker(std::string_view id) {
    return {ConfigResourceType::broker, std::string(id)};
  }
  static ConfigResource cluster_default() { return {ConfigResourceType::broker, {}}; }
  static ConfigResource group(std::string_view name) {
    return {ConfigResourceType::group, std::string(name)};
  }
};

// Key to value, in order of the keys.
using ConfigValues = std::map<std::string, std::string, std::less<>>;
using Configs = PersistentMap<ConfigResource, ConfigValues>;

}  // namespace millrace::engine

template <>
struct std::hash<millrace::engine::ConfigResource> {
  std::size_t operator()(const millrace::engine::ConfigResource& resource) const noexcept {
    return std::hash<std::string>{}(resource.name) * 31 + static_cast<std::size_t>(resource.type);
  }
};
