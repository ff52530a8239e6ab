// What groups are kept within: the shard's room, and what the log takes as one record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/group/group_machine.h"

namespace millrace::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using wire::ErrorCode;

const std::vector<std::string_view> kReadsT{"t"};
const std::vector<wire::ConsumerGroupHeartbeatRequest::TopicPartitions> kOwnsNothing;

class GroupRoom : public ::testing::Test {
 protected:
  GroupRoom() {
    options_.consumer.join_pause = {};
    restart();
  }

  // The log is read by a new machine.
  void restart() {
    machine_.reset();
    EXPECT_EQ(use_.members + use_.offsets + use_.bytes, 0u) << "something is still counted";
    machine_ = std::make_unique<GroupMachine>(options_, use_, 7);
    for (const GroupRecord& record : log_) apply(record);
    step(ActivateGroups{});
  }
  void apply(const GroupRecord& record) {
    std::optional<ConstBytes> value;
    if (record.value) value = *record.value;
    ASSERT_TRUE(machine_->apply(record.key, value));
  }
  GroupAnswer step(GroupEvent event) {
    GroupEffects out;
    machine_->set_record_bytes_max(options_.record_bytes_max);
    machine_->step({std::move(event), WallTime{1'000'000}, &image_}, Instant(std::chrono::hours(1)), out);
    for (const GroupRecord& record : out.records) {
      EXPECT_LE(record.key.size() + (record.value ? record.value->size() : 0), options_.record_bytes_max);
      apply(record);
      log_.push_back(record);
    }
    for (const auto& unit : out.units) {
      std::size_t bytes = 0;
      for (std::size_t i = unit.begin; i < unit.end; ++i) {
        bytes += out.records[i].key.size() + (out.records[i].value ? out.records[i].value->size() : 0);
      }
      EXPECT_LE(bytes, options_.record_bytes_max) << "no batch takes it";
      ++units_;
    }
    machine_->check_invariants();
    return out.replies.empty() ? GroupAnswer{} : std::move(out.replies.back().answer);
  }
  std::vector<ErrorCode> commit(std::string_view group, std::vector<CommitOffsets::Commit> commits) {
    return std::get<CommitResult>(step(CommitOffsets{.ticket = Ticket{1},
                                                     .group = group,
                                                     .member_id = {},
                                                     .group_instance_id = {},
                                                     .version = 9,
                                                     .commits = std::move(commits)}))
        .errors;
  }
  ErrorCode commit(std::string_view group, std::int32_t partition, std::string_view metadata) {
    return commit(group, {{.at = {"t", partition}, .offset = 1, .metadata = metadata}}).front();
  }
  ErrorCode join(std::string_view group) {
    wire::JoinGroupRequest request;
    request.group_id = group;
    request.session_timeout_ms = 1'800'000;
    request.rebalance_timeout_ms = 1000;
    request.protocol_type = "consumer";
    request.protocols.push_back({.name = "range", .metadata = {}});
    return std::get<JoinResult>(
               step(JoinGroup{.ticket = Ticket{1}, .request = &request, .version = 5, .client_id = "c", .client_host = "h"}))
        .error;
  }
  ConsumerHeartbeatResult beat(std::string_view member, std::int32_t epoch = 0,
                               std::optional<std::string_view> pattern = std::nullopt) {
    wire::ConsumerGroupHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.member_epoch = epoch;
    if (epoch == 0) {
      request.rebalance_timeout_ms = 1000;
      request.topic_partitions = kOwnsNothing;
      if (pattern) {
        request.subscribed_topic_regex = *pattern;
      } else {
        request.subscribed_topic_names = kReadsT;
      }
    }
    return std::get<ConsumerHeartbeatResult>(step(ConsumerHeartbeat{
        .ticket = Ticket{1}, .request = &request, .version = 1, .client_id = "c", .client_host = "h"}));
  }
  void add_topic(std::string name, std::int32_t partitions) {
    TopicImage topic;
    topic.id = Uuid::from_halves(1, name.size());
    topic.name = std::move(name);
    for (std::int32_t i = 0; i < partitions; ++i) topic.partitions.set(PartitionIndex{i}, PartitionImage{});
    image_.topics.set(std::move(topic));
  }

  GroupOptions options_;
  GroupUse use_;
  MetadataImage image_;
  std::vector<GroupRecord> log_;
  std::size_t units_ = 0;  // records that belong together, which the log takes at once
  std::unique_ptr<GroupMachine> machine_;
};

TEST_F(GroupRoom, metadata_of_commits_takes_room_and_what_is_over_it_is_refused_with_a_warning) {
  use_.bytes_max = 1 << 20;
  const std::string metadata(4096, 'm');
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {
    const ErrorCode said = commit("g", i, metadata);
    if (said == ErrorCode::none) {
      ++taken;
      EXPECT_FALSE(machine_->take_warning());
    } else {
      EXPECT_EQ(said, ErrorCode::coordinator_not_available);
    }
  }
  EXPECT_GT(taken, 200);
  EXPECT_LT(taken, 256);
  EXPECT_LE(use_.bytes, use_.bytes_max);
  const auto warning = machine_->take_warning();
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->event, "groups.full");
  EXPECT_THAT(warning->text, HasSubstr("millrace.group.memory.bytes=1048576"));
  // Who commits further where it did needs no more room, and who commits less metadata gives some back.
  EXPECT_EQ(commit("g", 0, metadata), ErrorCode::none);
  EXPECT_EQ(commit("other", 0, metadata), ErrorCode::coordinator_not_available);
  EXPECT_EQ(commit("g", 0, ""), ErrorCode::none);
  EXPECT_EQ(commit("g", 1, ""), ErrorCode::none);
  EXPECT_EQ(commit("other", 0, metadata), ErrorCode::none);
}

TEST_F(GroupRoom, what_the_log_holds_is_loaded_though_it_is_over_the_room_and_only_more_is_refused) {
  const std::string metadata(4096, 'm');
  for (int i = 0; i < 100; ++i) ASSERT_EQ(commit("g", i, metadata), ErrorCode::none);
  use_.bytes_max = 100'000;
  restart();
  EXPECT_EQ(use_.offsets, 100u);
  EXPECT_GT(use_.bytes, use_.bytes_max);
  EXPECT_EQ(commit("g", 99, metadata), ErrorCode::none);
  EXPECT_EQ(commit("g", 100, ""), ErrorCode::coordinator_not_available);
  EXPECT_EQ(join("h"), ErrorCode::coordinator_not_available);
  step(DeleteGroup{.ticket = Ticket{1}, .group = "g"});
  EXPECT_EQ(use_.bytes, 0u);
  EXPECT_EQ(commit("g", 100, ""), ErrorCode::none);
}

TEST_F(GroupRoom, names_of_groups_that_nobody_comes_to_take_room) {
  use_.bytes_max = 10 << 20;
  const std::string name(32'000, 'g');
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {
    const ErrorCode said = join(name + std::to_string(i));
    if (said == ErrorCode::member_id_required) ++taken;
    else EXPECT_EQ(said, ErrorCode::coordinator_not_available);
  }
  EXPECT_GT(taken, 10);
  EXPECT_LT(taken, 100);
  EXPECT_LE(use_.bytes, use_.bytes_max);
  EXPECT_EQ(machine_->group_count(), static_cast<std::size_t>(taken));
}

TEST_F(GroupRoom, topics_of_a_pattern_take_room_for_as_long_as_a_member_uses_it) {
  add_topic("t", 2);
  ASSERT_EQ(beat("a", 0, "t.*").error, ErrorCode::none);
  const std::size_t before = use_.bytes;
  std::vector<std::string> topics;
  for (int i = 0; i < 1000; ++i) topics.push_back(fmt::format("t-{:0>95}", i));
  step(PatternsResolved{.group = "g", .topics = {{"t.*", topics}}, .version = 1});
  EXPECT_GE(use_.bytes, before + 97'000);
  // ... and what there is no room for is not taken in.
  use_.bytes_max = use_.bytes + 50'000;
  ASSERT_EQ(beat("b", 0, ".*").error, ErrorCode::none);
  const std::size_t with_b = use_.bytes;
  step(PatternsResolved{.group = "g", .topics = {{".*", topics}}, .version = 1});
  EXPECT_EQ(use_.bytes, with_b);
  const auto warning = machine_->take_warning();
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->event, "groups.full");
  beat("a", -1);
  EXPECT_LT(use_.bytes, before);
}

TEST_F(GroupRoom, a_commit_that_the_log_does_not_take_is_refused_alone) {
  options_.record_bytes_max = 1000;
  const std::string metadata(4000, 'm');
  const auto said = commit("g", {{.at = {"t", 0}, .offset = 5, .metadata = metadata},
                                 {.at = {"t", 1}, .offset = 6, .metadata = {}}});
  EXPECT_THAT(said, ElementsAre(ErrorCode::invalid_commit_offset_size, ErrorCode::none));
  EXPECT_EQ(use_.offsets, 1u);
  // The log's limit as it is now.
  options_.record_bytes_max = 5000;
  EXPECT_EQ(commit("g", 0, metadata), ErrorCode::none);
}

TEST_F(GroupRoom, a_member_that_says_more_than_a_record_takes_is_told_so) {
  add_topic("t", 2);
  options_.record_bytes_max = 60;
  const auto said = beat(std::string(100, 'a'));
  EXPECT_EQ(said.error, ErrorCode::unknown_server_error);
  EXPECT_THAT(said.message, HasSubstr("max.message.bytes"));
  EXPECT_EQ(use_.bytes, 0u);
}

TEST_F(GroupRoom, who_joins_a_group_that_cannot_be_assigned_is_told_why_and_the_others_keep_what_they_have) {
  add_topic("t", 3);
  ASSERT_EQ(beat("a").error, ErrorCode::none);
  add_topic("t", 200'001);
  const auto said = beat("b");
  EXPECT_EQ(said.error, ErrorCode::unknown_server_error);
  EXPECT_THAT(said.message, HasSubstr("200001 partitions, more than 200000"));
  const auto warning = machine_->take_warning();
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->event, "groups.assign");
  EXPECT_EQ(use_.members, 1u);
  EXPECT_EQ(beat("a", 1).error, ErrorCode::none);
}

TEST_F(GroupRoom, a_target_that_is_more_than_a_record_is_said_to_who_joins) {
  add_topic("t", 1000);
  options_.record_bytes_max = 2000;
  const auto said = beat("a");
  EXPECT_EQ(said.error, ErrorCode::unknown_server_error);
  EXPECT_THAT(said.message, HasSubstr("member a is to have 1000 partitions, more than max.message.bytes"));
  EXPECT_EQ(use_.members, 0u);
}

// What is too large for the log would cost all groups of the partition their coordinator.
TEST_F(GroupRoom, a_group_moves_to_the_consumer_protocol_only_where_the_log_takes_all_of_it_at_once) {
  options_.initial_rebalance_delay = Duration{};
  restart();
  add_topic("t", 1);
  const std::string group(3000, 'g');
  const std::string subscription("\0\0\0\0\0\1\0\1t\xff\xff\xff\xff", 13);
  wire::JoinGroupRequest join;
  join.group_id = group;
  join.group_instance_id = "i";
  join.session_timeout_ms = 1'800'000;
  join.rebalance_timeout_ms = 1000;
  join.protocol_type = "consumer";
  join.protocols.push_back({.name = "range", .metadata = as_bytes(std::string_view(subscription))});
  step(JoinGroup{.ticket = Ticket{1}, .request = &join, .version = 5, .client_id = "c", .client_host = "h"});
  const auto joined = std::get<JoinResult>(step(GroupTick{}));
  ASSERT_EQ(joined.error, ErrorCode::none);
  wire::SyncGroupRequest sync;
  sync.group_id = group;
  sync.generation_id = joined.generation;
  sync.member_id = joined.member_id;
  sync.group_instance_id = "i";
  ASSERT_EQ(std::get<SyncResult>(step(SyncGroup{Ticket{1}, &sync})).error, ErrorCode::none);
  wire::ConsumerGroupHeartbeatRequest beat;
  beat.group_id = group;
  beat.member_id = "m";
  beat.rebalance_timeout_ms = 1000;
  beat.topic_partitions = kOwnsNothing;
  beat.subscribed_topic_names = kReadsT;
  // Five records that name the group, and its tombstone.
  for (options_.record_bytes_max = 4 * group.size(); units_ == 0; options_.record_bytes_max += 100) {
    ASSERT_LT(options_.record_bytes_max, 9 * group.size()) << "it never moves";
    step(ConsumerHeartbeat{.ticket = Ticket{1}, .request = &beat, .version = 1, .client_id = "c", .client_host = "h"});
  }
  EXPECT_GT(options_.record_bytes_max, 6 * group.size());
}

}  // namespace
}  // namespace millrace::engine
