// Groups at a whole broker: what is left of committed offsets when the power goes, and that nobody waits for a broker that ends.
#include <gtest/gtest.h>

#include <chrono>
#include <limits>

#include "engine/api/coordinator_requests.h"
#include "engine/group/records.h"
#include "engine/log/format/batch_builder.h"
#include "net/wire/consumer_group_describe.h"
#include "net/wire/consumer_group_heartbeat.h"
#include "net/wire/delete_records.h"
#include "net/wire/delete_topics.h"
#include "net/wire/describe_groups.h"
#include "net/wire/find_coordinator.h"
#include "net/wire/join_group.h"
#include "net/wire/offset_commit.h"
#include "net/wire/offset_delete.h"
#include "net/wire/offset_fetch.h"
#include "net/wire/produce.h"
#include "net/wire/sync_group.h"
#include "tests/unit/engine/api/broker_test.h"

namespace millrace::engine {
namespace {

using std::chrono::seconds;
using wire::ErrorCode;

class GroupsTest : public BrokerTest {
 protected:
  io::Task<std::unique_ptr<net::ClientConnection>> connect_to(std::string host) {
    auto stream = co_await stack_.connect({.host = std::move(host), .port = sim::kNodePort});
    CHECK(stream.has_value(), "{}", stream.error().message);
    co_return std::make_unique<net::ClientConnection>(std::move(*stream), net::ClientOptions{});
  }

  ErrorCode find_coordinator(std::string_view group) {
    wire::FindCoordinatorRequest request;
    request.coordinator_keys.push_back(group);
    const auto answer = ask(request, 4);
    const auto& said = answer.message.coordinators.at(0);
    if (said.error_code == ErrorCode::none) {
      EXPECT_EQ(said.host, "node");
      EXPECT_EQ(said.port, sim::kNodePort);
    }
    return said.error_code;
  }

  ErrorCode commit(std::string_view group, std::int64_t offset, std::string_view name = "t") {
    wire::OffsetCommitRequest request;
    request.group_id = group;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.partitions.push_back({.partition_index = 0, .committed_offset = offset});
    return ask(request, 8).message.topics.at(0).partitions.at(0).error_code;
  }

  // What the broker on `host` says was committed; waits while it loads.
  io::Task<std::int64_t> committed(std::string host, std::string_view group, std::string_view name = "t") {
    auto connection = co_await connect_to(std::move(host));
    wire::OffsetFetchRequest request;
    auto& asked = request.groups.emplace_back();
    asked.group_id = group;
    asked.topics.emplace().push_back({.name = name, .topic_id = {}, .partition_indexes = {0}});
    std::int64_t found = -2;
    for (int attempt = 0; attempt < 50 && found == -2; ++attempt) {
      const auto answer = co_await connection->call(request, 8);
      CHECK(answer.has_value());
      const auto& said = answer->message.groups.at(0);
      if (said.error_code == ErrorCode::none) {
        found = said.topics.at(0).partitions.at(0).committed_offset;
      } else {
        EXPECT_EQ(said.error_code, ErrorCode::coordinator_load_in_progress);
        co_await io::sleep_for(std::chrono::milliseconds(20));
      }
    }
    co_await connection->close();
    co_return found;
  }

  void remove_topic(std::string_view name) {
    wire::DeleteTopicsRequest request;
    request.timeout_ms = 1000;
    request.topics.push_back({.name = name});
    ASSERT_EQ(ask(request, 6).message.responses.at(0).error_code, ErrorCode::none);
  }

  // A record that the coordinator of `group` finds at its next start.
  void write_for_coordinator(std::string_view group, ConstBytes key, ConstBytes value) {
    log::BatchBuilder builder;
    builder.append(world_.wall_now().ms, key, value);
    const Bytes batch = builder.finish();
    node_.run(append_for_coordinator(group, {batch.begin(), batch.end()}));
  }
  io::Task<void> append_for_coordinator(std::string_view group, std::vector<std::byte> batch) {
    Broker& broker = node_.broker();
    const auto id = offsets_partition(*broker.image(), group);
    const ShardId owner = shard_of(*id, broker.shards().count());
    co_await broker.shards().call(
        owner, [&]() -> io::Task<void> { return append_here(broker.at(owner), *id, batch); });
  }
  io::Task<void> append_here(BrokerShard& owner, TopicPartition id, Bytes batch) {
    const auto appended = co_await owner.find(id)->append(batch, io::Reactor::current().wall_now(), true);
    CHECK(appended.has_value(), "{}", appended.error().message);
  }

  // What an OffsetFetch of the group is answered with, after the load that it finds under way.
  io::Task<ErrorCode> error_of_fetch(std::string host, std::string_view group, int attempts) {
    auto connection = co_await connect_to(std::move(host));
    wire::OffsetFetchRequest request;
    request.groups.emplace_back().group_id = group;
    ErrorCode error = ErrorCode::coordinator_load_in_progress;
    for (int i = 0; i < attempts && error == ErrorCode::coordinator_load_in_progress; ++i) {
      const auto answer = co_await connection->call(request, 8);
      CHECK(answer.has_value());
      error = answer->message.groups.at(0).error_code;
      co_await io::sleep_for(std::chrono::milliseconds(20));
    }
    co_await connection->close();
    co_return error;
  }
  static io::Task<void> pass(Duration time) { co_await io::sleep_for(time); }

  // Joins as the first member of a group, and goes before the wait for others is over.
  io::Task<void> join_and_leave() {
    auto connection = co_await connect();
    io::Gate gate;
    gate.spawn(join_on(*connection));
    co_await io::sleep_for(std::chrono::milliseconds(500));
    EXPECT_EQ(node_.connections(), 1U);
    connection->shutdown();
    co_await gate.close();
    co_await connection->close();
    co_await io::sleep_for(std::chrono::milliseconds(1500));
    EXPECT_EQ(node_.connections(), 0U);
  }
  static wire::JoinGroupRequest first_join() {
    wire::JoinGroupRequest request;
    request.group_id = "g";
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 3'600'000;
    request.protocol_type = "consumer";
    request.protocols.push_back({"range", {}});
    return request;
  }
  static io::Task<void> join_on(net::ClientConnection& connection) {
    const auto answer = co_await connection.call(first_join(), 3);
    EXPECT_FALSE(answer.has_value());
  }

  io::Task<void> join_in_background() {
    gate_.spawn(join());
    co_await io::sleep_for(std::chrono::milliseconds(500));
    EXPECT_EQ(answers_, 0);
  }
  io::Task<void> join() {
    auto connection = co_await connect_to("again");
    const auto answer = co_await connection->call(first_join(), 3);
    // Told, or cut off: either way it knows.
    if (answer) EXPECT_EQ(answer->message.error_code, ErrorCode::not_coordinator);
    ++answers_;
    co_await connection->close();
  }
  io::Task<void> close_gate() { co_await gate_.close(); }

  // Joins as a member of the consumer protocol and notes what it is told.
  io::Task<void> subscribe(std::string member) {
    auto connection = co_await connect();
    wire::ConsumerGroupHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.rebalance_timeout_ms = 60'000;
    request.subscribed_topic_names.emplace(1, "t");
    request.topic_partitions.emplace();
    const auto answer = co_await connection->call(request, 1);
    CHECK(answer.has_value(), "{}", answer.error().message);
    EXPECT_EQ(answer->message.error_code, ErrorCode::none);
    epochs_.push_back(answer->message.member_epoch);
    if (answer->message.assignment) {
      for (const auto& topic : answer->message.assignment->topic_partitions) given_ += topic.partitions.size();
    }
    co_await connection->close();
  }
  io::Task<void> subscribe_three() {
    for (const char* member : {"a", "b", "c"}) gate_.spawn(subscribe(member));
    co_await gate_.close();
  }

  io::Gate gate_;
  int answers_ = 0;
  std::vector<std::int32_t> epochs_;
  std::size_t given_ = 0;
};

TEST_F(GroupsTest, a_committed_offset_survives_the_end_of_the_power) {
  make_topic("t");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  EXPECT_EQ(run(committed("node", "g")), -1);
  Prng random(7);
  for (const std::int64_t offset : {3, 9, 27}) {
    ASSERT_EQ(commit("g", offset), ErrorCode::none);
    const auto image = disk_.power_cut(random);
    sim::BrokerNode again(world_, network_, *image,
                          {.shards = 3, .host = "again", .name = "again", .seed = 2});
    ASSERT_TRUE(again.start());
    EXPECT_EQ(run(committed("again", "g")), offset);
    ASSERT_TRUE(again.stop());
  }
}

TEST_F(GroupsTest, a_member_that_waits_is_told_when_the_broker_stops) {
  make_topic("t");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  Prng random(7);
  const auto image = disk_.process_kill(random);
  sim::BrokerNode again(world_, network_, *image,
                        {.shards = 2, .host = "again", .name = "again", .seed = 2});
  ASSERT_TRUE(again.start());
  (void)run(committed("again", "g"));  // it has loaded
  run(join_in_background());
  ASSERT_TRUE(again.stop());
  run(close_gate());
  EXPECT_EQ(answers_, 1);
}

TEST_F(GroupsTest, a_member_whose_client_has_gone_is_kept_and_its_connection_is_not) {
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  (void)run(committed("node", "g"));  // it has loaded
  run(join_and_leave());
  wire::DescribeGroupsRequest request;
  request.groups.push_back("g");
  const auto answer = ask(request, 5);
  EXPECT_EQ(answer.message.groups.at(0).group_state, "PreparingRebalance");
  EXPECT_EQ(answer.message.groups.at(0).members.size(), 1U);
}

TEST_F(GroupsTest, members_that_join_at_once_are_all_answered_when_they_have_been_assigned_together) {
  make_topic("t");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  (void)run(committed("node", "g"));  // it has loaded
  run(subscribe_three());
  EXPECT_EQ(epochs_, (std::vector<std::int32_t>{3, 3, 3}));
  EXPECT_EQ(given_, node_.broker().image()->topics.find("t")->partitions.size());
}

TEST_F(GroupsTest, a_topic_made_again_under_its_name_has_no_committed_offsets) {
  make_topic("t");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  EXPECT_EQ(run(committed("node", "g")), -1);
  EXPECT_EQ(run(committed("node", "other")), -1);
  ASSERT_EQ(commit("g", 5), ErrorCode::none);
  ASSERT_EQ(commit("other", 6), ErrorCode::none);
  remove_topic("t");
  make_topic("t");
  EXPECT_EQ(run(committed("node", "g")), -1);
  EXPECT_EQ(run(committed("node", "other")), -1);
  ASSERT_EQ(commit("g", 2), ErrorCode::none);
  EXPECT_EQ(run(committed("node", "g")), 2);
}

// Else a crash could bring them back for another topic of the name, which is in another log.
TEST_F(GroupsTest, a_removal_is_answered_when_no_crash_brings_the_topics_offsets_back) {
  make_topic("t");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  EXPECT_EQ(run(committed("node", "g")), -1);
  Broker& broker = node_.broker();
  const auto id = offsets_partition(*broker.image(), "g");
  const auto partition = broker.at(shard_of(*id, broker.shards().count())).find(*id);
  for (std::int64_t round = 1; round <= 12; ++round) {
    ASSERT_EQ(commit("g", round), ErrorCode::none);
    remove_topic("t");
    EXPECT_EQ(partition->log()->end_offset(), Offset(2 * round));
    EXPECT_EQ(partition->state().high_watermark, Offset(2 * round));
    make_topic("t");
  }
}

TEST_F(GroupsTest, a_topic_removed_while_the_disk_takes_nothing_loses_its_offsets_when_there_is_room) {
  make_topic("t");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  EXPECT_EQ(run(committed("node", "g")), -1);
  ASSERT_EQ(commit("g", 5), ErrorCode::none);
  const std::uint64_t capacity = disk_.capacity();
  disk_.set_capacity((capacity - disk_.free_bytes()) * 100 / 97);
  run(pass(seconds(2)));  // the broker has looked how much is free
  remove_topic("t");
  make_topic("t");
  EXPECT_EQ(run(error_of_fetch("node", "g", 50)), ErrorCode::coordinator_not_available);
  EXPECT_EQ(commit("g", 2), ErrorCode::coordinator_not_available);
  disk_.set_capacity(capacity);
  run(pass(seconds(11)));
  EXPECT_EQ(run(committed("node", "g")), -1);
  ASSERT_EQ(commit("g", 2), ErrorCode::none);
  EXPECT_EQ(run(committed("node", "g")), 2);
}

TEST_F(GroupsTest, a_crash_before_there_is_room_brings_no_offsets_back_for_the_next_topic_of_the_name) {
  make_topic("t");
  make_topic("stays");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  EXPECT_EQ(run(committed("node", "g")), -1);
  ASSERT_EQ(commit("g", 5), ErrorCode::none);
  ASSERT_EQ(commit("g", 6, "stays"), ErrorCode::none);
  const std::uint64_t capacity = disk_.capacity();
  disk_.set_capacity((capacity - disk_.free_bytes()) * 100 / 97);
  run(pass(seconds(2)));  // the broker has looked how much is free
  remove_topic("t");
  make_topic("t");
  EXPECT_EQ(run(error_of_fetch("node", "g", 50)), ErrorCode::coordinator_not_available);
  Prng random(7);
  const auto image = disk_.power_cut(random);
  image->set_capacity(capacity);
  sim::BrokerNode again(world_, network_, *image, {.shards = 2, .host = "again", .name = "again", .seed = 2});
  ASSERT_TRUE(again.start());
  EXPECT_EQ(run(committed("again", "g")), -1);
  EXPECT_EQ(run(committed("again", "g", "stays")), 6);
  ASSERT_TRUE(again.stop());
}

TEST_F(GroupsTest, what_was_committed_for_a_topic_that_is_not_there_at_the_start_is_dropped) {
  make_topic("t");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  EXPECT_EQ(run(committed("node", "g")), -1);
  ASSERT_EQ(commit("g", 3), ErrorCode::none);
  const auto left = offset_commit_record({.group = "g", .topic = "gone", .partition = 0},
                                         {.offset = 7, .metadata = {}, .commit_timestamp = world_.wall_now().ms});
  write_for_coordinator("g", left.key, *left.value);
  Prng random(7);
  const auto image = disk_.process_kill(random);
  sim::BrokerNode again(world_, network_, *image, {.shards = 2, .host = "again", .name = "again", .seed = 2});
  ASSERT_TRUE(again.start());
  EXPECT_EQ(run(committed("again", "g", "gone")), -1);
  EXPECT_EQ(run(committed("again", "g")), 3);
  ASSERT_TRUE(again.stop());
}

TEST_F(GroupsTest, a_coordinator_whose_log_cannot_be_read_says_so_and_does_not_read_it_for_everybody_who_asks) {
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  (void)run(committed("node", "g"));
  const std::vector<std::byte> no_key{std::byte{0}, std::byte{1}, std::byte{0xff}};
  write_for_coordinator("g", no_key, no_key);
  Prng random(7);
  const auto image = disk_.process_kill(random);
  sim::BrokerNode again(world_, network_, *image, {.shards = 2, .host = "again", .name = "again", .seed = 2});
  ASSERT_TRUE(again.start());
  EXPECT_EQ(run(error_of_fetch("again", "g", 50)), ErrorCode::coordinator_not_available);
  EXPECT_EQ(run(error_of_fetch("again", "g", 1)), ErrorCode::coordinator_not_available);
  run(pass(seconds(10)));
  EXPECT_EQ(run(error_of_fetch("again", "g", 1)), ErrorCode::coordinator_load_in_progress);
  ASSERT_TRUE(again.stop());
}

TEST_F(GroupsTest, a_commit_for_a_partition_that_there_is_not_is_refused) {
  make_topic("t");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  wire::OffsetCommitRequest request;
  request.group_id = "g";
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  topic.partitions.push_back({.partition_index = 1'000'000, .committed_offset = 5});
  const auto answer = ask(request, 8);
  EXPECT_EQ(answer.message.topics.at(0).partitions.at(0).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_F(GroupsTest, offsets_are_deleted_only_of_partitions_that_there_are) {
  make_topic("t");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  while (commit("g", 5) == ErrorCode::coordinator_load_in_progress) run(pass(std::chrono::milliseconds(10)));
  wire::OffsetDeleteRequest request;
  request.group_id = "g";
  request.topics.push_back({.name = "t", .partitions = {{-1}, {0}, {1'000'000}}});
  const auto answer = ask(request, 0);
  EXPECT_EQ(answer.message.error_code, ErrorCode::none);
  const auto& partitions = answer.message.topics.at(0).partitions;
  EXPECT_EQ(partitions.at(0).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(partitions.at(1).error_code, ErrorCode::none);
  EXPECT_EQ(partitions.at(2).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_F(GroupsTest, offsets_of_the_group_without_a_name_are_not_deleted) {
  make_topic("t");
  ASSERT_EQ(find_coordinator(""), ErrorCode::none);
  while (commit("", 5) == ErrorCode::coordinator_load_in_progress) run(pass(std::chrono::milliseconds(10)));
  wire::OffsetDeleteRequest request;
  request.topics.push_back({.name = "t", .partitions = {{0}}});
  EXPECT_EQ(ask(request, 0).message.error_code, ErrorCode::invalid_group_id);
}

TEST_F(GroupsTest, nothing_is_said_to_be_allowed_with_a_group_that_is_not_there) {
  make_topic("t");
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  while (commit("g", 5) == ErrorCode::coordinator_load_in_progress) run(pass(std::chrono::milliseconds(10)));
  wire::DescribeGroupsRequest classic;
  classic.groups = {"g", "nope"};
  classic.include_authorized_operations = true;
  const auto described = ask(classic, 6);
  EXPECT_NE(described.message.groups.at(0).authorized_operations, std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(described.message.groups.at(1).authorized_operations, std::numeric_limits<std::int32_t>::min());
  wire::ConsumerGroupDescribeRequest consumer;
  consumer.group_ids = {"nope", ""};
  consumer.include_authorized_operations = true;
  const auto consumers = ask(consumer, 0);
  EXPECT_EQ(consumers.message.groups.at(0).error_code, ErrorCode::group_id_not_found);
  EXPECT_EQ(consumers.message.groups.at(0).authorized_operations, std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(consumers.message.groups.at(1).error_code, ErrorCode::invalid_group_id);
}

TEST_F(GroupsTest, whoever_can_say_which_protocol_the_group_uses_has_to_when_it_syncs) {
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  wire::SyncGroupRequest request;
  request.group_id = "g";
  request.member_id = "nobody";
  while (ask(request, 4).message.error_code == ErrorCode::coordinator_load_in_progress) {
    run(pass(std::chrono::milliseconds(10)));
  }
  EXPECT_EQ(ask(request, 4).message.error_code, ErrorCode::unknown_member_id);
  EXPECT_EQ(ask(request, 5).message.error_code, ErrorCode::inconsistent_group_protocol);
  request.protocol_type = "consumer";
  EXPECT_EQ(ask(request, 5).message.error_code, ErrorCode::inconsistent_group_protocol);
  request.protocol_name = "range";
  EXPECT_EQ(ask(request, 5).message.error_code, ErrorCode::unknown_member_id);
}

TEST_F(GroupsTest, a_heartbeat_of_nothing_but_spaces_names_nobody) {
  ASSERT_EQ(find_coordinator(" "), ErrorCode::none);
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  wire::ConsumerGroupHeartbeatRequest request;
  request.group_id = " \t";
  request.member_id = "a";
  request.rebalance_timeout_ms = 1000;
  request.subscribed_topic_names.emplace();
  request.topic_partitions.emplace();
  const auto said = [&] { return std::string(ask(request, 1).message.error_message.value_or("")); };
  while (ask(request, 1).message.error_code == ErrorCode::coordinator_load_in_progress) {
    run(pass(std::chrono::milliseconds(10)));
  }
  EXPECT_EQ(said(), "GroupId can't be empty.");
  request.group_id = "g";
  request.member_id = " ";
  EXPECT_EQ(said(), "MemberId can't be empty.");
  request.member_id = "a";
  request.instance_id = " ";
  EXPECT_EQ(said(), "InstanceId can't be empty.");
  request.instance_id.reset();
  request.rack_id = " ";
  EXPECT_EQ(said(), "RackId can't be empty.");
}

TEST_F(GroupsTest, a_member_may_join_with_an_empty_pattern_and_no_topics) {
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  wire::ConsumerGroupHeartbeatRequest request;
  request.group_id = "g";
  request.member_id = "a";
  request.rebalance_timeout_ms = 1000;
  request.topic_partitions.emplace();
  request.subscribed_topic_regex = "";
  while (ask(request, 1).message.error_code == ErrorCode::coordinator_load_in_progress) {
    run(pass(std::chrono::milliseconds(10)));
  }
  EXPECT_EQ(ask(request, 1).message.error_code, ErrorCode::none);
}

TEST_F(GroupsTest, records_of_an_internal_topic_are_not_deleted_by_clients) {
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  wire::DeleteRecordsRequest request;
  request.timeout_ms = 1000;
  request.topics.push_back({.name = kOffsetsTopic, .partitions = {{.partition_index = 0, .offset = 0}}});
  EXPECT_EQ(ask(request, 2).message.topics.at(0).partitions.at(0).error_code, ErrorCode::invalid_topic_exception);
}

TEST_F(GroupsTest, without_the_offsets_topic_nobody_coordinates) {
  make_topic("t");
  EXPECT_EQ(commit("g", 1), ErrorCode::not_coordinator);
}

TEST_F(GroupsTest, transactions_have_no_coordinator) {
  wire::FindCoordinatorRequest request;
  request.key_type = 1;
  request.coordinator_keys.push_back("x");
  const auto answer = ask(request, 4);
  EXPECT_EQ(answer.message.coordinators.at(0).error_code, ErrorCode::coordinator_not_available);
}

TEST_F(GroupsTest, clients_cannot_write_what_the_coordinator_reads) {
  ASSERT_EQ(find_coordinator("g"), ErrorCode::none);
  const std::vector<std::byte> records(100);
  wire::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 1000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = "__consumer_offsets";
  topic.partition_data.push_back({.index = 0, .records = wire::WireBytes(ConstBytes(records))});
  const auto answer = ask(request, 9);
  EXPECT_EQ(answer.message.responses.at(0).partition_responses.at(0).error_code,
            ErrorCode::invalid_topic_exception);
}

}  // namespace
}  // namespace millrace::engine
