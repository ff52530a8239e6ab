// DescribeProducers: the idempotent and transactional producers a partition remembers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct DescribeProducersResponse;

struct DescribeProducersRequest {
  static constexpr std::string_view kName = "DescribeProducersRequest";
  static constexpr ApiKey kKey = ApiKey::describe_producers;
  static constexpr VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = 0;
  using Response = DescribeProducersResponse;

  struct Topic {
    std::string_view name;
    std::vector<std::int32_t> partition_indexes;

    friend bool operator==(const Topic&, const Topic&) = default;
    static void describe(auto& v, auto& m) {
      v.field("name", m.name, since(0));
      v.field("partition_indexes", m.partition_indexes, since(0));
    }
  };

  std::vector<Topic> topics;

  friend bool operator==(const DescribeProducersRequest&,
                         const DescribeProducersRequest&) = default;
  static void describe(auto& v, auto& m) { v.field("topics", m.topics, since(0)); }
};

struct DescribeProducersResponse {
  static constexpr std::string_view kName = "DescribeProducersResponse";
  static constexpr ApiKey kKey = ApiKey::describe_producers;
  static constexpr VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = 0;

  struct ProducerState {
    std::int64_t producer_id = 0;
    std::int32_t producer_epoch = 0;
    std::int32_t last_sequence = -1;
    std::int64_t last_timestamp = -1;
    std::int32_t coordinator_epoch = 0;
    std::int64_t current_txn_start_offset = -1;

    friend bool operator==(const ProducerState&, const ProducerState&) = default;
    static void describe(auto& v, auto& m) {
      v.field("producer_id", m.producer_id, since(0));
      v.field("producer_epoch", m.producer_epoch, since(0));
      v.field("last_sequence", m.last_sequence, since(0));
      v.field("last_timestamp", m.last_timestamp, since(0));
      v.field("coordinator_epoch", m.coordinator_epoch, since(0));
      v.field("current_txn_start_offset", m.current_txn_start_offset, since(0));
    }
  };

  struct Partition {
    std::int32_t partition_index = 0;
    ErrorCode error_code{};
    std::optional<std::string_view> error_message;
    std::vector<ProducerState> active_producers;

    friend bool operator==(const Partition&, const Partition&) = default;
    static void describe(auto& v, auto& m) {
      v.field("partition_index", m.partition_index, since(0));
      v.field("error_code", m.error_code, since(0));
      v.field("error_message", m.error_message, since(0).nullable(0));
      v.field("active_producers", m.active_producers, since(0));
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

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  friend bool operator==(const DescribeProducersResponse&,
                         const DescribeProducersResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("topics", m.topics, since(0));
  }
};

}  // namespace millrace::wire
