// FetchSnapshot: a piece of a metadata snapshot.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"
#include "net/wire/quorum_endpoint.h"

namespace millrace::wire {

struct FetchSnapshotResponse;

struct FetchSnapshotRequest {
  static constexpr std::string_view kName = "FetchSnapshotRequest";
  static constexpr ApiKey kKey = ApiKey::fetch_snapshot;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 0;
  using Response = FetchSnapshotResponse;

  struct SnapshotId {
    std::int64_t end_offset = 0;
    std::int32_t epoch = 0;

    friend bool operator==(const SnapshotId&, const SnapshotId&) = default;
    static void describe(auto& v, auto& m) {
      v.field("end_offset", m.end_offset, since(0));
      v.field("epoch", m.epoch, since(0));
    }
  };

  struct Partition {
    std::int32_t partition = 0;
    std::int32_t current_leader_epoch = 0;
    SnapshotId snapshot_id;
    std::int64_t position = 0;
    Uuid replica_directory_id;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition", m.partition, since(0));
      v.field("current_leader_epoch", m.current_leader_epoch, since(0));
      v.field("snapshot_id", m.snapshot_id, since(0));
      v.field("position", m.position, since(0));
      v.tagged(0, "replica_directory_id", m.replica_directory_id, since(1).ignorable());
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

  std::optional<std::string_view> cluster_id;
  std::int32_t replica_id = -1;
  std::int32_t max_bytes = std::numeric_limits<std::int32_t>::max();
  std::vector<Topic> topics;

  friend bool operator==(const FetchSnapshotRequest&, const FetchSnapshotRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.tagged(0, "cluster_id", m.cluster_id, since(0).nullable(0));
    v.field("replica_id", m.replica_id, since(0));
    v.field("max_bytes", m.max_bytes, since(0));
    v.field("topics", m.topics, since(0));
  }
};

struct FetchSnapshotResponse {
  static constexpr std::string_view kName = "FetchSnapshotResponse";
  static constexpr ApiKey kKey = ApiKey::fetch_snapshot;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 0;

  struct SnapshotId {
    std::int64_t end_offset = 0;
    std::int32_t epoch = 0;

    friend bool operator==(const SnapshotId&, const SnapshotId&) = default;
    static void describe(auto& v, auto& m) {
      v.field("end_offset", m.end_offset, since(0));
      v.field("epoch", m.epoch, since(0));
    }
  };

  struct LeaderIdAndEpoch {
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = 0;

    friend bool operator==(const LeaderIdAndEpoch&, const LeaderIdAndEpoch&) = default;
    static void describe(auto& v, auto& m) {
      v.field("leader_id", m.leader_id, since(0));
      v.field("leader_epoch", m.leader_epoch, since(0));
    }
  };

  struct Partition {
    std::int32_t index = 0;
    ErrorCode error_code{};
    SnapshotId snapshot_id;
    LeaderIdAndEpoch current_leader;
    std::int64_t size = 0;
    std::int64_t position = 0;
    WireBytes unaligned_records;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("index", m.index, since(0));
      v.field("error_code", m.error_code, since(0));
      v.field("snapshot_id", m.snapshot_id, since(0));
      v.tagged(0, "current_leader", m.current_leader, since(0));
      v.field("size", m.size, since(0));
      v.field("position", m.position, since(0));
      v.field("unaligned_records", m.unaligned_records, since(0));
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

  using NodeEndpoint = QuorumEndpoint;

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::vector<Topic> topics;
  std::vector<NodeEndpoint> node_endpoints;

  friend bool operator==(const FetchSnapshotResponse&, const FetchSnapshotResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0).ignorable());
    v.field("error_code", m.error_code, since(0));
    v.field("topics", m.topics, since(0));
    v.tagged(0, "node_endpoints", m.node_endpoints, since(1));
  }
};

}  // namespace millrace::wire
