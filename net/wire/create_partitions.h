// CreatePartitions: more partitions for topics that exist. `count` is the new total.
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

struct CreatePartitionsResponse;

struct CreatePartitionsRequest {
  static constexpr std::string_view kName = "CreatePartitionsRequest";
  static constexpr ApiKey kKey = ApiKey::create_partitions;
  static constexpr VersionRange kVersions{0, 3};
  static constexpr std::int16_t kFlexibleSince = 2;
  using Response = CreatePartitionsResponse;

  struct Assignment {
    std::vector<std::int32_t> broker_ids;

    friend bool operator==(const Assignment&, const Assignment&) = default;
    static void describe(auto& v, auto& m) { v.field("broker_ids", m.broker_ids, since(0)); }
  };

  struct Topic {
    std::string_view name;
    std::int32_t count = 0;
    std::optional<std::vector<Assignment>> assignments{std::in_place};

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("count", m.count, since(0));
      v.field("assignments", m.assignments, since(0).nullable(0));
    }
  };

  std::vector<Topic> topics;
  std::int32_t timeout_ms = 0;
  bool validate_only = false;

  friend bool operator==(const CreatePartitionsRequest&, const CreatePartitionsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("topics", m.topics, since(0));
    v.field("timeout_ms", m.timeout_ms, since(0));
    v.field("validate_only", m.validate_only, since(0));
  }
};

struct CreatePartitionsResponse {
  static constexpr std::string_view kName = "CreatePartitionsResponse";
  static constexpr ApiKey kKey = ApiKey::create_partitions;
  static constexpr VersionRange kVersions{0, 3};
  static constexpr std::int16_t kFlexibleSince = 2;

  struct Topic {
    std::string_view name;
    ErrorCode error_code{};
    std::optional<std::string_view> error_message;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("error_code", m.error_code, since(0));
      v.field("error_message", m.error_message, since(0).nullable(0));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> results;

  friend bool operator==(const CreatePartitionsResponse&,
                         const CreatePartitionsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("results", m.results, since(0));
  }
};

}  // namespace millrace::wire
