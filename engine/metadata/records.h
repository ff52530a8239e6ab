// The records the metadata log is made of: every type of Kafka's, with its fields, versions and
// framing (KRaft's
// __cluster_metadata format).
//
// The structs are what stands on disk, so they hold raw integers under the format's own names;
// engine/metadata/image.h gives them meaning. Each has one describe(), as messages do
// (net/wire/describe.h), which serves decode, encode and print.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"
#include "net/wire/describe.h"

namespace millrace::engine {

using wire::since;

// An address a broker or controller can be reached at. security_protocol: 0 PLAINTEXT, 1 SSL, 2
// SASL_PLAINTEXT, 3 SASL_SSL.
struct EndpointData {
  std::string name;
  std::string host;
  std::uint16_t port = 0;
  std::int16_t security_protocol = 0;
  bool operator==(const EndpointData&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("name", m.name, since(0));
    visitor.field("host", m.host, since(0));
    visitor.field("port", m.port, since(0));
    visitor.field("securityProtocol", m.security_protocol, since(0));
  }
};

// The levels of a feature that a broker or controller can work at.
struct FeatureRange {
  std::string name;
  std::int16_t min_supported_version = 0;
  std::int16_t max_supported_version = 0;
  bool operator==(const FeatureRange&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("name", m.name, since(0));
    visitor.field("minSupportedVersion", m.min_supported_version, since(0));
    visitor.field("maxSupportedVersion", m.max_supported_version, since(0));
  }
};

struct RegisterBrokerRecord {
  static constexpr std::string_view kName = "RegisterBrokerRecord";
  static constexpr std::uint32_t kType = 0;
  static constexpr wire::VersionRange kVersions{0, 4};
  std::int32_t broker_id = 0;
  bool is_migrating_zk_broker = false;
  Uuid incarnation_id;
  std::int64_t broker_epoch = 0;
  std::vector<EndpointData> end_points;
  std::vector<FeatureRange> features;
  std::optional<std::string> rack;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  std::vector<Uuid> log_dirs;
  std::optional<std::vector<Uuid>> cordoned_log_dirs;
  bool operator==(const RegisterBrokerRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("brokerId", m.broker_id, since(0));
    visitor.field("isMigratingZkBroker", m.is_migrating_zk_broker, since(2));
    visitor.field("incarnationId", m.incarnation_id, since(0));
    visitor.field("brokerEpoch", m.broker_epoch, since(0));
    visitor.field("endPoints", m.end_points, since(0));
    visitor.field("features", m.features, since(0));
    visitor.field("rack", m.rack, since(0).nullable(0));
    visitor.field("fenced", m.fenced, since(0));
    visitor.field("inControlledShutdown", m.in_controlled_shutdown, since(1));
    visitor.tagged(0, "logDirs", m.log_dirs, since(3));
    visitor.tagged(1, "cordonedLogDirs", m.cordoned_log_dirs, since(4).nullable(4));
  }
};

struct UnregisterBrokerRecord {
  static constexpr std::string_view kName = "UnregisterBrokerRecord";
  static constexpr std::uint32_t kType = 1;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::int32_t broker_id = 0;
  std::int64_t broker_epoch = 0;
  bool operator==(const UnregisterBrokerRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("brokerId", m.broker_id, since(0));
    visitor.field("brokerEpoch", m.broker_epoch, since(0));
  }
};

struct TopicRecord {
  static constexpr std::string_view kName = "TopicRecord";
  static constexpr std::uint32_t kType = 2;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::string name;
  Uuid topic_id;
  bool operator==(const TopicRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("name", m.name, since(0));
    visitor.field("topicId", m.topic_id, since(0));
  }
};

struct PartitionRecord {
  static constexpr std::string_view kName = "PartitionRecord";
  static constexpr std::uint32_t kType = 3;
  static constexpr wire::VersionRange kVersions{0, 2};
  std::int32_t partition_id = -1;
  Uuid topic_id;
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> isr;
  std::vector<std::int32_t> removing_replicas;
  std::vector<std::int32_t> adding_replicas;
  std::int32_t leader = -1;
  std::int8_t leader_recovery_state = 0;
  std::int32_t leader_epoch = -1;
  std::int32_t partition_epoch = -1;
  std::vector<Uuid> directories;
  std::optional<std::vector<std::int32_t>> eligible_leader_replicas;
  std::optional<std::vector<std::int32_t>> last_known_elr;
  bool operator==(const PartitionRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("partitionId", m.partition_id, since(0));
    visitor.field("topicId", m.topic_id, since(0));
    visitor.field("replicas", m.replicas, since(0));
    visitor.field("isr", m.isr, since(0));
    visitor.field("removingReplicas", m.removing_replicas, since(0));
    visitor.field("addingReplicas", m.adding_replicas, since(0));
    visitor.field("leader", m.leader, since(0));
    visitor.tagged(0, "leaderRecoveryState", m.leader_recovery_state, since(0));
    visitor.field("leaderEpoch", m.leader_epoch, since(0));
    visitor.field("partitionEpoch", m.partition_epoch, since(0));
    visitor.field("directories", m.directories, since(1));
    visitor.tagged(1, "eligibleLeaderReplicas", m.eligible_leader_replicas, since(2).nullable(2));
    visitor.tagged(2, "lastKnownElr", m.last_known_elr, since(2).nullable(2));
  }
};

// resource_type: 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group. A resource_name
// of "" is the default for all; a null value removes the key.
struct ConfigRecord {
  static constexpr std::string_view kName = "ConfigRecord";
  static constexpr std::uint32_t kType = 4;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::int8_t resource_type = 0;
  std::string resource_name;
  std::string name;
  std::optional<std::string> value;
  bool operator==(const ConfigRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("resourceType", m.resource_type, since(0));
    visitor.field("resourceName", m.resource_name, since(0));
    visitor.field("name", m.name, since(0));
    visitor.field("value", m.value, since(0).nullable(0));
  }
};

inline constexpr std::int32_t kLeaderUnchanged = -2;

// What is set changes; what is not stays as it was.
struct PartitionChangeRecord {
  static constexpr std::string_view kName = "PartitionChangeRecord";
  static constexpr std::uint32_t kType = 5;
  static constexpr wire::VersionRange kVersions{0, 2};
  std::int32_t partition_id = -1;
  Uuid topic_id;
  std::optional<std::vector<std::int32_t>> isr;
  std::int32_t leader = kLeaderUnchanged;
  std::optional<std::vector<std::int32_t>> replicas;
  std::optional<std::vector<std::int32_t>> removing_replicas;
  std::optional<std::vector<std::int32_t>> adding_replicas;
  std::int8_t leader_recovery_state = -1;
  std::optional<std::vector<std::int32_t>> eligible_leader_replicas;
  std::optional<std::vector<std::int32_t>> last_known_elr;
  std::optional<std::vector<Uuid>> directories;
  bool operator==(const PartitionChangeRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("partitionId", m.partition_id, since(0));
    visitor.field("topicId", m.topic_id, since(0));
    visitor.tagged(0, "isr", m.isr, since(0).nullable(0));
    visitor.tagged(1, "leader", m.leader, since(0), kLeaderUnchanged);
    visitor.tagged(2, "replicas", m.replicas, since(0).nullable(0));
    visitor.tagged(3, "removingReplicas", m.removing_replicas, since(0).nullable(0));
    visitor.tagged(4, "addingReplicas", m.adding_replicas, since(0).nullable(0));
    visitor.tagged(5, "leaderRecoveryState", m.leader_recovery_state, since(0), -1);
    visitor.tagged(6, "eligibleLeaderReplicas", m.eligible_leader_replicas, since(2).nullable(2));
    visitor.tagged(7, "lastKnownElr", m.last_known_elr, since(2).nullable(2));
    visitor.tagged(8, "directories", m.directories, since(1).nullable(1));
  }
};

// Written by Kafka before 3.3 only; read, never written.
struct FenceBrokerRecord {
  static constexpr std::string_view kName = "FenceBrokerRecord";
  static constexpr std::uint32_t kType = 7;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::int32_t id = 0;
  std::int64_t epoch = 0;
  bool operator==(const FenceBrokerRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("id", m.id, since(0));
    visitor.field("epoch", m.epoch, since(0));
  }
};

// As FenceBrokerRecord.
struct UnfenceBrokerRecord {
  static constexpr std::string_view kName = "UnfenceBrokerRecord";
  static constexpr std::uint32_t kType = 8;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::int32_t id = 0;
  std::int64_t epoch = 0;
  bool operator==(const UnfenceBrokerRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("id", m.id, since(0));
    visitor.field("epoch", m.epoch, since(0));
  }
};

struct RemoveTopicRecord {
  static constexpr std::string_view kName = "RemoveTopicRecord";
  static constexpr std::uint32_t kType = 9;
  static constexpr wire::VersionRange kVersions{0, 0};
  Uuid topic_id;
  bool operator==(const RemoveTopicRecord&) const = default;
  static void describe(auto& visitor, auto& m) { visitor.field("topicId", m.topic_id, since(0)); }
};

struct DelegationTokenRecord {
  static constexpr std::string_view kName = "DelegationTokenRecord";
  static constexpr std::uint32_t kType = 10;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::string owner;
  std::string requester;
  std::vector<std::string> renewers;
  std::int64_t issue_timestamp = 0;
  std::int64_t max_timestamp = 0;
  std::int64_t expiration_timestamp = 0;
  std::string token_id;
  bool operator==(const DelegationTokenRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("owner", m.owner, since(0));
    visitor.field("requester", m.requester, since(0));
    visitor.field("renewers", m.renewers, since(0));
    visitor.field("issueTimestamp", m.issue_timestamp, since(0));
    visitor.field("maxTimestamp", m.max_timestamp, since(0));
    visitor.field("expirationTimestamp", m.expiration_timestamp, since(0));
    visitor.field("tokenId", m.token_id, since(0));
  }
};

// mechanism: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512. Salt and keys are bytes, which the format writes as
// it writes int8 arrays.
struct UserScramCredentialRecord {
  static constexpr std::string_view kName = "UserScramCredentialRecord";
  static constexpr std::uint32_t kType = 11;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::string name;
  std::int8_t mechanism = 0;
  std::vector<std::int8_t> salt;
  std::vector<std::int8_t> stored_key;
  std::vector<std::int8_t> server_key;
  std::int32_t iterations = 0;
  bool operator==(const UserScramCredentialRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("name", m.name, since(0));
    visitor.field("mechanism", m.mechanism, since(0));
    visitor.field("salt", m.salt, since(0));
    visitor.field("storedKey", m.stored_key, since(0));
    visitor.field("serverKey", m.server_key, since(0));
    visitor.field("iterations", m.iterations, since(0));
  }
};

// A level of 0 removes the feature.
struct FeatureLevelRecord {
  static constexpr std::string_view kName = "FeatureLevelRecord";
  static constexpr std::uint32_t kType = 12;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::string name;
  std::int16_t feature_level = 0;
  bool operator==(const FeatureLevelRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("name", m.name, since(0));
    visitor.field("featureLevel", m.feature_level, since(0));
  }
};

struct QuotaEntityData {
  std::string entity_type;
  std::optional<std::string> entity_name;
  auto operator<=>(const QuotaEntityData&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("entityType", m.entity_type, since(0));
    visitor.field("entityName", m.entity_name, since(0).nullable(0));
  }
};

struct ClientQuotaRecord {
  static constexpr std::string_view kName = "ClientQuotaRecord";
  static constexpr std::uint32_t kType = 14;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::vector<QuotaEntityData> entity;
  std::string key;
  double value = 0;
  bool remove = false;
  bool operator==(const ClientQuotaRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("entity", m.entity, since(0));
    visitor.field("key", m.key, since(0));
    visitor.field("value", m.value, since(0));
    visitor.field("remove", m.remove, since(0));
  }
};

struct ProducerIdsRecord {
  static constexpr std::string_view kName = "ProducerIdsRecord";
  static constexpr std::uint32_t kType = 15;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::int32_t broker_id = 0;
  std::int64_t broker_epoch = -1;
  std::int64_t next_producer_id = 0;
  bool operator==(const ProducerIdsRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("brokerId", m.broker_id, since(0));
    visitor.field("brokerEpoch", m.broker_epoch, since(0));
    visitor.field("nextProducerId", m.next_producer_id, since(0));
  }
};

// fenced: +1 fenced, -1 unfenced, 0 as it was. in_controlled_shutdown: 1 entered, 0 as it was.
struct BrokerRegistrationChangeRecord {
  static constexpr std::string_view kName = "BrokerRegistrationChangeRecord";
  static constexpr std::uint32_t kType = 17;
  static constexpr wire::VersionRange kVersions{0, 3};
  std::int32_t broker_id = 0;
  std::int64_t broker_epoch = 0;
  std::int8_t fenced = 0;
  std::int8_t in_controlled_shutdown = 0;
  std::vector<Uuid> log_dirs;
  std::optional<std::vector<Uuid>> cordoned_log_dirs;
  bool operator==(const BrokerRegistrationChangeRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("brokerId", m.broker_id, since(0));
    visitor.field("brokerEpoch", m.broker_epoch, since(0));
    visitor.tagged(0, "fenced", m.fenced, since(0));
    visitor.tagged(1, "inControlledShutdown", m.in_controlled_shutdown, since(1));
    visitor.tagged(2, "logDirs", m.log_dirs, since(2));
    visitor.tagged(3, "cordonedLogDirs", m.cordoned_log_dirs, since(3).nullable(3));
  }
};

struct AccessControlEntryRecord {
  static constexpr std::string_view kName = "AccessControlEntryRecord";
  static constexpr std::uint32_t kType = 18;
  static constexpr wire::VersionRange kVersions{0, 0};
  Uuid id;
  std::int8_t resource_type = 0;
  std::string resource_name;
  std::int8_t pattern_type = 0;
  std::string principal;
  std::string host;
  std::int8_t operation = 0;
  std::int8_t permission_type = 0;
  bool operator==(const AccessControlEntryRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("id", m.id, since(0));
    visitor.field("resourceType", m.resource_type, since(0));
    visitor.field("resourceName", m.resource_name, since(0));
    visitor.field("patternType", m.pattern_type, since(0));
    visitor.field("principal", m.principal, since(0));
    visitor.field("host", m.host, since(0));
    visitor.field("operation", m.operation, since(0));
    visitor.field("permissionType", m.permission_type, since(0));
  }
};

struct RemoveAccessControlEntryRecord {
  static constexpr std::string_view kName = "RemoveAccessControlEntryRecord";
  static constexpr std::uint32_t kType = 19;
  static constexpr wire::VersionRange kVersions{0, 0};
  Uuid id;
  bool operator==(const RemoveAccessControlEntryRecord&) const = default;
  static void describe(auto& visitor, auto& m) { visitor.field("id", m.id, since(0)); }
};

struct NoOpRecord {
  static constexpr std::string_view kName = "NoOpRecord";
  static constexpr std::uint32_t kType = 20;
  static constexpr wire::VersionRange kVersions{0, 0};
  bool operator==(const NoOpRecord&) const = default;
  static void describe(auto&, auto&) {}
};

// A trace of the way from ZooKeeper. Written as 0 at bootstrap by Kafka 3.4 to 3.9; ignored.
struct ZkMigrationStateRecord {
  static constexpr std::string_view kName = "ZkMigrationStateRecord";
  static constexpr std::uint32_t kType = 21;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::int8_t zk_migration_state = 0;
  bool operator==(const ZkMigrationStateRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("zkMigrationState", m.zk_migration_state, since(0));
  }
};

struct RemoveUserScramCredentialRecord {
  static constexpr std::string_view kName = "RemoveUserScramCredentialRecord";
  static constexpr std::uint32_t kType = 22;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::string name;
  std::int8_t mechanism = 0;
  bool operator==(const RemoveUserScramCredentialRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("name", m.name, since(0));
    visitor.field("mechanism", m.mechanism, since(0));
  }
};

// Records between Begin and End become visible as one; Abort discards them.
struct BeginTransactionRecord {
  static constexpr std::string_view kName = "BeginTransactionRecord";
  static constexpr std::uint32_t kType = 23;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::optional<std::string> name;
  bool operator==(const BeginTransactionRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.tagged(0, "name", m.name, since(0).nullable(0));
  }
};

struct EndTransactionRecord {
  static constexpr std::string_view kName = "EndTransactionRecord";
  static constexpr std::uint32_t kType = 24;
  static constexpr wire::VersionRange kVersions{0, 0};
  bool operator==(const EndTransactionRecord&) const = default;
  static void describe(auto&, auto&) {}
};

struct AbortTransactionRecord {
  static constexpr std::string_view kName = "AbortTransactionRecord";
  static constexpr std::uint32_t kType = 25;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::optional<std::string> reason;
  bool operator==(const AbortTransactionRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.tagged(0, "reason", m.reason, since(0).nullable(0));
  }
};

struct RemoveDelegationTokenRecord {
  static constexpr std::string_view kName = "RemoveDelegationTokenRecord";
  static constexpr std::uint32_t kType = 26;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::string token_id;
  bool operator==(const RemoveDelegationTokenRecord&) const = default;
  static void describe(auto& visitor, auto& m) { visitor.field("tokenId", m.token_id, since(0)); }
};

struct RegisterControllerRecord {
  static constexpr std::string_view kName = "RegisterControllerRecord";
  static constexpr std::uint32_t kType = 27;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::int32_t controller_id = 0;
  Uuid incarnation_id;
  bool zk_migration_ready = false;
  std::vector<EndpointData> end_points;
  std::vector<FeatureRange> features;
  bool operator==(const RegisterControllerRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("controllerId", m.controller_id, since(0));
    visitor.field("incarnationId", m.incarnation_id, since(0));
    visitor.field("zkMigrationReady", m.zk_migration_ready, since(0));
    visitor.field("endPoints", m.end_points, since(0));
    visitor.field("features", m.features, since(0));
  }
};

// An empty topic_name clears the eligible leader replicas of every topic.
struct ClearElrRecord {
  static constexpr std::string_view kName = "ClearElrRecord";
  static constexpr std::uint32_t kType = 28;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::string topic_name;
  bool operator==(const ClearElrRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("topicName", m.topic_name, since(0));
  }
};

struct UnregisterControllerRecord {
  static constexpr std::string_view kName = "UnregisterControllerRecord";
  static constexpr std::uint32_t kType = 29;
  static constexpr wire::VersionRange kVersions{0, 0};
  std::int32_t controller_id = 0;
  bool operator==(const UnregisterControllerRecord&) const = default;
  static void describe(auto& visitor, auto& m) {
    visitor.field("controllerId", m.controller_id, since(0));
  }
};

using MetadataRecord =
    std::variant<RegisterBrokerRecord, UnregisterBrokerRecord, TopicRecord, PartitionRecord,
                 ConfigRecord, PartitionChangeRecord, FenceBrokerRecord, UnfenceBrokerRecord,
                 RemoveTopicRecord, DelegationTokenRecord, UserScramCredentialRecord,
                 FeatureLevelRecord, ClientQuotaRecord, ProducerIdsRecord,
                 BrokerRegistrationChangeRecord, AccessControlEntryRecord,
                 RemoveAccessControlEntryRecord, NoOpRecord, ZkMigrationStateRecord,
                 RemoveUserScramCredentialRecord, BeginTransactionRecord, EndTransactionRecord,
                 AbortTransactionRecord, RemoveDelegationTokenRecord, RegisterControllerRecord,
                 ClearElrRecord, UnregisterControllerRecord>;

// A record and the version it was, or is to be, written in.
struct VersionedRecord {
  MetadataRecord record;
  std::int16_t version = 0;
  bool operator==(const VersionedRecord&) const = default;
};

// "TopicRecord" and so on.
std::string_view record_name(const MetadataRecord& record);

// Appends the record's value as it stands in a batch: frame version 1, type, version, body.
//
// Requires:  the version is one of the type's kVersions; fields the version does not carry hold
// their defaults.
void encode_record(const VersionedRecord& record, std::vector<std::byte>& out);
std::vector<std::byte> encode_record(const VersionedRecord& record);

// The record in `value`, which must be used up by it.
//
// Errors:  unsupported for a frame, type or version we do not know, and malformed for anything
// else. Both are fatal for
//          whoever replays the log: a node that skipped a record would compute another state than
//          the rest.
Result<VersionedRecord> decode_record(ConstBytes value);

// For people: {"type":"TopicRecord","version":0,"data":{"name":"foo",…}}.
std::string describe_record(const VersionedRecord& record);

}  // namespace millrace::engine
