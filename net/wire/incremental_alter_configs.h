// IncrementalAlterConfigs: sets, deletes, appends to and subtracts from single settings.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct IncrementalAlterConfigsResponse;

struct IncrementalAlterConfigsRequest {
  static constexpr std::string_view kName = "IncrementalAlterConfigsRequest";
  static constexpr ApiKey kKey = ApiKey::incremental_alter_configs;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 1;
  using Response = IncrementalAlterConfigsResponse;

  struct Config {
    std::string_view name;
    std::int8_t config_operation = 0;
    std::optional<std::string_view> value = "";

    friend bool operator==(const Config&, const Config&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("config_operation", m.config_operation, since(0));
      v.field("value", m.value, since(0).nullable(0));
    }
  };

  struct Resource {
    std::int8_t resource_type = 0;
    std::string_view resource_name;
    std::vector<Config> configs;

    friend bool operator==(const Resource&, const Resource&) = default;
    static void describe(auto& v, auto& m) {
      v.field("resource_type", m.resource_type, since(0));
      v.field("resource_name", m.resource_name, since(0));
      v.field("configs", m.configs, since(0));
    }
  };

  std::vector<Resource> resources;
  bool validate_only = false;

  friend bool operator==(const IncrementalAlterConfigsRequest&,
                         const IncrementalAlterConfigsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("resources", m.resources, since(0));
    v.field("validate_only", m.validate_only, since(0));
  }
};

struct IncrementalAlterConfigsResponse {
  static constexpr std::string_view kName = "IncrementalAlterConfigsResponse";
  static constexpr ApiKey kKey = ApiKey::incremental_alter_configs;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 1;

  struct Resource {
    ErrorCode error_code{};
    std::optional<std::string_view> error_message = "";
    std::int8_t resource_type = 0;
    std::string_view resource_name;

    friend bool operator==(const Resource&, const Resource&) = default;
    static void describe(auto& v, auto& m) {
      v.field("error_code", m.error_code, since(0));
      v.field("error_message", m.error_message, since(0).nullable(0));
      v.field("resource_type", m.resource_type, since(0));
      v.field("resource_name", m.resource_name, since(0));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Resource> responses;

  friend bool operator==(const IncrementalAlterConfigsResponse&,
                         const IncrementalAlterConfigsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("responses", m.responses, since(0));
  }
};

}  // namespace millrace::wire
