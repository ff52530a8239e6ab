// OffsetForLeaderEpoch: where a leader epoch ends in the leader's log, so that a reader can tell
// whether its own log or position has been cut off.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct OffsetForLeaderEpochResponse;

struct OffsetForLeaderEpochRequest {
  static constexpr std::string_view kName = "OffsetForLeaderEpochRequest";
  static constexpr ApiKey kKey = ApiKey::offset_for_leader_epoch;
  static constexpr VersionRange kVersions{2, 4};
  static constexpr std::int16_t kFlexibleSince = 4;
  using Response = OffsetForLeaderEpochResponse;

  struct Partition {
    std::int32_t partition = 0;
    std::int32_t current_leader_epoch = -1;
    std::int32_t leader_epoch = 0;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition", m.partition, since(0));
      v.field("current_leader_epoch", m.current_leader_epoch, since(2).ignorable());
      v.field("leader_epoch", m.leader_epoch, since(0));
    }
  };

  struct Topic {
    std::string_view topic;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic", m.topic, since(0));
      v.field("partitions", m.partitions, since(0));
    }
  };

  std::int32_t replica_id = -2;
  std::vector<Topic> topics;

  friend bool operator==(const OffsetForLeaderEpochRequest&,
                         const OffsetForLeaderEpochRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("replica_id", m.replica_id, since(3).ignorable());
    v.field("topics", m.topics, since(0));
  }
};

struct OffsetForLeaderEpochResponse {
  static constexpr std::string_view kName = "OffsetForLeaderEpochResponse";
  static constexpr ApiKey kKey = ApiKey::offset_for_leader_epoch;
  static constexpr VersionRange kVersions{2, 4};
  static constexpr std::int16_t kFlexibleSince = 4;

  struct Partition {
    ErrorCode error_code{};
    std::int32_t partition = 0;
    std::int32_t leader_epoch = -1;
    std::int64_t end_offset = -1;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("error_code", m.error_code, since(0));
      v.field("partition", m.partition, since(0));
      v.field("leader_epoch", m.leader_epoch, since(1).ignorable());
      v.field("end_offset", m.end_offset, since(0));
    }
  };

  struct Topic {
    std::string_view topic;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic", m.topic, since(0));
      v.field("partitions", m.partitions, since(0));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  friend bool operator==(const OffsetForLeaderEpochResponse&,
                         const OffsetForLeaderEpochResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(2).ignorable());
    v.field("topics", m.topics, since(0));
  }
};

}  // namespace millrace::wire
