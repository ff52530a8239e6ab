#include "server/shard_memory.h"

#include <fmt/core.h>

#include <algorithm>

#include "io/shard.h"

namespace millrace::server {
namespace {

constexpr std::uint64_t kAllShardsDefault = std::uint64_t{256} << 20;

}  // namespace

std::uint32_t shard_count(const Settings& settings) {
  const auto wanted = static_cast<std::uint32_t>(settings.number("millrace.shards"));
  if (wanted != 0) return wanted;
  const std::uint32_t cores = io::default_shard_count();
  return cores == 2 && settings.text("millrace.durability") == "replicated" ? 1 : cores;
}

Result<std::uint64_t> request_bytes_per_shard(const Settings& settings, std::uint32_t shards) {
  const auto memory = static_cast<std::uint64_t>(settings.number("millrace.memory.bytes"));
  const auto request = static_cast<std::uint64_t>(settings.number("socket.request.max.bytes"));
  if (memory == 0) return std::max(kAllShardsDefault / shards, request);
  if (memory / shards >= request) return memory / shards;
  return fail(Errc::invalid_argument,
              fmt::format("millrace.memory.bytes={} is {} bytes for each of {} shards, and one request may have "
                          "socket.request.max.bytes={}; raise millrace.memory.bytes to {}, lower "
                          "socket.request.max.bytes, or leave millrace.memory.bytes out",
                          memory, memory / shards, shards, request, request * shards));
}

}  // namespace millrace::server
