// A fetch that waits for records, and what ends its wait.
#include <gtest/gtest.h>

#include <chrono>
#include <limits>

#include "net/wire/fetch.h"
#include "net/wire/produce.h"
#include "tests/sim/log_node.h"
#include "tests/unit/engine/api/broker_test.h"

namespace millrace::engine {
namespace {

using std::chrono::seconds;
using wire::FetchRequest;

constexpr std::int16_t kFetchVersion = 12;

// Of both partitions of a topic, so that with two shards more than one may be asked.
FetchRequest endless_fetch(std::string_view topic, std::int32_t partitions) {
  FetchRequest request;
  request.max_wait_ms = std::numeric_limits<std::int32_t>::max();
  request.min_bytes = 1;
  request.max_bytes = 1 << 20;
  auto& asked = request.topics.emplace_back();
  asked.topic = topic;
  for (std::int32_t i = 0; i < partitions; ++i) {
    asked.partitions.push_back({.partition = i, .fetch_offset = 0, .partition_max_bytes = 1 << 20});
  }
  return request;
}

class FetchWaitTest : public BrokerTest {
 protected:
  // Sends a fetch that nothing ends but its client, and goes.
  io::Task<void> fetch_and_leave(std::int32_t partitions) {
    auto connection = co_await connect();
    io::Gate gate;
    gate.spawn(fetch(*connection, partitions));
    co_await io::sleep_for(seconds(5));
    EXPECT_EQ(answered_, 0);
    EXPECT_EQ(node_.connections(), 1U);
    connection->shutdown();
    co_await gate.close();
    co_await connection->close();
    co_await io::sleep_for(seconds(2));
  }

  io::Task<void> fetch(net::ClientConnection& connection, std::int32_t partitions) {
    const auto answer = co_await connection.call(endless_fetch("t", partitions), kFetchVersion);
    if (answer) ++answered_;
  }

  // More fetches than a connection may have in flight, so that the broker does not read and cannot meet the end of the stream.
  io::Task<void> fill_and_leave() {
    constexpr int kFetches = 200;
    auto connection = co_await connect();
    io::Gate gate;
    for (int i = 0; i < kFetches; ++i) gate.spawn(fetch(*connection, 1));
    co_await io::sleep_for(seconds(5));
    EXPECT_EQ(node_.connections(), 1U);
    connection->shutdown();
    co_await gate.close();
    co_await connection->close();
    co_await io::sleep_for(seconds(10));
  }

  void produce() {
    const auto batch = sim::make_batch({.values = {std::string(100, 'x')}, .timestamp = world_.wall_now().ms});
    wire::ProduceRequest request;
    request.acks = 1;
    request.timeout_ms = 1000;
    request.topic_data.push_back({.name = "t", .partition_data = {{.index = 0, .records = ConstBytes(batch)}}});
    const auto answer = ask(request, 9);
    ASSERT_EQ(answer.message.responses.at(0).partition_responses.at(0).error_code, wire::ErrorCode::none);
  }
  // How long the answer took.
  Duration time(const FetchRequest& request, net::Answer<wire::FetchResponse>& answer) {
    const Instant asked = world_.now();
    answer = ask(request, kFetchVersion);
    return world_.now() - asked;
  }

  int answered_ = 0;
};

TEST_F(FetchWaitTest, ends_with_its_client_on_one_shard) {
  make_topic("t");
  run(fetch_and_leave(1));
  EXPECT_EQ(node_.connections(), 0U);
  EXPECT_EQ(answered_, 0);
}

TEST_F(FetchWaitTest, ends_with_its_client_on_several_shards) {
  make_topic("t");
  run(fetch_and_leave(2));
  EXPECT_EQ(node_.connections(), 0U);
}

TEST_F(FetchWaitTest, what_is_left_of_an_older_segment_is_given_at_once_however_much_was_wanted) {
  make_topic("t");
  produce();
  run([]() -> io::Task<void> { co_await io::sleep_for(seconds(1)); }());
  produce();  // in the next segment
  FetchRequest request = endless_fetch("t", 1);
  request.max_wait_ms = 60'000;
  request.min_bytes = 100'000;
  net::Answer<wire::FetchResponse> answer;
  EXPECT_LT(time(request, answer), seconds(1));
  EXPECT_GT(answer.message.responses.at(0).partitions.at(0).records.here->size(), 100U);
  // The youngest one may still grow.
  request.topics.at(0).partitions.at(0).fetch_offset = 1;
  EXPECT_GE(time(request, answer), seconds(60));
}

TEST_F(FetchWaitTest, a_topic_there_is_not_does_not_end_the_wait_for_one_there_is) {
  make_topic("t");
  FetchRequest request = endless_fetch("t", 1);
  request.max_wait_ms = 5'000;
  request.topics.push_back({.topic = "missing", .partitions = {{.partition = 0, .partition_max_bytes = 1 << 20}}});
  net::Answer<wire::FetchResponse> answer;
  EXPECT_GE(time(request, answer), seconds(5));
  EXPECT_EQ(answer.message.responses.at(1).partitions.at(0).error_code, wire::ErrorCode::unknown_topic_or_partition);
  request.topics.erase(request.topics.begin());
  EXPECT_LT(time(request, answer), seconds(1)) << "nothing can come of it";
  // A name that no topic has is none either, and not an id.
  request.topics.at(0).topic = "";
  EXPECT_LT(time(request, answer), seconds(1));
  EXPECT_EQ(answer.message.responses.at(0).partitions.at(0).error_code, wire::ErrorCode::unknown_topic_or_partition);
}

TEST_F(FetchWaitTest, fetches_that_fill_their_connection_end_with_their_client) {
  make_topic("t");
  run(fill_and_leave());
  EXPECT_EQ(node_.connections(), 0U);
}

}  // namespace
}  // namespace millrace::engine
