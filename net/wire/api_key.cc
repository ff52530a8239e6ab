#include "net/wire/api_key.h"

#include <algorithm>

namespace millrace::wire {
namespace {

constexpr ApiInfo kApis[] = {
    {ApiKey::produce, "Produce", {3, 13}, 9},
    {ApiKey::fetch, "Fetch", {4, 18}, 12},
    {ApiKey::list_offsets, "ListOffsets", {1, 11}, 6},
    {ApiKey::metadata, "Metadata", {0, 13}, 9},
    {ApiKey::api_versions, "ApiVersions", {0, 4}, 3},
    {ApiKey::create_topics, "CreateTopics", {2, 7}, 5},
    {ApiKey::delete_topics, "DeleteTopics", {1, 6}, 4},
    {ApiKey::delete_records, "DeleteRecords", {0, 2}, 2},
    {ApiKey::init_producer_id, "InitProducerId", {0, 5}, 2},
    {ApiKey::offset_for_leader_epoch, "OffsetForLeaderEpoch", {2, 4}, 4},
    {ApiKey::describe_configs, "DescribeConfigs", {1, 4}, 4},
    {ApiKey::alter_configs, "AlterConfigs", {0, 2}, 2},
    {ApiKey::describe_log_dirs, "DescribeLogDirs", {1, 4}, 2},
    {ApiKey::create_partitions, "CreatePartitions", {0, 3}, 2},
    {ApiKey::incremental_alter_configs, "IncrementalAlterConfigs", {0, 1}, 1},
    {ApiKey::describe_quorum, "DescribeQuorum", {0, 2}, 0},
    {ApiKey::update_features, "UpdateFeatures", {0, 2}, 0},
    {ApiKey::describe_cluster, "DescribeCluster", {0, 2}, 0},
    {ApiKey::describe_producers, "DescribeProducers", {0, 0}, 0},
    {ApiKey::list_config_resources, "ListConfigResources", {0, 1}, 0},
    {ApiKey::describe_topic_partitions, "DescribeTopicPartitions", {0, 0}, 0},
};

// Indexed by key: Kafka has numbered its APIs without a gap.
constexpr std::string_view kNames[] = {"Produce",
                                       "Fetch",
                                       "ListOffsets",
                                       "Metadata",
                                       "LeaderAndIsr",
                                       "StopReplica",
                                       "UpdateMetadata",
                                       "ControlledShutdown",
                                       "OffsetCommit",
                                       "OffsetFetch",
                                       "FindCoordinator",
                                       "JoinGroup",
                                       "Heartbeat",
                                       "LeaveGroup",
                                       "SyncGroup",
                                       "DescribeGroups",
                                       "ListGroups",
                                       "SaslHandshake",
                                       "ApiVersions",
                                       "CreateTopics",
                                       "DeleteTopics",
                                       "DeleteRecords",
                                       "InitProducerId",
                                       "OffsetForLeaderEpoch",
                                       "AddPartitionsToTxn",
                                       "AddOffsetsToTxn",
                                       "EndTxn",
                                       "WriteTxnMarkers",
                                       "TxnOffsetCommit",
                                       "DescribeAcls",
                                       "CreateAcls",
                                       "DeleteAcls",
                                       "DescribeConfigs",
                                       "AlterConfigs",
                                       "AlterReplicaLogDirs",
                                       "DescribeLogDirs",
                                       "SaslAuthenticate",
                                       "CreatePartitions",
                                       "CreateDelegationToken",
                                       "RenewDelegationToken",
                                       "ExpireDelegationToken",
                                       "DescribeDelegationToken",
                                       "DeleteGroups",
                                       "ElectLeaders",
                                       "IncrementalAlterConfigs",
                                       "AlterPartitionReassignments",
                                       "ListPartitionReassignments",
                                       "OffsetDelete",
                                       "DescribeClientQuotas",
                                       "AlterClientQuotas",
                                       "DescribeUserScramCredentials",
                                       "AlterUserScramCredentials",
                                       "Vote",
                                       "BeginQuorumEpoch",
                                       "EndQuorumEpoch",
                                       "DescribeQuorum",
                                       "AlterPartition",
                                       "UpdateFeatures",
                                       "Envelope",
                                       "FetchSnapshot",
                                       "DescribeCluster",
                                       "DescribeProducers",
                                       "BrokerRegistration",
                                       "BrokerHeartbeat",
                                       "UnregisterBroker",
                                       "DescribeTransactions",
                                       "ListTransactions",
                                       "AllocateProducerIds",
                                       "ConsumerGroupHeartbeat",
                                       "ConsumerGroupDescribe",
                                       "ControllerRegistration",
                                       "GetTelemetrySubscriptions",
                                       "PushTelemetry",
                                       "AssignReplicasToDirs",
                                       "ListConfigResources",
                                       "DescribeTopicPartitions",
                                       "ShareGroupHeartbeat",
                                       "ShareGroupDescribe",
                                       "ShareFetch",
                                       "ShareAcknowledge",
                                       "AddRaftVoter",
                                       "RemoveRaftVoter",
                                       "UpdateRaftVoter",
                                       "InitializeShareGroupState",
                                       "ReadShareGroupState",
                                       "WriteShareGroupState",
                                       "DeleteShareGroupState",
                                       "ReadShareGroupStateSummary",
                                       "StreamsGroupHeartbeat",
                                       "StreamsGroupDescribe",
                                       "DescribeShareGroupOffsets",
                                       "AlterShareGroupOffsets",
                                       "DeleteShareGroupOffsets"};

static_assert(std::ranges::is_sorted(kApis, {}, &ApiInfo::key));

}  // namespace

std::span<const ApiInfo> all_apis() {
  return kApis;
}

const ApiInfo* find_api(ApiKey key) {
  const auto* found = std::ranges::lower_bound(kApis, key, {}, &ApiInfo::key);
  return found != std::end(kApis) && found->key == key ? found : nullptr;
}

std::string_view api_name(ApiKey key) {
  const auto index = static_cast<std::size_t>(key);
  return index < std::size(kNames) ? kNames[index] : "Unknown";
}

}  // namespace millrace::wire
