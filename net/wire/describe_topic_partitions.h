// DescribeTopicPartitions: partitions of topics page by page; the cursor says where the next
// begins.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct DescribeTopicPartitionsResponse;

struct DescribeTopicPartitionsRequestCursor {
  std::string_view topic_name;
  std::int32_t partition_index = 0;

  friend bool operator==(const DescribeTopicPartitionsRequestCursor&,
                         const DescribeTopicPartitionsRequestCursor&) = default;
  static void describe(auto& v, auto& m) {
    v.field("topic_name", m.topic_name, since(0));
    v.field("partition_index", m.partition_index, since(0));
  }
};

struct DescribeTopicPartitionsRequest {
  static constexpr std::string_view kName = "DescribeTopicPartitionsRequest";
  static constexpr ApiKey kKey = ApiKey::describe_topic_partitions;
  static constexpr VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = 0;
  using Response = DescribeTopicPartitionsResponse;

  struct Topic {
    std::string_view name;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) { v.field("name", m.name, since(0)); }
  };

  using Cursor = DescribeTopicPartitionsRequestCursor;

  std::vector<Topic> topics;
  std::int32_t response_partition_limit = 2000;
  std::optional<DescribeTopicPartitionsRequestCursor> cursor;

  friend bool operator==(const DescribeTopicPartitionsRequest&,
                         const DescribeTopicPartitionsRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("topics", m.topics, since(0));
    v.field("response_partition_limit", m.response_partition_limit, since(0));
    v.field("cursor", m.cursor, since(0).nullable(0));
  }
};

struct DescribeTopicPartitionsResponseCursor {
  std::string_view topic_name;
  std::int32_t partition_index = 0;

  friend bool operator==(const DescribeTopicPartitionsResponseCursor&,
                         const DescribeTopicPartitionsResponseCursor&) = default;
  static void describe(auto& v, auto& m) {
    v.field("topic_name", m.topic_name, since(0));
    v.field("partition_index", m.partition_index, since(0));
  }
};

struct DescribeTopicPartitionsResponse {
  static constexpr std::string_view kName = "DescribeTopicPartitionsResponse";
  static constexpr ApiKey kKey = ApiKey::describe_topic_partitions;
  static constexpr VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = 0;

  struct Partition {
    ErrorCode error_code{};
    std::int32_t partition_index = 0;
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = -1;
    std::vector<std::int32_t> replica_nodes;
    std::vector<std::int32_t> isr_nodes;
    std::optional<std::vector<std::int32_t>> eligible_leader_replicas;
    std::optional<std::vector<std::int32_t>> last_known_elr;
    std::vector<std::int32_t> offline_replicas;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("error_code", m.error_code, since(0));
      v.field("partition_index", m.partition_index, since(0));
      v.field("leader_id", m.leader_id, since(0));
      v.field("leader_epoch", m.leader_epoch, since(0).ignorable());
      v.field("replica_nodes", m.replica_nodes, since(0));
      v.field("isr_nodes", m.isr_nodes, since(0));
      v.field("eligible_leader_replicas", m.eligible_leader_replicas, since(0).nullable(0));
      v.field("last_known_elr", m.last_known_elr, since(0).nullable(0));
      v.field("offline_replicas", m.offline_replicas, since(0).ignorable());
    }
  };

  struct Topic {
    ErrorCode error_code{};
    std::optional<std::string_view> name = "";
    Uuid topic_id;
    bool is_internal = false;
    std::vector<Partition> partitions;
    std::int32_t topic_authorized_operations = -2147483648;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("error_code", m.error_code, since(0));
      v.field("name", m.name, since(0).nullable(0));
      v.field("topic_id", m.topic_id, since(0).ignorable());
      v.field("is_internal", m.is_internal, since(0).ignorable());
      v.field("partitions", m.partitions, since(0));
      v.field("topic_authorized_operations", m.topic_authorized_operations, since(0));
    }
  };

  using Cursor = DescribeTopicPartitionsResponseCursor;

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  std::optional<DescribeTopicPartitionsResponseCursor> next_cursor;

  friend bool operator==(const DescribeTopicPartitionsResponse&,
                         const DescribeTopicPartitionsResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0).ignorable());
    v.field("topics", m.topics, since(0));
    v.field("next_cursor", m.next_cursor, since(0).nullable(0));
  }
};

}  // namespace millrace::wire
