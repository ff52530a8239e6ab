// Metadata: the brokers, and of each topic asked for its partitions with leader, replicas and ISR.
// In version 0 an empty list of topics asks for all, from version 1 on null does and an empty list
// asks for none.
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

struct MetadataResponse;

struct MetadataRequest {
  static constexpr std::string_view kName = "MetadataRequest";
  static constexpr ApiKey kKey = ApiKey::metadata;
  static constexpr VersionRange kVersions{0, 13};
  static constexpr std::int16_t kFlexibleSince = 9;
  using Response = MetadataResponse;

  struct Topic {
    Uuid topic_id;
    std::optional<std::string_view> name = "";

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic_id", m.topic_id, since(10).ignorable());
      v.field("name", m.name, since(0).nullable(10));
    }
  };

  std::optional<std::vector<Topic>> topics{std::in_place};
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  friend bool operator==(const MetadataRequest&, const MetadataRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("topics", m.topics, since(0).nullable(1));
    v.field("allow_auto_topic_creation", m.allow_auto_topic_creation, since(4));
    v.field("include_cluster_authorized_operations", m.include_cluster_authorized_operations,
            between(8, 10));
    v.field("include_topic_authorized_operations", m.include_topic_authorized_operations, since(8));
  }
};

struct MetadataResponse {
  static constexpr std::string_view kName = "MetadataResponse";
  static constexpr ApiKey kKey = ApiKey::metadata;
  static constexpr VersionRange kVersions{0, 13};
  static constexpr std::int16_t kFlexibleSince = 9;

  struct Broker {
    std::int32_t node_id = 0;
    std::string_view host;
    std::int32_t port = 0;
    std::optional<std::string_view> rack;

    friend bool operator==(const Broker&, const Broker&) = default;
    static void describe(auto& v, auto& m) {
      v.field("node_id", m.node_id, since(0));
      v.field("host", m.host, since(0));
      v.field("port", m.port, since(0));
      v.field("rack", m.rack, since(1).nullable(1).ignorable());
    }
  };

  struct Partition {
    ErrorCode error_code{};
    std::int32_t partition_index = 0;
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = -1;
    std::vector<std::int32_t> replica_nodes;
    std::vector<std::int32_t> isr_nodes;
    std::vector<std::int32_t> offline_replicas;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("error_code", m.error_code, since(0));
      v.field("partition_index", m.partition_index, since(0));
      v.field("leader_id", m.leader_id, since(0));
      v.field("leader_epoch", m.leader_epoch, since(7).ignorable());
      v.field("replica_nodes", m.replica_nodes, since(0));
      v.field("isr_nodes", m.isr_nodes, since(0));
      v.field("offline_replicas", m.offline_replicas, since(5).ignorable());
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
      v.field("name", m.name, since(0).nullable(12));
      v.field("topic_id", m.topic_id, since(10).ignorable());
      v.field("is_internal", m.is_internal, since(1).ignorable());
      v.field("partitions", m.partitions, since(0));
      v.field("topic_authorized_operations", m.topic_authorized_operations, since(8));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Broker> brokers;
  std::optional<std::string_view> cluster_id;
  std::int32_t controller_id = -1;
  std::vector<Topic> topics;
  std::int32_t cluster_authorized_operations = -2147483648;
  ErrorCode error_code{};

  friend bool operator==(const MetadataResponse&, const MetadataResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(3).ignorable());
    v.field("brokers", m.brokers, since(0));
    v.field("cluster_id", m.cluster_id, since(2).nullable(2).ignorable());
    v.field("controller_id", m.controller_id, since(1).ignorable());
    v.field("topics", m.topics, since(0));
    v.field("cluster_authorized_operations", m.cluster_authorized_operations, between(8, 10));
    v.field("error_code", m.error_code, since(13).ignorable());
  }
};

}  // namespace millrace::wire
