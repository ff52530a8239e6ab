// DeleteRecords: moves a partition's log start offset up; offset -1 means the high watermark.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct DeleteRecordsResponse;

struct DeleteRecordsRequest {
  static constexpr std::string_view kName = "DeleteRecordsRequest";
  static constexpr ApiKey kKey = ApiKey::delete_records;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 2;
  using Response = DeleteRecordsResponse;

  struct Partition {
    std::int32_t partition_index = 0;
    std::int64_t offset = 0;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("offset", m.offset, since(0));
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

  std::vector<Topic> topics;
  std::int32_t timeout_ms = 0;

  friend bool operator==(const DeleteRecordsRequest&, const DeleteRecordsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("topics", m.topics, since(0));
    v.field("timeout_ms", m.timeout_ms, since(0));
  }
};

struct DeleteRecordsResponse {
  static constexpr std::string_view kName = "DeleteRecordsResponse";
  static constexpr ApiKey kKey = ApiKey::delete_records;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 2;

  struct Partition {
    std::int32_t partition_index = 0;
    std::int64_t low_watermark = 0;
    ErrorCode error_code{};

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("low_watermark", m.low_watermark, since(0));
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

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  friend bool operator==(const DeleteRecordsResponse&, const DeleteRecordsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("topics", m.topics, since(0));
  }
};

}  // namespace millrace::wire
