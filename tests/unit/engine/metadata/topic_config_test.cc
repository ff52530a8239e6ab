#include "engine/metadata/topic_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(std::string_view name, std::string_view value) {
  const auto result = validate_topic_config(name, value);
  return result ? "accepted" : result.error().message;
}

// What Kafka 4.2's LogConfig.validate says to the same values.
TEST(TopicConfig, refuses_values_in_the_words_of_kafka) {
  EXPECT_EQ(refusal("retention.ms", "abc"),
            "Invalid value abc for configuration retention.ms: Not a number of type LONG");
  EXPECT_EQ(refusal("retention.ms", "-5"),
            "Invalid value -5 for configuration retention.ms: Value must be at least -1");
  EXPECT_EQ(refusal("preallocate", "maybe"),
            "Invalid value maybe for configuration preallocate: Expected value to be either true "
            "or false");
  EXPECT_EQ(refusal("min.cleanable.dirty.ratio", "1.5"),
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more "
            "than 1");
  EXPECT_EQ(refusal("segment.bytes", "99999999999"),
            "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT");
  EXPECT_EQ(refusal("segment.bytes", "3"),
            "Invalid value 3 for configuration segment.bytes: Value must be at least 1048576");
  EXPECT_EQ(refusal("compression.gzip.level", "0"),
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and "
            "9 or equal to -1");
  EXPECT_EQ(
      refusal("cleanup.policy", "x"),
      "Invalid value x for configuration cleanup.policy: String must be one of: compact, delete");
  EXPECT_EQ(refusal("compression.type", "foo"),
            "Invalid value foo for configuration compression.type: String must be one of: "
            "uncompressed, zstd, lz4, "
            "snappy, gzip, producer");
  EXPECT_EQ(refusal("foo", "1"), "Unknown topic config name: foo");
  EXPECT_EQ(refusal("retention.m", "1"), "Unknown topic config name: retention.m; did you mean retention.ms?");
  EXPECT_EQ(refusal("log.retention.ms", "1"), "Unknown topic config name: log.retention.ms; did you mean retention.ms?");
  EXPECT_THAT(
      refusal("leader.replication.throttled.replicas", "x"),
      HasSubstr("Invalid value [x] for configuration leader.replication.throttled.replicas"));
}

TEST(TopicConfig, accepts_what_kafka_accepts) {
  EXPECT_EQ(refusal("cleanup.policy", ""), "accepted");
  EXPECT_EQ(refusal("cleanup.policy", "compact"), "accepted");
  EXPECT_EQ(refusal("cleanup.policy", "compact,delete"), "accepted");
  EXPECT_EQ(refusal("preallocate", " TRUE "), "accepted");
  EXPECT_EQ(refusal("retention.ms", " 5 "), "accepted");
  EXPECT_EQ(refusal("retention.bytes", "-7"), "accepted");
  EXPECT_EQ(refusal("leader.replication.throttled.replicas", "*"), "accepted");
  EXPECT_EQ(refusal("follower.replication.throttled.replicas", "0:1, 1:2"), "accepted");
}

TEST(TopicConfig, refuses_what_millrace_does_not_serve_and_says_what_to_use) {
  EXPECT_THAT(refusal("remote.storage.enable", "true"), HasSubstr("not part of this version"));
  EXPECT_EQ(validate_topic_config("remote.storage.enable", "true").error().code, Errc::unsupported);
}

TEST(TopicConfig, refuses_compaction_lags_that_contradict_each_other) {
  const auto result =
      validate_topic_configs({{"min.compaction.lag.ms", "10"}, {"max.compaction.lag.ms", "5"}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message,
            "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)");
}

TEST(TopicConfig, every_default_satisfies_its_own_rule) {
  for (const TopicConfigRow& row : topic_config_rows()) {
    if (!row.definition.default_value) continue;
    EXPECT_EQ(refusal(row.definition.name, *row.definition.default_value), "accepted")
        << row.definition.name;
  }
}

TEST(TopicConfig, rows_are_ordered_by_name_so_that_they_can_be_searched) {
  EXPECT_TRUE(std::ranges::is_sorted(
      topic_config_rows(), {}, [](const TopicConfigRow& row) { return row.definition.name; }));
  for (const TopicConfigRow& row : topic_config_rows())
    EXPECT_EQ(find_topic_config(row.definition.name), &row);
  EXPECT_EQ(find_topic_config("retention"), nullptr);
}

TEST(TopicConfig, every_row_is_documented) {
  for (const TopicConfigRow& row : topic_config_rows())
    EXPECT_FALSE(row.definition.documentation.empty());
}

TEST(TopicConfig, a_topic_override_outweighs_the_broker_and_a_dynamic_setting_the_file) {
  const ConfigMap file{{"log.retention.hours", "2"}, {"millrace.durability", "replicated"}};
  const ConfigMap all_brokers{{"log.retention.ms", "7000"}};
  const ConfigMap topic{{"retention.ms", "1000"}};
  EXPECT_EQ(resolve_topic_config({.static_broker = &file})->retention_ms, 2 * 3'600'000);
  EXPECT_EQ(resolve_topic_config({.static_broker = &file})->durability, Durability::replicated);
  EXPECT_EQ(
      resolve_topic_config({.dynamic_default = &all_brokers, .static_broker = &file})->retention_ms,
      7000);
  EXPECT_EQ(resolve_topic_config(
                {.topic = &topic, .dynamic_default = &all_brokers, .static_broker = &file})
                ->retention_ms,
            1000);
}

TEST(TopicConfig, of_hours_minutes_and_ms_in_one_file_the_finest_holds) {
  const ConfigMap file{{"log.retention.hours", "2"}, {"log.retention.minutes", "3"}};
  EXPECT_EQ(resolve_topic_config({.static_broker = &file})->retention_ms, 180'000);
  const ConfigMap endless{{"log.retention.hours", "-1"}};
  EXPECT_EQ(resolve_topic_config({.static_broker = &endless})->retention_ms, -1);
}

TEST(TopicConfig, defaults_are_those_of_kafka_and_durability_is_fsync) {
  const TopicConfig config = *resolve_topic_config({});
  EXPECT_EQ(config.durability, Durability::fsync);
  EXPECT_EQ(config.retention_ms, 604'800'000);
  EXPECT_EQ(config.segment_bytes, 1'073'741'824);
  EXPECT_EQ(config.segment_ms, 604'800'000);
  EXPECT_EQ(config.message_bytes_max, 1'048'588);
  EXPECT_EQ(config.timestamp_after_ms_max, 3'600'000);
  EXPECT_EQ(config.min_insync_replicas, 1);
  EXPECT_TRUE(config.cleanup_delete);
  EXPECT_FALSE(config.cleanup_compact);
}

TEST(TopicConfig, a_codec_comes_with_its_level) {
  const ConfigMap topic{{"compression.type", "zstd"}, {"compression.zstd.level", "7"}};
  const TopicConfig config = *resolve_topic_config({.topic = &topic});
  EXPECT_EQ(config.compression, TopicCompression::zstd);
  EXPECT_EQ(config.zstd_level, 7);
  EXPECT_EQ(config.gzip_level, -1);
}

TEST(TopicConfig, internal_segment_bytes_outweighs_segment_bytes) {
  const ConfigMap topic{{"internal.segment.bytes", "4096"}, {"segment.bytes", "1048576"}};
  EXPECT_EQ(resolve_topic_config({.topic = &topic})->segment_bytes, 4096);
}

TEST(TopicConfig, describe_names_every_source_strongest_first) {
  const ConfigMap file{{"log.retention.hours", "2"}};
  const ConfigMap topic{{"retention.ms", "1000"}};
  const auto described = describe_topic_config({.topic = &topic, .static_broker = &file});
  const auto found = std::ranges::find(described, "retention.ms", &DescribedConfig::name);
  ASSERT_NE(found, described.end());
  EXPECT_EQ(found->value, "1000");
  EXPECT_EQ(found->source, ConfigSource::topic);
  EXPECT_THAT(
      found->synonyms,
      ElementsAre(ConfigSynonym{"retention.ms", "1000", ConfigSource::topic},
                  ConfigSynonym{"log.retention.hours", "2", ConfigSource::static_broker},
                  ConfigSynonym{"log.retention.hours", "168", ConfigSource::default_value}));
  EXPECT_EQ(std::ranges::find(described, "internal.segment.bytes", &DescribedConfig::name),
            described.end());
}

TEST(TopicConfig, describe_shows_the_value_in_the_units_of_the_topic) {
  const ConfigMap file{{"log.roll.hours", "1"}};
  const auto described = describe_topic_config({.static_broker = &file});
  const auto found = std::ranges::find(described, "segment.ms", &DescribedConfig::name);
  EXPECT_EQ(found->value, "3600000");
  EXPECT_EQ(found->source, ConfigSource::static_broker);
}

}  // namespace
}  // namespace millrace::engine
