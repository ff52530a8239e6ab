#include "engine/partition/log_config.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

namespace millrace::engine {
namespace {

log::Codec to_codec(TopicCompression compression) {
  switch (compression) {
    case TopicCompression::gzip: return log::Codec::gzip;
    case TopicCompression::snappy: return log::Codec::snappy;
    case TopicCompression::lz4: return log::Codec::lz4;
    case TopicCompression::zstd: return log::Codec::zstd;
    case TopicCompression::producer:
    case TopicCompression::uncompressed: return log::Codec::none;
  }
  return log::Codec::none;
}

int compression_level(const TopicConfig& config) {
  switch (config.compression) {
    case TopicCompression::gzip: return static_cast<int>(config.gzip_level);
    case TopicCompression::lz4: return static_cast<int>(config.lz4_level);
    case TopicCompression::zstd: return static_cast<int>(config.zstd_level);
    case TopicCompression::snappy:
    case TopicCompression::producer:
    case TopicCompression::uncompressed: return log::kDefaultCompressionLevel;
  }
  return log::kDefaultCompressionLevel;
}

std::optional<std::string_view> broker_text(const ConfigLayers& layers, std::string_view name) {
  for (const ConfigMap* map : {layers.dynamic_broker, layers.dynamic_default, layers.static_broker}) {
    if (map == nullptr) continue;
    const auto found = map->find(name);
    if (found == map->end()) continue;
    std::string_view text = found->second;
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
  }
  return std::nullopt;
}

// What is set was checked when it was set.
template <class Number>
Number broker_number(const ConfigLayers& layers, std::string_view name, Number otherwise) {
  const auto text = broker_text(layers, name);
  Number number{};
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{}) return otherwise;
  return number;
}

}  // namespace

log::CleanerOptions to_cleaner_options(const ConfigLayers& layers, std::uint32_t shard_count, std::uint64_t seed) {
  log::CleanerOptions options;
  options.enabled = !std::ranges::equal(broker_text(layers, "log.cleaner.enable").value_or("true"),
                                        std::string_view("false"), {}, [](char c) { return std::tolower(c); });
  const auto buffer = broker_number<std::int64_t>(layers, "log.cleaner.dedupe.buffer.size", 134'217'728);
  options.map_bytes_max = static_cast<std::uint64_t>(std::max<std::int64_t>(buffer, 0)) / std::max(shard_count, 1U);
  options.map_load_max = broker_number(layers, "log.cleaner.io.buffer.load.factor", options.map_load_max);
  // The broker's, as the buffer: what the others leave unused is not given to who could use it.
  options.bytes_per_second_max =
      broker_number(layers, "log.cleaner.io.max.bytes.per.second", options.bytes_per_second_max) /
      std::max(shard_count, 1U);
  const auto backoff = broker_number<std::int64_t>(layers, "log.cleaner.backoff.ms", 15'000);
  options.backoff = from_ms(std::clamp<std::int64_t>(backoff, 1, 86'400'000));
  options.seed = seed;
  return options;
}

std::int64_t producer_id_expiration_ms(const ConfigLayers& layers) {
  return broker_number<std::int64_t>(layers, "producer.id.expiration.ms", log::LogOptions().producer_id_expiration_ms);
}

log::LogOptions to_log_options(const TopicConfig& config, std::int64_t producer_id_expiration_ms) {
  log::LogOptions options;
  options.segment_bytes = config.segment_bytes;
  options.segment_ms = config.segment_ms;
  options.segment_jitter_ms = config.segment_jitter_ms;
  options.segment_index_bytes = config.segment_index_bytes;
  options.index_interval_bytes = config.index_interval_bytes;
  options.preallocate = config.preallocate;
  options.deletes = config.cleanup_delete;
  options.retention_ms = config.retention_ms;
  options.retention_bytes = config.retention_bytes;
  options.file_delete_delay_ms = config.file_delete_delay_ms;
  options.compacts = config.cleanup_compact;
  options.dirty_ratio_min = config.cleanable_dirty_ratio_min;
  options.compaction_lag_min_ms = config.compaction_lag_ms_min;
  options.compaction_lag_max_ms = config.compaction_lag_ms_max;
  options.delete_retention_ms = config.delete_retention_ms;
  options.accept.max_message_bytes = static_cast<std::size_t>(config.message_bytes_max);
  options.accept.timestamp_type = config.timestamp_type == TimestampType::log_append_time
                               ? log::TimestampType::log_append_time
                               : log::TimestampType::create_time;
  options.accept.timestamp_before_max_ms = config.timestamp_before_ms_max;
  options.accept.timestamp_after_max_ms = config.timestamp_after_ms_max;
  options.accept.compacted = config.cleanup_compact;
  if (config.compression != TopicCompression::producer) {
    options.accept.compression = to_codec(config.compression);
    options.accept.compression_level = compression_level(config);
  }
  options.durability = config.durability == Durability::fsync ? log::Durability::fsync
                                                              : log::Durability::replicated;
  options.flush_messages = config.flush_messages;
  options.flush_ms = config.flush_ms;
  options.producer_id_expiration_ms = producer_id_expiration_ms;
  return options;
}

}  // namespace millrace::engine
