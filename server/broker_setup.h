// From settings to what the layers below are told. The only place that knows both.
#pragma once

#include "engine/broker_options.h"
#include "io/shard.h"
#include "server/settings.h"

namespace millrace::server {

io::ShardOptions shard_options(const Settings& settings);

// All but cluster_id and directory_ids, which are read from the log directories.
engine::BrokerOptions broker_options(const Settings& settings, std::uint64_t random_seed);

}  // namespace millrace::server
