#include "engine/metadata/topic_config.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/edit_distance.h"

namespace millrace::engine {
namespace {

using Type = ConfigType;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kHourMs = 60 * kMinuteMs;
constexpr std::string_view kNever = "9223372036854775807";

template <auto Member>
void store_number(TopicConfig& config, const ConfigValue& value) {
  config.*Member = std::get<std::int64_t>(value);
}
template <auto Member>
void store_flag(TopicConfig& config, const ConfigValue& value) {
  config.*Member = std::get<bool>(value);
}
void store_dirty_ratio(TopicConfig& config, const ConfigValue& value) {
  config.cleanable_dirty_ratio_min = std::get<double>(value);
}
void store_cleanup_policy(TopicConfig& config, const ConfigValue& value) {
  const auto& policies = std::get<std::vector<std::string>>(value);
  config.cleanup_delete = std::ranges::find(policies, "delete") != policies.end();
  config.cleanup_compact = std::ranges::find(policies, "compact") != policies.end();
}
void store_durability(TopicConfig& config, const ConfigValue& value) {
  config.durability =
      std::get<std::string>(value) == "fsync" ? Durability::fsync : Durability::replicated;
}
void store_timestamp_type(TopicConfig& config, const ConfigValue& value) {
  config.timestamp_type = std::get<std::string>(value) == "CreateTime"
                              ? TimestampType::create_time
                              : TimestampType::log_append_time;
}
void store_compression(TopicConfig& config, const ConfigValue& value) {
  static constexpr std::array<std::string_view, 6> kNames = {"producer", "uncompressed", "gzip",
                                                             "snappy",   "lz4",          "zstd"};
  const auto at = std::ranges::find(kNames, std::get<std::string>(value)) - kNames.begin();
  config.compression = static_cast<TopicCompression>(at);
}

constexpr std::array<BrokerSynonym, 3> from(std::string_view broker_name,
                                            std::string_view default_value) {
  return {BrokerSynonym{broker_name, 1, default_value}};
}

constexpr std::string_view kNoTiering =
    "Tiered storage is not part of this version of Millrace; leave remote storage off";
const TopicConfigRow kRows[] = {
    {.definition = {.name = "cleanup.policy",
                    .type = Type::list,
                    .default_value = "delete",
                    .rule = one_of("compact,delete"),
                    .documentation =
                        "What happens to old records: `delete` drops segments by retention.ms and "
                        "retention.bytes, `compact` keeps the last record of every key; both may be "
                        "given; empty keeps all for ever."},
     .synonyms = from("log.cleanup.policy", "delete"),
     .store = store_cleanup_policy},
    {.definition = {.name = "compression.gzip.level",
                    .type = Type::integer,
                    .default_value = "-1",
                    .rule = between_or(1, 9, -1),
                    .documentation = "Level at which the broker compresses with gzip."},
     .synonyms = from("compression.gzip.level", "-1"),
     .store = store_number<&TopicConfig::gzip_level>},
    {.definition = {.name = "compression.lz4.level",
                    .type = Type::integer,
                    .default_value = "9",
                    .rule = between(1, 17),
                    .documentation = "Level at which the broker compresses with lz4."},
     .synonyms = from("compression.lz4.level", "9"),
     .store = store_number<&TopicConfig::lz4_level>},
    {.definition =
         {.name = "compression.type",
          .type = Type::string,
          .default_value = "producer",
          .rule = one_of("uncompressed,zstd,lz4,snappy,gzip,producer"),
          .documentation =
              "Codec in which batches are stored; `producer` keeps them as they arrive, which "
              "costs nothing, another codec opens and compresses each batch anew."},
     .synonyms = from("compression.type", "producer"),
     .store = store_compression},
    {.definition = {.name = "compression.zstd.level",
                    .type = Type::integer,
                    .default_value = "3",
                    .rule = between(-131072, 22),
                    .documentation = "Level at which the broker compresses with zstd."},
     .synonyms = from("compression.zstd.level", "3"),
     .store = store_number<&TopicConfig::zstd_level>},
    {.definition = {.name = "delete.retention.ms",
                    .type = Type::long_integer,
                    .default_value = "86400000",
                    .rule = at_least(0),
                    .documentation =
                        "How long a compacted topic keeps the markers of deleted keys."},
     .synonyms = from("log.cleaner.delete.retention.ms", "86400000"),
     .store = store_number<&TopicConfig::delete_retention_ms>},
    {.definition = {.name = "file.delete.delay.ms",
                    .type = Type::long_integer,
                    .default_value = "60000",
                    .rule = at_least(0),
                    .documentation =
                        "How long the file of a dropped segment stays before it is removed."},
     .synonyms = from("log.segment.delete.delay.ms", "60000"),
     .store = store_number<&TopicConfig::file_delete_delay_ms>},
    {.definition =
         {.name = "flush.messages",
          .type = Type::long_integer,
          .default_value = kNever,
          .rule = at_least(1),
          .documentation =
              "Force the log to disk after this many records, besides what millrace.durability "
              "does."},
     .synonyms = from("log.flush.interval.messages", kNever),
     .store = store_number<&TopicConfig::flush_messages>},
    {.definition =
         {.name = "flush.ms",
          .type = Type::long_integer,
          .default_value = kNever,
          .rule = at_least(0),
          .documentation =
              "Force the log to disk after this time, besides what millrace.durability does."},
     .synonyms = {BrokerSynonym{"log.flush.interval.ms"},
                  BrokerSynonym{"log.flush.scheduler.interval.ms", 1, kNever}},
     .store = store_number<&TopicConfig::flush_ms>},
    {.definition =
         {.name = "follower.replication.throttled.replicas",
          .type = Type::list,
          .default_value = "",
          .rule = {.kind = ConfigRule::Kind::throttled_replicas},
          .documentation =
              "Replicas whose fetching from the leader is throttled: partition:broker,... or *."}},
    {.definition = {.name = "index.interval.bytes",
                    .type = Type::integer,
                    .default_value = "4096",
                    .rule = at_least(0),
                    .documentation = "Bytes of log between two entries of the offset index."},
     .synonyms = from("log.index.interval.bytes", "4096"),
     .store = store_number<&TopicConfig::index_interval_bytes>},
    {.definition = {.name = "internal.segment.bytes",
                    .type = Type::integer,
                    .internal = true,
                    .documentation =
                        "Size of a segment below the bound of segment.bytes; for tests."},
     .store = store_number<&TopicConfig::segment_bytes>},
    {.definition = {.name = "leader.replication.throttled.replicas",
                    .type = Type::list,
                    .default_value = "",
                    .rule = {.kind = ConfigRule::Kind::throttled_replicas},
                    .documentation =
                        "Replicas which the leader serves throttled: partition:broker,... or *."}},
    {.definition =
         {.name = "local.retention.bytes",
          .type = Type::long_integer,
          .default_value = "-2",
          .rule = at_least(-2),
          .documentation =
              "Bytes of a tiered partition kept on the broker; -2 follows retention.bytes."},
     .synonyms = from("log.local.retention.bytes", "-2")},
    {.definition = {.name = "local.retention.ms",
                    .type = Type::long_integer,
                    .default_value = "-2",
                    .rule = at_least(-2),
                    .documentation =
                        "Time a tiered partition is kept on the broker; -2 follows retention.ms."},
     .synonyms = from("log.local.retention.ms", "-2")},
    {.definition = {.name = "max.compaction.lag.ms",
                    .type = Type::long_integer,
                    .default_value = kNever,
                    .rule = at_least(1),
                    .documentation = "Longest time a record may stay out of compaction."},
     .synonyms = from("log.cleaner.max.compaction.lag.ms", kNever),
     .store = store_number<&TopicConfig::compaction_lag_ms_max>},
    {.definition = {.name = "max.message.bytes",
                    .type = Type::integer,
                    .default_value = "1048588",
                    .rule = at_least(0),
                    .documentation = "Largest record batch the topic takes, as it arrives."},
     .synonyms = from("message.max.bytes", "1048588"),
     .store = store_number<&TopicConfig::message_bytes_max>},
    {.definition = {.name = "message.timestamp.after.max.ms",
                    .type = Type::long_integer,
                    .default_value = "3600000",
                    .rule = at_least(0),
                    .documentation =
                        "How far ahead of the broker's clock a record's own timestamp may be."},
     .synonyms = from("log.message.timestamp.after.max.ms", "3600000"),
     .store = store_number<&TopicConfig::timestamp_after_ms_max>},
    {.definition = {.name = "message.timestamp.before.max.ms",
                    .type = Type::long_integer,
                    .default_value = kNever,
                    .rule = at_least(0),
                    .documentation =
                        "How far behind the broker's clock a record's own timestamp may be."},
     .synonyms = from("log.message.timestamp.before.max.ms", kNever),
     .store = store_number<&TopicConfig::timestamp_before_ms_max>},
    {.definition = {.name = "message.timestamp.type",
                    .type = Type::string,
                    .default_value = "CreateTime",
                    .rule = one_of("CreateTime,LogAppendTime"),
                    .documentation =
                        "Whose clock stamps a record: the producer's or the broker's."},
     .synonyms = from("log.message.timestamp.type", "CreateTime"),
     .store = store_timestamp_type},
    {.definition =
         {.name = "millrace.durability",
          .type = Type::string,
          .default_value = "fsync",
          .rule = one_of("fsync,replicated"),
          .documentation =
              "When a produce is acknowledged: `fsync`, once the batch is on disk; `replicated`, "
              "once every in-sync replica holds it in memory, which is Kafka's promise."},
     .synonyms = from("millrace.durability", "fsync"),
     .store = store_durability},
    {.definition = {.name = "min.cleanable.dirty.ratio",
                    .type = Type::real,
                    .default_value = "0.5",
                    .rule = between(0, 1),
                    .documentation =
                        "Share of a log that must be uncompacted before it is compacted."},
     .synonyms = from("log.cleaner.min.cleanable.ratio", "0.5"),
     .store = store_dirty_ratio},
    {.definition = {.name = "min.compaction.lag.ms",
                    .type = Type::long_integer,
                    .default_value = "0",
                    .rule = at_least(0),
                    .documentation = "Shortest time a record stays out of compaction."},
     .synonyms = from("log.cleaner.min.compaction.lag.ms", "0"),
     .store = store_number<&TopicConfig::compaction_lag_ms_min>},
    {.definition =
         {.name = "min.insync.replicas",
          .type = Type::integer,
          .default_value = "1",
          .rule = at_least(1),
          .documentation =
              "In-sync replicas, the leader among them, without which acks=all is refused."},
     .synonyms = from("min.insync.replicas", "1"),
     .store = store_number<&TopicConfig::min_insync_replicas>},
    {.definition = {.name = "preallocate",
                    .type = Type::boolean,
                    .default_value = "false",
                    .documentation = "Give a new segment its whole size on disk at once."},
     .synonyms = from("log.preallocate", "false"),
     .store = store_flag<&TopicConfig::preallocate>},
    {.definition = {.name = "remote.log.copy.disable",
                    .type = Type::boolean,
                    .default_value = "false",
                    .documentation = "Stop copying the topic to remote storage."},
     .refused_values = "true",
     .refused_because = kNoTiering},
    {.definition = {.name = "remote.log.delete.on.disable",
                    .type = Type::boolean,
                    .default_value = "false",
                    .documentation =
                        "Delete the topic's remote data when remote storage is turned off."},
     .refused_values = "true",
     .refused_because = kNoTiering},
    {.definition = {.name = "remote.storage.enable",
                    .type = Type::boolean,
                    .default_value = "false",
                    .documentation = "Keep old segments in remote storage."},
     .refused_values = "true",
     .refused_because = kNoTiering},
    {.definition =
         {.name = "retention.bytes",
          .type = Type::long_integer,
          .default_value = "-1",
          .documentation =
              "Size a partition may grow to before its oldest segments go; -1 for no limit."},
     .synonyms = from("log.retention.bytes", "-1"),
     .store = store_number<&TopicConfig::retention_bytes>},
    {.definition = {.name = "retention.ms",
                    .type = Type::long_integer,
                    .default_value = "604800000",
                    .rule = at_least(-1),
                    .documentation = "Age at which a segment goes; -1 for no limit."},
     .synonyms = {BrokerSynonym{"log.retention.ms"},
                  BrokerSynonym{"log.retention.minutes", kMinuteMs},
                  BrokerSynonym{"log.retention.hours", kHourMs, "168"}},
     .store = store_number<&TopicConfig::retention_ms>},
    {.definition = {.name = "segment.bytes",
                    .type = Type::integer,
                    .default_value = "1073741824",
                    .rule = at_least(1024 * 1024),
                    .documentation = "Size at which a segment is closed and the next one begun."},
     .synonyms = from("log.segment.bytes", "1073741824"),
     .store = store_number<&TopicConfig::segment_bytes>},
    {.definition = {.name = "segment.index.bytes",
                    .type = Type::integer,
                    .default_value = "10485760",
                    .rule = at_least(4),
                    .documentation = "Largest size of a segment's offset index."},
     .synonyms = from("log.index.size.max.bytes", "10485760"),
     .store = store_number<&TopicConfig::segment_index_bytes>},
    {.definition =
         {.name = "segment.jitter.ms",
          .type = Type::long_integer,
          .default_value = "0",
          .rule = at_least(0),
          .documentation =
              "Up to this much is taken off segment.ms, so that segments do not all roll at once."},
     .synonyms = {BrokerSynonym{"log.roll.jitter.ms"},
                  BrokerSynonym{"log.roll.jitter.hours", kHourMs, "0"}},
     .store = store_number<&TopicConfig::segment_jitter_ms>},
    {.definition = {.name = "segment.ms",
                    .type = Type::long_integer,
                    .default_value = "604800000",
                    .rule = at_least(1),
                    .documentation = "Age at which a segment is closed even if it is not full."},
     .synonyms = {BrokerSynonym{"log.roll.ms"}, BrokerSynonym{"log.roll.hours", kHourMs, "168"}},
     .store = store_number<&TopicConfig::segment_ms>},
    {.definition =
         {.name = "unclean.leader.election.enable",
          .type = Type::boolean,
          .default_value = "false",
          .documentation =
              "Whether a replica that is not in sync may lead when no other is left, losing "
              "acknowledged records."},
     .synonyms = from("unclean.leader.election.enable", "false"),
     .store = store_flag<&TopicConfig::unclean_leader_election>},
};

const std::string* find_in(const ConfigMap* map, std::string_view name) {
  if (map == nullptr) return nullptr;
  const auto found = map->find(name);
  return found == map->end() ? nullptr : &found->second;
}

// The text of a broker setting in the units of the topic's configuration. Negative hours and
// minutes mean "no limit".
std::string scaled(const BrokerSynonym& synonym, std::string_view text) {
  if (synonym.scale == 1) return std::string(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::string(text);
  return number < 0 ? "-1" : std::to_string(number * synonym.scale);
}

struct BrokerLayer {
  const ConfigMap* map;
  ConfigSource source;
};
std::array<BrokerLayer, 3> broker_layers(const ConfigLayers& layers) {
  return {BrokerLayer{layers.dynamic_broker, ConfigSource::dynamic_broker},
          BrokerLayer{layers.dynamic_default, ConfigSource::dynamic_default},
          BrokerLayer{layers.static_broker, ConfigSource::static_broker}};
}

// What holds for a row, as text; nothing when it is unset and has no default.
std::optional<std::string> effective_text(const TopicConfigRow& row, const ConfigLayers& layers) {
  if (const auto* text = find_in(layers.topic, row.definition.name)) return *text;
  for (const BrokerLayer& layer : broker_layers(layers)) {
    for (const BrokerSynonym& synonym : row.synonyms) {
      if (const auto* text = find_in(layer.map, synonym.name)) return scaled(synonym, *text);
    }
  }
  if (!row.definition.default_value) return std::nullopt;
  return std::string(*row.definition.default_value);
}

std::vector<ConfigSynonym> synonyms_of(const TopicConfigRow& row, const ConfigLayers& layers) {
  std::vector<ConfigSynonym> synonyms;
  if (const auto* text = find_in(layers.topic, row.definition.name)) {
    synonyms.push_back({std::string(row.definition.name), *text, ConfigSource::topic});
  }
  for (const BrokerLayer& layer : broker_layers(layers)) {
    for (const BrokerSynonym& synonym : row.synonyms) {
      if (const auto* text = find_in(layer.map, synonym.name)) {
        synonyms.push_back({std::string(synonym.name), *text, layer.source});
      }
    }
  }
  for (const BrokerSynonym& synonym : row.synonyms) {
    if (!synonym.default_value) continue;
    synonyms.push_back({std::string(synonym.name), std::string(*synonym.default_value),
                        ConfigSource::default_value});
  }
  return synonyms;
}

Result<void> check_served(const TopicConfigRow& row, std::string_view name,
                          std::string_view value) {
  const std::vector<std::string> refused = split_list(row.refused_values);
  for (const std::string& word : split_list(value)) {
    if (std::ranges::find(refused, word) == refused.end()) continue;
    return fail(Errc::unsupported, fmt::format("Invalid value {} for configuration {}: {}", value,
                                               name, row.refused_because));
  }
  return {};
}

}  // namespace

std::span<const TopicConfigRow> topic_config_rows() {
  return kRows;
}

const TopicConfigRow* find_topic_config(std::string_view name) {
  const auto* found = std::ranges::lower_bound(
      kRows, name, {}, [](const TopicConfigRow& row) { return row.definition.name; });
  return found != std::end(kRows) && found->definition.name == name ? found : nullptr;
}

// What was meant by a name that is none: a slip of the finger, or the broker's setting of the same.
std::string_view nearest_topic_config(std::string_view name) {
  static constexpr std::size_t kSlip = 2;  // letters
  std::string_view nearest;
  std::size_t least = std::min(kSlip, name.size() / 3) + 1;
  for (const TopicConfigRow& row : kRows) {
    for (const BrokerSynonym& synonym : row.synonyms) {
      if (!synonym.name.empty() && synonym.name == name) return row.definition.name;
    }
    const std::size_t distance = edit_distance(name, row.definition.name);
    if (distance >= least) continue;
    least = distance;
    nearest = row.definition.name;
  }
  return nearest;
}

Result<void> validate_topic_config(std::string_view name, std::string_view value) {
  const TopicConfigRow* row = find_topic_config(name);
  if (row == nullptr) {
    const std::string_view meant = nearest_topic_config(name);
    const std::string advice = meant.empty() ? "" : fmt::format("; did you mean {}?", meant);
    return fail(Errc::invalid_argument, fmt::format("Unknown topic config name: {}{}", name, advice));
  }
  TRY_DONE(check_config(row->definition, value));
  return check_served(*row, name, value);
}

Result<void> validate_topic_configs(const ConfigMap& overrides) {
  for (const auto& [name, value] : overrides) TRY_DONE(validate_topic_config(name, value));
  TRY(config, resolve_topic_config({.topic = &overrides}));
  if (config.compaction_lag_ms_min > config.compaction_lag_ms_max) {
    return fail(
        Errc::invalid_argument,
        fmt::format(
            "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
            config.compaction_lag_ms_min, config.compaction_lag_ms_max));
  }
  return {};
}

Result<void> check_topic_default(std::string_view name, std::string_view value) {
  for (const TopicConfigRow& row : kRows) {
    if (row.refused_values.empty()) continue;
    const bool is_default =
        std::ranges::find(row.synonyms, name, &BrokerSynonym::name) != row.synonyms.end();
    if (is_default) TRY_DONE(check_served(row, name, value));
  }
  return {};
}

Result<TopicConfig> resolve_topic_config(const ConfigLayers& layers) {
  TopicConfig config;
  std::optional<ConfigValue> internal_segment_bytes;
  for (const TopicConfigRow& row : kRows) {
    if (row.store == nullptr) continue;
    const auto text = effective_text(row, layers);
    if (!text) continue;
    TRY(value, parse_config(row.definition, *text));
    if (row.definition.internal) {
      internal_segment_bytes = value;
    } else {
      row.store(config, value);
    }
  }
  if (internal_segment_bytes)
    store_number<&TopicConfig::segment_bytes>(config, *internal_segment_bytes);
  return config;
}

std::vector<DescribedConfig> describe_topic_config(const ConfigLayers& layers) {
  std::vector<DescribedConfig> described;
  for (const TopicConfigRow& row : kRows) {
    if (row.definition.internal) continue;
    DescribedConfig config{.name = std::string(row.definition.name),
                           .value = effective_text(row, layers),
                           .type = row.definition.type,
                           .synonyms = synonyms_of(row, layers),
                           .documentation = row.definition.documentation};
    if (!config.synonyms.empty()) config.source = config.synonyms.front().source;
    described.push_back(std::move(config));
  }
  return described;
}

}  // namespace millrace::engine
