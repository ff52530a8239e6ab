// DescribeConfigs: settings of topics, brokers and groups, with where each value comes from.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct DescribeConfigsResponse;

struct DescribeConfigsRequest {
  static constexpr std::string_view kName = "DescribeConfigsRequest";
  static constexpr ApiKey kKey = ApiKey::describe_configs;
  static constexpr VersionRange kVersions{1, 4};
  static constexpr std::int16_t kFlexibleSince = 4;
  using Response = DescribeConfigsResponse;

  struct Resource {
    std::int8_t resource_type = 0;
    std::string_view resource_name;
    std::optional<std::vector<std::string_view>> configuration_keys{std::in_place};

    friend bool operator==(const Resource&, const Resource&) = default;
    static void describe(auto& v, auto& m) {
      v.field("resource_type", m.resource_type, since(0));
      v.field("resource_name", m.resource_name, since(0));
      v.field("configuration_keys", m.configuration_keys, since(0).nullable(0));
    }
  };

  std::vector<Resource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;

  friend bool operator==(const DescribeConfigsRequest&, const DescribeConfigsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("resources", m.resources, since(0));
    v.field("include_synonyms", m.include_synonyms, since(1));
    v.field("include_documentation", m.include_documentation, since(3));
  }
};

struct DescribeConfigsResponse {
  static constexpr std::string_view kName = "DescribeConfigsResponse";
  static constexpr ApiKey kKey = ApiKey::describe_configs;
  static constexpr VersionRange kVersions{1, 4};
  static constexpr std::int16_t kFlexibleSince = 4;

  struct Synonym {
    std::string_view name;
    std::optional<std::string_view> value = "";
    std::int8_t source = 0;

    friend bool operator==(const Synonym&, const Synonym&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(1));
      v.field("value", m.value, since(1).nullable(0));
      v.field("source", m.source, since(1));
    }
  };

  struct Config {
    std::string_view name;
    std::optional<std::string_view> value = "";
    bool read_only = false;
    std::int8_t config_source = -1;
    bool is_sensitive = false;
    std::vector<Synonym> synonyms;
    std::int8_t config_type = 0;
    std::optional<std::string_view> documentation = "";

    friend bool operator==(const Config&, const Config&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("value", m.value, since(0).nullable(0));
      v.field("read_only", m.read_only, since(0));
      v.field("config_source", m.config_source, since(1).ignorable());
      v.field("is_sensitive", m.is_sensitive, since(0));
      v.field("synonyms", m.synonyms, since(1).ignorable());
      v.field("config_type", m.config_type, since(3).ignorable());
      v.field("documentation", m.documentation, since(3).nullable(0).ignorable());
    }
  };

  struct Resource {
    ErrorCode error_code{};
    std::optional<std::string_view> error_message = "";
    std::int8_t resource_type = 0;
    std::string_view resource_name;
    std::vector<Config> configs;

    friend bool operator==(const Resource&, const Resource&) = default;
    static void describe(auto& v, auto& m) {
      v.field("error_code", m.error_code, since(0));
      v.field("error_message", m.error_message, since(0).nullable(0));
      v.field("resource_type", m.resource_type, since(0));
      v.field("resource_name", m.resource_name, since(0));
      v.field("configs", m.configs, since(0));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Resource> results;

  friend bool operator==(const DescribeConfigsResponse&, const DescribeConfigsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("results", m.results, since(0));
  }
};

}  // namespace millrace::wire
