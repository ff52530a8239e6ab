#include "engine/log/cleaning_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "io/reactor.h"

namespace millrace::log {
namespace {

// Records looked at before it is asked whether it is others' turn.
constexpr std::size_t kRecordsAtOnce = 32;

// Bytes compressed before it is: about a millisecond of gzip.
constexpr std::size_t kCompressedAtOnce = std::size_t{32} << 10;

// What is read ahead of a reader that goes through the page cache, in the background class.
constexpr std::uint64_t kReadAheadBytes = 2 * BatchReader::kChunkBytes;

// A batch that opened to more was refused when it was appended.
constexpr std::uint64_t kOpenedBytesMax = BatchReader::kBatchBytesMax;

}  // namespace

// ---- What there is

CleaningRules cleaning_rules(const Log::State& log) {
  const LogOptions& options = log.options;
  const Offset stable = log.producers.last_stable_offset(log.high_watermark);
  return {.dirty_ratio_min = options.dirty_ratio_min,
          .lag_min_ms = options.compaction_lag_min_ms,
          .lag_max_ms = options.compaction_lag_max_ms,
          .log_start_offset = log.log_start,
          .cleaned_end = log.cleaned_end,
          .limit = std::min(stable, log.written_end)};
}

Result<std::vector<CleanableSegment>> cleanable_segments(Log::State& log) {
  std::vector<CleanableSegment> rows;
  const Offset dirty_from = std::max(log.cleaned_end, log.log_start);
  for (std::size_t index = 0; index < log.segments.size(); ++index) {
    Segment& segment = *log.segments[index];
    CleanableSegment row{.base_offset = segment.base_offset(),
                         .end_offset = log.segment_end(index),
                         .bytes = segment.size()};
    const bool dirty = index + 1 < log.segments.size() && row.end_offset > dirty_from;
    if (dirty && log.options.compaction_lag_min_ms > 0) {
      TRY(youngest, segment.max_timestamp());
      row.youngest_ms = youngest.timestamp;
    }
    if (dirty && log.options.compaction_lag_max_ms != LogOptions::kNever) {
      TRY(first, segment.first_timestamp());
      row.first_ms = first;
    }
    rows.push_back(row);
  }
  return rows;
}

CleaningPass::CleaningPass(Log::State& log, CleanerPace& pace, Compression& codecs, const CleaningPlan& plan,
                           const OffsetMapOptions& map, WallTime now)
    : log_(log),
      pace_(pace),
      codecs_(codecs),
      plan_(plan),
      now_(now),
      map_(map),
      map_end_(plan.first_dirty),
      rules_{.map = map_, .map_end = map_end_, .now = now, .delete_retention_ms = log.options.delete_retention_ms},
      rewrite_(rules_) {}

Result<void> CleaningPass::check_going() const {
  if (log_.offline) return fail(Errc::offline, log_.offline->message);
  if (log_.closing || log_.cleaning_holds > 0 || log_.shard.stopping) {
    return fail(Errc::canceled, "the log is being closed or cut");
  }
  return {};
}

// Before each write: what is rewritten is mostly smaller than what it came from, but nobody knows by how much.
Result<void> CleaningPass::check_room() const {
  if (log_.reserve.admit_rewrite(CleanedSegment::kWriteBytes)) return {};
  return fail(Errc::disk_full, "the cleaner may take half of the disk's reserve and no more");
}

Segment* CleaningPass::find(Offset base_offset) {
  Segment* const segment = log_.segments[log_.segment_index(base_offset)].get();
  return segment->base_offset() == base_offset ? segment : nullptr;
}

io::Task<Result<CleanedLog>> CleaningPass::run() {
  CO_TRY_DONE(co_await build_map());
  rules_.map_end = map_end_;
  for (auto& group : groups()) CO_TRY_DONE(co_await clean_group(std::move(group)));
  result_.cleaned_end = map_end_;
  result_.keys = map_.size();
  result_.map_bytes = map_.bytes();
  co_return result_;
}

// ---- Reading

Result<std::unique_ptr<CleaningPass::Walk>> CleaningPass::walk(Segment& segment, std::uint64_t position) {
  if (segment.has_damage()) {
    return fail(Errc::corrupt, fmt::format("{} is damaged", segment.path(kLogSuffix)));
  }
  TRY(file, segment.file());
  const io::FileHandle handle = file->handle();
  // What is still being written is in the page cache, and a direct read would have it written back first.
  std::shared_ptr<const io::OpenFile> direct;
  if (&segment != &log_.active()) {
    auto opened = io::OpenFile::open(log_.proactor(), segment.path(kLogSuffix), {.direct = true});
    if (opened) direct = std::move(*opened);
  }
  const io::FileHandle direct_handle = direct ? direct->handle() : io::kNoFile;
  return std::unique_ptr<Walk>(new Walk{.file = std::move(file),
                                        .direct = std::move(direct),
                                        .reader = BatchReader(log_.proactor(), handle, position, segment.size(),
                                                              direct_handle),
                                        .base_offset = segment.base_offset(),
                                        .end = segment.size(),
                                        .least = segment.base_offset(),
                                        .end_offset = log_.segment_end(log_.segment_index(segment.base_offset()))});
}

Result<void> CleaningPass::check(Walk& walk, std::span<const RecordBatch> batches) const {
  for (const RecordBatch& batch : batches) {
    TRY_DONE(batch.verify());
    if (batch.base_offset() < walk.least || batch.end_offset() > walk.end_offset) {
      return fail(Errc::corrupt, fmt::format("{}: a batch says that it is at offset {}",
                                             segment_path(log_.directory, walk.base_offset, kLogSuffix),
                                             batch.base_offset().value()));
    }
    walk.least = batch.end_offset();
  }
  return {};
}

// The next whole batches, checked; none at the end.
io::Task<Result<std::vector<RecordBatch>>> CleaningPass::next(Walk& walk) {
  CO_TRY_DONE(check_going());
  if (walk.reader.stopped()) co_return std::vector<RecordBatch>();
  const std::uint64_t from = walk.reader.position();
  while (pace_.behind()) {
    co_await pace_.spend(0);
    CO_TRY_DONE(check_going());
  }
  if (!walk.direct) {
    const std::uint64_t length = std::min(kReadAheadBytes, walk.end - from);
    (void)co_await io::read_ahead(log_.proactor(), walk.file->handle(), from, length);
  }
  CO_TRY(batches, co_await walk.reader.next());
  const std::uint64_t got = walk.reader.position() - from;
  result_.bytes_read += got;
  co_await pace_.spend(got);
  CO_TRY_DONE(check_going());
  if (walk.reader.stopped() && walk.reader.position() != walk.end) {
    co_return fail(Errc::corrupt, fmt::format("{} at position {}: {}",
                                              segment_path(log_.directory, walk.base_offset, kLogSuffix),
                                              walk.reader.position(), walk.reader.problem()));
  }
  CO_TRY_DONE(check(walk, batches));
  co_return batches;
}

io::Task<Result<ConstBytes>> CleaningPass::open(const RecordBatch& batch) {
  const auto codec = batch.codec();
  if (!codec) co_return fail(Errc::corrupt, "a codec that is none");
  if (*codec == Codec::none) co_return batch.payload();
  CO_TRY(reader, codecs_.open(*codec, batch.payload(), kOpenedBytesMax));
  opened_.clear();
  while (true) {
    CO_TRY(piece, reader->next());
    if (piece.empty()) co_return ConstBytes(opened_);
    opened_.insert(opened_.end(), piece.begin(), piece.end());
    if (pace_.worked(log_.proactor(), 0, piece.size())) co_await pace_.give_way(log_.proactor());
  }
}

// ---- The map of keys

io::Task<Result<void>> CleaningPass::build_map() {
  bool full = false;
  while (map_end_ < plan_.first_uncleanable && !full) {
    CO_TRY_DONE(check_going());
    const Offset from = std::max(map_end_, log_.segments.front()->base_offset());
    const std::size_t index = log_.segment_index(from);
    // Nothing was taken up of what is not sealed, so the next segment's base is there.
    const Offset segment_end = log_.segment_end(index);
    CO_TRY(took_all, co_await map_segment(*log_.segments[index], from));
    full = !took_all;
    if (took_all) map_end_ = segment_end;
  }
  if (map_end_ <= plan_.first_dirty) {
    co_return fail(Errc::too_large, fmt::format("the batch at offset {} has more than the {} keys that fit into "
                                                "log.cleaner.dedupe.buffer.size",
                                                plan_.first_dirty.value(), map_.keys_max()));
  }
  co_return Result<void>{};
}

// False when the map is full.
io::Task<Result<bool>> CleaningPass::map_segment(Segment& segment, Offset from) {
  CO_TRY(start, segment.locate(from));
  if (!start) co_return true;
  CO_TRY(batches_of, walk(segment, start->position));
  while (true) {
    CO_TRY(batches, co_await next(*batches_of));
    if (batches.empty()) co_return true;
    for (const RecordBatch& batch : batches) {
      if (batch.last_offset() < from) continue;
      CO_TRY(took, co_await map_batch(batch));
      if (!took) co_return false;
      map_end_ = batch.end_offset();
    }
  }
}

io::Task<Result<bool>> CleaningPass::map_batch(const RecordBatch& batch) {
  if (batch.is_transactional() && !aborted_known_) CO_TRY_DONE(co_await learn_of_aborted());
  if (batch.is_control() || batch.record_count() == 0 || aborted_.contains(batch)) co_return true;
  CO_TRY(payload, co_await open(batch));
  for (RecordWalk records(batch, payload); !records.at_end();) {
    CO_TRY(record, records.next());
    if (record.key && record.offset >= plan_.first_dirty && !map_.put(*record.key, record.offset)) co_return false;
    if (pace_.worked(log_.proactor(), 1, record.bytes.size())) co_await pace_.give_way(log_.proactor());
  }
  co_return true;
}

// Reads everything from where nothing was compacted yet up to the high watermark. Only logs with transactions pay for it.
io::Task<Result<void>> CleaningPass::learn_of_aborted() {
  aborted_known_ = true;
  Offset from = plan_.first_dirty;
  const Offset end = log_.high_watermark;
  while (from < end) {
    from = std::max(from, log_.segments.front()->base_offset());
    const std::size_t index = log_.segment_index(from);
    Segment& segment = *log_.segments[index];
    const Offset segment_end = log_.segment_end(index);
    CO_TRY(start, segment.locate(from));
    from = segment_end;
    if (!start) continue;
    CO_TRY(batches_of, walk(segment, start->position));
    while (true) {
      CO_TRY(batches, co_await next(*batches_of));
      if (batches.empty()) break;
      for (const RecordBatch& batch : batches) {
          if (batch.base_offset() < end) CO_TRY_DONE(aborted_.observe(batch));
        if (pace_.worked(log_.proactor(), 0, batch.size())) co_await pace_.give_way(log_.proactor());
      }
    }
  }
  co_return Result<void>{};
}

// ---- Groups

std::vector<std::vector<Offset>> CleaningPass::groups() const {
  std::vector<CleanableSegment> rows;
  for (std::size_t index = 0; index + 1 < log_.segments.size(); ++index) {
    const Segment& segment = *log_.segments[index];
    if (segment.base_offset() >= std::min(map_end_, plan_.first_uncleanable)) break;
    rows.push_back({.base_offset = segment.base_offset(),
                    .end_offset = log_.segment_end(index),
                    .bytes = segment.size()});
  }
  std::vector<std::vector<Offset>> groups;
  std::size_t at = 0;
  const auto segment_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(log_.options.segment_bytes, 1));
  for (const std::size_t count : group_segments(rows, {.bytes_max = segment_bytes})) {
    auto& group = groups.emplace_back();
    for (std::size_t i = 0; i < count; ++i) group.push_back(rows[at++].base_offset);
  }
  return groups;
}

io::Task<Result<void>> CleaningPass::clean_group(std::vector<Offset> bases) {
  CleanedSegment cleaned(log_.proactor(), log_.directory, bases.front(), log_.options.index_interval_bytes);
  auto done = co_await write_group(cleaned, bases);
  if (done) done = co_await make_later_batches_durable();
  if (done) done = check_going();
  if (done) done = co_await swap(cleaned, bases);
  // Of a swap that was decided nothing may go any more; the log is offline then if it was not completed.
  if (!done && !log_.offline) co_await cleaned.remove();
  co_return done;
}

io::Task<Result<void>> CleaningPass::write_group(CleanedSegment& cleaned, const std::vector<Offset>& bases) {
  CO_TRY_DONE(check_room());
  CO_TRY_DONE(cleaned.create());
  for (const Offset base : bases) {
    Segment* const segment = find(base);
    if (segment == nullptr) co_return fail(Errc::canceled, "retention took a segment");
    result_.bytes_before += segment->size();
    CO_TRY_DONE(co_await rewrite_segment(cleaned, *segment, base == bases.back()));
  }
  CO_TRY_DONE(co_await cleaned.finish());
  result_.bytes_after += cleaned.size();
  ++result_.segments_written;
  co_return Result<void>{};
}

io::Task<Result<void>> CleaningPass::rewrite_segment(CleanedSegment& cleaned, Segment& segment, bool last_of_group) {
  CO_TRY(batches_of, walk(segment, 0));
  std::uint64_t position = 0;
  while (true) {
    CO_TRY(batches, co_await next(*batches_of));
    if (batches.empty()) co_return Result<void>{};
    for (const RecordBatch& batch : batches) {
      position += batch.size();
      CO_TRY_DONE(co_await rewrite_batch(cleaned, batch, last_of_group && position == batches_of->end));
      if (pace_.worked(log_.proactor(), static_cast<std::size_t>(batch.record_count()), batch.size())) co_await pace_.give_way(log_.proactor());
      if (!cleaned.wants_write()) continue;
      CO_TRY_DONE(check_room());
      CO_TRY_DONE(co_await cleaned.write());
      co_await pace_.spend(CleanedSegment::kWriteBytes);
      CO_TRY_DONE(check_going());
    }
  }
}

io::Task<Result<void>> CleaningPass::rewrite_batch(CleanedSegment& cleaned, const RecordBatch& batch,
                                                   bool last_of_group) {
  if (batch.is_transactional() && !aborted_known_ && batch.last_offset() >= plan_.first_dirty) {
    CO_TRY_DONE(co_await learn_of_aborted());
  }
  const bool keep_empty = last_of_group || is_last_of_producer(batch);
  CO_TRY(verdict, judge(batch, aborted_, markers_, keep_empty, now_));
  result_.records_before += static_cast<std::uint64_t>(batch.record_count());
  if (stays_unopened(batch, verdict, rules_)) {
    result_.records_after += static_cast<std::uint64_t>(batch.record_count());
    co_return cleaned.add(batch.bytes());
  }
  ConstBytes payload;
  if (!verdict.discard_records && batch.record_count() > 0) {
    CO_TRY(opened, co_await open(batch));
    payload = opened;
  }
  rewrite_.begin(batch, payload, verdict);
  while (true) {
    CO_TRY(done, rewrite_.step(kRecordsAtOnce));
    if (done) break;
    if (pace_.worked(log_.proactor(), kRecordsAtOnce, 0)) co_await pace_.give_way(log_.proactor());
  }
  std::optional<ConstBytes> left;
  while (true) {
    CO_TRY(some, rewrite_.finish_some(codecs_, kCompressedAtOnce));
    left = some;
    if (left) break;
    if (!pace_.worked(log_.proactor(), 0, kCompressedAtOnce)) continue;
    co_await pace_.give_way(log_.proactor());
    CO_TRY_DONE(check_going());
  }
  result_.records_after += rewrite_.records_kept();
  if (!left->empty()) co_return cleaned.add(*left);
  note_dropped(batch);
  co_return Result<void>{};
}

// The batch tells the last sequence number or, where only markers are left of a producer, its epoch.
bool CleaningPass::is_last_of_producer(const RecordBatch& batch) const {
  if (!batch.has_producer_id()) return false;
  const ProducerEntry* const entry = log_.producers.find(batch.producer_id());
  if (entry == nullptr) return false;
  if (entry->has_batches()) return batch.last_offset() == entry->last_offset();
  return batch.is_control() && batch.producer_epoch() == entry->producer_epoch;
}

void CleaningPass::note_dropped(const RecordBatch& batch) {
  const ProducerEntry* const entry = batch.has_producer_id() ? log_.producers.find(batch.producer_id()) : nullptr;
  if (entry != nullptr && entry->has_batches()) later_batch_ = std::max(later_batch_, entry->last_offset());
}

// A batch that went said how far its producer had come. The later one that says it now may not be on disk yet, and a power cut would
// leave neither: then nobody would know what to make of what the producer sends next.
io::Task<Result<void>> CleaningPass::make_later_batches_durable() {
  if (later_batch_ < log_.durable_end) co_return Result<void>{};
  CO_TRY_DONE(co_await log_.flush());
  if (later_batch_ < log_.durable_end) co_return Result<void>{};
  co_return fail(Errc::canceled, "what a producer has sent last was not written");
}

// ---- Swap

io::Task<Result<void>> CleaningPass::swap(CleanedSegment& cleaned, const std::vector<Offset>& bases) {
  const std::size_t first = log_.segment_index(bases.front());
  for (std::size_t i = 0; i < bases.size(); ++i) {
    if (find(bases[i]) == nullptr) co_return fail(Errc::canceled, "retention took a segment");
    CHECK(log_.segments[first + i]->base_offset() == bases[i], "segment {}", bases[i].value());
  }
  CO_TRY_DONE(cleaned.rename_to_swap());
  // Appends and reads go on. Who would drop a segment waits: cuts and the end for the whole pass, retention for this.
  log_.swapping = true;
  auto swapped = co_await take_over(cleaned, bases);
  log_.swapping = false;
  // What a start would find now is decided; memory must not say something else.
  if (!swapped) log_.go_offline(swapped.error());
  co_return swapped;
}

io::Task<Result<void>> CleaningPass::take_over(CleanedSegment& cleaned, const std::vector<Offset>& bases) {
  CO_TRY_DONE(co_await io::sync_directory(log_.proactor(), log_.directory));
  // From here to the next await readers must not be let in: the old names go, and the new segment is read by its name of now.
  const std::size_t first = log_.segment_index(bases.front());
  for (std::size_t i = 0; i < bases.size(); ++i) {
    Segment& segment = *log_.segments[first + i];
    CO_TRY_DONE(segment.mark_deleted());
    for (auto& path : segment.deleted_paths()) {
      log_.shard.remove_later(std::move(path), false, log_.options.file_delete_delay_ms);
    }
  }
  auto made = std::make_unique<Segment>(log_.shard.files, log_.directory, cleaned.base_offset(), cleaned.size());
  made->set_name_ending(kSwapSuffix);
  Segment& segment = *made;
  const auto from = log_.segments.begin() + static_cast<std::ptrdiff_t>(first);
  log_.segments.erase(from + 1, from + static_cast<std::ptrdiff_t>(bases.size()));
  log_.segments[first] = std::move(made);
  log_.marks.clear();
  log_.directory_dirty = true;
  log_.modified = true;
  // Two segments that overlap must not be found together.
  CO_TRY_DONE(co_await io::sync_directory(log_.proactor(), log_.directory));
  CO_TRY_DONE(cleaned.rename_to_place());
  segment.set_name_ending({});
  log_.directory_dirty = true;
  co_return Result<void>{};
}

}  // namespace millrace::log
