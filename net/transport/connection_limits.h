// ConnectionLimits: how many connections the process has, in all, by listener and by peer address,
// and whether one more may come.
//
// Shard:  one object for the whole process, on a shard chosen at start; the Servers of other shards
//         ask it by a message (io/shard.h), so that the counts are exact without an atomic.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

namespace millrace::net {

inline constexpr std::uint32_t kNoConnectionLimit = std::numeric_limits<std::uint32_t>::max();

struct ConnectionLimitOptions {
  std::uint32_t connections_max = kNoConnectionLimit;         // max.connections
  std::uint32_t connections_per_ip_max = kNoConnectionLimit;  // max.connections.per.ip
  std::map<std::string, std::uint32_t> per_ip_overrides;      // max.connections.per.ip.overrides
  std::map<std::string, std::uint32_t> per_listener;  // listener.name.NAME.max.connections, by NAME
};

class ConnectionLimits {
 public:
  explicit ConnectionLimits(ConnectionLimitOptions options) : options_(std::move(options)) {}

  // From now on; connections that are open stay, also where there are more than are admitted now.
  void set(ConnectionLimitOptions options) { options_ = std::move(options); }
  // Counts one more connection, or says which limit it would exceed. Errors: refused.
  Result<void> admit(const std::string& listener, const std::string& host);
  // Requires: admitted before.
  void release(const std::string& listener, const std::string& host);

  std::uint32_t connections() const { return connections_; }

 private:
  ConnectionLimitOptions options_;
  std::uint32_t connections_ = 0;
  std::unordered_map<std::string, std::uint32_t> by_listener_;
  std::unordered_map<std::string, std::uint32_t> by_host_;
};

}  // namespace millrace::net
