// Consumers of both protocols that follow them come to one group and leave it in any order, some static, some cooperative; the
// coordinator restarts now and then. The group moves between the protocols under them. At no time do two of them read one partition,
// a replay of the compacted log gives what the machine has, and once nobody comes or goes any more all partitions are read.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/group/embedded_protocol.h"
#include "engine/group/group_machine.h"
#include "engine/group/record_codec.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using Partitions = std::set<std::int32_t>;

constexpr int kSteps = 2000;
constexpr int kClients = 6;
constexpr int kPartitions = 7;
const TopicId kTopic = Uuid::from_halves(1, 1);

struct Client {
  bool is_consumer = false;
  bool is_cooperative = false;
  std::string instance_id;
  bool is_in = false;  // it wants to be a member
  std::string member_id;
  std::int32_t epoch = 0;
  Partitions owned;
  // Of the classic protocol: what it is to do next.
  enum class Next { join, sync, live } next = Next::join;
  bool leads = false;
  std::vector<JoinResult::Member> members;
  bool waits = false;
};

std::vector<EmbeddedTopic> topics_of(const Partitions& partitions) {
  if (partitions.empty()) return {};
  return {{"t", {partitions.begin(), partitions.end()}}};
}
Partitions partitions_of(const std::vector<EmbeddedTopic>& topics) {
  Partitions all;
  for (const auto& topic : topics) all.insert(topic.partitions.begin(), topic.partitions.end());
  return all;
}

class Town {
 public:
  explicit Town(std::uint64_t seed) : prng_(seed) {
    options_.initial_rebalance_delay = Duration{};
    TopicImage topic;
    topic.name = "t";
    topic.id = kTopic;
    for (int i = 0; i < kPartitions; ++i) topic.partitions.set(PartitionIndex{i}, PartitionImage{});
    image_.topics.set(std::move(topic));
    for (int i = 0; i < kClients; ++i) {
      clients_[i].is_consumer = prng_.chance(2);
      clients_[i].is_cooperative = prng_.chance(2);
      if (i < 2) clients_[i].instance_id = "i" + std::to_string(i);
    }
    machine_ = std::make_unique<GroupMachine>(options_, use_, prng_.next());
    step(ActivateGroups{});
  }

  void act() {
    // At times everybody who comes is of the classic protocol.
    era_ = ++acts_ / 250 % 3;
    Client& client = clients_[prng_.below(kClients)];
    if (prng_.chance(200)) return restart();
    if (!client.is_in) {
      if (prng_.chance(3)) client.is_in = true;
      return;
    }
    if (client.waits) return;
    if (prng_.chance(12)) return leave(client);
    work(client);
  }

  // Nobody comes or goes any more.
  void settle() {
    clients_[0].is_in = true;
    for (int round = 0; round < 60; ++round) {
      // Ids that were given to somebody who has gone since are forgotten in time.
      now_ += std::chrono::seconds(1);
      step(GroupTick{});
      for (Client& client : clients_) {
        if (client.is_in && !client.waits) work(client);
      }
    }
    Partitions read;
    bool any_consumer = false;
    std::size_t most = 0;
    std::size_t least = kPartitions;
    for (const Client& client : clients_) {
      if (!client.is_in) continue;
      EXPECT_FALSE(client.waits);
      read.insert(client.owned.begin(), client.owned.end());
      most = std::max(most, client.owned.size());
      least = std::min(least, client.owned.size());
      any_consumer |= client.is_consumer;
    }
    EXPECT_EQ(read.size(), static_cast<std::size_t>(kPartitions));
    EXPECT_LE(most - least, 1u);
    step(ListGroups{ticket(nullptr)});
    EXPECT_EQ(type_, any_consumer ? "consumer" : "classic");
  }

  int moves() const { return moves_; }

 private:
  Ticket ticket(Client* client) {
    waiting_[++last_ticket_] = client;
    if (client != nullptr) client->waits = true;
    return Ticket(last_ticket_);
  }

  void step(GroupEvent event) {
    take(std::move(event));
    // A new group waits for no time at all.
    for (int i = 0; i < 10 && wake_at_ && *wake_at_ <= now_; ++i) take(GroupTick{});
  }
  void take(GroupEvent event) {
    GroupEffects out;
    machine_->step({std::move(event), wall_, &image_}, now_, out);
    for (const GroupRecord& record : out.records) {
      apply(*machine_, record);
      std::erase_if(log_, [&](const GroupRecord& earlier) { return earlier.key == record.key; });
      log_.push_back(record);
    }
    moves_ += static_cast<int>(out.units.size());
    machine_->check_invariants();
    expect_replay_gives_the_same();
    for (const GroupReply& reply : out.replies) {
      const auto asked = waiting_.extract(reply.ticket.value());
      ASSERT_FALSE(asked.empty()) << "answered twice, or without a question";
      if (const auto* list = std::get_if<GroupList>(&reply.answer)) type_ = list->groups.at(0).type;
      if (asked.mapped() != nullptr) learn(*asked.mapped(), reply.answer);
    }
    wake_at_ = out.wake_at;
    Partitions read;
    for (const Client& client : clients_) {
      for (const auto partition : client.owned) EXPECT_TRUE(read.insert(partition).second) << partition << " is read twice";
    }
  }
  static void apply(GroupMachine& machine, const GroupRecord& record) {
    std::optional<ConstBytes> value;
    if (record.value) value = *record.value;
    ASSERT_TRUE(machine.apply(record.key, value));
  }
  void expect_replay_gives_the_same() {
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

  // ---- What a client does next
  void work(Client& client) {
    if (client.is_consumer) return beat(client, client.epoch);
    if (client.next == Client::Next::join) return join(client);
    if (client.next == Client::Next::sync) return sync(client);
    heartbeat(client);
  }
  void beat(Client& client, std::int32_t epoch) {
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
  void join(Client& client) {
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
  void sync(Client& client) {
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
  static std::map<std::string, std::vector<std::byte>> shared_out(const std::vector<JoinResult::Member>& members) {
    std::map<std::int32_t, std::string> owners;
    for (const auto& member : members) {
      const auto said = read_embedded_subscription(member.metadata);
      for (const auto partition : partitions_of(said->owned)) owners[partition] = member.member_id;
    }
    std::map<std::string, std::vector<std::byte>> out;
    for (std::size_t i = 0; i < members.size(); ++i) {
      Partitions own;
      for (std::int32_t p = static_cast<std::int32_t>(i); p < kPartitions; p += static_cast<std::int32_t>(members.size())) {
        if (!owners.contains(p) || owners[p] == members[i].member_id) own.insert(p);
      }
      const EmbeddedAssignment told{.topics = topics_of(own), .user_data = {}};
      out[members[i].member_id] = encode_record_value(told, static_cast<std::int16_t>(1));
    }
    return out;
  }
  void heartbeat(Client& client) {
    wire::HeartbeatRequest request;
    request.group_id = "g";
    request.generation_id = client.epoch;
    const std::string member_id = client.member_id;
    request.member_id = member_id;
    if (!client.instance_id.empty()) request.group_instance_id = client.instance_id;
    step(GroupHeartbeat{ticket(&client), &request});
  }
  // A static member comes back with either protocol, and the group does not hear of it if it was a classic one.
  void leave(Client& client) {
    client.owned.clear();
    if (client.is_consumer && !client.member_id.empty() && client.epoch > 0) {
      beat(client, client.instance_id.empty() ? -1 : -2);
    } else if (!client.is_consumer && client.instance_id.empty() && !client.member_id.empty()) {
      const std::string member_id = client.member_id;
      step(LeaveGroup{.ticket = ticket(&client), .group = "g", .members = {{member_id, {}}}});
    }
    const std::string instance_id = client.instance_id;
    client = Client{.is_consumer = era_ > 0 && prng_.chance(2), .is_cooperative = prng_.chance(2), .instance_id = instance_id};
    // A static member is missed: nobody waits for it without end here.
    client.is_in = !instance_id.empty();
  }

  // ---- What it learns
  void lose(Client& client, bool keeps_id) {
    client.owned.clear();
    client.epoch = 0;
    client.next = Client::Next::join;
    if (!keeps_id) client.member_id.clear();
  }
  void learn(Client& client, const GroupAnswer& answer) {
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
  static void rejoin(Client& client) { client.next = Client::Next::join; }
  void learn_beat(Client& client, const ConsumerHeartbeatResult& told) {
    if (told.error != ErrorCode::none) return lose(client, told.error != ErrorCode::unknown_member_id);
    if (told.member_epoch < 0) return;
    client.epoch = told.member_epoch;
    if (!told.assignment) return;
    client.owned.clear();
    for (const auto& [topic, partitions] : *told.assignment) client.owned.insert(partitions.begin(), partitions.end());
  }
  void learn_join(Client& client, const JoinResult& told) {
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
  void learn_sync(Client& client, const SyncResult& told) {
    if (told.error == ErrorCode::rebalance_in_progress) return rejoin(client);
    if (told.error != ErrorCode::none) return lose(client, told.error == ErrorCode::illegal_generation);
    Partitions own;
    if (!told.assignment.empty()) own = partitions_of(read_embedded_assignment(told.assignment)->topics);
    const bool gives_back = !std::ranges::includes(own, client.owned);
    client.owned = std::move(own);
    client.next = gives_back ? Client::Next::join : Client::Next::live;
  }

  // Whoever waits is cut off and asks again.
  void restart() {
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

  GroupOptions options_;
  GroupUse use_;
  Prng prng_;
  MetadataImage image_;
  std::unique_ptr<GroupMachine> machine_;
  std::vector<GroupRecord> log_;
  std::vector<Client> clients_{kClients};
  std::map<std::uint64_t, Client*> waiting_;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t last_member_ = 0;
  std::string type_;
  int acts_ = 0;
  int era_ = 0;
  int moves_ = 0;
  Instant now_{std::chrono::hours(1)};
  WallTime wall_{1'000'000};
  std::optional<Instant> wake_at_;
};

class GroupMoveRandom : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(GroupMoveRandom, every_partition_is_read_by_one_consumer_whatever_protocol_it_speaks) {
  Town town(GetParam());
  for (int i = 0; i < kSteps && !HasFailure(); ++i) town.act();
  town.settle();
  EXPECT_GT(town.moves(), 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, GroupMoveRandom, ::testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace millrace::engine
