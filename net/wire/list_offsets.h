// ListOffsets: the offset that belongs to a timestamp, or to one of the negative stand-ins for the
// earliest, the latest and the like.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct ListOffsetsResponse;

struct ListOffsetsRequest {
  static constexpr std::string_view kName = "ListOffsetsRequest";
  static constexpr ApiKey kKey = ApiKey::list_offsets;
  static constexpr VersionRange kVersions{1, 11};
  static constexpr std::int16_t kFlexibleSince = 6;
  using Response = ListOffsetsResponse;

  struct Partition {
    std::int32_t partition_index = 0;
    std::int32_t current_leader_epoch = -1;
    std::int64_t timestamp = 0;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("current_leader_epoch", m.current_leader_epoch, since(4).ignorable());
      v.field("timestamp", m.timestamp, since(0));
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

  std::int32_t replica_id = 0;
  std::int8_t isolation_level = 0;
  std::vector<Topic> topics;
  std::int32_t timeout_ms = 0;

  friend bool operator==(const ListOffsetsRequest&, const ListOffsetsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("replica_id", m.replica_id, since(0));
    v.field("isolation_level", m.isolation_level, since(2));
    v.field("topics", m.topics, since(0));
    v.field("timeout_ms", m.timeout_ms, since(10).ignorable());
  }
};

struct ListOffsetsResponse {
  static constexpr std::string_view kName = "ListOffsetsResponse";
  static constexpr ApiKey kKey = ApiKey::list_offsets;
  static constexpr VersionRange kVersions{1, 11};
  static constexpr std::int16_t kFlexibleSince = 6;

  struct Partition {
    std::int32_t partition_index = 0;
    ErrorCode error_code{};
    std::int64_t timestamp = -1;
    std::int64_t offset = -1;
    std::int32_t leader_epoch = -1;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("error_code", m.error_code, since(0));
      v.field("timestamp", m.timestamp, since(1));
      v.field("offset", m.offset, since(1));
      v.field("leader_epoch", m.leader_epoch, since(4));
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

  friend bool operator==(const ListOffsetsResponse&, const ListOffsetsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(2).ignorable());
    v.field("topics", m.topics, since(0));
  }
};

}  // namespace millrace::wire
