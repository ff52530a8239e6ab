// OffsetDelete: removes a group's committed offsets of some partitions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct OffsetDeleteResponse;

struct OffsetDeleteRequest {
  static constexpr std::string_view kName = "OffsetDeleteRequest";
  static constexpr ApiKey kKey = ApiKey::offset_delete;
  static constexpr VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = kNoVersion;
  using Response = OffsetDeleteResponse;

  struct Partition {
    std::int32_t partition_index = 0;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
    }
  };

  struct Topic {
    std::string_view name;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("partitions", m.partitions, since(0));
    }
  };

  std::string_view group_id;
  std::vector<Topic> topics;

  friend bool operator==(const OffsetDeleteRequest&, const OffsetDeleteRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("group_id", m.group_id, since(0));
    v.field("topics", m.topics, since(0));
  }
};

struct OffsetDeleteResponse {
  static constexpr std::string_view kName = "OffsetDeleteResponse";
  static constexpr ApiKey kKey = ApiKey::offset_delete;
  static constexpr VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = kNoVersion;

  struct Partition {
    std::int32_t partition_index = 0;
    ErrorCode error_code{};

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("error_code", m.error_code, since(0));
    }
  };

  struct Topic {
    std::string_view name;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("partitions", m.partitions, since(0));
    }
  };

  ErrorCode error_code{};
  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  friend bool operator==(const OffsetDeleteResponse&, const OffsetDeleteResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("error_code", m.error_code, since(0));
    v.field("throttle_time_ms", m.throttle_time_ms, since(0).ignorable());
    v.field("topics", m.topics, since(0));
  }
};

}  // namespace millrace::wire
