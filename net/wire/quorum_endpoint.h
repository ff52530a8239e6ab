// Where a member of the metadata quorum is reached: the endpoint in answers of Vote, BeginQuorumEpoch, EndQuorumEpoch and
// FetchSnapshot, all from version 1 on.
#pragma once

#include <cstdint>
#include <string_view>

#include "net/wire/describe.h"

namespace millrace::wire {

struct QuorumEndpoint {
  std::int32_t node_id = 0;
  std::string_view host;
  std::uint16_t port = 0;

  friend bool operator==(const QuorumEndpoint&, const QuorumEndpoint&) = default;
  static void describe(auto& v, auto& m) {
    v.field("node_id", m.node_id, since(1));
    v.field("host", m.host, since(1));
    v.field("port", m.port, since(1));
  }
};

}  // namespace millrace::wire
