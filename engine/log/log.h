// Log: one partition's records, in Kafka's files: append, read, truncate, roll, retain.
//
// Shard:      its partition's. Never crosses.
// Lifetime:   made by LogShard; close() or remove() must have completed before destruction.
// Writes:     an append is *staged*: offsets are assigned at once, and everything staged for this log during a turn of the
//             loop is written by one pwritev at the turn's end. What is written is in the page cache, so it
//             can be read and survives the end of the process. What is *stable* is all that an acknowledgement may rest on:
//             the same under Durability::replicated, on disk under Durability::fsync.
// Invariant:  log_start_offset() <= recovery_point() <= end_offset(); log_start_offset() <= stable_end() <= written_end()
//             <= end_offset().
// Failure:    a full disk refuses the batches of that turn and the log goes on; any other failed write or sync takes the log
//             offline until it is opened again. Reads of what was written before go on in both cases.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/log/format/index_entry.h"
#include "engine/log/log_directory.h"
#include "engine/log/log_options.h"
#include "io/task.h"
#include "replication/epoch_history.h"

namespace millrace::io {
class OpenFile;
}

namespace millrace::log {

class LogShard;

// Who appends. Only a client's batches need sequence numbers in order, and only others may write control records.
enum class AppendOrigin : std::uint8_t { client, internal };

struct AppendOptions {
  LeaderEpoch leader_epoch;
  WallTime now;
  AppendOrigin origin = AppendOrigin::client;
};

struct AppendedBatches {
  Offset first_offset{-1};
  Offset last_offset{-1};
  std::int64_t log_append_time_ms = -1;  // -1 unless the topic's timestamps are the broker's
  Offset log_start_offset{0};
  // The producer sent these before; nothing was appended, the offsets are those of the first time. Wait as for others:
  // the first time may not be stable yet.
  bool duplicate = false;
  // Counts the failed writes before this one; for written() and stable().
  std::uint32_t failures = 0;

  Offset end_offset() const { return last_offset + 1; }
};

// Whole batches in one data file. The bytes do not change; the file stays readable while `file` is held, also after the log
// has dropped it.
struct ReadRange {
  std::shared_ptr<const io::OpenFile> file;  // null when there is nothing to read at `from`
  std::uint64_t position = 0;
  std::uint64_t length = 0;
  // Of the first batch: at or before the offset asked for.
  Offset first_offset{-1};
  // At or behind the end of the last batch.
  Offset end_offset{-1};

  bool empty() const { return length == 0; }
};

struct ReadLimits {
  // Where reading ends: the high watermark, the last stable offset, or written_end().
  Offset end;
  std::size_t bytes_max = 0;
  // Give the first batch even if it is larger than bytes_max.
  bool at_least_one_batch = false;
  // Where the data is not in memory the range may end inside of a batch, so that looking for the batch's end does not wait
  // for the disk. Consumers pass over such a rest, as they do with Kafka's.
  bool may_cut_cold = false;
};

struct FoundOffset {
  std::int64_t timestamp = -1;
  Offset offset{-1};
  LeaderEpoch leader_epoch{-1};
};

// What a pass of the cleaner did.
struct CleanedLog {
  // Everything below was compacted.
  Offset cleaned_end{-1};
  std::uint64_t keys = 0;
  std::uint64_t map_bytes = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
  std::uint64_t records_before = 0;
  std::uint64_t records_after = 0;
  std::size_t segments_written = 0;
};

struct ProducerDescription {
  ProducerId producer_id;
  std::int16_t producer_epoch = -1;
  std::int32_t last_sequence = -1;
  std::int64_t last_timestamp = -1;
  std::int32_t coordinator_epoch = -1;
  Offset current_transaction_start{-1};
};

class Log {
 public:
  struct State;  // engine/log/log_state.h
  explicit Log(std::unique_ptr<State> state);
  ~Log();
  Log(const Log&) = delete;

  // ---- Who
  const std::string& topic() const;
  PartitionIndex partition() const;
  TopicId topic_id() const;
  // "<log.dir>/<topic>-<partition>".
  const std::string& directory() const;
  const LogOptions& options() const;
  void set_options(const LogOptions& options);

  // ---- Where it stands
  Offset log_start_offset() const;
  // The next offset to be assigned.
  Offset end_offset() const;
  // Below it everything can be read.
  Offset written_end() const;
  // Below it everything may be acknowledged.
  Offset stable_end() const;
  // Below it everything is on disk: records in the segments, epochs in their file.
  Offset recovery_point() const;
  // Bytes of the data files; those of the indexes are not counted, as in Kafka's DescribeLogDirs.
  std::uint64_t size() const;
  std::size_t segment_count() const;
  // Where the segment begins that is appended to; what is below it is in others.
  Offset active_segment_base() const;
  bool is_offline() const;

  // ---- Append
  // Validates, checks the producers' sequences, assigns offsets and epoch in place and stages the bytes. They must stay valid
  // and untouched until written() has completed.
  // Errors: those of the batch (corrupt, malformed, too_large, unsupported, unsupported_codec, invalid_timestamp,
  // out_of_order_sequence, duplicate_sequence, invalid_producer_epoch, unknown_producer), disk_full, offline, refused.
  // Nothing was appended then.
  Result<AppendedBatches> stage_append_as_leader(Bytes batches, const AppendOptions& options);
  // The same with offsets and epochs kept as they are; the batches were validated by the leader, so only CRCs and offsets are
  // checked. What the log has already is skipped. Errors: also out_of_range (a gap, or below the end).
  Result<AppendedBatches> stage_append_as_follower(Bytes batches, WallTime now);
  // The records to blame for the last refused append of this shard, for the produce answer.
  const std::vector<RecordError>& record_errors() const;
  // Completes when the append can be read and survives the end of the process. Errors: disk_full (nothing of the append
  // remains), offline.
  io::Task<Result<void>> written(AppendedBatches appended);
  // Completes when the append may be acknowledged under the topic's durability. Errors: as written().
  io::Task<Result<void>> stable(AppendedBatches appended);
  // Writes what is staged now instead of at the end of the turn. Errors: as written().
  Result<void> write_staged();

  // ---- Read
  // Locates batches from the one that holds `from` on. One segment per call; empty when `from` is at the limit's end or no
  // batch fits. Takes no copy and, for a reader that goes on where it stopped, no look at the file.
  // Errors: out_of_range, corrupt (the segment is damaged there: said in the log once), io_error; offline in place of corrupt
  // once the log is.
  Result<ReadRange> read(Offset from, const ReadLimits& limits);
  // Whether read() and, with `aborted`, aborted_in() would look at what may not be in memory, as far as that can be told at once:
  // then they may wait for the disk, and hold the shard meanwhile.
  bool is_cold(Offset from, const ReadLimits& limits, bool aborted);
  // Brings what they would look at into memory. What goes wrong they will tell.
  io::Task<void> warm(Offset from, ReadLimits limits, bool aborted);
  // The aborted transactions of which records may stand in a range that read() gave: readers of committed records skip them.
  // At once behind read(). Errors: corrupt (the index has been damaged since the start), io_error.
  Result<std::vector<AbortedTransaction>> aborted_in(const ReadRange& range) const;
  // Copies such a range, whole batches always; for coordinators, replay and tests. Errors: as read().
  io::Task<Result<std::vector<std::byte>>> read_bytes(Offset from, ReadLimits limits);
  // The first record below `end` that is at least as young as `timestamp`; empty if there is none.
  io::Task<Result<std::optional<FoundOffset>>> find_timestamp(std::int64_t timestamp, Offset end);
  // The youngest record; empty if the log is.
  io::Task<Result<std::optional<FoundOffset>>> find_max_timestamp();

  // ---- Leader epochs (KIP-101, KIP-320)
  // The first record of `epoch` will be the next one appended. As durable as that record: an epoch that leaves none may be
  // forgotten by a crash, and by a stop.
  Result<void> begin_epoch(LeaderEpoch epoch);
  LeaderEpoch latest_epoch() const;  // -1 if the log has none
  // Where `epoch` ended, or the last epoch before it that left records; empty if the log does not reach back that far.
  std::optional<replication::EpochEnd> end_offset_for(LeaderEpoch epoch) const;
  LeaderEpoch epoch_of(Offset offset) const;  // -1 if it is not known
  const replication::EpochHistory& epochs() const;

  // ---- Shorten
  // Records below `offset` are gone for readers; files that hold nothing else go with the next retention. Returns the new log
  // start offset. Errors: out_of_range (beyond written_end()).
  Result<Offset> delete_records(Offset offset);
  // Until the next cut has ended recovery_point() is at or below `offset`. Whoever cuts the log writes the checkpoint files first:
  // a start takes what they call synced for synced, and would not look at what has come in the place of what was cut off.
  void hold_recovery_point(Offset offset);
  // Drops everything at and behind `offset`, whole batches, durably; an offset at or beyond the end does nothing. Must not be
  // called while a read below the old end is being sent, nor while appends go on. Where checkpoint files are kept, they must say
  // by then that the recovery point is at or below `offset`: see hold_recovery_point().
  io::Task<Result<void>> truncate_to(Offset offset);
  // Drops everything; the log starts again, empty, at `offset`. The recovery point must be held at 0.
  io::Task<Result<void>> truncate_fully_to(Offset offset);
  // Ends the active segment if it is not empty.
  Result<void> roll(WallTime now);
  // Asks the disk for what apply_retention() would otherwise ask it for, without holding the shard.
  io::Task<void> learn_ages(WallTime now);
  // Removes segments that time, size and the log start offset no longer keep; none at or beyond `high_watermark`. Returns how
  // many went.
  Result<std::size_t> apply_retention(WallTime now, Offset high_watermark);

  // ---- Compact
  // A pass of the cleaner over all that may be compacted, whether it is due or not; the shard's cleaner makes those that are
  // due by itself. Only below the high watermark that on_high_watermark() was told last. Errors: canceled (the log is
  // being closed or cut), disk_full, too_large, corrupt and io_error (the log is then named and left alone).
  io::Task<Result<CleanedLog>> compact();
  // Why the cleaner leaves this log alone; empty when it does not.
  std::optional<std::string> uncleanable() const;
  // Everything below was compacted; -1 before the first pass.
  Offset cleaned_end() const;

  // ---- Durability
  // Everything written before the call is on disk afterwards. Errors: offline (a failed sync is never tried again).
  io::Task<Result<void>> flush();

  // ---- Producers and transactions
  Offset last_stable_offset(Offset high_watermark) const;
  // Nothing at or behind it is compacted, and transactions that end below it are settled.
  void on_high_watermark(Offset high_watermark);
  std::vector<ProducerDescription> active_producers() const;
  void expire_producers(WallTime now);

  // What the checkpoint files say of this log; also after close(). The high watermark is the caller's to add.
  CheckpointRow checkpoint_row() const;

  // ---- End
  // Writes, syncs, trims the indexes, takes a producer snapshot. The log is then as after a clean stop.
  io::Task<Result<void>> close();
  // Closes and renames the directory to "<topic>-<partition>.<unique>-delete"; the files go after file.delete.delay.ms. The
  // new name is durable once the log directory was synced, which the caller does once for all it removes.
  io::Task<Result<void>> remove();

 private:
  friend class LogShard;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::log
