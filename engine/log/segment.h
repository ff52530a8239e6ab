// A Segment is one contiguous run of record batches: a data file and the sparse indexes into it.
//
// Shard:      its log's.
// Lifetime:   owned by its log. Files are opened when they are used and may be closed in between (FileCache).
// Invariant:  the data file holds whole batches in [0, size()); indexes speak only of those.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "engine/log/file_cache.h"
#include "engine/log/index_file.h"
#include "io/proactor.h"
#include "io/task.h"

namespace millrace::log {

// What a log keeps in mind of a batch.
struct BatchSummary {
  Offset base_offset{0};
  Offset last_offset{0};
  std::uint64_t bytes = 0;
  std::int64_t max_timestamp = -1;
};

// A batch and where it is.
struct BatchLocation {
  BatchSummary batch;
  LeaderEpoch leader_epoch{-1};
  std::uint64_t position = 0;

  std::uint64_t end_position() const { return position + batch.bytes; }
};

// Where a batch ends and, where that is known, the offset with which the next one begins.
struct BatchEnd {
  std::uint64_t position = 0;
  Offset next_offset{-1};
};

struct TimestampedOffset {
  std::int64_t timestamp = -1;
  Offset offset{-1};
};

// "<directory>/00000000000000000042<suffix>".
std::string segment_path(std::string_view directory, Offset base_offset, std::string_view suffix);
// The offset in the name of a segment's file with that suffix; empty when it is not one.
std::optional<Offset> parse_segment_name(std::string_view name, std::string_view suffix);

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";
inline constexpr std::string_view kTransactionIndexSuffix = ".txnindex";
inline constexpr std::string_view kSnapshotSuffix = ".snapshot";
inline constexpr std::string_view kDeletedSuffix = ".deleted";
inline constexpr std::string_view kCleanedSuffix = ".cleaned";
inline constexpr std::string_view kSwapSuffix = ".swap";

// Steps from batch header to batch header in a data file, without the records between.
//
// Errors of next(): corrupt (no header of format v2 that belongs to this segment stands there), io_error.
class HeaderScan {
 public:
  HeaderScan(io::Proactor& proactor, io::FileHandle file, Offset segment_base, std::uint64_t position,
             std::uint64_t end)
      : proactor_(proactor), file_(file), segment_base_(segment_base), position_(position), end_(end) {}

  bool at_end() const { return position_ >= end_; }
  std::uint64_t position() const { return position_; }
  Result<BatchLocation> next();
  // next() reads inline unless the next header is held. For a walk of any length: `if (!holds_next()) co_await fetch_next()`
  // before each, which waits for the disk without holding the shard and gives the shard's other work a turn.
  bool holds_next() const { return holds(position_); }
  io::Task<Result<void>> fetch_next();

 private:
  static constexpr std::size_t kWindowBytes = 4096;
  bool holds(std::uint64_t position) const;
  Result<const std::byte*> header_at(std::uint64_t position);

  io::Proactor& proactor_;
  io::FileHandle file_;
  Offset segment_base_;
  std::uint64_t position_;
  std::uint64_t end_;
  std::uint64_t window_start_ = 0;
  std::size_t window_bytes_ = 0;
  std::size_t batch_bytes_ = kWindowBytes;  // of the last one, which the next is likely to be as large as
  std::byte window_[kWindowBytes];
};

class Segment {
 public:
  // `directory` is the log's and outlives the segment. `size`: whole batches in the data file.
  Segment(FileCache& files, const std::string& directory, Offset base_offset, std::uint64_t size)
      : files_(files), directory_(directory), base_offset_(base_offset), size_(size) {}
  Segment(const Segment&) = delete;

  Offset base_offset() const { return base_offset_; }
  std::uint64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string path(std::string_view suffix) const {
    return segment_path(directory_, base_offset_, suffix).append(ending_);
  }
  // What stands behind the names of its files: kSwapSuffix while the cleaner puts it in place, else nothing.
  void set_name_ending(std::string_view ending) { ending_ = ending; }

  // The data file, opened if it is not. Errors: not_found, io_error, refused.
  Result<std::shared_ptr<const io::OpenFile>> file();
  // Makes the data file, empty. Errors: already_exists, disk_full, refused.
  Result<void> create();
  void release_files() { slot_.reset(); }

  // ---- Append
  struct Reservation {
    // Smaller segments reserve nothing.
    std::uint64_t from = 0;
    // Bytes the segment may still need, the bound of what is reserved ahead.
    std::uint64_t max = 0;
    // Position behind which no zeros are written ahead.
    std::uint64_t fill_end = 0;
  };
  // Writes whole batches behind the last one; note() each of them afterwards. After disk_full and refused (no handle, no memory)
  // the file is as it was, after another error it is in doubt.
  Result<void> write(std::span<const ::iovec> slices, std::uint64_t bytes, const Reservation& reservation);
  // Takes note of the next batch, which stands at size() and has been written.
  Result<void> note(const BatchSummary& batch, std::int64_t index_interval_bytes);
  // Takes note of bytes at size() that are no batch any more; what follows them can be found again.
  void note_damage(std::uint64_t bytes);
  // Whether the position lies in such bytes; and where the next ones begin, at or behind it.
  bool damaged(std::uint64_t position) const;
  bool has_damage() const { return !damage_.empty(); }
  std::uint64_t next_damage(std::uint64_t position) const;
  bool indexes_full(std::int64_t index_bytes_max) const;
  bool fits(Offset offset) const { return relative_offset(base_offset_, offset).has_value(); }
  // Gives reserved room back. Errors: refused (no handle), and others, after which zeros may be left behind the batches.
  Result<void> trim();
  // The segment will get no more batches: completes the indexes. Requires: trim().
  Result<void> seal();
  // Bytes were cut off its end that a power cut may bring back: no sync of the file has ended since that began when cuts() was
  // what it is now. They are zeros that were written ahead, which recovery knows for what they are; or batches, and then nothing
  // may follow in another segment before the sync.
  bool has_unsynced_cut() const { return cuts_ != cuts_synced_; }
  bool has_unsynced_cut_of_batches() const { return has_unsynced_cut() && batches_cut_; }
  std::uint32_t cuts() const { return cuts_; }
  void note_cuts_synced(std::uint32_t cuts);
  // The range to be written back when more than `step` bytes were written since the last call.
  struct Range {
    std::uint64_t position = 0;
    std::uint64_t length = 0;
  };
  std::optional<Range> take_write_back(std::uint64_t step);

  // ---- Find
  // The first batch whose last offset is at or behind `offset`; empty if there is none.
  Result<std::optional<BatchLocation>> locate(Offset offset);
  // Whether the ends of the offset and time index are in mind.
  bool indexes_loaded() const { return indexes_loaded_; }
  // Where the headers begin that locate() looks at, and those that batch_end_before() does, as the index says: nothing of the data is
  // read. Errors: as theirs.
  Result<std::uint64_t> headers_before(Offset offset);
  Result<std::uint64_t> headers_before_position(std::uint64_t position);
  // The last end of a batch at or before `limit`, starting from a batch's start. At least `start`.
  Result<BatchEnd> batch_end_before(std::uint64_t start, std::uint64_t limit);
  // A batch start such that no batch before it can hold a record as young as `timestamp`.
  Result<std::uint64_t> position_for_timestamp(std::int64_t timestamp);
  // The largest timestamp of a batch, with its last offset; both -1 if no batch has one.
  Result<TimestampedOffset> max_timestamp();
  // The same for who must not hold the shard: where the walk over the headers begins, and what is known of those before.
  struct TimestampWalk {
    TimestampedOffset youngest;
    std::uint64_t position = 0;  // size() when nothing is left to be walked over
  };
  Result<TimestampWalk> begin_timestamp_walk();
  void note_max_timestamp(TimestampedOffset youngest);
  // Of the first batch, by which the segment's age is told; -1 if there is none.
  Result<std::int64_t> first_timestamp();
  // The same without a look at the file.
  std::optional<std::int64_t> first_timestamp_if_known() const { return first_timestamp_; }
  HeaderScan scan(const io::OpenFile& file, std::uint64_t position) const {
    return HeaderScan(files_.proactor(), file.handle(), base_offset_, position, size_);
  }

  // ---- Open, truncate, sync
  // After a clean stop: checks what the indexes and the last batches say against the data file's size, and gives the end
  // offset. Requires: load_size(). Errors: corrupt (look again, at everything), io_error.
  Result<Offset> load();
  // Takes the data file's size for the segment's. Errors: not_found, io_error.
  Result<void> load_size();
  // Where the batches end as their headers tell, from the last index entry on: at the end, or before what is no header. The offset
  // is -1 where no header could be read. Errors: io_error.
  Result<BatchEnd> end_of_headers();
  // Builds the indexes anew from the batch headers.
  Result<void> rebuild_indexes(std::int64_t index_interval_bytes);
  // Empty, with indexes to match; recovery then notes what it finds in the data file.
  void begin_rebuild();
  // Cuts the data file at a batch's start.
  Result<void> truncate(std::uint64_t size);
  // Writes the indexes' newest entries to their files.
  Result<void> write_indexes();

  // ---- Aborted transactions whose marker is in this segment. Kafka writes the file when one is aborted; here it is read, and
  // written where recovery finds something else in the batches or a marker is cut off.
  bool has_aborted() const { return !aborted_.empty(); }
  // Takes the file for what there is. Errors: corrupt (build it anew, from the batches), io_error.
  Result<void> load_aborted();
  void begin_aborted_anew() { aborted_.begin_anew(); }
  void note_aborted(const AbortedTransaction& entry);
  // Forgets those whose marker is at or behind `end`; whether there were any. Errors: corrupt, io_error.
  Result<bool> cut_aborted(Offset end);
  // Writes the file, if there is or was anything to write. Whether it now waits for a sync.
  Result<bool> write_aborted();
  // Adds those that touch [first, end) to `found`. True when no later segment can have one.
  Result<bool> find_aborted(Offset first, Offset end, std::vector<AbortedTransaction>& found) const;

  // ---- Delete
  // Renames all files of the segment to "<name>.deleted".
  Result<void> mark_deleted();
  // Every file a segment may have, with ".deleted".
  std::vector<std::string> deleted_paths() const;

 private:
  Result<void> load_indexes();
  // The last entry of the offset index for which the predicate holds.
  template <class Predicate>
  Result<std::optional<OffsetIndexEntry>> last_entry(Predicate at_or_before);
  Result<std::optional<OffsetIndexEntry>> entry_before(Offset offset);
  // Where to start looking for `offset`. The second throws a misleading index away and asks the data.
  Result<std::uint64_t> index_position(Offset offset);
  Result<std::uint64_t> trusted_index_position(Offset offset);
  void reserve_ahead(io::FileHandle file, std::uint64_t bytes, const Reservation& reservation);
  // Zeros up to the next whole step behind what is about to be written.
  void fill_ahead(io::FileHandle file, std::uint64_t bytes, const Reservation& reservation);
  void note_batches_cut();
  Offset absolute(std::int32_t relative) const { return base_offset_ + relative; }

  FileCache& files_;
  FileCache::Slot slot_;
  const std::string& directory_;
  Offset base_offset_;
  std::string_view ending_;
  std::uint64_t size_;
  std::uint64_t reserved_end_ = 0;
  // Of the zeros that were written ahead: up to here the file may be longer than its batches, until the segment is sealed.
  std::uint64_t filled_end_ = 0;
  std::uint64_t write_back_from_ = 0;
  OffsetIndex offsets_;
  TimeIndex times_;
  bool indexes_loaded_ = false;
  bool rebuilt_ = false;
  std::uint32_t cuts_ = 0;
  std::uint32_t cuts_synced_ = 0;
  bool batches_cut_ = false;
  std::int64_t bytes_since_entry_ = 0;
  TimestampedOffset max_timestamp_;
  bool max_timestamp_known_ = false;
  std::optional<std::int64_t> first_timestamp_;
  // Found by recovery; growing.
  std::vector<Range> damage_;
  TransactionIndex aborted_;
  // There may be a file, whatever it holds.
  bool has_aborted_file_ = false;
};

}  // namespace millrace::log
