// BeginQuorumEpoch: the new leader of the metadata quorum makes itself known to the voters.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"
#include "net/wire/quorum_endpoint.h"

namespace millrace::wire {

struct BeginQuorumEpochResponse;

struct BeginQuorumEpochRequest {
  static constexpr std::string_view kName = "BeginQuorumEpochRequest";
  static constexpr ApiKey kKey = ApiKey::begin_quorum_epoch;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 1;
  using Response = BeginQuorumEpochResponse;

  struct Partition {
    std::int32_t partition_index = 0;
    Uuid voter_directory_id;
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = 0;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("voter_directory_id", m.voter_directory_id, since(1).ignorable());
      v.field("leader_id", m.leader_id, since(0));
      v.field("leader_epoch", m.leader_epoch, since(0));
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

  struct LeaderEndpoint {
    std::string_view name;
    std::string_view host;
    std::uint16_t port = 0;

    friend bool operator==(const LeaderEndpoint&, const LeaderEndpoint&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(1));
      v.field("host", m.host, since(1));
      v.field("port", m.port, since(1));
    }
  };

  std::optional<std::string_view> cluster_id;
  std::int32_t voter_id = -1;
  std::vector<Topic> topics;
  std::vector<LeaderEndpoint> leader_endpoints;

  friend bool operator==(const BeginQuorumEpochRequest&, const BeginQuorumEpochRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("cluster_id", m.cluster_id, since(0).nullable(0));
    v.field("voter_id", m.voter_id, since(1).ignorable());
    v.field("topics", m.topics, since(0));
    v.field("leader_endpoints", m.leader_endpoints, since(1).ignorable());
  }
};

struct BeginQuorumEpochResponse {
  static constexpr std::string_view kName = "BeginQuorumEpochResponse";
  static constexpr ApiKey kKey = ApiKey::begin_quorum_epoch;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 1;

  struct Partition {
    std::int32_t partition_index = 0;
    ErrorCode error_code{};
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = 0;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("error_code", m.error_code, since(0));
      v.field("leader_id", m.leader_id, since(0));
      v.field("leader_epoch", m.leader_epoch, since(0));
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

  using NodeEndpoint = QuorumEndpoint;

  ErrorCode error_code{};
  std::vector<Topic> topics;
  std::vector<NodeEndpoint> node_endpoints;

  friend bool operator==(const BeginQuorumEpochResponse&,
                         const BeginQuorumEpochResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("error_code", m.error_code, since(0));
    v.field("topics", m.topics, since(0));
    v.tagged(0, "node_endpoints", m.node_endpoints, since(1));
  }
};

}  // namespace millrace::wire
