// The broker's configurations for DescribeConfigs and AlterConfigs. The definitions come in as a
// span, ordered by name, from whoever reads the settings; nothing here knows which there are.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/metadata/config_definition.h"

namespace millrace::engine {

inline constexpr std::array<std::string_view, 2> kCheckedTogether{"log.cleaner.dedupe.buffer.size", "log.cleaner.threads"};

const ConfigDefinition* find_broker_config(std::span<const ConfigDefinition> definitions,
                                           std::string_view name);

// All configurations of one broker, in the order of their names, internal ones left out, secrets
// without value. `layers.topic` is not used.
std::vector<DescribedConfig> describe_broker_config(std::span<const ConfigDefinition> definitions,
                                                    const ConfigLayers& layers);
// What is set for all brokers, which is all that the configurations of "the default broker" are.
std::vector<DescribedConfig> describe_cluster_config(std::span<const ConfigDefinition> definitions,
                                                     const ConfigMap& dynamic_default);

// Whether `name` may be set to `value` while the broker runs, for one broker or for all of them.
//
// Errors: invalid_argument, with Kafka's message.
Result<void> validate_broker_config(std::span<const ConfigDefinition> definitions,
                                    std::string_view name, std::string_view value,
                                    bool for_all_brokers);

// Whether what holds for a broker of kCheckedTogether goes together. Each value must have been validated.
//
// Errors: invalid_argument.
Result<void> validate_broker_together(std::span<const ConfigDefinition> definitions, const ConfigLayers& layers);

// Whether log.cleaner.dedupe.buffer.size is enough for log.cleaner.threads.
//
// Errors: invalid_argument.
Result<void> check_cleaner_buffer(std::int64_t bytes, std::int64_t threads);

}  // namespace millrace::engine
