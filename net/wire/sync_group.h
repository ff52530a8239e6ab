// SyncGroup: the group leader hands in the assignment, every member gets its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct SyncGroupResponse;

struct SyncGroupRequest {
  static constexpr std::string_view kName = "SyncGroupRequest";
  static constexpr ApiKey kKey = ApiKey::sync_group;
  static constexpr VersionRange kVersions{0, 5};
  static constexpr std::int16_t kFlexibleSince = 4;
  using Response = SyncGroupResponse;

  struct Assignment {
    std::string_view member_id;
    WireBytes assignment;

    friend bool operator==(const Assignment&, const Assignment&) = default;
    static void describe(auto& v, auto& m) {
      v.field("member_id", m.member_id, since(0));
      v.field("assignment", m.assignment, since(0));
    }
  };

  std::string_view group_id;
  std::int32_t generation_id = 0;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;
  std::optional<std::string_view> protocol_type;
  std::optional<std::string_view> protocol_name;
  std::vector<Assignment> assignments;

  friend bool operator==(const SyncGroupRequest&, const SyncGroupRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("group_id", m.group_id, since(0));
    v.field("generation_id", m.generation_id, since(0));
    v.field("member_id", m.member_id, since(0));
    v.field("group_instance_id", m.group_instance_id, since(3).nullable(3));
    v.field("protocol_type", m.protocol_type, since(5).nullable(5).ignorable());
    v.field("protocol_name", m.protocol_name, since(5).nullable(5).ignorable());
    v.field("assignments", m.assignments, since(0));
  }
};

struct SyncGroupResponse {
  static constexpr std::string_view kName = "SyncGroupResponse";
  static constexpr ApiKey kKey = ApiKey::sync_group;
  static constexpr VersionRange kVersions{0, 5};
  static constexpr std::int16_t kFlexibleSince = 4;

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::optional<std::string_view> protocol_type;
  std::optional<std::string_view> protocol_name;
  WireBytes assignment;

  friend bool operator==(const SyncGroupResponse&, const SyncGroupResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    v.field("error_code", m.error_code, since(0));
    v.field("protocol_type", m.protocol_type, since(5).nullable(5).ignorable());
    v.field("protocol_name", m.protocol_name, since(5).nullable(5).ignorable());
    v.field("assignment", m.assignment, since(0));
  }
};

}  // namespace millrace::wire
