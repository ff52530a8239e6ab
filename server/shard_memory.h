// How many shards there are, and what of the memory for requests each of them gets.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "server/settings.h"

namespace millrace::server {

// millrace.shards; 0 stands for one per core. On two cores it is one alone where answers do not wait for the disk by default
// (docs/decisions/051-shards-on-two-cores.md).
std::uint32_t shard_count(const Settings& settings);

// A shard's part of millrace.memory.bytes: never less than one request of socket.request.max.bytes, which could
// otherwise not be read at all. Errors: invalid_argument, when what was set is too little for the shards.
Result<std::uint64_t> request_bytes_per_shard(const Settings& settings, std::uint32_t shards);

}  // namespace millrace::server
