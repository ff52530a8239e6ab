// The configurations of a group: one table of all that Kafka 4.2 knows, what a group may have them set to, and what DescribeConfigs
// says of them.
//
// Pure. Kept in the metadata log under the group's name, whether or not there is a group of that name. Those of share groups and
// streams groups are known, shown and kept where another release wrote them, and cannot be set.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/metadata/config_definition.h"

namespace millrace::engine {

inline constexpr std::string_view kGroupSessionTimeout = "consumer.session.timeout.ms";
inline constexpr std::string_view kGroupHeartbeatInterval = "consumer.heartbeat.interval.ms";

struct GroupConfigRow {
  ConfigDefinition definition;
  // The broker's settings that give it its default and its bounds; empty where there are none.
  std::string_view default_setting = {};
  std::string_view least_setting = {};
  std::string_view most_setting = {};
  // Why a group cannot have it set; empty: it can.
  std::string_view refused_because = {};
};

std::span<const GroupConfigRow> group_config_rows();
// nullptr when Kafka has no group configuration of that name.
const GroupConfigRow* find_group_config(std::string_view name);

// The broker's settings, ordered by name, and what its file says of them. Both must outlive the use.
struct BrokerSettings {
  std::span<const ConfigDefinition> definitions;
  const ConfigMap* file = nullptr;
};

// Whether what a group has set may change from `before` to `after`.
//
// Errors: invalid_argument, with Kafka's message: `Unknown group config name: X`, `Invalid value X for configuration Y: why`, `X must
// be greater than or equal to Y`; unsupported, for a value that is new and that Millrace does not serve.
Result<void> validate_group_configs(const BrokerSettings& broker, const ConfigMap& before, const ConfigMap& after);

// The number that a group has set, whatever its bounds are; nothing where there is none.
std::optional<std::int64_t> group_number(const ConfigMap& group, std::string_view name);

// A group's configurations for DescribeConfigs, in the order of their names. As in Kafka, the only synonym is what holds.
std::vector<DescribedConfig> describe_group_config(const BrokerSettings& broker, const ConfigMap& group);

}  // namespace millrace::engine
