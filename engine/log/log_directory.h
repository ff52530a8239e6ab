// One directory of `log.dirs`: what a start finds in it, and the small files at its root that say how it was left. Kafka's
// names and formats, except for the write-ahead logs: plain files, because Kafka passes over files that it does not know, but
// refuses to start on a directory whose name is no partition's.
//
//   <topic>-<n>/                       a partition (engine/log/log.h)
//   <topic>-<n>.<unique>-delete/       a partition that was deleted; its files go after the next start at the latest
//   recovery-point-offset-checkpoint   per partition: everything below is on disk
//   log-start-offset-checkpoint        per partition: where its records begin, where that is not the first segment's base
//   replication-offset-checkpoint      per partition: the high watermark
//   cleaner-offset-checkpoint          per compacted partition: everything below was compacted
//   .kafka_cleanshutdown               the last stop was clean: nothing needs a look
//   .millrace-wal-<shard>              write-ahead logs (engine/log/write_ahead.h), in the first directory only
//
// All calls but the periodic checkpoint's block the shard for the file system's metadata: for the start and the stop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "io/proactor.h"
#include "io/task.h"

namespace millrace::log {

inline constexpr std::string_view kRecoveryPointFile = "recovery-point-offset-checkpoint";
inline constexpr std::string_view kLogStartFile = "log-start-offset-checkpoint";
inline constexpr std::string_view kHighWatermarkFile = "replication-offset-checkpoint";
inline constexpr std::string_view kCleanerFile = "cleaner-offset-checkpoint";
inline constexpr std::string_view kCleanStopFile = ".kafka_cleanshutdown";
inline constexpr std::string_view kWriteAheadPrefix = ".millrace-wal-";

// A partition as the start finds it; LogShard::open takes it.
struct FoundPartition {
  std::string directory;
  std::string topic;
  PartitionIndex partition{0};
  // Zero when partition.metadata is missing, as in a directory that crashed while it was made; whoever knows better sets it
  // before the log is opened, and it is written then.
  TopicId topic_id;
  bool topic_id_missing = false;
  bool clean_stop = false;
  // It was lost, or never made, and is made during the start.
  bool made_again = false;
  Offset recovery_point{0};
  Offset log_start_offset{0};
  // -1 when no checkpoint names the partition.
  Offset high_watermark{-1};
  // -1 when no checkpoint names the partition.
  Offset cleaned_end{-1};
};

struct DirectoryScan {
  bool clean_stop = false;
  // No broker has got as far as to leave anything in it.
  bool unused = false;
  // Of the process that stopped cleanly; -1 if not known.
  std::int64_t broker_epoch = -1;
  std::vector<FoundPartition> partitions;
  // Full paths of "-delete" directories, to be removed with remove_tree().
  std::vector<std::string> deleted;
  // Entries that look like a partition but cannot be one of ours ("-future", "-stray"): left alone, named in the log.
  std::vector<std::string> ignored;
};

// Lists the directory and reads its checkpoints. `topics_only` leaves `__cluster_metadata-0` out, which the quorum opens for
// itself. Errors: not_found, io_error, corrupt (a checkpoint that cannot be read is not an empty one).
Result<DirectoryScan> scan_log_directory(io::Proactor& proactor, const std::string& path);

// Whether a segment in a partition's directory is not empty, or cannot be looked at.
bool may_have_records(io::Proactor& proactor, const std::string& directory);

// The name of a partition's directory, and back. Empty when `name` is none.
std::string partition_directory_name(std::string_view topic, PartitionIndex partition);
struct PartitionName {
  std::string topic;
  PartitionIndex partition;
};
std::optional<PartitionName> parse_partition_directory(std::string_view name);

// One partition's line in the four checkpoint files.
struct CheckpointRow {
  std::string topic;
  PartitionIndex partition{0};
  Offset recovery_point{0};
  Offset log_start_offset{0};
  Offset first_segment_offset{0};
  // -1: not known, no line.
  Offset high_watermark{-1};
  // -1: never compacted, no line.
  Offset cleaned_end{-1};
};

// Writes the four files whole: temporary file, sync, rename, sync of the directory. `rows` are all partitions of the
// directory, from all shards. Of one directory one at a time.
io::Task<Result<void>> write_checkpoints(io::Proactor& proactor, std::string path, std::vector<CheckpointRow> rows);

// After every log of the directory was closed and its checkpoints were written.
Result<void> mark_clean_stop(io::Proactor& proactor, const std::string& path,
                             std::int64_t broker_epoch);
// Before the first append after a start. Durable on return.
Result<void> clear_clean_stop(io::Proactor& proactor, const std::string& path);

// Gives a partition's directory the name of a deleted one, and tells it. Not durable before the log directory is synced.
Result<std::string> rename_to_deleted(io::Proactor& proactor, const std::string& directory);

// Removes a directory and the files in it, one level deep, as partitions are. A directory that is gone already is no error.
io::Task<Result<void>> remove_tree(io::Proactor& proactor, std::string path);

}  // namespace millrace::log
