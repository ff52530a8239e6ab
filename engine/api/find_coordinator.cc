#include "net/wire/find_coordinator.h"

#include <algorithm>
#include <set>

#include "engine/api/coordinator_requests.h"
#include "engine/api/decode.h"
#include "engine/api/handlers.h"
#include "io/gate.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using wire::FindCoordinatorResponse;

enum class KeyType : std::int8_t { group = 0, transaction = 1, share = 2 };

constexpr std::string_view kNoTransactions =
    "this version of Millrace coordinates no transactions";
constexpr std::string_view kNoShareGroups =
    "this version of Millrace coordinates no share groups";

FindCoordinatorResponse::Coordinator refusal(std::string_view key, ErrorCode error,
                                             std::optional<std::string_view> message) {
  FindCoordinatorResponse::Coordinator said;
  said.key = key;
  said.node_id = -1;
  said.port = -1;
  said.error_code = error;
  said.error_message = message;
  return said;
}

FindCoordinatorResponse::Coordinator find_group(const MetadataImage& image, std::string_view listener,
                                                std::string_view group) {
  const auto at = offsets_partition(image, group);
  const PartitionImage* partition = at ? image.topics.find(*at) : nullptr;
  const BrokerImage* broker = partition == nullptr ? nullptr : image.brokers.find(partition->leader);
  const EndpointData* endpoint = broker == nullptr ? nullptr : broker->endpoint(listener);
  if (endpoint == nullptr) {
    return refusal(group, ErrorCode::coordinator_not_available, std::nullopt);
  }
  FindCoordinatorResponse::Coordinator said;
  said.key = group;
  said.node_id = partition->leader.value();
  said.host = endpoint->host;
  said.port = endpoint->port;
  said.error_message.reset();
  return said;
}

FindCoordinatorResponse::Coordinator find(const MetadataImage& image, std::string_view listener,
                                          std::int8_t type, std::string_view key) {
  switch (static_cast<KeyType>(type)) {
    case KeyType::group:
      return find_group(image, listener, key);
    case KeyType::transaction:
      return refusal(key, ErrorCode::coordinator_not_available, kNoTransactions);
    case KeyType::share:
      return refusal(key, ErrorCode::invalid_request, kNoShareGroups);
  }
  return refusal(key, ErrorCode::invalid_request, std::nullopt);
}

// The topic is made when somebody first looks for a coordinator. It is there, on every shard, when this returns; what went wrong
// shows in the answer.
io::Task<void> make_offsets_topic(Broker& broker, const SharedImage image) {
  wire::CreateTopicsRequest create;
  TextArena texts;
  describe_offsets_topic(broker.options(), *image, texts, create.topics.emplace_back());
  const auto reply = co_await ask_controller(broker, &create);
  const auto* made = std::get_if<Reply<wire::CreateTopicsResponse>>(&reply);
  if (made == nullptr) co_return;
  for (const auto& topic : made->response.topics) {
    if (topic.error_code == ErrorCode::none || topic.error_code == ErrorCode::topic_already_exists) continue;
    LOG(error, "topic.auto_create", "topic={} error=\"{}\"", topic.name, topic.error_message.value_or(""));
  }
}

// On the owner.
io::Task<GroupOutcome> ask_here(BrokerShard& owner, TopicPartition id, GroupEvent event, GroupWait* wait) {
  if (const auto partition = owner.find(id); partition != nullptr && partition->log() == nullptr) {
    (void)co_await owner.find_or_make(id);
  }
  const auto coordinator = owner.groups().find(id);
  if (coordinator == nullptr) co_return std::unexpected(ErrorCode::not_coordinator);
  co_return co_await coordinator->ask(std::move(event), wait);
}

io::Task<void> give_up_here(GroupWait& wait) {
  wait.give_up();
  co_return;
}

io::Task<void> give_up_on(Broker& broker, ShardId owner, GroupWait& wait) {
  co_await broker.shards().call(owner, [&]() -> io::Task<void> { return give_up_here(wait); });
}

// Ends the wait for a group's answer when the client has gone.
class GiveUpAtEnd final : public net::EndWatch {
 public:
  GiveUpAtEnd(Broker& broker, ShardId owner, GroupWait& wait) : broker_(broker), owner_(owner), wait_(wait) {}
  void on_end() override { giving_up_.spawn(give_up_on(broker_, owner_, wait_)); }
  io::Task<void> close() { return giving_up_.close(); }

 private:
  Broker& broker_;
  ShardId owner_;
  GroupWait& wait_;
  io::Gate giving_up_;
};

}  // namespace

void describe_offsets_topic(const BrokerOptions& options, const MetadataImage& image, TextArena& texts,
                            wire::CreateTopicsRequest::Topic& topic) {
  std::int16_t brokers = 0;
  image.brokers.for_each([&](BrokerId, const BrokerImage& broker) { brokers += broker.fenced ? 0 : 1; });
  topic.name = kOffsetsTopic;
  topic.num_partitions = options.offsets_topic_partitions;
  // Kafka's default of 3 must not keep a smaller cluster from having groups.
  topic.replication_factor =
      std::clamp<std::int16_t>(options.offsets_topic_replication_factor, 1, std::max<std::int16_t>(brokers, 1));
  topic.configs.push_back({"cleanup.policy", "compact"});
  topic.configs.push_back({"compression.type", "producer"});
  topic.configs.push_back({"segment.bytes", texts.keep(std::to_string(options.offsets_topic_segment_bytes))});
}

io::Task<GroupOutcome> ask_coordinator(Broker& broker, BrokerShard& here, std::string_view group, GroupEvent event,
                                       const net::ConnectionInfo* waiting_for_it) {
  const SharedImage image = here.image();
  const auto at = offsets_partition(*image, group);
  if (!at) co_return std::unexpected(ErrorCode::not_coordinator);
  const ShardId owner = shard_of(*at, broker.shards().count());
  GroupWait wait;
  GiveUpAtEnd watch(broker, owner, wait);
  if (waiting_for_it != nullptr && waiting_for_it->ended) {
    watch.on_end();
  } else if (waiting_for_it != nullptr) {
    waiting_for_it->tell(watch);
  }
  auto outcome = co_await broker.shards().call(owner, [&]() -> io::Task<GroupOutcome> {
    return ask_here(broker.at(owner), *at, std::move(event), &wait);
  });
  co_await watch.close();
  co_return outcome;
}

io::Task<net::Response> handle_find_coordinator(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::FindCoordinatorRequest);
  const bool several = request.header.api_version >= 4;
  const bool has_keys = !several || !wanted.coordinator_keys.empty();
  if (wanted.key_type == static_cast<std::int8_t>(KeyType::group) && has_keys &&
      here.image()->topics.find(kOffsetsTopic) == nullptr) {
    co_await make_offsets_topic(broker, here.image());
  }
  const SharedImage image = here.image();
  wire::FindCoordinatorResponse response;
  std::set<std::string_view> seen;
  for (const std::string_view key : wanted.coordinator_keys) {
    if (!seen.insert(key).second) continue;
    response.coordinators.push_back(find(*image, request.connection->listener, wanted.key_type, key));
    // Said once: a key may be three bytes long, and there may be millions.
    if (seen.size() > 1) response.coordinators.back().error_message = std::nullopt;
  }
  if (!several) {
    const auto said = find(*image, request.connection->listener, wanted.key_type, wanted.key);
    response.error_code = said.error_code;
    response.error_message = said.error_message;
    response.node_id = said.node_id;
    response.host = said.host;
    response.port = said.port;
  }
  co_return answer(request, response);
}

}  // namespace millrace::engine
