// Heartbeat: a member of a classic group is alive.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct HeartbeatResponse;

struct HeartbeatRequest {
  static constexpr std::string_view kName = "HeartbeatRequest";
  static constexpr ApiKey kKey = ApiKey::heartbeat;
  static constexpr VersionRange kVersions{0, 4};
  static constexpr std::int16_t kFlexibleSince = 4;
  using Response = HeartbeatResponse;

  std::string_view group_id;
  std::int32_t generation_id = 0;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;

  friend bool operator==(const HeartbeatRequest&, const HeartbeatRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("group_id", m.group_id, since(0));
    v.field("generation_id", m.generation_id, since(0));
    v.field("member_id", m.member_id, since(0));
    v.field("group_instance_id", m.group_instance_id, since(3).nullable(3));
  }
};

struct HeartbeatResponse {
  static constexpr std::string_view kName = "HeartbeatResponse";
  static constexpr ApiKey kKey = ApiKey::heartbeat;
  static constexpr VersionRange kVersions{0, 4};
  static constexpr std::int16_t kFlexibleSince = 4;

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};

  friend bool operator==(const HeartbeatResponse&, const HeartbeatResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    v.field("error_code", m.error_code, since(0));
  }
};

}  // namespace millrace::wire
