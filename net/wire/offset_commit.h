// OffsetCommit: how far a group has read. Topics have names up to version 9 and ids from version 10
// on.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct OffsetCommitResponse;

struct OffsetCommitRequest {
  static constexpr std::string_view kName = "OffsetCommitRequest";
  static constexpr ApiKey kKey = ApiKey::offset_commit;
  static constexpr VersionRange kVersions{2, 10};
  static constexpr std::int16_t kFlexibleSince = 8;
  using Response = OffsetCommitResponse;

  struct Partition {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    std::optional<std::string_view> committed_metadata = "";

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("committed_offset", m.committed_offset, since(0));
      v.field("committed_leader_epoch", m.committed_leader_epoch, since(6).ignorable());
      v.field("committed_metadata", m.committed_metadata, since(0).nullable(0));
    }
  };

  struct Topic {
    std::string_view name;
    Uuid topic_id;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, between(0, 9).ignorable());
      v.field("topic_id", m.topic_id, since(10).ignorable());
      v.field("partitions", m.partitions, since(0));
    }
  };

  std::string_view group_id;
  std::int32_t generation_id_or_member_epoch = -1;
  std::string_view member_id;
  std::optional<std::string_view> group_instance_id;
  std::int64_t retention_time_ms = -1;
  std::vector<Topic> topics;

  friend bool operator==(const OffsetCommitRequest&, const OffsetCommitRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("group_id", m.group_id, since(0));
    v.field("generation_id_or_member_epoch", m.generation_id_or_member_epoch, since(1).ignorable());
    v.field("member_id", m.member_id, since(1).ignorable());
    v.field("group_instance_id", m.group_instance_id, since(7).nullable(7));
    v.field("retention_time_ms", m.retention_time_ms, between(2, 4).ignorable());
    v.field("topics", m.topics, since(0));
  }
};

struct OffsetCommitResponse {
  static constexpr std::string_view kName = "OffsetCommitResponse";
  static constexpr ApiKey kKey = ApiKey::offset_commit;
  static constexpr VersionRange kVersions{2, 10};
  static constexpr std::int16_t kFlexibleSince = 8;

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
    Uuid topic_id;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, between(0, 9).ignorable());
      v.field("topic_id", m.topic_id, since(10).ignorable());
      v.field("partitions", m.partitions, since(0));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  friend bool operator==(const OffsetCommitResponse&, const OffsetCommitResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(3).ignorable());
    v.field("topics", m.topics, since(0));
  }
};

}  // namespace millrace::wire
