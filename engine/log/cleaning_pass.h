// CleaningPass: one pass of the cleaner over one log. See log_cleaner.h for what it promises.
//
// Shard:     its log's.
// Lifetime:  run() once. The log stays open meanwhile; its segments may be dropped by retention between any two awaits, so
//            they are looked up by base offset after each.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/log/batch_reader.h"
#include "engine/log/cleaned_segment.h"
#include "engine/log/compaction/batch_rewrite.h"
#include "engine/log/compaction/cleaning_plan.h"
#include "engine/log/compaction/offset_map.h"
#include "engine/log/compaction/transactions.h"
#include "engine/log/log_cleaner.h"
#include "engine/log/log_state.h"

namespace millrace::log {

// All segments of the log as the plan asks for them. Errors: io_error, corrupt.
Result<std::vector<CleanableSegment>> cleanable_segments(Log::State& log);
CleaningRules cleaning_rules(const Log::State& log);

class CleaningPass {
 public:
  CleaningPass(Log::State& log, CleanerPace& pace, Compression& codecs, const CleaningPlan& plan,
               const OffsetMapOptions& map, WallTime now);
  CleaningPass(const CleaningPass&) = delete;

  // Errors: as LogCleaner::clean().
  io::Task<Result<CleanedLog>> run();

 private:
  // The batches of a segment from some position on.
  struct Walk {
    std::shared_ptr<const io::OpenFile> file;
    // For direct reads, of a segment that has ended; null where it is not to be had.
    std::shared_ptr<const io::OpenFile> direct;
    BatchReader reader;
    Offset base_offset;
    std::uint64_t end = 0;
    // Offsets are not covered by the checksum: they must grow, and stay within the segment.
    Offset least;
    Offset end_offset;
  };

  Result<void> check_going() const;
  Result<void> check_room() const;
  Segment* find(Offset base_offset);
  Result<std::unique_ptr<Walk>> walk(Segment& segment, std::uint64_t position);
  io::Task<Result<std::vector<RecordBatch>>> next(Walk& walk);
  Result<void> check(Walk& walk, std::span<const RecordBatch> batches) const;
  io::Task<Result<ConstBytes>> open(const RecordBatch& batch);

  io::Task<Result<void>> build_map();
  io::Task<Result<bool>> map_segment(Segment& segment, Offset from);
  io::Task<Result<bool>> map_batch(const RecordBatch& batch);
  io::Task<Result<void>> learn_of_aborted();

  std::vector<std::vector<Offset>> groups() const;
  io::Task<Result<void>> clean_group(std::vector<Offset> bases);
  io::Task<Result<void>> write_group(CleanedSegment& cleaned, const std::vector<Offset>& bases);
  io::Task<Result<void>> rewrite_segment(CleanedSegment& cleaned, Segment& segment, bool last_of_group);
  io::Task<Result<void>> rewrite_batch(CleanedSegment& cleaned, const RecordBatch& batch, bool last_of_group);
  bool is_last_of_producer(const RecordBatch& batch) const;
  void note_dropped(const RecordBatch& batch);
  io::Task<Result<void>> make_later_batches_durable();
  io::Task<Result<void>> swap(CleanedSegment& cleaned, const std::vector<Offset>& bases);
  io::Task<Result<void>> take_over(CleanedSegment& cleaned, const std::vector<Offset>& bases);

  Log::State& log_;
  CleanerPace& pace_;
  Compression& codecs_;
  CleaningPlan plan_;
  WallTime now_;
  OffsetMap map_;
  // The map knows every key below.
  Offset map_end_;
  AbortedTransactions aborted_;
  bool aborted_known_ = false;
  MarkerTrack markers_;
  // The last of the batches for which earlier ones of the same producer went.
  Offset later_batch_ = kNoOffset;
  RewriteRules rules_;
  BatchRewrite rewrite_;
  std::vector<std::byte> opened_;
  CleanedLog result_;
};

}  // namespace millrace::log
