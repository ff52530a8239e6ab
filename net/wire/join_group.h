// JoinGroup: enters a classic group or takes part in its rebalance.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct JoinGroupResponse;

struct JoinGroupRequest {
  static constexpr std::string_view kName = "JoinGroupRequest";
  static constexpr ApiKey kKey = ApiKey::join_group;
  static constexpr VersionRange kVersions{0, 9};
  static constexpr std::int16_t kFlexibleSince = 6;
  using Response = JoinGroupResponse;

  struct Protocol {
    std::string_view name;
    WireBytes metadata;

    friend bool operator==(const Protocol&, const Protocol&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("metadata", m.metadata, since(0));
    }
  };

  std::string_view group_id;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = -1;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;
  std::string_view protocol_type;
  std::vector<Protocol> protocols;
  std::optional<std::string_view> reason;

  friend bool operator==(const JoinGroupRequest&, const JoinGroupRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("group_id", m.group_id, since(0));
    v.field("session_timeout_ms", m.session_timeout_ms, since(0));
    v.field("rebalance_timeout_ms", m.rebalance_timeout_ms, since(1).ignorable());
    v.field("member_id", m.member_id, since(0));
    v.field("group_instance_id", m.group_instance_id, since(5).nullable(5));
    v.field("protocol_type", m.protocol_type, since(0));
    v.field("protocols", m.protocols, since(0));
    v.field("reason", m.reason, since(8).nullable(8).ignorable());
  }
};

struct JoinGroupResponse {
  static constexpr std::string_view kName = "JoinGroupResponse";
  static constexpr ApiKey kKey = ApiKey::join_group;
  static constexpr VersionRange kVersions{0, 9};
  static constexpr std::int16_t kFlexibleSince = 6;

  struct Member {
    std::string_view member_id;
    std::optional<std::string_view> group_instance_id;
    WireBytes metadata;

    friend bool operator==(const Member&, const Member&) = default;
    static void describe(auto& v, auto& m) {
      v.field("member_id", m.member_id, since(0));
      v.field("group_instance_id", m.group_instance_id, since(5).nullable(5).ignorable());
      v.field("metadata", m.metadata, since(0));
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::int32_t generation_id = -1;
  std::optional<std::string_view> protocol_type;
  std::optional<std::string_view> protocol_name = "";
  std::string_view leader;
  bool skip_assignment = false;
  std::string_view member_id;
  std::vector<Member> members;

  friend bool operator==(const JoinGroupResponse&, const JoinGroupResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(2).ignorable());
    v.field("error_code", m.error_code, since(0));
    v.field("generation_id", m.generation_id, since(0));
    v.field("protocol_type", m.protocol_type, since(7).nullable(7).ignorable());
    v.field("protocol_name", m.protocol_name, since(0).nullable(7));
    v.field("leader", m.leader, since(0));
    v.field("skip_assignment", m.skip_assignment, since(9));
    v.field("member_id", m.member_id, since(0));
    v.field("members", m.members, since(0));
  }
};

}  // namespace millrace::wire
