// DescribeQuorum: the metadata quorum as its leader sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct DescribeQuorumResponse;

struct DescribeQuorumRequest {
  static constexpr std::string_view kName = "DescribeQuorumRequest";
  static constexpr ApiKey kKey = ApiKey::describe_quorum;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 0;
  using Response = DescribeQuorumResponse;

  struct Partition {
    std::int32_t partition_index = 0;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
    }
  };

  struct Topic {
    std::string_view topic_name;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic_name", m.topic_name, since(0));
      v.field("partitions", m.partitions, since(0));
    }
  };

  std::vector<Topic> topics;

  friend bool operator==(const DescribeQuorumRequest&, const DescribeQuorumRequest&) = default;
  static void describe(auto& v, auto& m) { v.field("topics", m.topics, since(0)); }
};

struct DescribeQuorumResponse {
  static constexpr std::string_view kName = "DescribeQuorumResponse";
  static constexpr ApiKey kKey = ApiKey::describe_quorum;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 0;

  struct ReplicaState {
    std::int32_t replica_id = 0;
    Uuid replica_directory_id;
    std::int64_t log_end_offset = 0;
    std::int64_t last_fetch_timestamp = -1;
    std::int64_t last_caught_up_timestamp = -1;

    friend bool operator==(const ReplicaState&, const ReplicaState&) = default;
    static void describe(auto& v, auto& m) {
      v.field("replica_id", m.replica_id, since(0));
      v.field("replica_directory_id", m.replica_directory_id, since(2));
      v.field("log_end_offset", m.log_end_offset, since(0));
      v.field("last_fetch_timestamp", m.last_fetch_timestamp, since(1).ignorable());
      v.field("last_caught_up_timestamp", m.last_caught_up_timestamp, since(1).ignorable());
    }
  };

  struct Partition {
    std::int32_t partition_index = 0;
    ErrorCode error_code{};
    std::optional<std::string_view> error_message = "";
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = 0;
    std::int64_t high_watermark = 0;
    std::vector<ReplicaState> current_voters;
    std::vector<ReplicaState> observers;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("error_code", m.error_code, since(0));
      v.field("error_message", m.error_message, since(2).nullable(2).ignorable());
      v.field("leader_id", m.leader_id, since(0));
      v.field("leader_epoch", m.leader_epoch, since(0));
      v.field("high_watermark", m.high_watermark, since(0));
      v.field("current_voters", m.current_voters, since(0));
      v.field("observers", m.observers, since(0));
    }
  };

  struct Topic {
    std::string_view topic_name;
    std::vector<Partition> partitions;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic_name", m.topic_name, since(0));
      v.field("partitions", m.partitions, since(0));
    }
  };

  struct Listener {
    std::string_view name;
    std::string_view host;
    std::uint16_t port = 0;

    friend bool operator==(const Listener&, const Listener&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(2));
      v.field("host", m.host, since(2));
      v.field("port", m.port, since(2));
    }
  };

  struct Node {
    std::int32_t node_id = 0;
    std::vector<Listener> listeners;

    friend bool operator==(const Node&, const Node&) = default;
    static void describe(auto& v, auto& m) {
      v.field("node_id", m.node_id, since(2));
      v.field("listeners", m.listeners, since(2));
    }
  };

  ErrorCode error_code{};
  std::optional<std::string_view> error_message = "";
  std::vector<Topic> topics;
  std::vector<Node> nodes;

  friend bool operator==(const DescribeQuorumResponse&, const DescribeQuorumResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("error_code", m.error_code, since(0));
    v.field("error_message", m.error_message, since(2).nullable(2).ignorable());
    v.field("topics", m.topics, since(0));
    v.field("nodes", m.nodes, since(2));
  }
};

}  // namespace millrace::wire
