// CleanedSegment: a segment as the cleaner writes it beside those it will take the place of.
//
//   <base>.log.cleaned, .index.cleaned, .timeindex.cleaned   being written; a start removes them
//   ... .swap                                                complete and on disk; a start puts them in place
//   <base>.log, ...                                          in place
// The data goes past the page cache, in pieces: written through it, it would cost the shard's core a copy and a write-back
// that come in gusts, and the disk a flush for all of it in which others' small ones wait.
// The names are Kafka's, and Kafka, too, would finish what was begun. A data file gets each name after its indexes.
//
// Shard:      its log's.
// Lifetime:   of one group of segments of a pass. Files it leaves as ".cleaned" are removed by remove() or the next start.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/log/aligned_buffer.h"
#include "engine/log/format/record_batch.h"
#include "engine/log/index_file.h"
#include "engine/log/segment.h"
#include "io/file.h"
#include "io/proactor.h"
#include "io/task.h"

namespace millrace::log {

class CleanedSegment {
 public:
  static constexpr std::size_t kWriteBytes = std::size_t{1} << 20;

  CleanedSegment(io::Proactor& proactor, std::string directory, Offset base_offset, std::int64_t index_interval_bytes)
      : proactor_(proactor),
        directory_(std::move(directory)),
        base_offset_(base_offset),
        index_interval_bytes_(index_interval_bytes) {}
  CleanedSegment(const CleanedSegment&) = delete;

  // Makes the data file; one that was left there is overwritten. Errors: disk_full, refused.
  Result<void> create();
  // Takes the next batch into memory. Errors: too_large (positions and offsets of a segment are 32 bits wide).
  Result<void> add(ConstBytes batch);
  bool wants_write() const { return pending_.size() >= kWriteBytes; }
  // Writes what was added, but for the last part of a block. Errors: disk_full, io_error.
  io::Task<Result<void>> write();
  // Writes the rest and the indexes, and syncs them. Errors: disk_full, io_error.
  io::Task<Result<void>> finish();

  std::uint64_t size() const { return written_ + pending_.size(); }
  Offset base_offset() const { return base_offset_; }

  // ".cleaned" becomes ".swap"; ".swap" becomes the name itself. Durable once the directory is synced.
  Result<void> rename_to_swap() { return rename_all(kCleanedSuffix, kSwapSuffix); }
  Result<void> rename_to_place() { return rename_all(kSwapSuffix, {}); }
  // Removes all that is not in place.
  io::Task<void> remove();

 private:
  std::string path(std::string_view suffix, std::string_view ending) const {
    return segment_path(directory_, base_offset_, suffix) + std::string(ending);
  }
  Result<void> rename_all(std::string_view from, std::string_view to);
  io::Task<Result<void>> write_blocks();
  io::Task<Result<void>> sync_index(std::string path);

  io::Proactor& proactor_;
  std::string directory_;
  Offset base_offset_;
  std::int64_t index_interval_bytes_;
  std::shared_ptr<const io::OpenFile> file_;
  // The same file, for its whole blocks.
  std::shared_ptr<const io::OpenFile> direct_;
  AlignedBuffer pending_;
  std::uint64_t written_ = 0;
  OffsetIndex offsets_;
  TimeIndex times_;
  std::int64_t bytes_since_entry_ = 0;
  TimestampedOffset youngest_;
};

}  // namespace millrace::log
