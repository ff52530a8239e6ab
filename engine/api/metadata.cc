#include "net/wire/metadata.h"

#include <set>
#include <utility>

#include "engine/api/authorized_operations.h"
#include "engine/api/controller_requests.h"
#include "engine/api/coordinator_requests.h"
#include "engine/api/decode.h"
#include "engine/api/handlers.h"
#include "engine/metadata/topic_name.h"
#include "net/wire/create_topics.h"
#include "net/wire/describe_topic_partitions.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using wire::MetadataRequest;
using wire::MetadataResponse;

std::vector<std::int32_t> raw_ids(const std::vector<BrokerId>& ids) {
  std::vector<std::int32_t> raw;
  raw.reserve(ids.size());
  for (const BrokerId id : ids) raw.push_back(id.value());
  return raw;
}

std::vector<std::int32_t> offline_replicas(const MetadataImage& image, const PartitionImage& partition) {
  std::vector<std::int32_t> offline;
  for (const BrokerId id : partition.replicas) {
    const BrokerImage* broker = image.brokers.find(id);
    if (broker == nullptr || broker->fenced) offline.push_back(id.value());
  }
  return offline;
}

MetadataResponse::Topic describe_topic(const MetadataImage& image, const TopicImage& topic) {
  MetadataResponse::Topic said;
  said.name = topic.name;
  said.topic_id = topic.id;
  said.is_internal = is_internal_topic(topic.name);
  topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& partition) {
    auto& part = said.partitions.emplace_back();
    part.error_code = partition.leader == kNoBroker ? ErrorCode::leader_not_available : ErrorCode::none;
    part.partition_index = index.value();
    part.leader_id = partition.leader.value();
    part.leader_epoch = partition.leader_epoch.value();
    part.replica_nodes = raw_ids(partition.replicas);
    part.isr_nodes = raw_ids(partition.isr);
    part.offline_replicas = offline_replicas(image, partition);
  });
  return said;
}

void describe_brokers(const MetadataImage& image, std::string_view listener, MetadataResponse& response) {
  image.brokers.for_each([&](BrokerId id, const BrokerImage& broker) {
    const EndpointData* endpoint = broker.endpoint(listener);
    if (broker.fenced || endpoint == nullptr) return;
    auto& said = response.brokers.emplace_back();
    said.node_id = id.value();
    said.host = endpoint->host;
    said.port = endpoint->port;
    if (broker.rack) said.rack = *broker.rack;
  });
}

MetadataResponse::Topic missing_topic(const MetadataRequest::Topic& asked, ErrorCode error) {
  MetadataResponse::Topic said;
  said.error_code = error;
  said.name = asked.name;
  said.topic_id = asked.topic_id;
  return said;
}

bool by_id(const MetadataRequest::Topic& asked) { return !asked.name || !asked.topic_id.is_zero(); }

// Makes the topics that are asked for by name and are not there. They are durable, and answered for by every shard, when this
// returns; what could not be made stays missing.
io::Task<void> create_missing(Broker& broker, SharedImage image, const MetadataRequest& wanted) {
  wire::CreateTopicsRequest create;
  std::set<std::string_view> names;
  TextArena texts;
  for (const auto& asked : *wanted.topics) {
    if (by_id(asked) || image->topics.find(*asked.name) != nullptr) continue;
    if (!validate_topic_name(*asked.name) || !names.insert(*asked.name).second) continue;
    auto& topic = create.topics.emplace_back();
    if (*asked.name == kOffsetsTopic) {
      describe_offsets_topic(broker.options(), *image, texts, topic);
      continue;
    }
    topic.name = *asked.name;
    topic.num_partitions = -1;
    topic.replication_factor = -1;
  }
  if (create.topics.empty()) co_return;
  const auto reply = co_await ask_controller(broker, &create);
  const auto* made = std::get_if<Reply<wire::CreateTopicsResponse>>(&reply);
  if (made == nullptr) co_return;
  for (const auto& topic : made->response.topics) {
    if (topic.error_code == ErrorCode::none || topic.error_code == ErrorCode::topic_already_exists) continue;
    LOG(warn, "topic.auto_create", "topic={} error=\"{}\"", topic.name, topic.error_message.value_or(""));
  }
}

void add_authorized_operations(const MetadataRequest& wanted, MetadataResponse& response) {
  if (wanted.include_cluster_authorized_operations) response.cluster_authorized_operations = kClusterOperations;
  if (!wanted.include_topic_authorized_operations) return;
  for (auto& topic : response.topics) {
    if (topic.error_code == ErrorCode::none) topic.topic_authorized_operations = kTopicOperations;
  }
}

}  // namespace

io::Task<net::Response> handle_metadata(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, MetadataRequest);
  const bool all = !wanted.topics || (request.header.api_version == 0 && wanted.topics->empty());
  const bool may_create = broker.options().auto_create_topics &&
                          (request.header.api_version < 4 || wanted.allow_auto_topic_creation);
  if (!all && may_create) co_await create_missing(broker, here.image(), wanted);

  const SharedImage image = here.image();
  MetadataResponse response;
  response.cluster_id = image->cluster_id;
  response.controller_id = broker.options().node_id.value();
  describe_brokers(*image, request.connection->listener, response);
  if (all) {
    image->topics.for_each(
        [&](const TopicImage& topic) { response.topics.push_back(describe_topic(*image, topic)); });
    add_authorized_operations(wanted, response);
    co_return answer(request, response);
  }
  // Once each, as Kafka does: a name repeated must not make the answer larger than the cluster is.
  std::set<std::pair<Uuid, std::string_view>> seen;
  for (const auto& asked : *wanted.topics) {
    if (!seen.emplace(asked.topic_id, asked.name.value_or("")).second) continue;
    const TopicImage* topic =
        by_id(asked) ? image->topics.find(asked.topic_id) : image->topics.find(*asked.name);
    if (topic != nullptr) {
      response.topics.push_back(describe_topic(*image, *topic));
    } else if (by_id(asked)) {
      response.topics.push_back(missing_topic(asked, ErrorCode::unknown_topic_id));
    } else if (!validate_topic_name(*asked.name)) {
      response.topics.push_back(missing_topic(asked, ErrorCode::invalid_topic_exception));
    } else {
      response.topics.push_back(missing_topic(asked, ErrorCode::unknown_topic_or_partition));
    }
  }
  add_authorized_operations(wanted, response);
  co_return answer(request, response);
}

}  // namespace millrace::engine
