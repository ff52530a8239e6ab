// CreateTopics: new topics. The answer's `configs` must be an empty list, not null, when there is
// nothing to tell: Java's admin client fails on null in version 5 and later.
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

struct CreateTopicsResponse;

struct CreateTopicsRequest {
  static constexpr std::string_view kName = "CreateTopicsRequest";
  static constexpr ApiKey kKey = ApiKey::create_topics;
  static constexpr VersionRange kVersions{2, 7};
  static constexpr std::int16_t kFlexibleSince = 5;
  using Response = CreateTopicsResponse;

  struct Assignment {
    std::int32_t partition_index = 0;
    std::vector<std::int32_t> broker_ids;

    friend bool operator==(const Assignment&, const Assignment&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("broker_ids", m.broker_ids, since(0));
    }
  };

  struct Config {
    std::string_view name;
    std::optional<std::string_view> value = "";

    friend bool operator==(const Config&, const Config&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("value", m.value, since(0).nullable(0));
    }
  };

  struct Topic {
    std::string_view name;
    std::int32_t num_partitions = 0;
    std::int16_t replication_factor = 0;
    std::vector<Assignment> assignments;
    std::vector<Config> configs;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("num_partitions", m.num_partitions, since(0));
      v.field("replication_factor", m.replication_factor, since(0));
      v.field("assignments", m.assignments, since(0));
      v.field("configs", m.configs, since(0));
    }
  };

  std::vector<Topic> topics;
  std::int32_t timeout_ms = 60000;
  bool validate_only = false;

  friend bool operator==(const CreateTopicsRequest&, const CreateTopicsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("topics", m.topics, since(0));
    v.field("timeout_ms", m.timeout_ms, since(0));
    v.field("validate_only", m.validate_only, since(1));
  }
};

struct CreateTopicsResponse {
  static constexpr std::string_view kName = "CreateTopicsResponse";
  static constexpr ApiKey kKey = ApiKey::create_topics;
  static constexpr VersionRange kVersions{2, 7};
  static constexpr std::int16_t kFlexibleSince = 5;

  struct Config {
    std::string_view name;
    std::optional<std::string_view> value = "";
    bool read_only = false;
    std::int8_t config_source = -1;
    bool is_sensitive = false;

    friend bool operator==(const Config&, const Config&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(5));
      v.field("value", m.value, since(5).nullable(5));
      v.field("read_only", m.read_only, since(5));
      v.field("config_source", m.config_source, since(5).ignorable());
      v.field("is_sensitive", m.is_sensitive, since(5));
    }
  };

  struct Topic {
    std::string_view name;
    Uuid topic_id;
    ErrorCode error_code{};
    std::optional<std::string_view> error_message = "";
    ErrorCode topic_config_error_code{};
    std::int32_t num_partitions = -1;
    std::int16_t replication_factor = -1;
    std::optional<std::vector<Config>> configs{std::in_place};

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("topic_id", m.topic_id, since(7).ignorable());
      v.field("error_code", m.error_code, since(0));
      v.field("error_message", m.error_message, since(1).nullable(0).ignorable());
      v.tagged(0, "topic_config_error_code", m.topic_config_error_code, since(5).ignorable());
      v.field("num_partitions", m.num_partitions, since(5).ignorable());
      v.field("replication_factor", m.replication_factor, since(5).ignorable());
      v.field("configs", m.configs, since(5).nullable(5).ignorable());
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  friend bool operator==(const CreateTopicsResponse&, const CreateTopicsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(2).ignorable());
    v.field("topics", m.topics, since(0));
  }
};

}  // namespace millrace::wire
