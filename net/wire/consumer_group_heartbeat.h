// ConsumerGroupHeartbeat: joins, keeps up and leaves a group of the consumer protocol; everything a
// member says and is told goes through it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/wire/api_key.h"
#include "net/wire/describe.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct ConsumerGroupHeartbeatResponse;

struct ConsumerGroupHeartbeatRequest {
  static constexpr std::string_view kName = "ConsumerGroupHeartbeatRequest";
  static constexpr ApiKey kKey = ApiKey::consumer_group_heartbeat;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 0;
  using Response = ConsumerGroupHeartbeatResponse;

  struct TopicPartitions {
    Uuid topic_id;
    std::vector<std::int32_t> partitions;

    friend bool operator==(const TopicPartitions&, const TopicPartitions&) = default;
    static void describe(auto& v, auto& m) {
      v.field("topic_id", m.topic_id, since(0));
      v.field("partitions", m.partitions, since(0));
    }
  };

  std::string_view group_id;
  std::string_view member_id;
  std::int32_t member_epoch = 0;
  std::optional<std::string_view> instance_id;
  std::optional<std::string_view> rack_id;
  std::int32_t rebalance_timeout_ms = -1;
  std::optional<std::vector<std::string_view>> subscribed_topic_names;
  std::optional<std::string_view> subscribed_topic_regex;
  std::optional<std::string_view> server_assignor;
  std::optional<std::vector<TopicPartitions>> topic_partitions;

  friend bool operator==(const ConsumerGroupHeartbeatRequest&,
                         const ConsumerGroupHeartbeatRequest&) = default;
  static void describe(auto& v, auto& m) {
    v.field("group_id", m.group_id, since(0));
    v.field("member_id", m.member_id, since(0));
    v.field("member_epoch", m.member_epoch, since(0));
    v.field("instance_id", m.instance_id, since(0).nullable(0));
    v.field("rack_id", m.rack_id, since(0).nullable(0));
    v.field("rebalance_timeout_ms", m.rebalance_timeout_ms, since(0));
    v.field("subscribed_topic_names", m.subscribed_topic_names, since(0).nullable(0));
    v.field("subscribed_topic_regex", m.subscribed_topic_regex, since(1).nullable(1));
    v.field("server_assignor", m.server_assignor, since(0).nullable(0));
    v.field("topic_partitions", m.topic_partitions, since(0).nullable(0));
  }
};

struct ConsumerGroupHeartbeatResponseTopicPartitions {
  Uuid topic_id;
  std::vector<std::int32_t> partitions;

  friend bool operator==(const ConsumerGroupHeartbeatResponseTopicPartitions&,
                         const ConsumerGroupHeartbeatResponseTopicPartitions&) = default;
  static void describe(auto& v, auto& m) {
    v.field("topic_id", m.topic_id, since(0));
    v.field("partitions", m.partitions, since(0));
  }
};

struct ConsumerGroupHeartbeatResponseAssignment {
  std::vector<ConsumerGroupHeartbeatResponseTopicPartitions> topic_partitions;

  friend bool operator==(const ConsumerGroupHeartbeatResponseAssignment&,
                         const ConsumerGroupHeartbeatResponseAssignment&) = default;
  static void describe(auto& v, auto& m) {
    v.field("topic_partitions", m.topic_partitions, since(0));
  }
};

struct ConsumerGroupHeartbeatResponse {
  static constexpr std::string_view kName = "ConsumerGroupHeartbeatResponse";
  static constexpr ApiKey kKey = ApiKey::consumer_group_heartbeat;
  static constexpr VersionRange kVersions{0, 1};
  static constexpr std::int16_t kFlexibleSince = 0;

  using TopicPartitions = ConsumerGroupHeartbeatResponseTopicPartitions;

  using Assignment = ConsumerGroupHeartbeatResponseAssignment;

  std::int32_t throttle_time_ms = 0;
  ErrorCode error_code{};
  std::optional<std::string_view> error_message;
  std::optional<std::string_view> member_id;
  std::int32_t member_epoch = 0;
  std::int32_t heartbeat_interval_ms = 0;
  std::optional<ConsumerGroupHeartbeatResponseAssignment> assignment;

  friend bool operator==(const ConsumerGroupHeartbeatResponse&,
                         const ConsumerGroupHeartbeatResponse&) = default;
  static void describe(auto& v, auto& m) {
    v.field("throttle_time_ms", m.throttle_time_ms, since(0));
    v.field("error_code", m.error_code, since(0));
    v.field("error_message", m.error_message, since(0).nullable(0));
    v.field("member_id", m.member_id, since(0).nullable(0));
    v.field("member_epoch", m.member_epoch, since(0));
    v.field("heartbeat_interval_ms", m.heartbeat_interval_ms, since(0));
    v.field("assignment", m.assignment, since(0).nullable(0));
  }
};

}  // namespace millrace::wire
