#include "net/transport/connection_limits.h"

#include <fmt/core.h>

#include "base/check.h"

namespace millrace::net {
namespace {

std::uint32_t limit_for(const std::map<std::string, std::uint32_t>& limits, const std::string& name,
                        std::uint32_t otherwise) {
  const auto found = limits.find(name);
  return found == limits.end() ? otherwise : found->second;
}

void subtract(std::unordered_map<std::string, std::uint32_t>& counts, const std::string& name) {
  const auto found = counts.find(name);
  CHECK(found != counts.end(), "'{}' was not counted", name);
  if (--found->second == 0) counts.erase(found);
}

std::uint32_t count_of(const std::unordered_map<std::string, std::uint32_t>& counts,
                       const std::string& name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

Result<void> ConnectionLimits::admit(const std::string& listener, const std::string& host) {
  if (connections_ >= options_.connections_max) {
    return fail(Errc::refused, fmt::format("max.connections={} is reached", connections_));
  }
  const std::uint32_t on_listener = limit_for(options_.per_listener, listener, kNoConnectionLimit);
  if (count_of(by_listener_, listener) >= on_listener) {
    return fail(Errc::refused,
                fmt::format("max.connections={} of listener {} is reached", on_listener, listener));
  }
  const std::uint32_t from_host =
      limit_for(options_.per_ip_overrides, host, options_.connections_per_ip_max);
  if (count_of(by_host_, host) >= from_host) {
    return fail(Errc::refused,
                fmt::format("max.connections.per.ip={} of {} is reached", from_host, host));
  }
  ++connections_;
  ++by_listener_[listener];
  ++by_host_[host];
  return {};
}

void ConnectionLimits::release(const std::string& listener, const std::string& host) {
  CHECK(connections_ > 0);
  --connections_;
  subtract(by_listener_, listener);
  subtract(by_host_, host);
}

}  // namespace millrace::net
