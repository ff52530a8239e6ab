// What __consumer_offsets holds of groups of the consumer protocol (KIP-848), byte for byte as Kafka writes it.
//
//   key                              value
//   3 group                          the group's epoch, and a hash of the topics that it reads
//   4 group                          what Kafka 4.0 wrote instead of that hash; read as a sign of the group, never written
//   5 group, member                  what a member said of itself
//   6 group                          the epoch of the target assignment
//   7 group, member                  what a member is to have in the end
//   8 group, member                  what it has now, and what it has to give back first
//   16 group, pattern                the topics that a pattern stood for
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "engine/group/records.h"

namespace millrace::engine {

// Partitions by topic; each list is sorted and not empty.
using ConsumerAssignment = std::map<TopicId, std::vector<std::int32_t>>;

std::size_t partition_count(const ConsumerAssignment& assignment);
bool contains(const ConsumerAssignment& assignment, const TopicId& topic, std::int32_t partition);

struct ConsumerTopicPartitions {
  Uuid topic_id;
  std::vector<std::int32_t> partitions;

  bool operator==(const ConsumerTopicPartitions&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("topic_id", m.topic_id, wire::since(0));
    v.field("partitions", m.partitions, wire::since(0));
  }
};

struct ConsumerGroupMetadataValue {
  static constexpr std::string_view kName = "ConsumerGroupMetadataValue";
  static constexpr wire::VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = 0;

  std::int32_t epoch = 0;
  std::int64_t metadata_hash = 0;

  bool operator==(const ConsumerGroupMetadataValue&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("epoch", m.epoch, wire::since(0));
    v.tagged(0, "metadata_hash", m.metadata_hash, wire::since(0), std::int64_t{0});
  }
};

struct ConsumerGroupClassicProtocol {
  std::string name;
  wire::WireBytes metadata;

  bool operator==(const ConsumerGroupClassicProtocol&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("name", m.name, wire::since(0));
    v.field("metadata", m.metadata, wire::since(0));
  }
};

struct ConsumerGroupClassicMember {
  std::int32_t session_timeout_ms = 0;
  std::vector<ConsumerGroupClassicProtocol> supported_protocols;

  bool operator==(const ConsumerGroupClassicMember&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("session_timeout_ms", m.session_timeout_ms, wire::since(0));
    v.field("supported_protocols", m.supported_protocols, wire::since(0));
  }
};

// One that says nothing of the classic protocol, as older directories have it, speaks the consumer protocol.
struct ConsumerGroupMemberMetadataValue {
  static constexpr std::string_view kName = "ConsumerGroupMemberMetadataValue";
  static constexpr wire::VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = 0;

  using ClassicProtocol = ConsumerGroupClassicProtocol;
  using ClassicMemberMetadata = ConsumerGroupClassicMember;

  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::string client_id;
  std::string client_host;
  std::vector<std::string> subscribed_topic_names;
  std::optional<std::string> subscribed_topic_regex;
  std::int32_t rebalance_timeout_ms = -1;
  std::optional<std::string> server_assignor;
  std::optional<ClassicMemberMetadata> classic_member_metadata;

  bool operator==(const ConsumerGroupMemberMetadataValue&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("instance_id", m.instance_id, wire::since(0).nullable(0));
    v.field("rack_id", m.rack_id, wire::since(0).nullable(0));
    v.field("client_id", m.client_id, wire::since(0));
    v.field("client_host", m.client_host, wire::since(0));
    v.field("subscribed_topic_names", m.subscribed_topic_names, wire::since(0));
    v.field("subscribed_topic_regex", m.subscribed_topic_regex, wire::since(0).nullable(0));
    v.field("rebalance_timeout_ms", m.rebalance_timeout_ms, wire::since(0));
    v.field("server_assignor", m.server_assignor, wire::since(0).nullable(0));
    // Kafka's default is an empty one, not none: that somebody speaks the consumer protocol is written down.
    v.tagged(0, "classic_member_metadata", m.classic_member_metadata, wire::since(0).nullable(0), ClassicMemberMetadata{});
  }
};

struct ConsumerGroupTargetAssignmentMetadataValue {
  static constexpr std::string_view kName = "ConsumerGroupTargetAssignmentMetadataValue";
  static constexpr wire::VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = 0;

  std::int32_t assignment_epoch = 0;

  bool operator==(const ConsumerGroupTargetAssignmentMetadataValue&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("assignment_epoch", m.assignment_epoch, wire::since(0));
  }
};

struct ConsumerGroupTargetAssignmentMemberValue {
  static constexpr std::string_view kName = "ConsumerGroupTargetAssignmentMemberValue";
  static constexpr wire::VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = 0;

  std::vector<ConsumerTopicPartitions> topic_partitions;

  bool operator==(const ConsumerGroupTargetAssignmentMemberValue&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("topic_partitions", m.topic_partitions, wire::since(0));
  }
};

struct ConsumerGroupCurrentMemberAssignmentValue {
  static constexpr std::string_view kName = "ConsumerGroupCurrentMemberAssignmentValue";
  static constexpr wire::VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = 0;

  std::int32_t member_epoch = 0;
  std::int32_t previous_member_epoch = 0;
  std::int8_t state = 0;
  std::vector<ConsumerTopicPartitions> assigned_partitions;
  std::vector<ConsumerTopicPartitions> partitions_pending_revocation;

  bool operator==(const ConsumerGroupCurrentMemberAssignmentValue&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("member_epoch", m.member_epoch, wire::since(0));
    v.field("previous_member_epoch", m.previous_member_epoch, wire::since(0));
    v.field("state", m.state, wire::since(0));
    v.field("assigned_partitions", m.assigned_partitions, wire::since(0));
    v.field("partitions_pending_revocation", m.partitions_pending_revocation, wire::since(0));
  }
};

struct ConsumerGroupRegularExpressionValue {
  static constexpr std::string_view kName = "ConsumerGroupRegularExpressionValue";
  static constexpr wire::VersionRange kVersions{0, 0};
  static constexpr std::int16_t kFlexibleSince = 0;

  std::vector<std::string> topics;
  std::int64_t version = 0;
  std::int64_t timestamp = 0;

  bool operator==(const ConsumerGroupRegularExpressionValue&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("topics", m.topics, wire::since(0));
    v.field("version", m.version, wire::since(0));
    v.field("timestamp", m.timestamp, wire::since(0));
  }
};

// In order of topics; back, what is not a number of a partition or said twice is dropped.
std::vector<ConsumerTopicPartitions> to_topic_partitions(const ConsumerAssignment& assignment);
ConsumerAssignment to_assignment(const std::vector<ConsumerTopicPartitions>& topics);

ConsumerGroupKey consumer_group_key(ConsumerGroupKey::Kind kind, std::string_view group,
                                    std::string_view about = {});

// A whole record. `about` is the member or the pattern, where the kind is about one.
template <class Value>
GroupRecord consumer_record(ConsumerGroupKey::Kind kind, std::string_view group,
                            std::string_view about, const Value& value);
GroupRecord consumer_tombstone(ConsumerGroupKey::Kind kind, std::string_view group,
                               std::string_view about = {});

}  // namespace millrace::engine
