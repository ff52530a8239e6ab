// ApiVersions: which APIs, versions and features this broker has. The first request of every
// client.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct ApiVersionsResponse;

struct ApiVersionsRequest {
  static constexpr std::string_view kName = "ApiVersionsRequest";
  static constexpr ApiKey kKey = ApiKey::api_versions;
  static constexpr VersionRange kVersions{0, 4};
  static constexpr std::int16_t kFlexibleSince = 3;
  using Response = ApiVersionsResponse;

  std::string_view client_software_name;
  std::string_view client_software_version;

  friend bool operator==(const ApiVersionsRequest&, const ApiVersionsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("client_software_name", m.client_software_name, since(3).ignorable());
    v.field("client_software_version", m.client_software_version, since(3).ignorable());
  }
};

struct ApiVersionsResponse {
  static constexpr std::string_view kName = "ApiVersionsResponse";
  static constexpr ApiKey kKey = ApiKey::api_versions;
  static constexpr VersionRange kVersions{0, 4};
  static constexpr std::int16_t kFlexibleSince = 3;

  struct ApiVersion {
    std::int16_t api_key = 0;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    friend bool operator==(const ApiVersion&, const ApiVersion&) = default;
    static void describe(auto& v, auto& m) {
      v.field("api_key", m.api_key, since(0));
      v.field("min_version", m.min_version, since(0));
      v.field("max_version", m.max_version, since(0));
    }
  };

  struct SupportedFeature {
    std::string_view name;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    friend bool operator==(const SupportedFeature&, const SupportedFeature&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(3));
      v.field("min_version", m.min_version, since(3));
      v.field("max_version", m.max_version, since(3));
    }
  };

  struct FinalizedFeature {
    std::string_view name;
    std::int16_t max_version_level = 0;
    std::int16_t min_version_level = 0;

    friend bool operator==(const FinalizedFeature&, const FinalizedFeature&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(3));
      v.field("max_version_level", m.max_version_level, since(3));
      v.field("min_version_level", m.min_version_level, since(3));
    }
  };

  ErrorCode error_code{};
  std::vector<ApiVersion> api_keys;
  std::int32_t throttle_time_ms = 0;
  std::vector<SupportedFeature> supported_features;
  std::int64_t finalized_features_epoch = -1;
  std::vector<FinalizedFeature> finalized_features;
  bool zk_migration_ready = false;

  friend bool operator==(const ApiVersionsResponse&, const ApiVersionsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("error_code", m.error_code, since(0));
    v.field("api_keys", m.api_keys, since(0));
    v.field("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    v.tagged(0, "supported_features", m.supported_features, since(3).ignorable());
    v.tagged(1, "finalized_features_epoch", m.finalized_features_epoch, since(3).ignorable(), -1);
    v.tagged(2, "finalized_features", m.finalized_features, since(3).ignorable());
    v.tagged(3, "zk_migration_ready", m.zk_migration_ready, since(3).ignorable());
  }
};

}  // namespace millrace::wire
