// Vote: a candidate of the metadata quorum asks for a vote, or from version 2 on whether it would
// get it.
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

struct VoteResponse;

struct VoteRequest {
  static constexpr std::string_view kName = "VoteRequest";
  static constexpr ApiKey kKey = ApiKey::vote;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 0;
  using Response = VoteResponse;

  struct Partition {
    std::int32_t partition_index = 0;
    std::int32_t replica_epoch = 0;
    std::int32_t replica_id = 0;
    Uuid replica_directory_id;
    Uuid voter_directory_id;
    std::int32_t last_offset_epoch = 0;
    std::int64_t last_offset = 0;
    bool pre_vote = false;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("replica_epoch", m.replica_epoch, since(0));
      v.field("replica_id", m.replica_id, since(0));
      v.field("replica_directory_id", m.replica_directory_id, since(1).ignorable());
      v.field("voter_directory_id", m.voter_directory_id, since(1).ignorable());
      v.field("last_offset_epoch", m.last_offset_epoch, since(0));
      v.field("last_offset", m.last_offset, since(0));
      v.field("pre_vote", m.pre_vote, since(2));
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

  std::optional<std::string_view> cluster_id;
  std::int32_t voter_id = -1;
  std::vector<Topic> topics;

  friend bool operator==(const VoteRequest&, const VoteRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("cluster_id", m.cluster_id, since(0).nullable(0));
    v.field("voter_id", m.voter_id, since(1).ignorable());
    v.field("topics", m.topics, since(0));
  }
};

struct VoteResponse {
  static constexpr std::string_view kName = "VoteResponse";
  static constexpr ApiKey kKey = ApiKey::vote;
  static constexpr VersionRange kVersions{0, 2};
  static constexpr std::int16_t kFlexibleSince = 0;

  struct Partition {
    std::int32_t partition_index = 0;
    ErrorCode error_code{};
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = 0;
    bool vote_granted = false;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("error_code", m.error_code, since(0));
      v.field("leader_id", m.leader_id, since(0));
      v.field("leader_epoch", m.leader_epoch, since(0));
      v.field("vote_granted", m.vote_granted, since(0));
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

  friend bool operator==(const VoteResponse&, const VoteResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("error_code", m.error_code, since(0));
    v.field("topics", m.topics, since(0));
    v.tagged(0, "node_endpoints", m.node_endpoints, since(1));
  }
};

}  // namespace millrace::wire
