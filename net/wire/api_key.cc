#include "net/wire/api_key.h"

#include <algorithm>

namespace millrace::wire {
namespace {

constexpr ApiInfo kApis[] = {
    {ApiKey::produce, "Produce", {3, 13}, 9},
    {ApiKey::fetch, "Fetch", {4, 18}, 12},
    {ApiKey::list_offsets, "ListOffsets", {1, 11}, 6},
    {ApiKey::metadata, "Metadata", {0, 13}, 9},
    {ApiKey::offset_commit, "OffsetCommit", {2, 10}, 8},
    {ApiKey::offset_fetch, "OffsetFetch", {1, 10}, 6},
    {ApiKey::find_coordinator, "FindCoordinator", {0, 6}, 3},
    {ApiKey::join_group, "JoinGroup", {0, 9}, 6},
    {ApiKey::heartbeat, "Heartbeat", {0, 4}, 4},
    {ApiKey::leave_group, "LeaveGroup", {0, 5}, 4},
    {ApiKey::sync_group, "SyncGroup", {0, 5}, 4},
    {ApiKey::describe_groups, "DescribeGroups", {0, 6}, 5},
    {ApiKey::list_groups, "ListGroups", {0, 5}, 3},
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
    {ApiKey::delete_groups, "DeleteGroups", {0, 2}, 2},
    {ApiKey::incremental_alter_configs, "IncrementalAlterConfigs", {0, 1}, 1},
    {ApiKey::offset_delete, "OffsetDelete", {0, 0}, kNoVersion},
    {ApiKey::vote, "Vote", {0, 2}, 0},
    {ApiKey::begin_quorum_epoch, "BeginQuorumEpoch", {0, 1}, 1},
    {ApiKey::end_quorum_epoch, "EndQuorumEpoch", {0, 1}, 1},
    {ApiKey::describe_quorum, "DescribeQuorum", {0, 2}, 0},
    {ApiKey::update_features, "UpdateFeatures", {0, 2}, 0},
    {ApiKey::fetch_snapshot, "FetchSnapshot", {0, 1}, 0},
    {ApiKey::describe_cluster, "DescribeCluster", {0, 2}, 0},
    {ApiKey::describe_producers, "DescribeProducers", {0, 0}, 0},
    {ApiKey::consumer_group_heartbeat, "ConsumerGroupHeartbeat", {0, 1}, 0},
    {ApiKey::consumer_group_describe, "ConsumerGroupDescribe", {0, 1}, 0},
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
