// ListGroups: the groups a broker coordinates, filtered by state and type.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct ListGroupsResponse;

struct ListGroupsRequest {
  static constexpr std::string_view kName = "ListGroupsRequest";
  static constexpr ApiKey kKey = ApiKey::list_groups;
  static constexpr VersionRange kVersions{0, 5};
  static constexpr std::int16_t kFlexibleSince = 3;
  using Response = ListGroupsResponse;

  std::vector<std::string_view> states_filter;
  std::vector<std::string_view> types_filter;

  friend bool operator==(const ListGroupsRequest&, const ListGroupsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("states_filter", m.states_filter, since(4));
    v.field("types_filter", m.types_filter, since(5));
  }
};

struct ListGroupsResponse {
  static constexpr std::string_view kName = "ListGroupsResponse";
  static constexpr ApiKey kKey = ApiKey::list_groups;
  static constexpr VersionRange kVersions{0, 5};
  static constexpr std::int16_t kFlexibleSince = 3;

  struct Group {
    std::string_view group_id;
    std::string_view protocol_type;
    std::string_view group_state;
    std::string_view group_type;

    friend bool operator==(const Group&, const Group&) = default;
    static void describe(auto& v, auto& m) {
      v.field("group_id", m.group_id, since(0));
      v.field("protocol_type", m.protocol_type, since(0));
      v.field("group_state", m.group_state, since(4).ignorable());
      v.field("group_type", m.group_type, since(5).ignorable());
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::vector<Group> groups;

  friend bool operator==(const ListGroupsResponse&, const ListGroupsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    v.field("error_code", m.error_code, since(0));
    v.field("groups", m.groups, since(0));
  }
};

}  // namespace millrace::wire
