// From configurations to what logs and their cleaner are told.
#include "engine/partition/log_config.h"

#include <gtest/gtest.h>

#include <limits>

namespace millrace::engine {
namespace {

TEST(LogConfig, a_topic_may_be_compacted_and_deleted_from) {
  const ConfigMap overrides{{"cleanup.policy", "compact,delete"},
                            {"min.cleanable.dirty.ratio", "0.25"},
                            {"min.compaction.lag.ms", "7"},
                            {"max.compaction.lag.ms", "70"},
                            {"delete.retention.ms", "700"}};
  const auto config = resolve_topic_config({.topic = &overrides});
  ASSERT_TRUE(config);
  const auto options = to_log_options(*config, 1);
  EXPECT_TRUE(options.compacts);
  EXPECT_TRUE(options.deletes);
  EXPECT_TRUE(options.accept.compacted);
  EXPECT_EQ(options.dirty_ratio_min, 0.25);
  EXPECT_EQ(options.compaction_lag_min_ms, 7);
  EXPECT_EQ(options.compaction_lag_max_ms, 70);
  EXPECT_EQ(options.delete_retention_ms, 700);
}

TEST(LogConfig, a_topic_is_not_compacted_unless_it_says_so) {
  const auto config = resolve_topic_config({});
  ASSERT_TRUE(config);
  EXPECT_FALSE(to_log_options(*config, 1).compacts);
}

TEST(LogConfig, the_cleaner_has_kafkas_defaults) {
  const auto options = to_cleaner_options({}, 1, 3);
  EXPECT_TRUE(options.enabled);
  EXPECT_EQ(options.map_bytes_max, std::uint64_t{128} << 20);
  EXPECT_EQ(options.map_load_max, 0.9);
  EXPECT_EQ(options.bytes_per_second_max, std::numeric_limits<double>::max());
  EXPECT_EQ(options.backoff, std::chrono::seconds(15));
  EXPECT_EQ(options.seed, 3U);
}

TEST(LogConfig, shards_share_the_cleaners_memory) {
  const ConfigMap settings{{"log.cleaner.dedupe.buffer.size", "4194304"}};
  EXPECT_EQ(to_cleaner_options({.static_broker = &settings}, 4, 0).map_bytes_max, std::uint64_t{1} << 20);
}

TEST(LogConfig, shards_share_the_cleaners_rate) {
  const ConfigMap settings{{"log.cleaner.io.max.bytes.per.second", "4e6"}};
  EXPECT_EQ(to_cleaner_options({.static_broker = &settings}, 4, 0).bytes_per_second_max, 1e6);
}

TEST(LogConfig, what_is_changed_while_the_broker_runs_holds_before_what_its_file_says) {
  const ConfigMap file{{"log.cleaner.backoff.ms", " 100 "}, {"log.cleaner.io.max.bytes.per.second", "1e6"},
                       {"log.cleaner.enable", "FALSE"}};
  const ConfigMap changed{{"log.cleaner.io.max.bytes.per.second", "2500000.5"}};
  const auto options = to_cleaner_options({.dynamic_default = &changed, .static_broker = &file}, 1, 0);
  EXPECT_FALSE(options.enabled);
  EXPECT_EQ(options.backoff, std::chrono::milliseconds(100));
  EXPECT_EQ(options.bytes_per_second_max, 2500000.5);
}

TEST(LogConfig, what_is_set_while_it_runs_says_when_producers_are_forgotten) {
  const ConfigMap file{{"producer.id.expiration.ms", " 5000 "}};
  const ConfigMap changed{{"producer.id.expiration.ms", "100"}};
  EXPECT_EQ(producer_id_expiration_ms({}), 86'400'000);
  EXPECT_EQ(producer_id_expiration_ms({.static_broker = &file}), 5000);
  EXPECT_EQ(producer_id_expiration_ms({.dynamic_default = &changed, .static_broker = &file}), 100);
}

}  // namespace
}  // namespace millrace::engine
