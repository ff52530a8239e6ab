// LeaveGroup: members leave a classic group.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct LeaveGroupResponse;

struct LeaveGroupRequest {
  static constexpr std::string_view kName = "LeaveGroupRequest";
  static constexpr ApiKey kKey = ApiKey::leave_group;
  static constexpr VersionRange kVersions{0, 5};
  static constexpr std::int16_t kFlexibleSince = 4;
  using Response = LeaveGroupResponse;

  struct Member {
    std::string_view member_id;
    std::optional<std::string_view> group_instance_id;
    std::optional<std::string_view> reason;

    friend bool operator==(const Member&, const Member&) = default;
    static void describe(auto& v, auto& m) {
      v.field("member_id", m.member_id, since(3));
      v.field("group_instance_id", m.group_instance_id, since(3).nullable(3));
      v.field("reason", m.reason, since(5).nullable(5).ignorable());
    }
  };

  std::string_view group_id;
  std::string_view member_id;
  std::vector<Member> members;

  friend bool operator==(const LeaveGroupRequest&, const LeaveGroupRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("group_id", m.group_id, since(0));
    v.field("member_id", m.member_id, between(0, 2));
    v.field("members", m.members, since(3));
  }
};

struct LeaveGroupResponse {
  static constexpr std::string_view kName = "LeaveGroupResponse";
  static constexpr ApiKey kKey = ApiKey::leave_group;
  static constexpr VersionRange kVersions{0, 5};
  static constexpr std::int16_t kFlexibleSince = 4;

  struct Member {
    std::string_view member_id;
    std::optional<std::string_view> group_instance_id = "";
    ErrorCode error_code{};

    friend bool operator==(const Member&, const Member&) = default;
    static void describe(auto& v, auto& m) {
      v.field("member_id", m.member_id, since(3));
      v.field("group_instance_id", m.group_instance_id, since(3).nullable(3));
      v.field("error_code", m.error_code, since(3));
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::vector<Member> members;

  friend bool operator==(const LeaveGroupResponse&, const LeaveGroupResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    v.field("error_code", m.error_code, since(0));
    v.field("members", m.members, since(3));
  }
};

}  // namespace millrace::wire
