// The inside of a Log and of a LogShard. Included by the files that implement them: log*.cc, recovery.cc, log_shard.cc.
#pragma once

#include <boost/intrusive/list.hpp>

#include <array>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "engine/log/compression.h"
#include "engine/log/disk_reserve.h"
#include "engine/log/log.h"
#include "engine/log/log_cleaner.h"
#include "engine/log/log_shard.h"
#include "engine/log/producer_state.h"
#include "engine/log/segment.h"
#include "engine/log/write_ahead.h"
#include "io/gate.h"
#include "io/reactor.h"
#include "io/wait.h"
#include "replication/epoch_history.h"

namespace millrace::log {

// Where recently appended batches of the active segment begin, so that a reader at the tail needs no index. Empty until the
// first append, so that an idle partition pays nothing.
class RecentBatches {
 public:
  struct Entry {
    Offset base_offset{0};
    std::uint64_t position = 0;
  };

  void push(Entry entry);
  void clear() { count_ = 0; }
  // The youngest batch that begins at or before `offset`; empty if all kept ones begin behind it.
  std::optional<Entry> at_or_before(Offset offset) const;
  // The youngest batch that begins at or before `position`.
  std::optional<Entry> at_or_before_position(std::uint64_t position) const;

 private:
  static constexpr std::size_t kKept = 128;  // a power of two
  const Entry& at(std::size_t index) const { return entries_[(next_ - count_ + index) % kKept]; }
  template <class Key, class Get>
  std::optional<Entry> find(Key key, Get get) const;

  std::unique_ptr<Entry[]> entries_;
  std::size_t next_ = 0;
  std::size_t count_ = 0;
};

// Where readers stopped, and so where they will go on.
class ReadMarks {
 public:
  struct Mark {
    Offset offset{-1};
    Offset segment_base{-1};
    std::uint64_t position = 0;
  };
  std::optional<Mark> find(Offset offset) const;
  void remember(Mark mark);
  void clear() { marks_.fill({}); }

 private:
  std::array<Mark, 4> marks_;
  std::size_t next_ = 0;
};

struct LogShard::State {
  State(io::Proactor& the_proactor, LogShardOptions the_options)
      : proactor(the_proactor), options(std::move(the_options)), files(the_proactor, options.open_files_max),
        workspace(codecs), cleaner(*this, options.cleaner) {}

  io::Proactor& proactor;
  LogShardOptions options;
  FileCache files;
  Compression codecs;
  AppendWorkspace workspace;
  // Null when there is none or it has failed.
  std::unique_ptr<WriteAhead> write_ahead;
  LogShardCounters counters;
  std::map<std::string, DiskReserve> reserves;  // by log directory
  DiskReserve& reserve_of(const std::string& log_directory) {
    return reserves.try_emplace(log_directory, proactor, log_directory, options.disk_reserve_percent).first->second;
  }
  LogCleaner cleaner;
  io::Gate gate;
  bool stopping = false;
  io::Event wake;

  struct Removal {
    Instant due;
    std::string path;
    bool directory = false;
  };
  // Deleted files and directories, until their delay has passed.
  std::deque<Removal> removals;
  bool removing = false;  // remove_due() runs
  // Those that are closed as well, until they go: checkpoints are written after the last one was closed.
  std::vector<Log::State*> logs;

  // The syncs of one log directory: many logs that were made together wait for one.
  struct RootSync {
    std::uint64_t begun = 0;
    std::uint64_t ended = 0;
    std::uint64_t failed = 0;  // the last one that did
    std::optional<Error> error;
    bool running = false;
    io::Event moved;
  };
  std::map<std::string, RootSync> root_syncs;
  // Makes the names in `root` durable that are there now. Errors: io_error.
  io::Task<Result<void>> sync_root(std::string root);

  void remove_later(std::string path, bool directory, std::int64_t delay_ms);
  io::Task<void> remove_due();
  io::Task<void> remove(Removal removal);
  WriteAhead* usable_write_ahead() const {
    return write_ahead != nullptr && !write_ahead->failed() ? write_ahead.get() : nullptr;
  }
  io::Task<void> housekeeping();
  void look_after(Log::State& log);
};

struct Log::State final : io::TurnHook, WriteAheadClient {
  // As where something begins: it does nowhere.
  static constexpr Offset kNowhere{std::numeric_limits<std::int64_t>::max()};
  // How long one without a handle for its files waits before it asks for one again.
  static constexpr Duration kHandlePause = std::chrono::milliseconds(20);

  State(LogShard::State& the_shard, std::string the_directory, std::string the_topic,
        PartitionIndex the_partition, TopicId the_topic_id, LogOptions the_options);
  ~State() override;

  LogShard::State& shard;
  std::string directory;
  std::string topic;
  PartitionIndex partition;
  TopicId topic_id;
  LogOptions options;
  DiskReserve& reserve;

  // By base offset; the last one is active. Never empty once open.
  std::vector<std::unique_ptr<Segment>> segments;
  Offset log_start{0};
  Offset end{0};
  Offset written_end{0};
  // Durable through the write-ahead log, or through flushed_end.
  Offset durable_end{0};
  // Durable in the segments.
  Offset flushed_end{0};
  // From here on everything went through the write-ahead log; below, flushed_end must get there first.
  Offset write_ahead_from{0};
  // What the write-ahead log has made durable.
  Offset write_ahead_end{0};
  replication::EpochHistory epochs;
  // From here on leader-epoch-checkpoint does not say what `epochs` does. The recovery point stays at or below it, so that a
  // start reads the difference from the batches.
  Offset epochs_unsaved_from = kNowhere;
  // Held down until a cut has ended.
  Offset recovery_point_max = kNowhere;
  // Of the first segment that has ended and of which the cut at its end may not be on disk.
  Offset cut_unsynced_from = kNowhere;
  // Whether a segment has, or had, an aborted transaction in its index.
  bool has_aborted = false;
  ProducerState producers;
  Offset snapshot_offset{-1};  // of the newest producer snapshot on disk
  std::int64_t active_since_ms = 0;

  // ---- Staged during this turn
  std::vector<::iovec> staged;
  std::vector<BatchSummary> staged_batches;
  std::uint64_t staged_bytes = 0;
  // Batches that validation had to build anew.
  std::vector<std::vector<std::byte>> staged_owned;
  // What producers were like before this turn's appends, newest last.
  struct ProducerBefore {
    ProducerId id;
    std::optional<ProducerEntry> entry;
  };
  std::vector<ProducerBefore> producers_before;

  RecentBatches recent;
  ReadMarks marks;

  // Of writes and syncs; and where the log ended at the last ones, by their number modulo kFailuresKept.
  std::uint32_t failures = 0;
  static constexpr std::uint32_t kFailuresKept = 4;
  std::array<Offset, kFailuresKept> failed_from{};
  std::optional<Error> offline;
  Instant refuse_until{};  // after a full disk
  Offset damage_said{-1};
  bool closed = false;
  bool removed = false;
  bool modified = false;  // since it was opened
  bool directory_dirty = false;
  // The directory's own name and partition.metadata may not be on disk. Without records that is no loss: a start makes the
  // partition again, as the metadata says. The first sync of records sees to it.
  bool names_unsynced = false;
  Instant last_flush{};

  // ---- Compaction
  Offset high_watermark{0};
  // Everything below was compacted, as cleaner-offset-checkpoint says; -1 before the first pass.
  Offset cleaned_end{-1};
  // Why the cleaner leaves this log alone until it is opened again.
  std::optional<Error> uncleanable;
  Instant clean_not_before{};
  // Passes over this log, those that wait for their turn included. While there are holds they give way, and none begins.
  std::uint32_t cleaning = 0;
  std::uint32_t cleaning_holds = 0;
  io::Event cleaning_ended;
  // A pass puts a group of segments in the place of others and waits for the disk: no segment may be dropped meanwhile.
  bool swapping = false;
  std::uint64_t write_ahead_sequence = 0;
  bool syncing = false;      // sync_until_durable() runs
  bool syncing_cut = false;  // sync_active_segment() runs
  io::Semaphore flush_turn{1};
  // Flushes begun and not ended, those that wait for their turn included.
  std::uint64_t flushes = 0;
  io::Event flushes_ended;
  // A close is under way, and has ended; a second one waits for the first.
  bool closing = false;
  bool closed_for_good = false;
  io::Event close_ended;
  io::Event written_moved;
  io::Event stable_moved;
  io::Gate gate;

  io::Proactor& proactor() { return shard.proactor; }
  Segment& active() { return *segments.back(); }
  const Segment& active() const { return *segments.back(); }
  std::string name() const;
  CheckpointRow checkpoint_row() const;
  Offset recovery_point() const { return std::min({flushed_end, epochs_unsaved_from, recovery_point_max}); }
  bool is_fsync() const { return options.durability == Durability::fsync; }
  Offset stable_end() const { return is_fsync() ? durable_end : written_end; }
  Offset segment_end(std::size_t index) const {
    return index + 1 < segments.size() ? segments[index + 1]->base_offset() : written_end;
  }
  // The segment that would hold `offset`.
  std::size_t segment_index(Offset offset) const;

  // ---- log_append.cc
  Result<void> check_usable();
  Result<AppendedBatches> stage_one(Bytes batch, const AppendOptions& append);
  Result<std::optional<ProducerBatch>> check_producer(const RecordBatch& batch, AppendOrigin origin) const;
  Result<void> make_room(const BatchSummary& batch, WallTime now);
  bool must_roll(const BatchSummary& batch, WallTime now);
  std::int64_t segment_age_max() const;
  void note_epoch(LeaderEpoch epoch, Offset start);
  void stage(Bytes batch, const BatchSummary& summary, bool owned);
  Result<void> write_staged();
  Result<void> refuse_staged(Error error);
  void clear_staged();
  void note_failure(Offset end) { failed_from[failures++ % kFailuresKept] = end; }
  // Whether what was staged before was there when the first failure after it came.
  bool was_written(const AppendedBatches& appended) const;
  void go_offline(const Error& error);
  bool to_write_ahead(Offset from);
  void start_sync();
  io::Task<void> sync_until_durable();
  void update_durable();
  void start_write_back();
  io::Task<void> write_back(std::shared_ptr<const io::OpenFile> file, Segment::Range range);
  void at_turn_end() override;
  void on_write_ahead_durable(Offset durable) override;
  void on_write_ahead_failed() override;
  io::Task<Result<void>> sync_segments() override;
  TopicPartition write_ahead_id() const override { return {.topic_id = topic_id, .partition = partition}; }

  // ---- log_read.cc
  Result<ReadRange> read(Offset from, const ReadLimits& limits);
  Result<std::vector<AbortedTransaction>> aborted_in(const ReadRange& range) const;
  bool is_cold(Offset from, const ReadLimits& limits) const;
  bool aborted_from(std::size_t index) const;
  io::Task<void> warm(Offset from, ReadLimits limits, bool aborted);
  io::Task<std::uint64_t> warm_start(Offset base, Offset from);
  io::Task<void> warm_end(Offset base, std::uint64_t wanted);
  io::Task<void> warm_aborted(Offset base, Offset from);
  io::Task<void> warm_indexes(Offset base, std::string_view suffix);
  std::optional<RecentBatches::Entry> known_start(std::size_t index, Offset from) const;
  Result<std::optional<RecentBatches::Entry>> start_of(std::size_t index, Offset from);
  Result<BatchEnd> end_in_segment(std::size_t index, Offset limit);
  Result<BatchEnd> cut(std::size_t index, const io::OpenFile& file, std::uint64_t start, BatchEnd end,
                       const ReadLimits& limits);
  Result<BatchEnd> walk_to_damage(const Segment& segment, const io::OpenFile& file, std::uint64_t start,
                                  Offset limit, const ReadLimits& limits);
  Result<ReadRange> read_in_segment(std::size_t index, RecentBatches::Entry start, Offset limit,
                                    const ReadLimits& limits);
  Error note_damage(const Error& error, Offset at);
  io::Task<Result<std::vector<std::byte>>> read_bytes(Offset from, ReadLimits limits);
  io::Task<Result<std::optional<FoundOffset>>> find_timestamp(std::int64_t timestamp, Offset limit);
  io::Task<Result<std::optional<FoundOffset>>> find_max_timestamp();
  io::Task<Result<TimestampedOffset>> youngest_in_segment(Offset base);
  Segment* segment_from(Offset base);
  // The one that begins there; null when it is gone.
  Segment* segment_at(Offset base);
  Result<std::optional<FoundOffset>> find_in_batch(const RecordBatch& batch, std::int64_t timestamp);
  LeaderEpoch epoch_of(Offset offset) const;

  // ---- log_upkeep.cc
  Result<void> roll(WallTime now);
  Result<void> add_segment(Offset base);
  void sync_cut_of_batches();
  io::Task<void> sync_active_segment();
  // Requires: flush_turn.
  io::Task<Result<void>> sync_segment(Offset base, const io::OpenFile& file);
  io::Task<void> flush_in_background();
  io::Task<void> sync_path(std::string path);
  io::Task<Result<void>> flush();
  io::Task<Result<void>> flush_locked();
  io::Task<Result<void>> sync_data(Offset target);
  io::Task<Result<void>> sync_names(bool was_made, bool was_dirty);
  io::Task<Result<void>> sync_metadata();
  io::Task<Result<void>> save_epochs_queued();
  Result<void> save_epochs();
  Result<void> save_producers();
  Result<void> drop_segment(std::size_t index);
  Result<void> drop_old_snapshots();
  Result<Offset> delete_records(Offset offset);
  bool retains_by_time() const { return options.deletes && options.retention_ms >= 0; }
  io::Task<void> learn_ages(WallTime now);
  Result<std::size_t> apply_retention(WallTime now, Offset high_watermark);
  void advance_start(Offset offset);
  // While it is held no pass of the cleaner runs over this log.
  io::Task<void> hold_cleaning();
  void release_cleaning() { --cleaning_holds; }
  io::Task<void> settle();
  io::Task<Result<void>> truncate_to(Offset offset);
  io::Task<Result<void>> truncate_below_end(Offset offset);
  io::Task<Result<void>> truncate_locked(Offset offset);
  io::Task<Result<void>> truncate_fully_to(Offset offset);
  Result<void> restart_at(Offset offset);
  Result<void> restart_empty(Offset offset);
  Result<void> drop_last();
  void end_at(Offset new_end);
  Result<void> check_cut_can_be_noted() const;
  void note_cut(WriteAheadEntry::Kind kind, Offset offset);
  io::Task<Result<void>> settle_cut();
  io::Task<Result<void>> cut_aborted(Segment& segment, Offset new_end);
  io::Task<Result<void>> save_aborted(Segment& segment);
  io::Task<Result<void>> close();
  io::Task<Result<void>> remove();
};

}  // namespace millrace::log
