// 10,000 members in one group, in both protocols: they join, all are assigned, vanish all at once, and the group is as good as new.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/group/group_machine.h"
#include "engine/group/topic_pattern.h"

namespace millrace::engine {
namespace {

constexpr std::size_t kMembers = 10'000;
constexpr std::int32_t kPartitions = 10'000;
constexpr std::int32_t kSessionMs = 45'000;
// What one step may write; it keeps the shard from everybody else for as long as that takes.
constexpr std::size_t kRecordsOfTickMax = 4'000;

const TopicId kTopic = Uuid::from_halves(1, 1);
const TopicId kTopicOfPattern = Uuid::from_halves(1, 2);

// A coordinator and its clock.
class LargeGroup : public ::testing::Test {
 protected:
  LargeGroup() {
    options_.consumer.join_pause = {};
    TopicImage topic;
    topic.name = "t";
    topic.id = kTopic;
    for (std::int32_t i = 0; i < kPartitions; ++i) topic.partitions.set(PartitionIndex{i}, PartitionImage{});
    image_.topics.set(std::move(topic));
  }

  void begin() {
    machine_ = std::make_unique<GroupMachine>(options_, use_, 7);
    step(ActivateGroups{});
  }

  void step(GroupEvent event) {
    GroupEffects out;
    const bool is_tick = std::holds_alternative<GroupTick>(event);
    machine_->step({std::move(event), wall_, &image_}, now_, out);
    for (const GroupRecord& record : out.records) {
      std::optional<ConstBytes> value;
      if (record.value) value = *record.value;
      ASSERT_TRUE(machine_->apply(record.key, value));
      if (value) ASSERT_LE(value->size(), options_.record_bytes_max);
    }
    if (is_tick) EXPECT_LE(out.records.size(), kRecordsOfTickMax);
    while (auto question = machine_->next_pattern_question()) look_up(*question);
    for (GroupReply& reply : out.replies) {
      const auto asked = waiting_.extract(reply.ticket.value());
      ASSERT_FALSE(asked.empty()) << "answered twice, or without a question";
      answers_[asked.mapped()] = std::move(reply.answer);
    }
    wake_at_ = out.wake_at;
  }
  void look_up(const PatternQuestion& question) {
    PatternsResolved& answer = found_.emplace_back(PatternsResolved{.group = question.group, .topics = {}, .version = 1});
    patterns_asked_ += question.patterns.size();
    for (const std::string& text : question.patterns) {
      const TopicPattern pattern(text);
      std::vector<std::string>& topics = answer.topics[text];
      image_.topics.for_each_from("", [&](const TopicImage& topic) {
        if (pattern.matches(topic.name)) topics.push_back(topic.name);
        return true;
      });
    }
  }
  void answer_patterns() {
    for (PatternsResolved& answer : std::exchange(found_, {})) step(std::move(answer));
  }
  void advance(Duration by) {
    const Instant end = now_ + by;
    answer_patterns();
    while (wake_at_ && *wake_at_ <= end && !HasFatalFailure()) {
      move_to(std::max(*wake_at_, now_));
      step(GroupTick{});
    }
    move_to(end);
  }
  void move_to(Instant to) {
    wall_.ms += to_ms(to - now_);
    now_ = to;
  }
  Ticket ticket(std::size_t member) {
    waiting_[++last_ticket_] = member;
    return Ticket(last_ticket_);
  }
  template <class Answer>
  Answer take(std::size_t member) {
    auto found = answers_.extract(member);
    EXPECT_FALSE(found.empty()) << "member " << member << " has no answer";
    return found.empty() ? Answer{} : std::get<Answer>(std::move(found.mapped()));
  }
  // What the groups take that the log tells of.
  std::size_t bytes_of_replay() {
    GroupUse use;
    GroupMachine again(options_, use, 1);
    for (const GroupRecord& record : machine_->hard_state()) {
      std::optional<ConstBytes> value;
      if (record.value) value = *record.value;
      EXPECT_TRUE(again.apply(record.key, value));
    }
    return use.bytes;
  }
  void expect_nothing_left() {
    machine_->check_invariants();
    EXPECT_TRUE(waiting_.empty()) << waiting_.size() << " were never answered";
    EXPECT_EQ(use_.members, 0u);
    EXPECT_EQ(use_.bytes, bytes_of_replay()) << "members that have gone are still counted";
  }

  GroupOptions options_;
  GroupUse use_;
  MetadataImage image_;
  std::unique_ptr<GroupMachine> machine_;
  std::map<std::uint64_t, std::size_t> waiting_;
  std::map<std::size_t, GroupAnswer> answers_;
  std::uint64_t last_ticket_ = 0;
  Instant now_{std::chrono::hours(1)};
  WallTime wall_{1'000'000};
  std::optional<Instant> wake_at_;
  std::vector<PatternsResolved> found_;
  std::size_t patterns_asked_ = 0;
};

// ---- The consumer protocol

class LargeConsumerGroup : public LargeGroup {
 protected:
  struct Member {
    std::string id;
    std::int32_t epoch = 0;
    std::vector<std::int32_t> owned;
    wire::ErrorCode error{};
    std::string pattern;  // empty: it reads the topic t
  };

  void beat(std::size_t number) {
    ask(number);
    learn(number, take<ConsumerHeartbeatResult>(number));
  }
  void ask(std::size_t number) {
    Member& member = members_[number];
    wire::ConsumerGroupHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = member.id;
    request.member_epoch = member.epoch;
    if (member.epoch == 0) {
      request.rebalance_timeout_ms = 60'000;
      if (member.pattern.empty()) {
        request.subscribed_topic_names = std::vector<std::string_view>{"t"};
      } else {
        request.subscribed_topic_regex = member.pattern;
      }
    }
    request.topic_partitions.emplace();
    if (!member.owned.empty()) request.topic_partitions->push_back({kTopic, member.owned});
    step(ConsumerHeartbeat{
        .ticket = ticket(number), .request = &request, .version = 1, .client_id = "c", .client_host = "/127.0.0.1"});
  }

  // It gives back at once what it is not to have any more, and says so with its next heartbeat.
  void learn(std::size_t number, ConsumerHeartbeatResult result) {
    Member& member = members_[number];
    member.error = result.error;
    if (result.error != wire::ErrorCode::none) return;
    member.epoch = result.member_epoch;
    if (!result.assignment) return;
    for (const std::int32_t partition : member.owned) owners_.erase(partition);
    member.owned = result.assignment->contains(kTopic) ? result.assignment->at(kTopic) : std::vector<std::int32_t>();
    for (const std::int32_t partition : member.owned) {
      ASSERT_TRUE(owners_.emplace(partition, number).second)
          << partition << " is given to " << number << " while " << owners_.at(partition) << " has it";
    }
  }

  void join(std::size_t count) {
    for (std::size_t i = 0; i < count && !HasFatalFailure(); ++i) {
      members_.push_back({.id = fmt::format("member-{:022}", i), .owned = {}});
      beat(i);
      ASSERT_EQ(members_[i].error, wire::ErrorCode::none);
      advance(std::chrono::milliseconds(1));
    }
  }
  // Rounds of heartbeats until nothing changes any more.
  void settle() {
    for (int round = 0; round < 12 && !HasFatalFailure(); ++round) {
      for (std::size_t i = 0; i < members_.size() && !HasFatalFailure(); ++i) {
        beat(i);
        ASSERT_EQ(members_[i].error, wire::ErrorCode::none);
      }
      advance(std::chrono::seconds(5));
      if (description().state == "Stable") return;
    }
    ADD_FAILURE() << "the group does not come to rest";
  }
  ConsumerGroupDescription description() {
    step(DescribeConsumerGroup{ticket(kMembers), "g"});
    return take<ConsumerGroupDescription>(kMembers);
  }

  std::vector<Member> members_;
  std::map<std::int32_t, std::size_t> owners_;
};

TEST_F(LargeConsumerGroup, ten_thousand_members_get_one_partition_each) {
  begin();
  join(kMembers);
  settle();
  EXPECT_EQ(owners_.size(), static_cast<std::size_t>(kPartitions));
  for (const Member& member : members_) ASSERT_EQ(member.owned.size(), 1u);
  machine_->check_invariants();
}

// However long they may wait for each other: no more of them than one step is to assign.
TEST_F(LargeConsumerGroup, a_thousand_members_that_join_an_empty_group_wait_for_no_more) {
  options_.consumer.join_pause = std::chrono::seconds(60);
  begin();
  for (std::size_t i = 0; i < 1'000; ++i) {
    EXPECT_TRUE(answers_.empty()) << "answered before number " << i;
    members_.push_back({.id = fmt::format("member-{:022}", i), .owned = {}});
    ask(i);
  }
  for (std::size_t i = 0; i < 1'000 && !HasFatalFailure(); ++i) learn(i, take<ConsumerHeartbeatResult>(i));
  for (const Member& member : members_) ASSERT_EQ(member.owned.size(), 10u);
  EXPECT_EQ(description().state, "Stable");
  machine_->check_invariants();
}

TEST_F(LargeConsumerGroup, when_all_vanish_the_group_is_empty_and_takes_in_whoever_comes) {
  begin();
  join(kMembers);
  advance(std::chrono::milliseconds(kSessionMs));
  EXPECT_EQ(description().state, "Empty");
  expect_nothing_left();
  members_.clear();
  owners_.clear();
  join(2);
  settle();
  EXPECT_EQ(members_[0].owned.size() + members_[1].owned.size(), static_cast<std::size_t>(kPartitions));
}

TEST_F(LargeConsumerGroup, members_that_come_within_the_pause_are_assigned_together) {
  options_.consumer.assign_at_once_max = 2;
  options_.consumer.assign_pause_per_member = std::chrono::milliseconds(100);
  begin();
  join(4);
  EXPECT_EQ(members_[2].epoch, 2);
  EXPECT_EQ(members_[3].owned.size(), 0u);
  EXPECT_EQ(description().state, "Assigning");
  EXPECT_EQ(description().epoch, 4);
  EXPECT_EQ(description().assignment_epoch, 2);
  advance(std::chrono::milliseconds(400));
  beat(0);
  EXPECT_EQ(description().assignment_epoch, 4);
  settle();
  for (const Member& member : members_) EXPECT_EQ(member.owned.size(), 2'500u);
}

// Many patterns that stand for many topics, which are looked up once each although every member that comes makes another epoch.
TEST_F(LargeConsumerGroup, patterns_of_many_members_are_looked_up_once_each) {
  constexpr std::size_t kPatterns = 160;
  for (int i = 0; i < 300; ++i) {
    TopicImage topic;
    topic.name = fmt::format("p{}", i);
    topic.id = Uuid::from_halves(2, static_cast<std::uint64_t>(i));
    topic.partitions.set(PartitionIndex{0}, PartitionImage{});
    image_.topics.set(std::move(topic));
  }
  begin();
  for (std::size_t i = 0; i < 2'000 && !HasFatalFailure(); ++i) {
    members_.push_back({.id = fmt::format("member-{:022}", i), .owned = {}, .pattern = fmt::format("p.*|x{}", i % kPatterns)});
    beat(i);
    ASSERT_EQ(members_[i].error, wire::ErrorCode::none);
    advance(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(patterns_asked_, kPatterns);
  EXPECT_EQ(description().members.size(), members_.size());
  machine_->check_invariants();
}

// A topic that comes while patterns are being looked up is found although the answer does not have it.
TEST_F(LargeConsumerGroup, a_topic_that_comes_while_patterns_are_looked_up_is_found_later) {
  begin();
  members_.push_back({.id = "m", .owned = {}, .pattern = "p.*"});
  beat(0);
  ASSERT_EQ(found_.size(), 1u);
  TopicImage topic;
  topic.name = "p1";
  topic.id = kTopicOfPattern;
  topic.partitions.set(PartitionIndex{0}, PartitionImage{});
  image_.topics.set(std::move(topic));
  step(TopicsChanged{{"p1"}, true});
  advance(std::chrono::milliseconds(1));
  EXPECT_EQ(patterns_asked_, 1u);
  advance(options_.consumer.pattern_pause);
  beat(0);
  EXPECT_EQ(patterns_asked_, 2u);
  answer_patterns();
  beat(0);
  EXPECT_EQ(description().members.at(0).target, (ConsumerAssignment{{kTopicOfPattern, {0}}}));
}

TEST_F(LargeConsumerGroup, one_more_than_its_largest_size_is_refused) {
  options_.consumer.size_max = 1'000;
  begin();
  join(1'000);
  members_.push_back({.id = "one-more", .owned = {}});
  beat(1'000);
  EXPECT_EQ(members_[1'000].error, wire::ErrorCode::group_max_size_reached);
  EXPECT_EQ(use_.members, 1'000u);
}

// ---- The classic protocol

class LargeClassicGroup : public LargeGroup {
 protected:
  LargeClassicGroup() { options_.session_timeout_max = std::chrono::minutes(30); }

  void join(std::size_t number) {
    wire::JoinGroupRequest request;
    request.group_id = "g";
    request.session_timeout_ms = kSessionMs;
    request.rebalance_timeout_ms = 60'000;
    request.member_id = ids_[number];
    request.protocol_type = "consumer";
    request.protocols.push_back({"range", wire::WireBytes(as_bytes(std::string_view("subscription")))});
    step(JoinGroup{.ticket = ticket(number),
                   .request = &request,
                   .version = 9,
                   .client_id = "client",
                   .client_host = "/127.0.0.1"});
  }
  // All ask for an id, then all join with it.
  void join_all(std::size_t count) {
    ids_.assign(count, "");
    for (std::size_t i = 0; i < count && !HasFatalFailure(); ++i) {
      join(i);
      const auto answer = take<JoinResult>(i);
      ASSERT_EQ(answer.error, wire::ErrorCode::member_id_required);
      ids_[i] = answer.member_id;
    }
    join_with_ids();
  }
  void join_with_ids() {
    for (std::size_t i = 0; i < ids_.size() && !HasFatalFailure(); ++i) join(i);
    for (int i = 0; i < 60 && !waiting_.empty(); ++i) advance(std::chrono::seconds(1));
    leader_.reset();
    for (std::size_t i = 0; i < ids_.size() && !HasFatalFailure(); ++i) {
      const auto answer = take<JoinResult>(i);
      ASSERT_EQ(answer.error, wire::ErrorCode::none);
      generation_ = answer.generation;
      if (answer.leader == ids_[i]) {
        leader_ = i;
        EXPECT_EQ(answer.members.size(), ids_.size());
      }
    }
    ASSERT_TRUE(leader_);
  }
  void sync(std::size_t number, const std::vector<wire::SyncGroupRequest::Assignment>& assignments) {
    wire::SyncGroupRequest request;
    request.group_id = "g";
    request.generation_id = generation_;
    request.member_id = ids_[number];
    request.assignments = assignments;
    step(SyncGroup{ticket(number), &request});
  }
  // The leader is the last. How many were answered with `error`.
  std::size_t sync_all(wire::ErrorCode error) {
    std::vector<wire::SyncGroupRequest::Assignment> assignments;
    for (const std::string& id : ids_) assignments.push_back({id, wire::WireBytes(as_bytes(std::string_view(id)))});
    for (std::size_t i = 0; i < ids_.size() && !HasFatalFailure(); ++i) {
      if (i != leader_) sync(i, {});
    }
    sync(*leader_, assignments);
    std::size_t count = 0;
    for (std::size_t i = 0; i < ids_.size() && !HasFatalFailure(); ++i) {
      const auto answer = take<SyncResult>(i);
      if (answer.error == error) ++count;
      if (answer.error == wire::ErrorCode::none) EXPECT_EQ(as_text(answer.assignment), ids_[i]);
    }
    return count;
  }
  void leave(std::size_t number) {
    step(LeaveGroup{.ticket = ticket(number), .group = "g", .members = {{ids_[number], {}}}});
    EXPECT_EQ(take<LeaveResult>(number).members.at(0), wire::ErrorCode::none);
  }
  std::string state() {
    step(DescribeGroup{ticket(kMembers), "g"});
    return take<GroupDescription>(kMembers).state;
  }

  std::vector<std::string> ids_;
  std::int32_t generation_ = 0;
  std::optional<std::size_t> leader_;
};

TEST_F(LargeClassicGroup, ten_thousand_members_are_all_assigned_where_the_log_takes_the_record) {
  options_.record_bytes_max = std::size_t{8} << 20;
  begin();
  join_all(kMembers);
  EXPECT_EQ(sync_all(wire::ErrorCode::none), kMembers);
  EXPECT_EQ(state(), "Stable");
  for (std::size_t i = 0; i < kMembers; ++i) {
    wire::HeartbeatRequest request;
    request.group_id = "g";
    request.generation_id = generation_;
    request.member_id = ids_[i];
    step(GroupHeartbeat{ticket(i), &request});
    ASSERT_EQ(take<HeartbeatResult>(i).error, wire::ErrorCode::none);
  }
  machine_->check_invariants();
}

// As Kafka: UNKNOWN_SERVER_ERROR for an assignment whose record the log does not take; with fewer members it goes on.
TEST_F(LargeClassicGroup, members_that_do_not_fit_one_record_are_told_so_and_the_rest_goes_on) {
  begin();
  join_all(kMembers);
  EXPECT_EQ(sync_all(wire::ErrorCode::unknown_server_error), kMembers);
  EXPECT_EQ(state(), "PreparingRebalance");
  for (; ids_.size() > 3'000; ids_.pop_back()) leave(ids_.size() - 1);
  join_with_ids();
  EXPECT_EQ(sync_all(wire::ErrorCode::none), ids_.size());
  EXPECT_EQ(state(), "Stable");
}

TEST_F(LargeClassicGroup, when_all_vanish_the_group_is_empty_and_takes_in_whoever_comes) {
  options_.record_bytes_max = std::size_t{8} << 20;
  begin();
  join_all(kMembers);
  EXPECT_EQ(sync_all(wire::ErrorCode::none), kMembers);
  advance(std::chrono::minutes(3));
  EXPECT_EQ(state(), "Empty");
  expect_nothing_left();
  join_all(2);
  EXPECT_EQ(sync_all(wire::ErrorCode::none), 2u);
}

TEST_F(LargeClassicGroup, one_more_than_its_largest_size_is_refused) {
  options_.group_size_max = 1'000;
  options_.record_bytes_max = std::size_t{8} << 20;
  begin();
  join_all(1'000);
  EXPECT_EQ(sync_all(wire::ErrorCode::none), 1'000u);
  ids_.emplace_back();
  join(1'000);
  EXPECT_EQ(take<JoinResult>(1'000).error, wire::ErrorCode::group_max_size_reached);
  EXPECT_EQ(use_.members, 1'000u);
}

}  // namespace
}  // namespace millrace::engine
