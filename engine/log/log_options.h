// LogOptions: what a topic's configuration says about its logs. Plain values with Kafka's defaults; every field can be changed
// while the log is open (Log::set_options).
#pragma once

#include <cstdint>
#include <limits>

#include "base/time.h"
#include "engine/log/format/append_validation.h"

namespace millrace::log {

// What an acknowledgement of this broker rests on.
enum class Durability : std::uint8_t {
  replicated,  // the page cache: survives the end of the process, as Kafka's does
  fsync,       // the disk: survives the end of the power too
};

struct LogOptions {
  static constexpr std::int64_t kNoLimit = -1;
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  // Rolling. A segment ends when it would grow beyond segment_bytes, is older than segment_ms less its share of
  // segment_jitter_ms, or when an index of it is full.
  std::int64_t segment_bytes = std::int64_t{1} << 30;
  std::int64_t segment_ms = std::int64_t{7} * 24 * 3600 * 1000;
  std::int64_t segment_jitter_ms = 0;
  std::int64_t segment_index_bytes = std::int64_t{10} << 20;
  std::int64_t index_interval_bytes = 4096;
  bool preallocate = false;

  // Retention; kNoLimit turns it off. `deletes`: cleanup.policy contains "delete".
  bool deletes = true;
  std::int64_t retention_ms = std::int64_t{7} * 24 * 3600 * 1000;
  std::int64_t retention_bytes = kNoLimit;
  std::int64_t file_delete_delay_ms = 60'000;

  // Compaction. `compacts`: cleanup.policy contains "compact".
  bool compacts = false;
  double dirty_ratio_min = 0.5;
  std::int64_t compaction_lag_min_ms = 0;
  std::int64_t compaction_lag_max_ms = kNever;
  std::int64_t delete_retention_ms = 86'400'000;

  // What is accepted: sizes, timestamps, codec. `from_client` is overwritten by each append's.
  AppendRules accept;

  // Durability. flush_messages and flush_ms are Kafka's and come on top of it.
  Durability durability = Durability::fsync;
  std::int64_t flush_messages = kNever;
  std::int64_t flush_ms = kNever;

  std::int64_t producer_id_expiration_ms = 86'400'000;
};

// Of a shard's cleaner, by Kafka's log.cleaner.* settings; can be changed while it runs (LogShard::set_cleaner_options).
struct CleanerOptions {
  bool enabled = true;
  // Of this shard: its share of log.cleaner.dedupe.buffer.size.
  std::uint64_t map_bytes_max = std::uint64_t{128} << 20;
  double map_load_max = 0.9;
  double bytes_per_second_max = std::numeric_limits<double>::max();
  Duration backoff = std::chrono::seconds(15);
  // Makes the secret under which keys are hashed; nobody who writes keys may know it.
  std::uint64_t seed = 0;
};

}  // namespace millrace::log
