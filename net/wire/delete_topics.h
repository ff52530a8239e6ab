// DeleteTopics: topics to delete, by name up to version 5, by name or id from version 6 on.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct DeleteTopicsResponse;

struct DeleteTopicsRequest {
  static constexpr std::string_view kName = "DeleteTopicsRequest";
  static constexpr ApiKey kKey = ApiKey::delete_topics;
  static constexpr VersionRange kVersions{1, 6};
  static constexpr std::int16_t kFlexibleSince = 4;
  using Response = DeleteTopicsResponse;

  struct Topic {
    std::optional<std::string_view> name;
    Uuid topic_id;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(6).nullable(6));
      v.field("topic_id", m.topic_id, since(6));
    }
  };

  std::vector<Topic> topics;
  std::vector<std::string_view> topic_names;
  std::int32_t timeout_ms = 0;

  friend bool operator==(const DeleteTopicsRequest&, const DeleteTopicsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("topics", m.topics, since(6));
    v.field("topic_names", m.topic_names, between(0, 5).ignorable());
    v.field("timeout_ms", m.timeout_ms, since(0));
  }
};

struct DeleteTopicsResponse {
  static constexpr std::string_view kName = "DeleteTopicsResponse";
  static constexpr ApiKey kKey = ApiKey::delete_topics;
  static constexpr VersionRange kVersions{1, 6};
  static constexpr std::int16_t kFlexibleSince = 4;

  struct Topic {
    std::optional<std::string_view> name = "";
    Uuid topic_id;
    ErrorCode error_code{};
    std::optional<std::string_view> error_message;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0).nullable(6));
      v.field("topic_id", m.topic_id, since(6).ignorable());
      v.field("error_code", m.error_code, since(0));
      v.field("error_message", m.error_message, since(5).nullable(5).ignorable());
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> responses;

  friend bool operator==(const DeleteTopicsResponse&, const DeleteTopicsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    v.field("responses", m.responses, since(0));
  }
};

}  // namespace millrace::wire
