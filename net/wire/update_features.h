// UpdateFeatures: raises or lowers finalized feature levels.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct UpdateFeaturesResponse;

struct UpdateFeaturesRequest {
  static constexpr std::string_view kName = "UpdateFeaturesRequest";
  static constexpr ApiKey kKey = ApiKey::update_features;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 0;
  using Response = UpdateFeaturesResponse;

  struct Feature {
    std::string_view feature;
    std::int16_t max_version_level = 0;
    bool allow_downgrade = false;
    std::int8_t upgrade_type = 1;

    friend bool operator==(const Feature&, const Feature&) = default;
    static void describe(auto& v, auto& m) {
      v.field("feature", m.feature, since(0));
      v.field("max_version_level", m.max_version_level, since(0));
      v.field("allow_downgrade", m.allow_downgrade, between(0, 0));
      v.field("upgrade_type", m.upgrade_type, since(1));
    }
  };

  std::int32_t timeout_ms = 60000;
  std::vector<Feature> feature_updates;
  bool validate_only = false;

  friend bool operator==(const UpdateFeaturesRequest&, const UpdateFeaturesRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("timeout_ms", m.timeout_ms, since(0));
    v.field("feature_updates", m.feature_updates, since(0));
    v.field("validate_only", m.validate_only, since(1));
  }
};

struct UpdateFeaturesResponse {
  static constexpr std::string_view kName = "UpdateFeaturesResponse";
  static constexpr ApiKey kKey = ApiKey::update_features;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 0;

  struct Feature {
    std::string_view feature;
    ErrorCode error_code{};
    std::optional<std::string_view> error_message = "";

    friend bool operator==(const Feature&, const Feature&) = default;
    static void describe(auto& v, auto& m) {
      v.field("feature", m.feature, since(0));
      v.field("error_code", m.error_code, since(0));
      v.field("error_message", m.error_message, since(0).nullable(0));
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::optional<std::string_view> error_message = "";
  std::vector<Feature> results;

  friend bool operator==(const UpdateFeaturesResponse&, const UpdateFeaturesResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("error_code", m.error_code, since(0));
    v.field("error_message", m.error_message, since(0).nullable(0));
    v.field("results", m.results, between(0, 1).ignorable());
  }
};

}  // namespace millrace::wire
