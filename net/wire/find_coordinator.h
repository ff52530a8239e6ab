// FindCoordinator: which broker coordinates a group, a transactional id or a share group.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct FindCoordinatorResponse;

struct FindCoordinatorRequest {
  static constexpr std::string_view kName = "FindCoordinatorRequest";
  static constexpr ApiKey kKey = ApiKey::find_coordinator;
  static constexpr VersionRange kVersions{0, 6};
  static constexpr std::int16_t kFlexibleSince = 3;
  using Response = FindCoordinatorResponse;

  std::string_view key;
  std::int8_t key_type = 0;
  std::vector<std::string_view> coordinator_keys;

  friend bool operator==(const FindCoordinatorRequest&, const FindCoordinatorRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("key", m.key, between(0, 3));
    v.field("key_type", m.key_type, since(1));
    v.field("coordinator_keys", m.coordinator_keys, since(4));
  }
};

struct FindCoordinatorResponse {
  static constexpr std::string_view kName = "FindCoordinatorResponse";
  static constexpr ApiKey kKey = ApiKey::find_coordinator;
  static constexpr VersionRange kVersions{0, 6};
  static constexpr std::int16_t kFlexibleSince = 3;

  struct Coordinator {
    std::string_view key;
    std::int32_t node_id = 0;
    std::string_view host;
    std::int32_t port = 0;
    ErrorCode error_code{};
    std::optional<std::string_view> error_message = "";

    friend bool operator==(const Coordinator&, const Coordinator&) = default;
    static void describe(auto& v, auto& m) {
      v.field("key", m.key, since(4));
      v.field("node_id", m.node_id, since(4));
      v.field("host", m.host, since(4));
      v.field("port", m.port, since(4));
      v.field("error_code", m.error_code, since(4));
      v.field("error_message", m.error_message, since(4).nullable(4).ignorable());
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::optional<std::string_view> error_message = "";
  std::int32_t node_id = 0;
  std::string_view host;
  std::int32_t port = 0;
  std::vector<Coordinator> coordinators;

  friend bool operator==(const FindCoordinatorResponse&, const FindCoordinatorResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    v.field("error_code", m.error_code, between(0, 3));
    v.field("error_message", m.error_message, between(1, 3).nullable(1, 3).ignorable());
    v.field("node_id", m.node_id, between(0, 3));
    v.field("host", m.host, between(0, 3));
    v.field("port", m.port, between(0, 3));
    v.field("coordinators", m.coordinators, since(4));
  }
};

}  // namespace millrace::wire
