#include "engine/api/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "net/wire/all_messages.h"

namespace millrace::engine {
namespace {

using wire::ApiKey;

template <class Message>
ServedApi served(Handler handler) {
  // Not Message::kVersions: a version may be known and not be served.
  return {Message::kKey, wire::find_api(Message::kKey)->versions, handler};
}

const std::array kServed = {
    served<wire::ProduceRequest>(handle_produce),
    served<wire::FetchRequest>(handle_fetch),
    served<wire::ListOffsetsRequest>(handle_list_offsets),
    served<wire::MetadataRequest>(handle_metadata),
    served<wire::OffsetCommitRequest>(handle_offset_commit),
    served<wire::OffsetFetchRequest>(handle_offset_fetch),
    served<wire::FindCoordinatorRequest>(handle_find_coordinator),
    served<wire::JoinGroupRequest>(handle_join_group),
    served<wire::HeartbeatRequest>(handle_heartbeat),
    served<wire::LeaveGroupRequest>(handle_leave_group),
    served<wire::SyncGroupRequest>(handle_sync_group),
    served<wire::DescribeGroupsRequest>(handle_describe_groups),
    served<wire::ListGroupsRequest>(handle_list_groups),
    served<wire::ApiVersionsRequest>(handle_api_versions),
    served<wire::CreateTopicsRequest>(handle_create_topics),
    served<wire::DeleteTopicsRequest>(handle_delete_topics),
    served<wire::DeleteRecordsRequest>(handle_delete_records),
    served<wire::InitProducerIdRequest>(handle_init_producer_id),
    served<wire::OffsetForLeaderEpochRequest>(handle_offset_for_leader_epoch),
    served<wire::DescribeConfigsRequest>(handle_describe_configs),
    served<wire::AlterConfigsRequest>(handle_alter_configs),
    served<wire::DescribeLogDirsRequest>(handle_describe_log_dirs),
    served<wire::CreatePartitionsRequest>(handle_create_partitions),
    served<wire::DeleteGroupsRequest>(handle_delete_groups),
    served<wire::IncrementalAlterConfigsRequest>(handle_incremental_alter_configs),
    served<wire::OffsetDeleteRequest>(handle_offset_delete),
    served<wire::DescribeQuorumRequest>(handle_describe_quorum),
    served<wire::UpdateFeaturesRequest>(handle_update_features),
    served<wire::DescribeClusterRequest>(handle_describe_cluster),
    served<wire::DescribeProducersRequest>(handle_describe_producers),
    served<wire::ConsumerGroupHeartbeatRequest>(handle_consumer_group_heartbeat),
    served<wire::ConsumerGroupDescribeRequest>(handle_consumer_group_describe),
    served<wire::ListConfigResourcesRequest>(handle_list_config_resources),
    served<wire::DescribeTopicPartitionsRequest>(handle_describe_topic_partitions),
};

const ServedApi* find(ApiKey key) {
  const auto found = std::ranges::lower_bound(kServed, key, {}, &ServedApi::key);
  return found != kServed.end() && found->key == key ? &*found : nullptr;
}

}  // namespace

std::span<const ServedApi> served_apis() { return kServed; }

bool is_software_name(std::string_view name) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.empty() || !is_alphanumeric(name.front()) || !is_alphanumeric(name.back())) return false;
  return std::ranges::all_of(name, [&](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

io::Task<net::Response> route(Broker& broker, BrokerShard& here, Request& request) {
  const ServedApi* api = find(request.header.api_key);
  if (api == nullptr) {
    co_return close_connection(request, "this API is not served");
  }
  const std::int16_t version = request.header.api_version;
  // ApiVersions answers any version, so that client and broker can agree on one.
  if (api->key != ApiKey::api_versions && !api->versions.contains(version)) {
    co_return close_connection(request, fmt::format("this version is not served, versions {} to {} are",
                                                    api->versions.min, api->versions.max));
  }
  co_return co_await api->handler(broker, here, request);
}

}  // namespace millrace::engine
