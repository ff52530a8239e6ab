// What __consumer_offsets holds, byte for byte as Kafka writes it.
//
//   key:   int16 type, then the key's fields, never flexible
//   value: int16 version, then the value's fields; none: a tombstone, the key is gone
//
// Text is owned, payloads are borrowed: from the bytes that were decoded, from the member that is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "net/wire/describe.h"

namespace millrace::engine {

// A record as it stands in the log.
struct GroupRecord {
  std::vector<std::byte> key;
  std::optional<std::vector<std::byte>> value;  // none: a tombstone

  bool operator==(const GroupRecord&) const = default;
};

// ---- Keys

// Types 0 and 1; 1 is written.
struct OffsetCommitKey {
  std::string group;
  std::string topic;
  std::int32_t partition = 0;

  bool operator==(const OffsetCommitKey&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("group", m.group, wire::since(0));
    v.field("topic", m.topic, wire::since(0));
    v.field("partition", m.partition, wire::since(0));
  }
};

// Type 2.
struct GroupMetadataKey {
  std::string group;

  bool operator==(const GroupMetadataKey&) const = default;
  static void describe(auto& v, auto& m) { v.field("group", m.group, wire::since(0)); }
};

// Types 3 to 8 and 16: what the protocol of KIP-848 keeps of a group, of its members and of its patterns.
struct ConsumerGroupKey {
  enum class Kind : std::int16_t {
    metadata = 3,
    partition_metadata = 4,
    member = 5,
    target_assignment = 6,
    target_assignment_of_member = 7,
    current_assignment_of_member = 8,
    regular_expression = 16,
  };
  Kind kind = Kind::metadata;
  std::string group;
  std::string member;              // of the kinds that are about a member
  std::string regular_expression;  // of that kind

  bool operator==(const ConsumerGroupKey&) const = default;
};

// A type that this release has no words for: share and streams groups, and what later releases add. It is not an error, and
// nothing is decided from it.
struct UnknownKey {
  std::int16_t type = 0;

  bool operator==(const UnknownKey&) const = default;
};

using GroupKey = std::variant<OffsetCommitKey, GroupMetadataKey, ConsumerGroupKey, UnknownKey>;

// Errors: malformed.
Result<GroupKey> decode_group_key(ConstBytes key);
// Requires: not an UnknownKey.
std::vector<std::byte> encode_group_key(const GroupKey& key);

// ---- Values

struct OffsetCommitValue {
  static constexpr std::string_view kName = "OffsetCommitValue";
  static constexpr wire::VersionRange kVersions{0, 4};
  static constexpr std::int16_t kFlexibleSince = 4;
  // As Apache Kafka 4.2 does: the topic's id tells its offsets from those of a later topic of the name.
  static constexpr std::int16_t kWritten = 4;
  // Written when the client said how long the offset is to be kept (OffsetCommit 2 to 4).
  static constexpr std::int16_t kWrittenWithExpiry = 1;

  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  std::int64_t commit_timestamp = 0;
  std::int64_t expire_timestamp = -1;
  Uuid topic_id;

  bool operator==(const OffsetCommitValue&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("offset", m.offset, wire::since(0));
    v.field("leader_epoch", m.leader_epoch, wire::since(3));
    v.field("metadata", m.metadata, wire::since(0));
    v.field("commit_timestamp", m.commit_timestamp, wire::since(0));
    v.field("expire_timestamp", m.expire_timestamp, wire::between(1, 1));
    v.tagged(0, "topic_id", m.topic_id, wire::since(4), Uuid{});
  }
};

struct GroupMetadataValue {
  static constexpr std::string_view kName = "GroupMetadataValue";
  static constexpr wire::VersionRange kVersions{0, 4};
  static constexpr std::int16_t kFlexibleSince = 4;
  static constexpr std::int16_t kWritten = 3;

  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    std::int32_t rebalance_timeout = -1;  // version 0 does not say
    std::int32_t session_timeout = 0;
    wire::WireBytes subscription;
    wire::WireBytes assignment;

    bool operator==(const Member&) const = default;
    static void describe(auto& v, auto& m) {
      v.field("member_id", m.member_id, wire::since(0));
      v.field("group_instance_id", m.group_instance_id, wire::since(3).nullable(3));
      v.field("client_id", m.client_id, wire::since(0));
      v.field("client_host", m.client_host, wire::since(0));
      v.field("rebalance_timeout", m.rebalance_timeout, wire::since(1));
      v.field("session_timeout", m.session_timeout, wire::since(0));
      v.field("subscription", m.subscription, wire::since(0));
      v.field("assignment", m.assignment, wire::since(0));
    }
  };

  std::string protocol_type;
  std::int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  std::int64_t current_state_timestamp = -1;
  std::vector<Member> members;

  bool operator==(const GroupMetadataValue&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("protocol_type", m.protocol_type, wire::since(0));
    v.field("generation", m.generation, wire::since(0));
    v.field("protocol", m.protocol, wire::since(0).nullable(0));
    v.field("leader", m.leader, wire::since(0).nullable(0));
    v.field("current_state_timestamp", m.current_state_timestamp, wire::since(2));
    v.field("members", m.members, wire::since(0));
  }
};

// Errors: unsupported (a version that this release does not know), malformed. Payloads point into `value`.
Result<OffsetCommitValue> decode_offset_commit_value(ConstBytes value);
Result<GroupMetadataValue> decode_group_metadata_value(ConstBytes value);
// Requires: kVersions contains `version`.
std::vector<std::byte> encode_value(const OffsetCommitValue& value, std::int16_t version);
std::vector<std::byte> encode_value(const GroupMetadataValue& value, std::int16_t version);

// ---- Whole records

GroupRecord offset_commit_record(const OffsetCommitKey& key, const OffsetCommitValue& value);
GroupRecord offset_tombstone(const OffsetCommitKey& key);
GroupRecord group_metadata_record(std::string_view group, const GroupMetadataValue& value);
GroupRecord group_tombstone(std::string_view group);

// Which partition of __consumer_offsets is a group's: Java's hash of its id over UTF-16 units, modulo the number of partitions
// that the topic has.
std::int32_t coordinator_partition(std::string_view group, std::int32_t partitions);

}  // namespace millrace::engine
