// The configurations of a topic: one table of all that Kafka 4.2 knows and Millrace's own, and what
// they come to for a topic, given its overrides and the broker's settings.
//
// Pure. To add a configuration, add its row in topic_config.cc and, if code asks for it, a field of
// TopicConfig.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/metadata/config_definition.h"

namespace millrace::engine {

// When an acknowledgement may be given: once the batch is on disk, or, as Kafka promises, once
// every in-sync replica has it in memory.
enum class Durability : std::uint8_t { fsync, replicated };
enum class TimestampType : std::uint8_t { create_time, log_append_time };
enum class TopicCompression : std::uint8_t { producer, uncompressed, gzip, snappy, lz4, zstd };

// The configurations of a topic as values. Milliseconds and not Duration: Kafka's "never" is the
// largest 64-bit number of milliseconds. -1 means no limit where Kafka says so.
struct TopicConfig {
  Durability durability = Durability::fsync;
  bool cleanup_delete = true;
  bool cleanup_compact = false;
  TopicCompression compression = TopicCompression::producer;
  std::int64_t gzip_level = -1;  // the codec's own default
  std::int64_t lz4_level = 9;
  std::int64_t zstd_level = 3;
  TimestampType timestamp_type = TimestampType::create_time;
  std::int64_t timestamp_before_ms_max = 0;
  std::int64_t timestamp_after_ms_max = 0;
  std::int64_t message_bytes_max = 0;  // of one record batch, as it arrives
  std::int64_t min_insync_replicas = 1;
  std::int64_t retention_ms = -1;
  std::int64_t retention_bytes = -1;  // of one partition
  std::int64_t segment_bytes = 0;
  std::int64_t segment_ms = 0;
  std::int64_t segment_jitter_ms = 0;
  std::int64_t segment_index_bytes = 0;
  std::int64_t index_interval_bytes = 0;
  std::int64_t flush_messages = 0;
  std::int64_t flush_ms = 0;
  std::int64_t file_delete_delay_ms = 0;
  std::int64_t delete_retention_ms = 0;
  std::int64_t compaction_lag_ms_min = 0;
  std::int64_t compaction_lag_ms_max = 0;
  double cleanable_dirty_ratio_min = 0;
  bool preallocate = false;
  bool unclean_leader_election = false;
};

// A broker setting that gives a topic configuration its default.
struct BrokerSynonym {
  std::string_view name = {};
  std::int64_t scale = 1;  // one unit of it in units of the topic's
  std::optional<std::string_view> default_value = std::nullopt;  // the setting's own default
};

struct TopicConfigRow {
  ConfigDefinition definition;
  std::array<BrokerSynonym, 3> synonyms = {};  // strongest first; unused ones have no name
  // Values that Kafka understands and Millrace does not serve, separated by commas, and what to
  // say.
  std::string_view refused_values = {};
  std::string_view refused_because = {};
  void (*store)(TopicConfig&,
                const ConfigValue&) = nullptr;  // null: nothing in Millrace depends on it
};

std::span<const TopicConfigRow> topic_config_rows();
// nullptr when Kafka has no topic configuration of that name.
const TopicConfigRow* find_topic_config(std::string_view name);

// The one that a name that is none was meant to be; empty when nothing is near.
std::string_view nearest_topic_config(std::string_view name);

// Whether a topic may have `name` set to `value`.
//
// Errors: invalid_argument, with Kafka's message: `Unknown topic config name: X`, `Invalid value X
// for configuration Y: why`; unsupported, for a value that Millrace does not serve.
Result<void> validate_topic_config(std::string_view name, std::string_view value);
// The same for all overrides of a topic, and for what they say together.
Result<void> validate_topic_configs(const ConfigMap& overrides);

// Whether Millrace serves topics whose default for a configuration the broker's setting `name`
// makes `value`. True for settings that are no default of topics. Errors: unsupported.
Result<void> check_topic_default(std::string_view name, std::string_view value);

// What holds for a topic. Errors: invalid_argument, naming the configuration whose text does not
// parse.
Result<TopicConfig> resolve_topic_config(const ConfigLayers& layers);

// The topic's configurations for DescribeConfigs, in the order of their names, internal ones left
// out.
std::vector<DescribedConfig> describe_topic_config(const ConfigLayers& layers);

}  // namespace millrace::engine
