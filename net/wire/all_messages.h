// Every message there is, for what has to be true of all of them: tests, fuzzing, documentation.
#pragma once

#include "net/wire/alter_configs.h"
#include "net/wire/api_versions.h"
#include "net/wire/begin_quorum_epoch.h"
#include "net/wire/consumer_group_describe.h"
#include "net/wire/consumer_group_heartbeat.h"
#include "net/wire/create_partitions.h"
#include "net/wire/create_topics.h"
#include "net/wire/delete_groups.h"
#include "net/wire/delete_records.h"
#include "net/wire/delete_topics.h"
#include "net/wire/describe_cluster.h"
#include "net/wire/describe_configs.h"
#include "net/wire/describe_groups.h"
#include "net/wire/describe_log_dirs.h"
#include "net/wire/describe_producers.h"
#include "net/wire/describe_quorum.h"
#include "net/wire/describe_topic_partitions.h"
#include "net/wire/end_quorum_epoch.h"
#include "net/wire/fetch.h"
#include "net/wire/fetch_snapshot.h"
#include "net/wire/find_coordinator.h"
#include "net/wire/heartbeat.h"
#include "net/wire/incremental_alter_configs.h"
#include "net/wire/init_producer_id.h"
#include "net/wire/join_group.h"
#include "net/wire/leave_group.h"
#include "net/wire/list_config_resources.h"
#include "net/wire/list_groups.h"
#include "net/wire/list_offsets.h"
#include "net/wire/metadata.h"
#include "net/wire/offset_commit.h"
#include "net/wire/offset_delete.h"
#include "net/wire/offset_fetch.h"
#include "net/wire/offset_for_leader_epoch.h"
#include "net/wire/produce.h"
#include "net/wire/sync_group.h"
#include "net/wire/update_features.h"
#include "net/wire/vote.h"

namespace millrace::wire {

// Calls f.template operator()<Request>() for the request of every API, in alphabetical order; its
// answer is Request::Response.
template <class F>
void for_each_request(F&& f) {
  f.template operator()<AlterConfigsRequest>();
  f.template operator()<ApiVersionsRequest>();
  f.template operator()<BeginQuorumEpochRequest>();
  f.template operator()<ConsumerGroupDescribeRequest>();
  f.template operator()<ConsumerGroupHeartbeatRequest>();
  f.template operator()<CreatePartitionsRequest>();
  f.template operator()<CreateTopicsRequest>();
  f.template operator()<DeleteGroupsRequest>();
  f.template operator()<DeleteRecordsRequest>();
  f.template operator()<DeleteTopicsRequest>();
  f.template operator()<DescribeClusterRequest>();
  f.template operator()<DescribeConfigsRequest>();
  f.template operator()<DescribeGroupsRequest>();
  f.template operator()<DescribeLogDirsRequest>();
  f.template operator()<DescribeProducersRequest>();
  f.template operator()<DescribeQuorumRequest>();
  f.template operator()<DescribeTopicPartitionsRequest>();
  f.template operator()<EndQuorumEpochRequest>();
  f.template operator()<FetchRequest>();
  f.template operator()<FetchSnapshotRequest>();
  f.template operator()<FindCoordinatorRequest>();
  f.template operator()<HeartbeatRequest>();
  f.template operator()<IncrementalAlterConfigsRequest>();
  f.template operator()<InitProducerIdRequest>();
  f.template operator()<JoinGroupRequest>();
  f.template operator()<LeaveGroupRequest>();
  f.template operator()<ListConfigResourcesRequest>();
  f.template operator()<ListGroupsRequest>();
  f.template operator()<ListOffsetsRequest>();
  f.template operator()<MetadataRequest>();
  f.template operator()<OffsetCommitRequest>();
  f.template operator()<OffsetDeleteRequest>();
  f.template operator()<OffsetFetchRequest>();
  f.template operator()<OffsetForLeaderEpochRequest>();
  f.template operator()<ProduceRequest>();
  f.template operator()<SyncGroupRequest>();
  f.template operator()<UpdateFeaturesRequest>();
  f.template operator()<VoteRequest>();
}

// Calls f.template operator()<T>() for every request and every response.
template <class F>
void for_each_message(F&& f) {
  for_each_request([&]<class Request>() {
    f.template operator()<Request>();
    f.template operator()<typename Request::Response>();
  });
}

}  // namespace millrace::wire
