// DescribeGroups: state and members of classic groups.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct DescribeGroupsResponse;

struct DescribeGroupsRequest {
  static constexpr std::string_view kName = "DescribeGroupsRequest";
  static constexpr ApiKey kKey = ApiKey::describe_groups;
  static constexpr VersionRange kVersions{0, 6};
  static constexpr std::int16_t kFlexibleSince = 5;
  using Response = DescribeGroupsResponse;

  std::vector<std::string_view> groups;
  bool include_authorized_operations = false;

  friend bool operator==(const DescribeGroupsRequest&, const DescribeGroupsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("groups", m.groups, since(0));
    v.field("include_authorized_operations", m.include_authorized_operations, since(3));
  }
};

struct DescribeGroupsResponse {
  static constexpr std::string_view kName = "DescribeGroupsResponse";
  static constexpr ApiKey kKey = ApiKey::describe_groups;
  static constexpr VersionRange kVersions{0, 6};
  static constexpr std::int16_t kFlexibleSince = 5;

  struct Member {
    std::string_view member_id;
    std::optional<std::string_view> group_instance_id;
    std::string_view client_id;
    std::string_view client_host;
    WireBytes member_metadata;
    WireBytes member_assignment;

    friend bool operator==(const Member&, const Member&) = default;
    static void describe(auto& v, auto& m) {
      v.field("member_id", m.member_id, since(0));
      v.field("group_instance_id", m.group_instance_id, since(4).nullable(4).ignorable());
      v.field("client_id", m.client_id, since(0));
      v.field("client_host", m.client_host, since(0));
      v.field("member_metadata", m.member_metadata, since(0));
      v.field("member_assignment", m.member_assignment, since(0));
    }
  };

  struct Group {
    ErrorCode error_code{};
    std::optional<std::string_view> error_message;
    std::string_view group_id;
    std::string_view group_state;
    std::string_view protocol_type;
    std::string_view protocol_data;
    std::vector<Member> members;
    std::int32_t authorized_operations = -2147483648;

    friend bool operator==(const Group&, const Group&) = default;
    static void describe(auto& v, auto& m) {
      v.field("error_code", m.error_code, since(0));
      v.field("error_message", m.error_message, since(6).nullable(6));
      v.field("group_id", m.group_id, since(0));
      v.field("group_state", m.group_state, since(0));
      v.field("protocol_type", m.protocol_type, since(0));
      v.field("protocol_data", m.protocol_data, since(0));
      v.field("members", m.members, since(0));
      v.field("authorized_operations", m.authorized_operations, since(3));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Group> groups;

  friend bool operator==(const DescribeGroupsResponse&, const DescribeGroupsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    v.field("groups", m.groups, since(0));
  }
};

}  // namespace millrace::wire
