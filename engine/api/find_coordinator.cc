#include "net/wire/find_coordinator.h"

#include <set>

#include "engine/api/decode.h"
#include "engine/api/handlers.h"

namespace millrace::engine {
namespace {

constexpr std::string_view kNoGroups =
    "this version of Millrace coordinates neither groups nor transactions; assign partitions instead of subscribing";

}  // namespace

// Answered although there is none: librdkafka compresses with lz4 only where this API is served, and one that assigns its
// partitions goes on without a coordinator as long as the error is one that may pass.
io::Task<net::Response> handle_find_coordinator(Broker&, BrokerShard&, Request& request) {
  DECODE(wanted, wire::FindCoordinatorRequest);
  wire::FindCoordinatorResponse response;
  response.error_code = wire::ErrorCode::coordinator_not_available;
  response.error_message = kNoGroups;
  response.node_id = -1;
  response.port = -1;
  std::set<std::string_view> seen;
  for (const std::string_view key : wanted.coordinator_keys) {
    if (!seen.insert(key).second) continue;
    auto& said = response.coordinators.emplace_back();
    said.key = key;
    said.node_id = -1;
    said.port = -1;
    said.error_code = wire::ErrorCode::coordinator_not_available;
    // Said once: a key may be three bytes long, and there may be millions.
    said.error_message = std::nullopt;
    if (seen.size() == 1) said.error_message = kNoGroups;
  }
  co_return answer(request, response);
}

}  // namespace millrace::engine
