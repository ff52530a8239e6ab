// Produce: record batches to append. The records stay where they are in the frame. Topics have
// names up to version 12 and ids from version 13 on.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct ProduceResponse;

struct ProduceRequest {
  static constexpr std::string_view kName = "ProduceRequest";
  static constexpr ApiKey kKey = ApiKey::produce;
  static constexpr VersionRange kVersions{3, 13};
  static constexpr std::int16_t kFlexibleSince = 9;
  using Response = ProduceResponse;

  struct Partition {
    std::int32_t index = 0;
    std::optional<WireBytes> records = WireBytes{};

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("index", m.index, since(0));
      v.field("records", m.records, since(0).nullable(0));
    }
  };

  struct Topic {
    std::string_view name;
    Uuid topic_id;
    std::vector<Partition> partition_data;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, between(0, 12).ignorable());
      v.field("topic_id", m.topic_id, since(13).ignorable());
      v.field("partition_data", m.partition_data, since(0));
    }
  };

  std::optional<std::string_view> transactional_id;
  std::int16_t acks = 0;
  std::int32_t timeout_ms = 0;
  std::vector<Topic> topic_data;

  friend bool operator==(const ProduceRequest&, const ProduceRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("transactional_id", m.transactional_id, since(3).nullable(3));
    v.field("acks", m.acks, since(0));
    v.field("timeout_ms", m.timeout_ms, since(0));
    v.field("topic_data", m.topic_data, since(0));
  }
};

struct ProduceResponse {
  static constexpr std::string_view kName = "ProduceResponse";
  static constexpr ApiKey kKey = ApiKey::produce;
  static constexpr VersionRange kVersions{3, 13};
  static constexpr std::int16_t kFlexibleSince = 9;

  struct RecordError {
    std::int32_t batch_index = 0;
    std::optional<std::string_view> batch_index_error_message;

    friend bool operator==(const RecordError&, const RecordError&) = default;
    static void describe(auto& v, auto& m) {
      v.field("batch_index", m.batch_index, since(8));
      v.field("batch_index_error_message", m.batch_index_error_message, since(8).nullable(8));
    }
  };

  struct LeaderIdAndEpoch {
    std::int32_t leader_id = -1;
    std::int32_t leader_epoch = -1;

    friend bool operator==(const LeaderIdAndEpoch&, const LeaderIdAndEpoch&) = default;
    static void describe(auto& v, auto& m) {
      v.field("leader_id", m.leader_id, since(10));
      v.field("leader_epoch", m.leader_epoch, since(10));
    }
  };

  struct Partition {
    std::int32_t index = 0;
    ErrorCode error_code{};
    std::int64_t base_offset = 0;
    std::int64_t log_append_time_ms = -1;
    std::int64_t log_start_offset = -1;
    std::vector<RecordError> record_errors;
    std::optional<std::string_view> error_message;
    LeaderIdAndEpoch current_leader;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("index", m.index, since(0));
      v.field("error_code", m.error_code, since(0));
      v.field("base_offset", m.base_offset, since(0));
      v.field("log_append_time_ms", m.log_append_time_ms, since(2).ignorable());
      v.field("log_start_offset", m.log_start_offset, since(5).ignorable());
      v.field("record_errors", m.record_errors, since(8).ignorable());
      v.field("error_message", m.error_message, since(8).nullable(8).ignorable());
      v.tagged(0, "current_leader", m.current_leader, since(10));
    }
  };

  struct Topic {
    std::string_view name;
    Uuid topic_id;
    std::vector<Partition> partition_responses;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, between(0, 12).ignorable());
      v.field("topic_id", m.topic_id, since(13).ignorable());
      v.field("partition_responses", m.partition_responses, since(0));
    }
  };

  struct NodeEndpoint {
    std::int32_t node_id = 0;
    std::string_view host;
    std::int32_t port = 0;
    std::optional<std::string_view> rack;

    friend bool operator==(const NodeEndpoint&, const NodeEndpoint&) = default;
    static void describe(auto& v, auto& m) {
      v.field("node_id", m.node_id, since(10));
      v.field("host", m.host, since(10));
      v.field("port", m.port, since(10));
      v.field("rack", m.rack, since(10).nullable(10));
    }
  };

  std::vector<Topic> responses;
  std::int32_t throttle_time_ms = 0;
  std::vector<NodeEndpoint> node_endpoints;

  friend bool operator==(const ProduceResponse&, const ProduceResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("responses", m.responses, since(0));
    v.field("throttle_time_ms", m.throttle_time_ms, since(1).ignorable());
    v.tagged(0, "node_endpoints", m.node_endpoints, since(10));
  }
};

}  // namespace millrace::wire
