// Fetch: records from an offset on, for consumers and followers, with incremental sessions. Topics
// have names up to version 12 and ids from version 13 on.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct FetchResponse;

struct FetchRequest {
  static constexpr std::string_view kName = "FetchRequest";
  static constexpr ApiKey kKey = ApiKey::fetch;
  static constexpr VersionRange kVersions{4, 18};
  static constexpr std::int16_t kFlexibleSince = 12;
  using Response = FetchResponse;

  struct ReplicaState {
    std::int32_t replica_id = -1;
    std::int64_t replica_epoch = -1;

    friend bool operator==(const ReplicaState&, const ReplicaState&) = default;
    static void describe(auto& v, auto& m) {
      v.field("replica_id", m.replica_id, since(15));
      v.field("replica_epoch", m.replica_epoch, since(15));
    }
  };

  struct Partition {
    std::int32_t partition = 0;
    std::int32_t current_leader_epoch = -1;
    std::int64_t fetch_offset = 0;
    std::int32_t last_fetched_epoch = -1;
    std::int64_t log_start_offset = -1;
    std::int32_t partition_max_bytes = 0;
    Uuid replica_directory_id;
    std::int64_t high_watermark = std::numeric_limits<std::int64_t>::max();

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition", m.partition, since(0));
      v.field("current_leader_epoch", m.current_leader_epoch, since(9).ignorable());
      v.field("fetch_offset", m.fetch_offset, since(0));
      v.field("last_fetched_epoch", m.last_fetched_epoch, since(12));
      v.field("log_start_offset", m.log_start_offset, since(5).ignorable());
      v.field("partition_max_bytes", m.partition_max_bytes, since(0));
      v.tagged(0, "replica_directory_id", m.replica_directory_id, since(17).ignorable());
      v.tagged(1, "high_watermark", m.high_watermark, since(18).ignorable(),
               std::numeric_limits<std::int64_t>::max());
    }
  };

  struct Topic {
    std::string_view topic;
    Uuid topic_id;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic", m.topic, between(0, 12).ignorable());
      v.field("topic_id", m.topic_id, since(13).ignorable());
      v.field("partitions", m.partitions, since(0));
    }
  };

  struct ForgottenTopic {
    std::string_view topic;
    Uuid topic_id;
    std::vector<std::int32_t> partitions;

    friend bool operator==(const ForgottenTopic&, const ForgottenTopic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic", m.topic, between(7, 12).ignorable());
      v.field("topic_id", m.topic_id, since(13).ignorable());
      v.field("partitions", m.partitions, since(7));
    }
  };

  std::optional<std::string_view> cluster_id;
  std::int32_t replica_id = -1;
  ReplicaState replica_state;
  std::int32_t max_wait_ms = 0;
  std::int32_t min_bytes = 0;
  std::int32_t max_bytes = std::numeric_limits<std::int32_t>::max();
  std::int8_t isolation_level = 0;
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;
  std::vector<Topic> topics;
  std::vector<ForgottenTopic> forgotten_topics_data;
  std::string_view rack_id;

  friend bool operator==(const FetchRequest&, const FetchRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.tagged(0, "cluster_id", m.cluster_id, since(12).nullable(12).ignorable());
    v.field("replica_id", m.replica_id, between(0, 14));
    v.tagged(1, "replica_state", m.replica_state, since(15));
    v.field("max_wait_ms", m.max_wait_ms, since(0));
    v.field("min_bytes", m.min_bytes, since(0));
    v.field("max_bytes", m.max_bytes, since(3).ignorable());
    v.field("isolation_level", m.isolation_level, since(4).ignorable());
    v.field("session_id", m.session_id, since(7).ignorable());
    v.field("session_epoch", m.session_epoch, since(7).ignorable());
    v.field("topics", m.topics, since(0));
    v.field("forgotten_topics_data", m.forgotten_topics_data, since(7));
    v.field("rack_id", m.rack_id, since(11).ignorable());
  }
};

struct FetchResponse {
  static constexpr std::string_view kName = "FetchResponse";
  static constexpr ApiKey kKey = ApiKey::fetch;
  static constexpr VersionRange kVersions{4, 18};
  static constexpr std::int16_t kFlexibleSince = 12;

  struct EpochEndOffset {
    std::int32_t epoch = -1;
    std::int64_t end_offset = -1;

    friend bool operator==(const EpochEndOffset&, const EpochEndOffset&) = default;
    static void describe(auto& v, auto& m) {
      v.field("epoch", m.epoch, since(12));
      v.field("end_offset", m.end_offset, since(12));
    }
  };

  struct LeaderIdAndEpoch {
    std::int32_t leader_id = -1;
    std::int32_t leader_epoch = -1;

    friend bool operator==(const LeaderIdAndEpoch&, const LeaderIdAndEpoch&) = default;
    static void describe(auto& v, auto& m) {
      v.field("leader_id", m.leader_id, since(12));
      v.field("leader_epoch", m.leader_epoch, since(12));
    }
  };

  struct SnapshotId {
    std::int64_t end_offset = -1;
    std::int32_t epoch = -1;

    friend bool operator==(const SnapshotId&, const SnapshotId&) = default;
    static void describe(auto& v, auto& m) {
      v.field("end_offset", m.end_offset, since(0));
      v.field("epoch", m.epoch, since(0));
    }
  };

  struct AbortedTransaction {
    std::int64_t producer_id = 0;
    std::int64_t first_offset = 0;

    friend bool operator==(const AbortedTransaction&, const AbortedTransaction&) = default;
    static void describe(auto& v, auto& m) {
      v.field("producer_id", m.producer_id, since(4));
      v.field("first_offset", m.first_offset, since(4));
    }
  };

  struct Partition {
    std::int32_t partition_index = 0;
    ErrorCode error_code{};
    std::int64_t high_watermark = 0;
    std::int64_t last_stable_offset = -1;
    std::int64_t log_start_offset = -1;
    EpochEndOffset diverging_epoch;
    LeaderIdAndEpoch current_leader;
    SnapshotId snapshot_id;
    std::optional<std::vector<AbortedTransaction>> aborted_transactions{std::in_place};
    std::int32_t preferred_read_replica = -1;
    FetchedRecords records;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("error_code", m.error_code, since(0));
      v.field("high_watermark", m.high_watermark, since(0));
      v.field("last_stable_offset", m.last_stable_offset, since(4).ignorable());
      v.field("log_start_offset", m.log_start_offset, since(5).ignorable());
      v.tagged(0, "diverging_epoch", m.diverging_epoch, since(12));
      v.tagged(1, "current_leader", m.current_leader, since(12));
      v.tagged(2, "snapshot_id", m.snapshot_id, since(12));
      v.field("aborted_transactions", m.aborted_transactions, since(4).nullable(4).ignorable());
      v.field("preferred_read_replica", m.preferred_read_replica, since(11));
      v.field("records", m.records, since(0).nullable(0));
    }
  };

  struct Topic {
    std::string_view topic;
    Uuid topic_id;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic", m.topic, between(0, 12).ignorable());
      v.field("topic_id", m.topic_id, since(13).ignorable());
      v.field("partitions", m.partitions, since(0));
    }
  };

  struct NodeEndpoint {
    std::int32_t node_id = 0;
    std::string_view host;
    std::int32_t port = 0;
    std::optional<std::string_view> rack;

    friend bool operator==(const NodeEndpoint&, const NodeEndpoint&) = default;
    static void describe(auto& v, auto& m) {
      v.field("node_id", m.node_id, since(16));
      v.field("host", m.host, since(16));
      v.field("port", m.port, since(16));
      v.field("rack", m.rack, since(16).nullable(16));
    }
  };

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::int32_t session_id = 0;
  std::vector<Topic> responses;
  std::vector<NodeEndpoint> node_endpoints;

  friend bool operator==(const FetchResponse&, const FetchResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    v.field("error_code", m.error_code, since(7).ignorable());
    v.field("session_id", m.session_id, since(7));
    v.field("responses", m.responses, since(0));
    v.tagged(0, "node_endpoints", m.node_endpoints, since(16));
  }
};

}  // namespace millrace::wire
