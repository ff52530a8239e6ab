// Groups at a whole broker: what is left of committed offsets when the power goes, and that nobody waits for a broker that ends.
#include <gtest/gtest.h>

#include <chrono>

#include "net/wire/find_coordinator.h"
#include "net/wire/join_group.h"
#include "net/wire/offset_commit.h"
#include "net/wire/offset_fetch.h"
#include "net/wire/produce.h"
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

  ErrorCode commit(std::string_view group, std::int64_t offset) {
    wire::OffsetCommitRequest request;
    request.group_id = group;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.partitions.push_back({.partition_index = 0, .committed_offset = offset});
    return ask(request, 8).message.topics.at(0).partitions.at(0).error_code;
  }

  // What the broker on `host` says was committed; waits while it loads.
  io::Task<std::int64_t> committed(std::string host, std::string_view group) {
    auto connection = co_await connect_to(std::move(host));
    wire::OffsetFetchRequest request;
    auto& asked = request.groups.emplace_back();
    asked.group_id = group;
    asked.topics.emplace().push_back({.name = "t", .topic_id = {}, .partition_indexes = {0}});
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

  io::Task<void> join_in_background() {
    gate_.spawn(join());
    co_await io::sleep_for(std::chrono::milliseconds(500));
    EXPECT_EQ(answers_, 0);
  }
  io::Task<void> join() {
    auto connection = co_await connect_to("again");
    wire::JoinGroupRequest request;
    request.group_id = "g";
    request.session_timeout_ms = 10'000;
    request.rebalance_timeout_ms = 3'600'000;
    request.protocol_type = "consumer";
    request.protocols.push_back({"range", {}});
    const auto answer = co_await connection->call(request, 3);
    // Told, or cut off: either way it knows.
    if (answer) EXPECT_EQ(answer->message.error_code, ErrorCode::not_coordinator);
    ++answers_;
    co_await connection->close();
  }
  io::Task<void> close_gate() { co_await gate_.close(); }

  io::Gate gate_;
  int answers_ = 0;
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
