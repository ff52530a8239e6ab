#include "tests/unit/engine/group/consumer_town.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "engine/group/embedded_protocol.h"
#include "engine/group/record_codec.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

const TopicId kTopic = Uuid::from_halves(1, 1);

std::vector<EmbeddedTopic> topics_of(const Town::Partitions& partitions) {
  if (partitions.empty()) return {};
  return {{"t", {partitions.begin(), partitions.end()}}};
}
Town::Partitions partitions_of(const std::vector<EmbeddedTopic>& topics) {
  Town::Partitions all;
  for (const auto& topic : topics) all.insert(topic.partitions.begin(), topic.partitions.end());
  return all;
}

}  // namespace

Town::Town(std::uint64_t seed, TownOptions town) : town_(town), prng_(seed), clients_(town.clients) {
  options_.initial_rebalance_delay = Duration{};
  options_.consumer.join_pause = town_.join_pause;
  TopicImage topic;
  topic.name = "t";
  topic.id = kTopic;
  for (std::int32_t i = 0; i < town_.partitions; ++i) topic.partitions.set(PartitionIndex{i}, PartitionImage{});
  image_.topics.set(std::move(topic));
  machine_ = std::make_unique<GroupMachine>(options_, use_, prng_.next());
  step(ActivateGroups{});
}

void Town::round() {
  // Ids that were given to somebody who has gone since are forgotten in time.
  now_ += std::chrono::seconds(1);
  step(GroupTick{});
  for (Client& client : clients_) {
    if (client.is_in && !client.waits) work(client);
  }
  expect_sound();
}

void Town::pass(Duration time) {
  now_ += time;
  step(GroupTick{});
}

void Town::expect_at_rest() {
  Partitions read;
  bool any_consumer = false;
  std::size_t most = 0;
  std::size_t least = static_cast<std::size_t>(town_.partitions);
  for (const Client& client : clients_) {
    if (!client.is_in) continue;
    EXPECT_FALSE(client.waits);
    read.insert(client.owned.begin(), client.owned.end());
    most = std::max(most, client.owned.size());
    least = std::min(least, client.owned.size());
    any_consumer |= client.is_consumer;
  }
  EXPECT_EQ(read.size(), static_cast<std::size_t>(town_.partitions));
  EXPECT_LE(most - least, 1u);
  EXPECT_EQ(type(), any_consumer ? "consumer" : "classic");
}

std::string Town::type() {
  step(ListGroups{ticket(nullptr)});
  return listed_.type;
}

std::string Town::state() {
  step(ListGroups{ticket(nullptr)});
  return listed_.state;
}

Ticket Town::ticket(Client* client) {
  waiting_[++last_ticket_] = client;
  if (client != nullptr) client->waits = true;
  return Ticket(last_ticket_);
}

void Town::step(GroupEvent event) {
  take(std::move(event));
  // A new group waits for no time at all.
  for (int i = 0; i < 10 && wake_at_ && *wake_at_ <= now_; ++i) take(GroupTick{});
}

void Town::take(GroupEvent event) {
  GroupEffects out;
  machine_->step({std::move(event), wall_, &image_}, now_, out);
  bool writes_classic = false;
  bool writes_consumer = false;
  for (const GroupRecord& record : out.records) {
    const auto key = decode_group_key(record.key).value();
    writes_classic |= std::holds_alternative<GroupMetadataKey>(key);
    writes_consumer |= std::holds_alternative<ConsumerGroupKey>(key);
    apply(*machine_, record);
    std::erase_if(log_, [&](const GroupRecord& earlier) { return earlier.key == record.key; });
    log_.push_back(record);
  }
  if (writes_classic && writes_consumer) ++moves_;
  for (const GroupReply& reply : out.replies) {
    const auto asked = waiting_.extract(reply.ticket.value());
    ASSERT_FALSE(asked.empty()) << "answered twice, or without a question";
    if (const auto* list = std::get_if<GroupList>(&reply.answer)) listed_ = list->groups.at(0);
    if (asked.mapped() != nullptr) learn(*asked.mapped(), reply.answer);
  }
  wake_at_ = out.wake_at;
  if (!town_.is_large) expect_sound();
}

void Town::expect_sound() {
  machine_->check_invariants();
  expect_replay_gives_the_same();
  Partitions read;
  for (const Client& client : clients_) {
    for (const auto partition : client.owned) EXPECT_TRUE(read.insert(partition).second) << partition << " is read twice";
  }
}

void Town::apply(GroupMachine& machine, const GroupRecord& record) {
  std::optional<ConstBytes> value;
  if (record.value) value = *record.value;
  ASSERT_TRUE(machine.apply(record.key, value));
}

void Town::expect_replay_gives_the_same() {
  GroupUse use;
  GroupMachine again(options_, use, 99);
  for (const GroupRecord& record : log_) apply(again, record);
  std::map<std::vector<std::byte>, std::optional<std::vector<std::byte>>> replayed;
  for (auto& record : again.hard_state()) replayed[record.key] = record.value;
  for (const auto& record : machine_->hard_state()) {
    const auto found = replayed.find(record.key);
    ASSERT_TRUE(found != replayed.end());
    EXPECT_EQ(found->second, record.value);
    replayed.erase(found);
  }
  for (const auto& [key, value] : replayed) {
    // Of classic groups that rebalance the log knows the generation before.
    EXPECT_TRUE(std::holds_alternative<GroupMetadataKey>(decode_group_key(key).value()));
  }
}

// Whoever waits is cut off and asks again.
void Town::restart() {
  for (auto& [ticket, client] : waiting_) {
    if (client == nullptr) continue;
    client->waits = false;
    if (client->next == Client::Next::sync) rejoin(*client);
  }
  waiting_.clear();
  machine_.reset();
  ASSERT_EQ(use_.members + use_.bytes + use_.offsets, 0u) << "something is still counted";
  machine_ = std::make_unique<GroupMachine>(options_, use_, prng_.next());
  for (const GroupRecord& record : log_) apply(*machine_, record);
  step(ActivateGroups{});
}

// ---- What a client does next

void Town::work(Client& client) {
  if (client.is_consumer) return beat(client, client.epoch);
  if (client.next == Client::Next::join) return join(client);
  if (client.next == Client::Next::sync) return sync(client);
  heartbeat(client);
}

void Town::beat(Client& client, std::int32_t epoch) {
  wire::ConsumerGroupHeartbeatRequest request;
  request.group_id = "g";
  if (client.member_id.empty()) client.member_id = "m" + std::to_string(++last_member_);
  const std::string member_id = client.member_id;
  request.member_id = member_id;
  request.member_epoch = epoch;
  if (!client.instance_id.empty()) request.instance_id = client.instance_id;
  if (epoch == 0) {
    request.rebalance_timeout_ms = 60000;
    request.subscribed_topic_names.emplace(1, "t");
  }
  if (epoch >= 0) {
    request.topic_partitions.emplace();
    if (!client.owned.empty()) request.topic_partitions->push_back({kTopic, {client.owned.begin(), client.owned.end()}});
  }
  step(ConsumerHeartbeat{.ticket = ticket(&client), .request = &request, .version = 1, .client_id = "c", .client_host = "h"});
}

void Town::join(Client& client) {
  if (!client.is_cooperative) client.owned.clear();
  EmbeddedSubscription said{.topics = {"t"}, .user_data = {}, .owned = topics_of(client.owned), .generation = client.epoch};
  const auto bytes = encode_record_value(said, static_cast<std::int16_t>(2));
  wire::JoinGroupRequest request;
  request.group_id = "g";
  request.session_timeout_ms = 10000;
  request.rebalance_timeout_ms = 60000;
  const std::string member_id = client.member_id;
  request.member_id = member_id;
  if (!client.instance_id.empty()) request.group_instance_id = client.instance_id;
  request.protocol_type = "consumer";
  request.protocols.push_back({"any", bytes});
  step(JoinGroup{.ticket = ticket(&client), .request = &request, .version = 9, .client_id = "c", .client_host = "h"});
}

void Town::sync(Client& client) {
  wire::SyncGroupRequest request;
  request.group_id = "g";
  request.generation_id = client.epoch;
  const std::string member_id = client.member_id;
  request.member_id = member_id;
  if (!client.instance_id.empty()) request.group_instance_id = client.instance_id;
  std::map<std::string, std::vector<std::byte>> assignments;
  if (client.leads) assignments = shared_out(client.members);
  for (const auto& [member, bytes] : assignments) request.assignments.push_back({member, bytes});
  step(SyncGroup{ticket(&client), &request});
}

// As a cooperative leader does it: nobody gets what another still has.
std::map<std::string, std::vector<std::byte>> Town::shared_out(
    const std::vector<JoinResult::Member>& members) const {
  std::map<std::int32_t, std::string> owners;
  for (const auto& member : members) {
    const auto said = read_embedded_subscription(member.metadata);
    for (const auto partition : partitions_of(said->owned)) owners[partition] = member.member_id;
  }
  std::map<std::string, std::vector<std::byte>> out;
  for (std::size_t i = 0; i < members.size(); ++i) {
    Partitions own;
    for (std::int32_t p = static_cast<std::int32_t>(i); p < town_.partitions; p += static_cast<std::int32_t>(members.size())) {
      if (!owners.contains(p) || owners[p] == members[i].member_id) own.insert(p);
    }
    const EmbeddedAssignment told{.topics = topics_of(own), .user_data = {}};
    out[members[i].member_id] = encode_record_value(told, static_cast<std::int16_t>(1));
  }
  return out;
}

void Town::heartbeat(Client& client) {
  wire::HeartbeatRequest request;
  request.group_id = "g";
  request.generation_id = client.epoch;
  const std::string member_id = client.member_id;
  request.member_id = member_id;
  if (!client.instance_id.empty()) request.group_instance_id = client.instance_id;
  step(GroupHeartbeat{ticket(&client), &request});
}

void Town::leave(Client& client) {
  client.owned.clear();
  if (client.is_consumer && !client.member_id.empty() && client.epoch > 0) {
    beat(client, client.instance_id.empty() ? -1 : -2);
  } else if (!client.is_consumer && client.instance_id.empty() && !client.member_id.empty()) {
    const std::string member_id = client.member_id;
    step(LeaveGroup{.ticket = ticket(&client), .group = "g", .members = {{member_id, {}}}});
  }
  client = Client{.instance_id = client.instance_id};
}

// ---- What it learns

void Town::lose(Client& client, bool keeps_id) {
  client.owned.clear();
  client.epoch = 0;
  client.next = Client::Next::join;
  if (!keeps_id) client.member_id.clear();
}

void Town::learn(Client& client, const GroupAnswer& answer) {
  client.waits = false;
  if (const auto* beat = std::get_if<ConsumerHeartbeatResult>(&answer)) return learn_beat(client, *beat);
  if (const auto* joined = std::get_if<JoinResult>(&answer)) return learn_join(client, *joined);
  if (const auto* synced = std::get_if<SyncResult>(&answer)) return learn_sync(client, *synced);
  if (const auto* alive = std::get_if<HeartbeatResult>(&answer)) {
    if (alive->error == ErrorCode::none) return;
    if (alive->error == ErrorCode::rebalance_in_progress) return rejoin(client);
    lose(client, alive->error == ErrorCode::illegal_generation);
  }
}

void Town::learn_beat(Client& client, const ConsumerHeartbeatResult& told) {
  if (told.error != ErrorCode::none) return lose(client, told.error != ErrorCode::unknown_member_id);
  if (told.member_epoch < 0) return;
  client.epoch = told.member_epoch;
  if (!told.assignment) return;
  client.owned.clear();
  for (const auto& [topic, partitions] : *told.assignment) client.owned.insert(partitions.begin(), partitions.end());
}

void Town::learn_join(Client& client, const JoinResult& told) {
  switch (told.error) {
    case ErrorCode::none:
      client.member_id = told.member_id;
      client.epoch = told.generation;
      client.leads = told.leader == told.member_id;
      client.members = told.members;
      client.next = Client::Next::sync;
      return;
    case ErrorCode::member_id_required:
      client.member_id = told.member_id;
      return;
    case ErrorCode::rebalance_in_progress:
      return;
    default:
      return lose(client, false);
  }
}

void Town::learn_sync(Client& client, const SyncResult& told) {
  if (told.error == ErrorCode::rebalance_in_progress) return rejoin(client);
  if (told.error != ErrorCode::none) return lose(client, told.error == ErrorCode::illegal_generation);
  Partitions own;
  if (!told.assignment.empty()) own = partitions_of(read_embedded_assignment(told.assignment)->topics);
  const bool gives_back = !std::ranges::includes(own, client.owned);
  client.owned = std::move(own);
  client.next = gives_back ? Client::Next::join : Client::Next::live;
}

}  // namespace millrace::engine
