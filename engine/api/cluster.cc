// Requests about the cluster: DescribeCluster, DescribeTopicPartitions.
#include "engine/api/authorized_operations.h"
#include "engine/api/decode.h"
#include "engine/api/handlers.h"
#include "engine/metadata/topic_name.h"
#include "net/wire/describe_cluster.h"
#include "net/wire/describe_topic_partitions.h"

#include <algorithm>
#include <set>

namespace millrace::engine {
namespace {

using wire::DescribeTopicPartitionsRequest;
using wire::DescribeTopicPartitionsResponse;
using wire::ErrorCode;

// max.request.partition.size.limit
constexpr std::int32_t kPartitionsPerAnswerMax = 2000;

std::vector<std::int32_t> raw_ids(const std::vector<BrokerId>& ids) {
  std::vector<std::int32_t> raw;
  for (const BrokerId id : ids) raw.push_back(id.value());
  return raw;
}

DescribeTopicPartitionsResponse::Partition describe_partition(PartitionIndex index,
                                                              const PartitionImage& partition) {
  DescribeTopicPartitionsResponse::Partition said;
  said.error_code = partition.leader == kNoBroker ? ErrorCode::leader_not_available : ErrorCode::none;
  said.partition_index = index.value();
  said.leader_id = partition.leader.value();
  said.leader_epoch = partition.leader_epoch.value();
  said.replica_nodes = raw_ids(partition.replicas);
  said.isr_nodes = raw_ids(partition.isr);
  said.eligible_leader_replicas = raw_ids(partition.eligible_leader_replicas);
  said.last_known_elr = raw_ids(partition.last_known_elr);
  return said;
}

// Adds a topic from its partition `from` on. Returns false, with the place to go on from, when the answer is full.
bool add_topic(const TopicImage& topic, std::int32_t from, std::int32_t& left,
               DescribeTopicPartitionsResponse& response) {
  auto& said = response.topics.emplace_back();
  said.name = topic.name;
  said.topic_id = topic.id;
  said.is_internal = is_internal_topic(topic.name);
  said.topic_authorized_operations = kTopicOperations;
  bool whole = true;
  topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& partition) {
    if (index.value() < from || !whole) return;
    if (left == 0) {
      response.next_cursor = {topic.name, index.value()};
      whole = false;
      return;
    }
    said.partitions.push_back(describe_partition(index, partition));
    --left;
  });
  if (said.partitions.empty() && !whole) response.topics.pop_back();
  return whole;
}

// The place to go on from is one that an earlier answer to the same list named.
bool is_valid_cursor(const DescribeTopicPartitionsRequest& wanted) {
  if (!wanted.cursor) return true;
  const auto names_it = [&](const auto& topic) { return topic.name == wanted.cursor->topic_name; };
  return wanted.cursor->partition_index >= 0 && (wanted.topics.empty() || std::ranges::any_of(wanted.topics, names_it));
}

}  // namespace

io::Task<net::Response> handle_describe_cluster(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::DescribeClusterRequest);
  const SharedImage image = here.image();
  wire::DescribeClusterResponse response;
  response.cluster_id = image->cluster_id;
  static constexpr std::int8_t kBrokers = 1;
  static constexpr std::int8_t kControllers = 2;
  if (wanted.endpoint_type != kBrokers && wanted.endpoint_type != kControllers) {
    response.error_code = ErrorCode::unsupported_endpoint_type;
    response.error_message = "there is no such type of endpoint";
    co_return answer(request, response);
  }
  if (wanted.endpoint_type != kBrokers) {
    response.error_code = ErrorCode::mismatched_endpoint_type;
    response.error_message = "this listener is for brokers; ask a controller listener for controllers";
    response.endpoint_type = 1;
    co_return answer(request, response);
  }
  response.endpoint_type = wanted.endpoint_type;
  if (wanted.include_cluster_authorized_operations) response.cluster_authorized_operations = kClusterOperations;
  response.controller_id = broker.options().node_id.value();
  image->brokers.for_each([&](BrokerId id, const BrokerImage& described) {
    const EndpointData* endpoint = described.endpoint(request.connection->listener);
    if (endpoint == nullptr || (described.fenced && !wanted.include_fenced_brokers)) return;
    auto& said = response.brokers.emplace_back();
    said.broker_id = id.value();
    said.host = endpoint->host;
    said.port = endpoint->port;
    if (described.rack) said.rack = *described.rack;
    said.is_fenced = described.fenced;
  });
  co_return answer(request, response);
}

io::Task<net::Response> handle_describe_topic_partitions(Broker&, BrokerShard& here, Request& request) {
  DECODE(wanted, DescribeTopicPartitionsRequest);
  const SharedImage image = here.image();
  DescribeTopicPartitionsResponse response;
  if (!is_valid_cursor(wanted)) {
    std::set<std::string_view> refused;
    for (const auto& topic : wanted.topics) refused.insert(topic.name);
    for (const std::string_view name : refused) {
      auto& said = response.topics.emplace_back();
      said.error_code = ErrorCode::invalid_request;
      said.name = name;
    }
    co_return answer(request, response);
  }
  std::int32_t left = std::clamp(wanted.response_partition_limit, 1, kPartitionsPerAnswerMax);
  const std::string_view first = wanted.cursor ? wanted.cursor->topic_name : std::string_view();
  const auto from = [&](std::string_view name) {
    return wanted.cursor && name == first ? wanted.cursor->partition_index : 0;
  };
  if (wanted.topics.empty()) {
    image->topics.for_each_from(first, [&](const TopicImage& topic) {
      return add_topic(topic, from(topic.name), left, response);
    });
    co_return answer(request, response);
  }
  std::set<std::string_view> names;
  for (const auto& topic : wanted.topics) {
    if (topic.name >= first) names.insert(topic.name);
  }
  for (const std::string_view name : names) {
    const TopicImage* topic = image->topics.find(name);
    if (topic == nullptr) {
      auto& said = response.topics.emplace_back();
      said.error_code = validate_topic_name(name) ? ErrorCode::unknown_topic_or_partition
                                                       : ErrorCode::invalid_topic_exception;
      said.name = name;
      said.topic_authorized_operations = kTopicOperations;
      continue;
    }
    if (!add_topic(*topic, from(name), left, response)) break;
  }
  co_return answer(request, response);
}

}  // namespace millrace::engine
