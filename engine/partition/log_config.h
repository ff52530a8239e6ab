// From what a topic's configuration says to what its logs are told.
#pragma once

#include "engine/log/log_options.h"
#include "engine/metadata/config_definition.h"
#include "engine/metadata/topic_config.h"

namespace millrace::engine {

log::LogOptions to_log_options(const TopicConfig& config, std::int64_t producer_id_expiration_ms);

// producer.id.expiration.ms, as it holds for the broker.
std::int64_t producer_id_expiration_ms(const ConfigLayers& layers);

// The cleaner of one of `shard_count` shards, by the log.cleaner.* settings of the broker; those of topics are not asked.
log::CleanerOptions to_cleaner_options(const ConfigLayers& layers, std::uint32_t shard_count, std::uint64_t seed);

}  // namespace millrace::engine
