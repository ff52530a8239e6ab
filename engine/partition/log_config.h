// From what a topic's configuration says to what its logs are told.
#pragma once

#include "engine/log/log_options.h"
#include "engine/metadata/topic_config.h"

namespace millrace::engine {

log::LogOptions to_log_options(const TopicConfig& config, std::int64_t producer_id_expiration_ms);

}  // namespace millrace::engine
