#include "cli/cluster_client.h"

#include <fmt/core.h>

#include "net/wire/find_coordinator.h"

namespace millrace::cli {
namespace {

using wire::ErrorCode;

// Coordinators of groups; others are those of transactions.
constexpr std::int8_t kGroupKey = 0;

Error unanswered(const std::string& group, ErrorCode code, std::string_view message) {
  auto said = check_answer("group " + group, code, message);
  return said ? Error{Errc::io_error, "group " + group} : said.error();
}

}  // namespace

std::string address_of(std::string_view host, std::int32_t port) {
  const bool is_ipv6 = host.contains(':');
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<ClusterClient> ClusterClient::connect(const ConnectionOptions& options) {
  ClusterClient cluster(options);
  TRY(first, AdminClient::connect(options));
  cluster.first_ = std::make_unique<AdminClient>(std::move(first));
  TRY_DONE(cluster.learn({}));
  return cluster;
}

bool ClusterClient::passes_by_itself(ErrorCode code) {
  switch (code) {
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
    case ErrorCode::leader_not_available:
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::offset_not_available:
    case ErrorCode::fenced_leader_epoch:
    case ErrorCode::unknown_leader_epoch:
      return true;
    default:
      return false;
  }
}

Result<AdminClient*> ClusterClient::broker(std::int32_t node_id) {
  auto& client = clients_[node_id];
  if (client) return client.get();
  const auto address = brokers_.find(node_id);
  if (address == brokers_.end())
    return fail(Errc::not_found, fmt::format("there is no broker {} now", node_id));
  ConnectionOptions options = options_;
  options.bootstrap = address->second;
  auto connected = AdminClient::connect(options);
  if (!connected) {
    return fail(connected.error().code,
                fmt::format("broker {} does not answer at {}, where it says it is: {}. Its "
                            "advertised.listeners must name an address that can be reached here",
                            node_id, address->second, connected.error().message));
  }
  client = std::make_unique<AdminClient>(std::move(*connected));
  return client.get();
}

Result<ErrorCode> ClusterClient::ask_for_coordinator(const std::string& group) {
  wire::FindCoordinatorRequest request{.key = group, .key_type = kGroupKey};
  request.coordinator_keys.push_back(group);
  TRY(answer, first_->call(request));
  const auto& message = answer.message;
  Coordinator found;
  ErrorCode code = message.error_code;
  std::string_view text = message.error_message.value_or("");
  if (message.coordinators.empty()) {
    found = {message.node_id, address_of(message.host, message.port)};
  } else {
    const auto& said = message.coordinators.front();
    found = {said.node_id, address_of(said.host, said.port)};
    code = said.error_code;
    text = said.error_message.value_or("");
  }
  if (code == ErrorCode::none) {
    brokers_[found.node_id] = found.address;
    coordinators_[group] = std::move(found);
  } else if (!passes_by_itself(code)) {
    return fail(unanswered(group, code, text));
  }
  return code;
}

Result<Coordinator> ClusterClient::coordinator(const std::string& group) {
  const Instant deadline = now() + from_ms(options_.timeout_ms);
  while (true) {
    if (const auto known = coordinators_.find(group); known != coordinators_.end())
      return known->second;
    TRY(code, ask_for_coordinator(group));
    if (code == ErrorCode::none) continue;
    if (now() >= deadline) return fail(unanswered(group, code, {}));
    pause_for(kPauseBetweenTries);
  }
}

Result<bool> ClusterClient::coordinator_serves(const std::string& group, wire::ApiKey key) {
  TRY(found, coordinator(group));
  TRY(client, broker(found.node_id));
  return client->serves(key);
}

void ClusterClient::take_brokers(const wire::MetadataResponse& metadata) {
  for (const auto& each : metadata.brokers)
    brokers_[each.node_id] = address_of(each.host, each.port);
}

Result<void> ClusterClient::learn(const std::set<std::string>& topics) {
  wire::MetadataRequest request{.allow_auto_topic_creation = false};
  for (const std::string& topic : topics) request.topics->push_back({.name = topic});
  TRY(answer, first_->call(request));
  take_brokers(answer.message);
  for (const auto& topic : answer.message.topics) {
    if (topic.error_code != ErrorCode::none || !topic.name) continue;
    for (const auto& partition : topic.partitions)
      leaders_[{std::string(*topic.name), partition.partition_index}] = partition.leader_id;
  }
  return {};
}

Result<std::vector<std::int32_t>> ClusterClient::partitions_of(const std::string& topic) const {
  std::vector<std::int32_t> partitions;
  for (auto at = leaders_.lower_bound({topic, 0}); at != leaders_.end() && at->first.topic == topic;
       ++at) {
    partitions.push_back(at->first.partition);
  }
  if (partitions.empty()) {
    return fail(
        Errc::not_found,
        fmt::format("there is no topic {}. `millrace topic list` shows what there is", topic));
  }
  return partitions;
}

std::map<std::int32_t, std::vector<TopicPartition>> ClusterClient::by_leader(
    const std::set<TopicPartition>& partitions) const {
  std::map<std::int32_t, std::vector<TopicPartition>> parted;
  for (const TopicPartition& partition : partitions) {
    const auto leader = leaders_.find(partition);
    if (leader != leaders_.end() && leader->second >= 0)
      parted[leader->second].push_back(partition);
  }
  return parted;
}

Result<void> ClusterClient::list_at(std::int32_t node_id,
                                    const std::vector<TopicPartition>& partitions,
                                    const std::map<TopicPartition, std::int64_t>& timestamps,
                                    ListedOffsets& listed) {
  wire::ListOffsetsRequest request{.replica_id = -1, .timeout_ms = options_.timeout_ms};
  for (const TopicPartition& partition : partitions) {
    if (request.topics.empty() || request.topics.back().name != partition.topic)
      request.topics.push_back({.name = partition.topic});
    request.topics.back().partitions.push_back(
        {.partition_index = partition.partition, .timestamp = timestamps.at(partition)});
  }
  TRY(client, broker(node_id));
  TRY(answer, client->call(request));
  for (const auto& topic : answer.message.topics) {
    for (const auto& said : topic.partitions)
      listed[{std::string(topic.name), said.partition_index}] = {said.error_code, said.offset};
  }
  return {};
}

Result<ListedOffsets> ClusterClient::list_offsets(
    const std::map<TopicPartition, std::int64_t>& timestamps) {
  const Instant deadline = now() + from_ms(options_.timeout_ms);
  std::set<TopicPartition> open;
  for (const auto& [partition, timestamp] : timestamps) open.insert(partition);
  ListedOffsets listed;
  while (true) {
    for (const auto& [leader, partitions] : by_leader(open))
      TRY_DONE(list_at(leader, partitions, timestamps, listed));
    std::set<std::string> topics;
    std::erase_if(open, [&](const TopicPartition& partition) {
      const auto said = listed.find(partition);
      return said == listed.end() || !passes_by_itself(said->second.error);
    });
    if (open.empty() || now() >= deadline) return listed;
    for (const TopicPartition& partition : open) topics.insert(partition.topic);
    pause_for(kPauseBetweenTries);
    TRY_DONE(learn(topics));
  }
}

Result<ListedOffsets> ClusterClient::list_offsets(const std::set<TopicPartition>& partitions,
                                                  std::int64_t timestamp) {
  std::map<TopicPartition, std::int64_t> timestamps;
  for (const TopicPartition& partition : partitions) timestamps[partition] = timestamp;
  return list_offsets(timestamps);
}

}  // namespace millrace::cli
