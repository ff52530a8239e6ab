// DeleteGroups: removes empty groups and their offsets.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct DeleteGroupsResponse;

struct DeleteGroupsRequest {
  static constexpr std::string_view kName = "DeleteGroupsRequest";
  static constexpr ApiKey kKey = ApiKey::delete_groups;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 2;
  using Response = DeleteGroupsResponse;

  std::vector<std::string_view> groups_names;

  friend bool operator==(const DeleteGroupsRequest&, const DeleteGroupsRequest&) = default;
  static void describe(auto& v, auto& m) { v.field("groups_names", m.groups_names, since(0)); }
};

struct DeleteGroupsResponse {
  static constexpr std::string_view kName = "DeleteGroupsResponse";
  static constexpr ApiKey kKey = ApiKey::delete_groups;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 2;

  struct Group {
    std::string_view group_id;
    ErrorCode error_code{};

    friend bool operator==(const Group&, const Group&) = default;
    static void describe(auto& v, auto& m) {
      v.field("group_id", m.group_id, since(0));
      v.field("error_code", m.error_code, since(0));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Group> results;

  friend bool operator==(const DeleteGroupsResponse&, const DeleteGroupsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("results", m.results, since(0));
  }
};

}  // namespace millrace::wire
