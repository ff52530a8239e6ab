// A fetch that waits for records, and what ends its wait.
#include <gtest/gtest.h>

#include <chrono>
#include <limits>

#include "net/wire/fetch.h"
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

TEST_F(FetchWaitTest, fetches_that_fill_their_connection_end_with_their_client) {
  make_topic("t");
  run(fill_and_leave());
  EXPECT_EQ(node_.connections(), 0U);
}

}  // namespace
}  // namespace millrace::engine
