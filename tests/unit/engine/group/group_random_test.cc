// Clients that do anything in any order, to two groups: the invariants hold after every step, every question is answered in the
// end, no group is stuck, and what was committed last is what is found, also in a replay.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "engine/group/group_machine.h"

namespace millrace::engine {
namespace {

constexpr int kSteps = 4000;
constexpr int kClients = 7;

class Crowd {
 public:
  explicit Crowd(std::uint64_t seed) : prng_(seed) {
    options_.group_size_max = 5;
    machine_ = std::make_unique<GroupMachine>(options_, use_, prng_.next());
    step(ActivateGroups{});
  }

  void act() {
    Client& client = clients_[prng_.below(kClients)];
    switch (prng_.below(10)) {
      case 0:
      case 1:
      case 2:
        return join(client);
      case 3:
      case 4:
        return sync(client);
      case 5:
        return heartbeat(client);
      case 6:
        return prng_.chance(20) ? drop_topic() : commit(client);
      case 7:
        return prng_.chance(3) ? leave(client) : heartbeat(client);
      case 8:
        return advance(from_ms(static_cast<std::int64_t>(prng_.below(4000))));
      default:
        // It has started again and knows nothing.
        if (prng_.chance(4)) client.member_id.clear();
        if (prng_.chance(30)) restart();
    }
  }

  // Everybody falls silent.
  void end() {
    advance(std::chrono::hours(3));
    EXPECT_TRUE(waiting_.empty()) << waiting_.size() << " were never answered";
    for (const std::string group : {"g0", "g1"}) {
      DescribeGroup question{.ticket = ticket(nullptr), .group = group};
      step(question);
      EXPECT_TRUE(last_state_ == "Empty" || last_state_ == "Dead") << last_state_;
    }
    EXPECT_EQ(use_.members, 0u);
    EXPECT_EQ(use_.bytes, bytes_of_replay()) << "members that have gone are still counted";
    check_offsets();
  }

  // What the groups take that the log tells of.
  std::size_t bytes_of_replay() const {
    GroupUse use;
    GroupMachine again(options_, use, 1);
    for (const GroupRecord& record : log_) apply(again, record);
    return use.bytes;
  }

 private:
  struct Client {
    std::string group = "g0";
    std::string member_id;
    std::string instance_id;
    std::int32_t generation = -1;
    std::string leader;
    std::set<std::string> members;
  };

  Ticket ticket(Client* client) {
    waiting_[++last_ticket_] = client;
    return Ticket(last_ticket_);
  }

  void step(GroupEvent event) {
    GroupEffects out;
    machine_->step({std::move(event), wall_}, now_, out);
    for (const GroupRecord& record : out.records) {
      apply(*machine_, record);
      log_.push_back(record);
    }
    machine_->check_invariants();
    for (const GroupReply& reply : out.replies) {
      const auto asked = waiting_.extract(reply.ticket.value());
      ASSERT_FALSE(asked.empty()) << "answered twice, or without a question";
      learn(asked.mapped(), reply.answer);
    }
    wake_at_ = out.wake_at;
  }
  static void apply(GroupMachine& machine, const GroupRecord& record) {
    std::optional<ConstBytes> value;
    if (record.value) value = *record.value;
    ASSERT_TRUE(machine.apply(record.key, value));
  }

  void learn(Client* client, const GroupAnswer& answer) {
    if (const auto* description = std::get_if<GroupDescription>(&answer)) last_state_ = description->state;
    if (const auto* offsets = std::get_if<FetchOffsetsResult>(&answer)) found_ = offsets->partitions;
    if (client == nullptr) return;
    if (const auto* joined = std::get_if<JoinResult>(&answer)) {
      if (joined->error == wire::ErrorCode::member_id_required) client->member_id = joined->member_id;
      if (joined->error == wire::ErrorCode::unknown_member_id) client->member_id.clear();
      if (joined->error != wire::ErrorCode::none) return;
      client->member_id = joined->member_id;
      client->generation = joined->generation;
      client->leader = joined->leader;
      client->members.clear();
      for (const auto& member : joined->members) client->members.insert(member.member_id);
    }
    if (const auto* committed = std::get_if<CommitResult>(&answer)) {
      if (committed->errors.at(0) == wire::ErrorCode::none) committed_[client->group] = proposed_;
    }
  }

  void join(Client& client) {
    if (client.member_id.empty()) {
      client.group = prng_.chance(2) ? "g0" : "g1";
      client.instance_id = prng_.chance(3) ? "i" + std::to_string(prng_.below(2)) : "";
    }
    wire::JoinGroupRequest request;
    request.group_id = client.group;
    request.session_timeout_ms = 6000 + static_cast<std::int32_t>(prng_.below(20000));
    request.rebalance_timeout_ms = static_cast<std::int32_t>(prng_.below(30000));
    request.member_id = client.member_id;
    if (!client.instance_id.empty()) request.group_instance_id = client.instance_id;
    request.protocol_type = prng_.chance(20) ? "connect" : "consumer";
    request.protocols.push_back({prng_.chance(3) ? "range" : "sticky", {}});
    request.protocols.push_back({prng_.chance(9) ? "other" : "cooperative", {}});
    const std::string client_id(prng_.below(30), 'c');
    step(JoinGroup{.ticket = ticket(&client),
                   .request = &request,
                   .version = static_cast<std::int16_t>(2 + prng_.below(8)),
                   .client_id = client_id,
                   .client_host = "/127.0.0.1"});
  }
  void sync(Client& client) {
    wire::SyncGroupRequest request;
    request.group_id = client.group;
    request.generation_id = client.generation;
    request.member_id = client.member_id;
    if (!client.instance_id.empty()) request.group_instance_id = client.instance_id;
    for (const std::string& member : client.members) request.assignments.push_back({member, {}});
    step(SyncGroup{ticket(&client), &request});
  }
  void heartbeat(Client& client) {
    wire::HeartbeatRequest request;
    request.group_id = client.group;
    request.generation_id = client.generation;
    request.member_id = client.member_id;
    if (!client.instance_id.empty()) request.group_instance_id = client.instance_id;
    step(GroupHeartbeat{ticket(&client), &request});
  }
  void leave(Client& client) {
    step(LeaveGroup{.ticket = ticket(&client), .group = client.group, .members = {{client.member_id, {}}}});
    client.member_id.clear();
  }
  void commit(Client& client) {
    CommitOffsets question{.ticket = ticket(&client), .group = client.group, .commits = {}};
    question.member_id = client.member_id;
    if (!client.instance_id.empty()) question.group_instance_id = client.instance_id;
    question.generation = prng_.chance(5) ? -1 : client.generation;
    question.commits.push_back(
        {.at = {"t", 0}, .topic_id = {}, .offset = ++proposed_, .leader_epoch = -1, .metadata = ""});
    step(std::move(question));
  }
  void drop_topic() {
    step(DropTopics{.topics = {{"t", {}}}});
    committed_.clear();
    for (const std::string group : {"g0", "g1"}) {
      step(FetchOffsets{.ticket = ticket(nullptr), .group = group, .partitions = std::nullopt});
      EXPECT_TRUE(found_.empty()) << group;
    }
  }
  void advance(Duration by) {
    const Instant end = now_ + by;
    for (int i = 0; i < 100'000 && wake_at_ && *wake_at_ <= end; ++i) {
      move_to(std::max(*wake_at_, now_));
      step(GroupTick{});
    }
    move_to(end);
  }
  void move_to(Instant to) {
    wall_.ms += to_ms(to - now_);
    now_ = to;
  }
  // Whoever waited is cut off; what the log holds is all there is.
  void restart() {
    waiting_.clear();
    machine_.reset();
    ASSERT_EQ(use_.members + use_.bytes + use_.offsets, 0u) << "something is still counted";
    machine_ = std::make_unique<GroupMachine>(options_, use_, prng_.next());
    for (const GroupRecord& record : log_) apply(*machine_, record);
    step(ActivateGroups{});
    check_offsets();
  }
  void check_offsets() {
    for (const auto& [group, offset] : committed_) {
      step(FetchOffsets{.ticket = ticket(nullptr), .group = group, .partitions = std::nullopt});
      ASSERT_EQ(found_.size(), 1u) << group;
      EXPECT_EQ(found_[0].offset, offset) << group;
    }
  }

  GroupOptions options_;
  GroupUse use_;
  Prng prng_;
  std::unique_ptr<GroupMachine> machine_;
  std::vector<GroupRecord> log_;
  std::vector<Client> clients_{kClients};
  std::map<std::uint64_t, Client*> waiting_;
  std::uint64_t last_ticket_ = 0;
  std::int64_t proposed_ = 0;
  std::map<std::string, std::int64_t> committed_;
  std::string last_state_;
  std::vector<FetchOffsetsResult::Partition> found_;
  Instant now_{std::chrono::hours(1)};
  WallTime wall_{1'000'000};
  std::optional<Instant> wake_at_;
};

class GroupRandom : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(GroupRandom, every_question_is_answered_and_no_group_is_stuck) {
  Crowd crowd(GetParam());
  for (int i = 0; i < kSteps && !HasFailure(); ++i) crowd.act();
  crowd.end();
}

INSTANTIATE_TEST_SUITE_P(Seeds, GroupRandom, ::testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace millrace::engine
