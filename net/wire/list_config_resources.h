// ListConfigResources: names of the resources that have settings. Version 0 lists client metrics
// only.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct ListConfigResourcesResponse;

struct ListConfigResourcesRequest {
  static constexpr std::string_view kName = "ListConfigResourcesRequest";
  static constexpr ApiKey kKey = ApiKey::list_config_resources;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 0;
  using Response = ListConfigResourcesResponse;

  std::vector<std::int8_t> resource_types;

  friend bool operator==(const ListConfigResourcesRequest&,
                         const ListConfigResourcesRequest&) = default;
  static void describe(auto& v, auto& m) { v.field("resource_types", m.resource_types, since(1)); }
};

struct ListConfigResourcesResponse {
  static constexpr std::string_view kName = "ListConfigResourcesResponse";
  static constexpr ApiKey kKey = ApiKey::list_config_resources;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 0;

  struct ConfigResource {
    std::string_view resource_name;
    std::int8_t resource_type = 16;

    friend bool operator==(const ConfigResource&, const ConfigResource&) = default;
    static void describe(auto& v, auto& m) {
      v.field("resource_name", m.resource_name, since(0));
      v.field("resource_type", m.resource_type, since(1).ignorable());
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::vector<ConfigResource> config_resources;

  friend bool operator==(const ListConfigResourcesResponse&,
                         const ListConfigResourcesResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("error_code", m.error_code, since(0));
    v.field("config_resources", m.config_resources, since(0));
  }
};

}  // namespace millrace::wire
