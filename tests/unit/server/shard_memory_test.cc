#include "server/shard_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

namespace millrace::server {
namespace {

using testing::HasSubstr;

Settings make(std::vector<std::pair<std::string, std::string>> values) {
  std::vector<SettingEntry> entries;
  for (auto& [name, value] : values) entries.push_back({name, value, "f"});
  return Settings::make(entries).value();
}

TEST(ShardMemory, every_number_of_shards_has_room_for_one_request_each) {
  for (const char* request : {"104857600", "300000000", "2147483647", "50"}) {
    const Settings settings = make({{"socket.request.max.bytes", request}});
    for (std::uint32_t shards = 1; shards <= 64; ++shards) {
      const auto bytes = request_bytes_per_shard(settings, shards);
      ASSERT_TRUE(bytes) << bytes.error().message;
      EXPECT_GE(*bytes, static_cast<std::uint64_t>(settings.number("socket.request.max.bytes"))) << shards << " shards";
      EXPECT_GE(*bytes * shards, (std::uint64_t{256} << 20) - shards);
    }
  }
}

TEST(ShardMemory, memory_that_was_set_is_divided_over_the_shards) {
  EXPECT_EQ(request_bytes_per_shard(make({{"millrace.memory.bytes", "1000000000"}}), 4).value(), 250000000U);
}

TEST(ShardMemory, memory_that_holds_no_request_is_refused_naming_both_keys) {
  for (const std::uint32_t shards : {1U, 3U, 64U}) {
    const auto refused = request_bytes_per_shard(make({{"millrace.memory.bytes", "1000000"}}), shards);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("millrace.memory.bytes=1000000"));
    EXPECT_THAT(refused.error().message, HasSubstr("socket.request.max.bytes=104857600"));
    EXPECT_THAT(refused.error().message, HasSubstr(std::to_string(104857600ULL * shards)));
  }
}

TEST(ShardMemory, the_least_memory_that_is_advised_is_enough) {
  for (const std::uint64_t shards : {1ULL, 3ULL, 64ULL}) {
    const auto enough = std::to_string(104857600ULL * shards);
    EXPECT_TRUE(request_bytes_per_shard(make({{"millrace.memory.bytes", enough}}), static_cast<std::uint32_t>(shards)));
  }
}

// The default where the process may use `count` cores.
std::uint32_t shards_on(int count, const char* durability) {
  cpu_set_t before;
  CPU_ZERO(&before);
  EXPECT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  cpu_set_t cut;
  CPU_ZERO(&cut);
  for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&cut) < count; ++core) {
    if (CPU_ISSET(core, &before)) CPU_SET(core, &cut);
  }
  EXPECT_EQ(::sched_setaffinity(0, sizeof cut, &cut), 0);
  const std::uint32_t shards = shard_count(make({{"millrace.durability", durability}}));
  EXPECT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
  return shards;
}

TEST(ShardCount, is_that_of_the_cores_but_one_on_two_where_answers_do_not_wait_for_the_disk) {
  cpu_set_t all;
  CPU_ZERO(&all);
  ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
  for (const int cores : {1, 2, 3}) {
    if (CPU_COUNT(&all) < cores) continue;
    EXPECT_EQ(shards_on(cores, "fsync"), static_cast<std::uint32_t>(cores));
    EXPECT_EQ(shards_on(cores, "replicated"), cores == 2 ? 1U : static_cast<std::uint32_t>(cores));
  }
  EXPECT_EQ(shard_count(make({{"millrace.shards", "5"}, {"millrace.durability", "replicated"}})), 5U);
}

}  // namespace
}  // namespace millrace::server
