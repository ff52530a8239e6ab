// LogShard: what the logs of one shard have in common: open files, codecs, the write-ahead log, and the housekeeping that
// nobody has to ask for (lazy sync, removal of deleted files, closing of idle files).
//
// Shard:      one each, made on it.
// Lifetime:   outlives every Log it opened; stop() must have completed before destruction.
//
//   LogShard logs(proactor, {.write_ahead_path = "/data/.millrace-wal-0"});
//   ... open what is there ...
//   co_await logs.start();
//   auto log = co_await logs.create({.log_directory = "/data", .topic = "orders", ...}, options);
//   auto appended = (*log)->stage_append_as_leader(batches, {.leader_epoch = epoch, .now = now});
//   co_await (*log)->stable(*appended);
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/log/log.h"
#include "engine/log/log_directory.h"
#include "engine/log/log_options.h"
#include "io/proactor.h"
#include "io/task.h"

namespace millrace::log {

struct LogShardOptions {
  // This shard's write-ahead log, "<log.dir>/.millrace-wal-<shard>". Empty: there is none, and an `fsync` log syncs its own
  // segment for every turn with appends.
  std::string write_ahead_path;
  // What it may grow to, scaled down to an eighth of the free space, but not below 8 MiB; and what it begins with.
  std::uint64_t write_ahead_bytes_max = std::uint64_t{256} << 20;
  std::uint64_t write_ahead_bytes_first = std::uint64_t{16} << 20;
  // What appends of clients leave free of a log directory's file system: see DiskReserve. 0: nothing.
  std::uint32_t disk_reserve_percent = 0;
  // Data files held open at a time. The rest is opened when it is used.
  std::size_t open_files_max = 4096;
  // Size from which on a segment reserves room and writes zeros ahead: most partitions are idle and smaller.
  std::uint64_t reserve_from_bytes = std::uint64_t{256} << 10;
  // Dirty bytes after which write-back of a segment is started.
  std::uint64_t write_back_bytes = std::uint64_t{16} << 20;
  // How often housekeeping looks around.
  Duration housekeeping_interval = std::chrono::seconds(1);
  CleanerOptions cleaner;
};

class WriteAheadTail;

struct NewPartition {
  std::string log_directory;
  std::string topic;
  PartitionIndex partition{0};
  TopicId topic_id;
  // During a start that looks for a lost directory's records as well: what open() would be given.
  const WriteAheadTail* tail = nullptr;
};

// Numbers for metrics; read on the shard.
struct LogShardCounters {
  std::uint64_t bytes_appended = 0;
  std::uint64_t batches_appended = 0;
  std::uint64_t segment_writes = 0;
  std::uint64_t segment_syncs = 0;
  std::uint64_t write_ahead_writes = 0;
  std::uint64_t write_ahead_bytes = 0;
  std::uint64_t write_failures = 0;
  std::uint64_t logs_offline = 0;
  std::uint64_t logs_uncleanable = 0;
  std::uint64_t cleaner_passes = 0;
  std::uint64_t cleaner_bytes_read = 0;
  std::uint64_t cleaner_bytes_written = 0;
  // Opened after a stop that did not close them; and of those, the ones that miss records, as far as can be told.
  std::uint64_t logs_recovered = 0;
  std::uint64_t logs_shortened = 0;
};

// The order of a start, with S shards:
//   1. scan_log_directory() of every log.dir; read_write_ahead() of the first, unless all stops were clean
//      (engine/log/write_ahead_replay.h)
//   2. clear_clean_stop() of every log.dir
//   3. on each shard: LogShard::open() for its partitions
//   4. when all are open: retire_write_ahead() in any case, then LogShard::start() on each shard, and only now appends
// and of a stop: Log::close() of all, checkpoint_rows() to write_checkpoints(), LogShard::stop(), mark_clean_stop().
class LogShard {
 public:
  struct State;

  LogShard(io::Proactor& proactor, LogShardOptions options);
  ~LogShard();
  LogShard(const LogShard&) = delete;

  // Opens this shard's write-ahead log and starts housekeeping. Comes after every log of the process was opened and
  // retire_write_ahead() has completed: a write-ahead log still in use is refused with invalid_argument.
  // Errors: also disk_full (with what is needed and what there is), io_error.
  io::Task<Result<void>> start();
  // All logs were closed. Ends housekeeping and closes the write-ahead log.
  io::Task<void> stop();

  // Opens a partition that is there. After an unclean stop it looks at everything from the recovery point on and truncates
  // behind the last whole batch; then it appends what only the write-ahead logs still hold of it, and syncs. `tail` is null
  // after a clean stop. Errors: io_error (never taken for an empty log), corrupt.
  io::Task<Result<std::unique_ptr<Log>>> open(FoundPartition partition, LogOptions options,
                                              const WriteAheadTail* tail);
  // Makes the directory, partition.metadata and an empty first segment. None of it is durable before its first records are:
  // who was told of the partition makes it again when a start does not find it. Errors: already_exists, disk_full, refused.
  io::Task<Result<std::unique_ptr<Log>>> create(NewPartition partition, LogOptions options);

  // One row per log under `log_directory`, high watermarks left to the caller. A closed log counts until it is destroyed.
  std::vector<CheckpointRow> checkpoint_rows(const std::string& log_directory) const;
  const LogShardCounters& counters() const;
  // Takes effect with the next chunk, the size of the map with the next pass.
  void set_cleaner_options(const CleanerOptions& options);

 private:
  std::unique_ptr<State> state_;
};

}  // namespace millrace::log
