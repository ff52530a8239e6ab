// A disk that produce has filled up to the reserve: what is refused and what still works.
#include <gtest/gtest.h>

#include <optional>

#include "net/wire/create_topics.h"
#include "net/wire/delete_topics.h"
#include "net/wire/fetch.h"
#include "net/wire/produce.h"
#include "tests/sim/log_node.h"
#include "tests/unit/engine/api/broker_test.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

constexpr std::uint64_t kCapacity = std::uint64_t{20} << 20;
constexpr std::uint64_t kReserve = kCapacity / 20;
constexpr std::size_t kValueBytes = 20'000;

class DiskReserveTest : public BrokerTest {
 protected:
  DiskReserveTest() {
    disk_.set_capacity(kCapacity);
    make_topic("t");
    make_topic("other");
  }

  ErrorCode produce(std::string_view topic) {
    const auto batch = sim::make_batch({.values = {std::string(kValueBytes, 'x')}, .timestamp = world_.wall_now().ms});
    wire::ProduceRequest request;
    request.acks = 1;
    request.timeout_ms = 1000;
    request.topic_data.push_back({.name = topic, .partition_data = {{.index = 0, .records = ConstBytes(batch)}}});
    return ask(request, 9).message.responses.at(0).partition_responses.at(0).error_code;
  }
  // Gives the error that ended it.
  ErrorCode fill(std::string_view topic) {
    for (std::uint64_t i = 0; i < 2 * kCapacity / kValueBytes; ++i) {
      if (const ErrorCode error = produce(topic); error != ErrorCode::none) return error;
    }
    return ErrorCode::none;
  }
  ErrorCode create(std::string_view topic) {
    wire::CreateTopicsRequest request;
    request.timeout_ms = 1000;
    request.topics.push_back({.name = topic, .num_partitions = 1, .replication_factor = 1});
    return ask(request, 7).message.topics.at(0).error_code;
  }
  ErrorCode remove(std::string_view topic) {
    wire::DeleteTopicsRequest request;
    request.timeout_ms = 1000;
    request.topics.push_back({.name = topic});
    return ask(request, 6).message.responses.at(0).error_code;
  }
  void pass(Duration time) {
    run([](Duration slept) -> io::Task<void> { co_await io::sleep_for(slept); }(time));
  }
};

TEST_F(DiskReserveTest, produce_is_refused_while_the_reserve_is_still_free) {
  ASSERT_EQ(fill("t"), ErrorCode::kafka_storage_error);
  EXPECT_GE(disk_.free_bytes(), kReserve);
  EXPECT_LT(disk_.free_bytes(), 2 * kReserve);
  EXPECT_EQ(produce("other"), ErrorCode::kafka_storage_error) << "the mark is the disk's, not a partition's";
}

TEST_F(DiskReserveTest, topics_are_made_and_removed_below_the_mark_and_produce_works_again) {
  ASSERT_EQ(fill("t"), ErrorCode::kafka_storage_error);
  EXPECT_EQ(create("new"), ErrorCode::none);
  EXPECT_EQ(produce("new"), ErrorCode::kafka_storage_error);
  EXPECT_EQ(remove("t"), ErrorCode::none);
  pass(std::chrono::seconds(5));
  EXPECT_EQ(produce("new"), ErrorCode::none);
}

}  // namespace
}  // namespace millrace::engine
