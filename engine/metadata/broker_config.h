// The broker's configurations for DescribeConfigs and AlterConfigs. The definitions come in as a
// span, ordered by name, from whoever reads the settings; nothing here knows which there are.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/metadata/config_definition.h"

namespace millrace::engine {

// Addresses, or names of hosts, with a number each.
using AddressLimits = std::map<std::string, std::int64_t>;

// For how long a broker keeps what no topic says otherwise, strongest first.
inline constexpr std::array<std::string_view, 3> kRetentionTimes{"log.retention.ms", "log.retention.minutes", "log.retention.hours"};

const ConfigDefinition* find_broker_config(std::span<const ConfigDefinition> definitions,
                                           std::string_view name);

// All configurations of one broker, in the order of their names, internal ones left out, secrets
// without value. `layers.topic` is not used.
std::vector<DescribedConfig> describe_broker_config(std::span<const ConfigDefinition> definitions,
                                                    const ConfigLayers& layers);
// What is set for all brokers, which is all that the configurations of "the default broker" are.
std::vector<DescribedConfig> describe_cluster_config(std::span<const ConfigDefinition> definitions,
                                                     const ConfigMap& dynamic_default);

// What holds for a broker, as a number or as text. `layers.topic` is not used. What is no number, which somebody else may have left
// in the metadata, counts as the default, and null is empty text.
std::int64_t broker_number(std::span<const ConfigDefinition> definitions, const ConfigLayers& layers, std::string_view name);
std::string broker_text(std::span<const ConfigDefinition> definitions, const ConfigLayers& layers, std::string_view name);

// max.connections.per.ip.overrides: address:limit,... Errors: invalid_argument.
Result<AddressLimits> parse_address_limits(std::string_view text);
// Errors: invalid_argument: nobody could connect.
Result<void> check_address_limits(std::int64_t per_address, const AddressLimits& overrides);

// Whether `name` may be set to `value` while the broker runs, for one broker or for all of them.
//
// Errors: invalid_argument, with Kafka's message.
Result<void> validate_broker_config(std::span<const ConfigDefinition> definitions,
                                    std::string_view name, std::string_view value,
                                    bool for_all_brokers);

// Whether a broker may have this number, from its file or while it runs. A topic may keep nothing, by its own retention.ms; for all
// topics of a broker Kafka takes that for a mistake.
//
// Errors: invalid_argument, with Kafka's message.
Result<void> check_broker_number(std::string_view name, std::int64_t value);

// Whether `layers`, in which those of `changed` are new, hold nothing that contradicts itself. What is wrong since long does not
// stand in the way of something else. Each value must have been validated.
//
// Errors: invalid_argument.
Result<void> validate_broker_together(std::span<const ConfigDefinition> definitions, const ConfigLayers& layers,
                                      const std::set<std::string>& changed);

// Whether log.cleaner.dedupe.buffer.size is enough for log.cleaner.threads.
//
// Errors: invalid_argument.
Result<void> check_cleaner_buffer(std::int64_t bytes, std::int64_t threads);

}  // namespace millrace::engine
