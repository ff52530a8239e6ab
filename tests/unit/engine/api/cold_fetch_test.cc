// A fetch of what is no longer in memory.
#include <gtest/gtest.h>

#include "net/wire/fetch.h"
#include "net/wire/produce.h"
#include "tests/sim/log_node.h"
#include "tests/unit/engine/api/broker_test.h"

namespace millrace::engine {
namespace {

// Beyond the largest message, so that the first batch fits in any case.
constexpr std::int32_t kFetchBytes = 1'100'000;

class ColdFetchTest : public BrokerTest {
 protected:
  void produce(std::size_t value_bytes) {
    const auto batch = sim::make_batch({.values = {std::string(value_bytes, 'x')}, .timestamp = world_.wall_now().ms});
    wire::ProduceRequest request;
    request.acks = 1;
    request.timeout_ms = 1000;
    request.topic_data.push_back({.name = "t", .partition_data = {{.index = 0, .records = ConstBytes(batch)}}});
    const auto answer = ask(request, 9);
    ASSERT_EQ(answer.message.responses.at(0).partition_responses.at(0).error_code, wire::ErrorCode::none);
  }
  std::size_t fetched_bytes() {
    wire::FetchRequest request;
    request.max_bytes = 10'000'000;
    request.topics.push_back(
        {.topic = "t", .partitions = {{.partition = 0, .fetch_offset = 0, .partition_max_bytes = kFetchBytes}}});
    const auto answer = ask(request, 12);
    const auto& partition = answer.message.responses.at(0).partitions.at(0);
    EXPECT_EQ(partition.error_code, wire::ErrorCode::none);
    const auto& records = partition.records.here;
    return records ? records->size() : 0;
  }
};

TEST_F(ColdFetchTest, does_not_look_for_the_end_of_a_batch_on_the_disk) {
  make_topic("t");
  for (int i = 0; i < 5; ++i) produce(300'000);
  run([]() -> io::Task<void> { co_await io::sleep_for(std::chrono::seconds(1)); }());
  produce(100);  // in the next segment: only the youngest is known by heart
  disk_.faults.cold_one_in = 0;
  EXPECT_LT(fetched_bytes(), 1'000'000U);
  disk_.faults.cold_one_in = 1;
  EXPECT_EQ(fetched_bytes(), static_cast<std::size_t>(kFetchBytes));
}

}  // namespace
}  // namespace millrace::engine
