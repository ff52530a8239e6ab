// OffsetFetch: how far groups have read; one group up to version 7, several from version 8 on.
// Topics have names up to version 9 and ids from version 10 on.
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

struct OffsetFetchResponse;

struct OffsetFetchRequest {
  static constexpr std::string_view kName = "OffsetFetchRequest";
  static constexpr ApiKey kKey = ApiKey::offset_fetch;
  static constexpr VersionRange kVersions{1, 10};
  static constexpr std::int16_t kFlexibleSince = 6;
  using Response = OffsetFetchResponse;

  struct Topic {
    std::string_view name;
    std::vector<std::int32_t> partition_indexes;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, between(0, 7));
      v.field("partition_indexes", m.partition_indexes, between(0, 7));
    }
  };

  struct GroupTopic {
    std::string_view name;
    Uuid topic_id;
    std::vector<std::int32_t> partition_indexes;

    friend bool operator==(const GroupTopic&, const GroupTopic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, between(8, 9).ignorable());
      v.field("topic_id", m.topic_id, since(10).ignorable());
      v.field("partition_indexes", m.partition_indexes, since(8));
    }
  };

  struct Group {
    std::string_view group_id;
    std::optional<std::string_view> member_id;
    std::int32_t member_epoch = -1;
    std::optional<std::vector<GroupTopic>> topics{std::in_place};

    friend bool operator==(const Group&, const Group&) = default;
    static void describe(auto& v, auto& m) {
      v.field("group_id", m.group_id, since(8));
      v.field("member_id", m.member_id, since(9).nullable(9).ignorable());
      v.field("member_epoch", m.member_epoch, since(9).ignorable());
      v.field("topics", m.topics, since(8).nullable(8));
    }
  };

  std::string_view group_id;
  std::optional<std::vector<Topic>> topics{std::in_place};
  std::vector<Group> groups;
  bool require_stable = false;

  friend bool operator==(const OffsetFetchRequest&, const OffsetFetchRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("group_id", m.group_id, between(0, 7));
    v.field("topics", m.topics, between(0, 7).nullable(2, 7));
    v.field("groups", m.groups, since(8));
    v.field("require_stable", m.require_stable, since(7));
  }
};

struct OffsetFetchResponse {
  static constexpr std::string_view kName = "OffsetFetchResponse";
  static constexpr ApiKey kKey = ApiKey::offset_fetch;
  static constexpr VersionRange kVersions{1, 10};
  static constexpr std::int16_t kFlexibleSince = 6;

  struct Partition {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    std::optional<std::string_view> metadata = "";
    ErrorCode error_code{};

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, between(0, 7));
      v.field("committed_offset", m.committed_offset, between(0, 7));
      v.field("committed_leader_epoch", m.committed_leader_epoch, between(5, 7).ignorable());
      v.field("metadata", m.metadata, between(0, 7).nullable(0, 7));
      v.field("error_code", m.error_code, between(0, 7));
    }
  };

  struct Topic {
    std::string_view name;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, between(0, 7));
      v.field("partitions", m.partitions, between(0, 7));
    }
  };

  struct GroupPartition {
    std::int32_t partition_index = 0;
    std::int64_t committed_offset = 0;
    std::int32_t committed_leader_epoch = -1;
    std::optional<std::string_view> metadata = "";
    ErrorCode error_code{};

    friend bool operator==(const GroupPartition&, const GroupPartition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(8));
      v.field("committed_offset", m.committed_offset, since(8));
      v.field("committed_leader_epoch", m.committed_leader_epoch, since(8).ignorable());
      v.field("metadata", m.metadata, since(8).nullable(8));
      v.field("error_code", m.error_code, since(8));
    }
  };

  struct GroupTopic {
    std::string_view name;
    Uuid topic_id;
    std::vector<GroupPartition> partitions;

    friend bool operator==(const GroupTopic&, const GroupTopic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, between(8, 9).ignorable());
      v.field("topic_id", m.topic_id, since(10).ignorable());
      v.field("partitions", m.partitions, since(8));
    }
  };

  struct Group {
    std::string_view group_id;
    std::vector<GroupTopic> topics;
    ErrorCode error_code{};

    friend bool operator==(const Group&, const Group&) = default;
    static void describe(auto& v, auto& m) {
      v.field("group_id", m.group_id, since(8));
      v.field("topics", m.topics, since(8));
      v.field("error_code", m.error_code, since(8));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  ErrorCode error_code{};
  std::vector<Group> groups;

  friend bool operator==(const OffsetFetchResponse&, const OffsetFetchResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(3).ignorable());
    v.field("topics", m.topics, between(0, 7));
    v.field("error_code", m.error_code, between(2, 7).ignorable());
    v.field("groups", m.groups, since(8));
  }
};

}  // namespace millrace::wire
