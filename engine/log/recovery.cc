#include "engine/log/recovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/logging.h"
#include "engine/log/batch_reader.h"
#include "engine/log/partition_files.h"
#include "io/file.h"

namespace millrace::log {
namespace {

// ---- Producers

// Loads the newest snapshot at or before `end`; without one producers are forgotten. Gives whether there was one.
Result<bool> load_snapshot(Log::State& log, std::vector<Offset> snapshots, Offset end) {
  std::ranges::sort(snapshots, std::greater{});
  const WallTime now = log.proactor().wall_now();
  for (const Offset snapshot : snapshots) {
    const std::string path = segment_path(log.directory, snapshot, kSnapshotSuffix);
    if (snapshot > end) {
      // Of records that were cut off.
      TRY_DONE(log.proactor().remove(path));
      continue;
    }
    TRY(text, io::read_small_file(log.proactor(), path));
    const auto loaded = log.producers.load_snapshot(as_bytes(text), snapshot, now,
                                                    log.options.producer_id_expiration_ms);
    if (loaded) {
      log.snapshot_offset = snapshot;
      return true;
    }
    LOG(warn, "log.snapshot_damaged", "partition={} offset={} reason=\"{}\"", log.name(),
        snapshot.value(), loaded.error().message);
    // Nothing of it counts: the batches from the log's start on tell the same.
    log.producers.clear(log.log_start);
    TRY_DONE(log.proactor().remove(path));
  }
  log.snapshot_offset = kNoOffset;
  return false;
}

// Takes whole batches in, up to the first one that is not. Errors: corrupt.
Result<void> apply_whole(Log::State& log, ConstBytes bytes, Offset& from) {
  for (BatchWalk walk(bytes); !walk.at_end();) {
    TRY(batch, walk.next());
    TRY_DONE(batch.verify());
    // The log may begin inside of a batch: its producer is to be known for as long as a record of it can be read.
    if (batch.last_offset() >= from) (void)log.producers.apply(batch);
    from = std::max(from, batch.end_offset());
  }
  return {};
}

// Takes the batches in [producers.end_offset(), end) in. Damage ends it: what readers are told of must not keep the log from
// opening. Requires: written_end is at or behind `end`. Errors: io_error.
io::Task<Result<void>> apply_batches(Log::State& log, Offset end) {
  Offset from = std::max(log.producers.end_offset(), log.log_start);
  while (from < end) {
    auto bytes = co_await log.read_bytes(
        from, {.end = end, .bytes_max = BatchReader::kChunkBytes, .at_least_one_batch = true});
    if (bytes && bytes->empty()) break;
    const auto applied = bytes ? apply_whole(log, *bytes, from) : fail(bytes.error());
    if (applied) continue;
    if (applied.error() == Errc::io_error || applied.error() == Errc::refused) co_return applied;
    LOG(error, "log.producers_incomplete", "partition={} offset={} reason=\"{}\"", log.name(),
        from.value(), applied.error().message);
    break;
  }
  co_return Result<void>{};
}

// ---- Segments

Result<void> add_segment(Log::State& log, Offset base) {
  auto segment = std::make_unique<Segment>(log.shard.files, log.directory, base, 0);
  TRY_DONE(segment->load_size());
  if (!log.segments.empty()) log.segments.back()->release_files();
  log.segments.push_back(std::move(segment));
  return {};
}

struct Recovered {
  Offset end;
  // Why the rest was cut off; empty when there was none.
  std::string reason;
  // Of the rest, unless it was room that had been reserved.
  std::uint64_t bytes_cut = 0;
};

// Takes note of a batch that recovery has read. Errors: corrupt.
Result<void> note_recovered(Log::State& log, Segment& segment, const RecordBatch& batch, Offset& end) {
  TRY_DONE(batch.verify());
  if (batch.base_offset() < end) return fail(Errc::corrupt, "offsets go back");
  TRY_DONE(segment.note({.base_offset = batch.base_offset(),
                         .last_offset = batch.last_offset(),
                         .bytes = batch.size(),
                         .max_timestamp = batch.max_timestamp()},
                        log.options.index_interval_bytes));
  if (batch.last_offset() >= log.producers.end_offset()) {
    const auto ended = log.producers.apply(batch);
    if (ended && *ended && (*ended)->aborted) segment.note_aborted(log.producers.aborted_entry(**ended));
  }
  const auto latest = log.epochs.latest();
  if (batch.leader_epoch() >= LeaderEpoch{0} && (!latest || latest->epoch < batch.leader_epoch())) {
    log.epochs.assign(batch.leader_epoch(), batch.base_offset());
  }
  end = batch.end_offset();
  return {};
}

// Reads batches up to the first bad one; gives why it is bad, or nothing at the end of the file.
io::Task<Result<std::string>> take_batches(Log::State& log, Segment& segment, BatchReader& reader,
                                           Offset& end) {
  while (true) {
    CO_TRY(chunk, co_await reader.next());
    for (const RecordBatch& batch : chunk) {
      const auto noted = note_recovered(log, segment, batch, end);
      if (!noted) co_return noted.error().message;
    }
    if (reader.stopped()) co_return reader.problem();
  }
}

io::Task<Result<void>> cut_tail(Log::State& log, Segment& segment, const io::OpenFile& file,
                                BatchReader& reader, std::uint64_t size, Recovered& recovered) {
  const std::uint64_t good = segment.size();
  CO_TRY(zeros, co_await reader.only_zeros(good));
  if (zeros) {
    // Nothing is known to be missing: whether what follows joins on, its first offset tells.
    recovered.reason.clear();
    LOG(info, "log.reserved_room_cut", "segment={} bytes={}", segment.path(kLogSuffix), size - good);
  } else {
    LOG(warn, "log.tail_cut", "segment={} position={} bytes={} end_offset={} reason=\"{}\"",
        segment.path(kLogSuffix), good, size - good, recovered.end.value(), recovered.reason);
    recovered.bytes_cut += size - good;
  }
  CO_TRY_DONE(log.proactor().truncate(file.handle(), good));
  // Once another segment follows nobody looks here again: what was cut off must not come back with a power cut.
  co_return co_await io::sync(log.proactor(), file.handle());
}

// A segment that ended while zeros were written ahead of its batches was cut, and may be as long as before after a power cut. The
// recovery point passes its end only when the cut was synced, but may have been there already.
io::Task<Result<void>> cut_zeros_at_end(Log::State& log, Segment& segment, Offset end) {
  CO_TRY(last, segment.end_of_headers());
  // What else does not end where it should is damage, and readers of it are told.
  if (last.next_offset != end) co_return Result<void>{};
  CO_TRY(file, segment.file());
  if (last.position == segment.size()) co_return co_await io::sync(log.proactor(), file->handle());  // as in sync_end()
  BatchReader reader(log.proactor(), file->handle(), last.position, segment.size());
  CO_TRY(zeros, co_await reader.only_zeros(last.position));
  if (!zeros) co_return Result<void>{};
  LOG(info, "log.reserved_room_cut", "segment={} bytes={}", segment.path(kLogSuffix), segment.size() - last.position);
  CO_TRY_DONE(log.proactor().truncate(file->handle(), last.position));
  CO_TRY_DONE(co_await io::sync(log.proactor(), file->handle()));
  co_return segment.load_size();
}

// Reads every batch of the segment, which begins at or behind `expected`, and takes note of the good ones. What is bad behind
// the recovery point is a tail that was never whole, and is cut off. What is bad below it was whole once: it stays, and
// readers of it are told.
io::Task<Result<Recovered>> recover_segment(Log::State& log, Segment& segment, Offset expected,
                                            Offset recovery_point) {
  segment.begin_aborted_anew();
  if (segment.empty()) {
    segment.begin_rebuild();
    co_return Recovered{.end = std::max(expected, segment.base_offset()), .reason = {}};
  }
  CO_TRY(file, segment.file());
  CO_TRY(size, log.proactor().size(file->handle()));
  segment.begin_rebuild();
  BatchReader reader(log.proactor(), file->handle(), 0, size);
  Recovered result{.end = std::max(expected, segment.base_offset())};
  while (true) {
    CO_TRY(problem, co_await take_batches(log, segment, reader, result.end));
    result.reason = std::move(problem);
    if (reader.old_format() && segment.empty()) {
      co_return fail(Errc::unsupported, segment.path(kLogSuffix) + " holds records of a format before v2");
    }
    if (segment.size() == size) co_return result;
    if (result.end >= recovery_point) break;
    const std::uint64_t damaged_at = segment.size();
    CO_TRY(found, co_await reader.skip_damage(damaged_at, result.end));
    if (!found) {
      co_return fail(Errc::corrupt,
                     fmt::format("{} is damaged from position {} (offset {}) on, below the recovery point {}",
                                 segment.path(kLogSuffix), damaged_at, result.end.value(), recovery_point.value()));
    }
    LOG(error, "log.damaged", "segment={} position={} bytes={} offset={} reason=\"{}\"",
        segment.path(kLogSuffix), damaged_at, reader.position() - damaged_at, result.end.value(),
        result.reason);
    segment.note_damage(reader.position() - damaged_at);
  }
  if (result.reason.empty()) result.reason = "a batch that does not end";
  CO_TRY_DONE(co_await cut_tail(log, segment, *file, reader, size, result));
  co_return result;
}

// Whatever follows a cut or a gap is not joined to what comes before it any more. Gives how many bytes that were.
Result<std::uint64_t> drop_following(Log::State& log, std::size_t first) {
  std::uint64_t bytes = 0;
  while (log.segments.size() > first) {
    Segment& segment = *log.segments.back();
    LOG(warn, "log.segment_cut", "segment={} bytes={}", segment.path(kLogSuffix), segment.size());
    bytes += segment.size();
    TRY_DONE(log.drop_segment(log.segments.size() - 1));
  }
  return bytes;
}

// A start that was killed may have cut the tail and dropped what followed it, and synced neither. What a log has beyond its recovery
// point the next flush syncs, and the cut with it; a log that ends there would roll without one, and a power cut bring the tail back
// into its middle. What was dropped it would bring back behind records that have come since: also where a flush is still to come, as
// that syncs the records first. An `fsync` log is flushed before any come.
io::Task<Result<void>> sync_end(Log::State& log, Offset recovery_point) {
  const bool is_behind = log.end > recovery_point;
  // Most partitions may never have been written to.
  if (log.end == Offset{0} || (is_behind && log.is_fsync())) co_return Result<void>{};
  if (!is_behind) {
    CO_TRY(file, log.active().file());
    CO_TRY_DONE(co_await io::sync(log.proactor(), file->handle()));
  }
  co_return co_await io::sync_directory(log.proactor(), log.directory);
}

// Gives how many bytes of records were cut off.
io::Task<Result<std::uint64_t>> recover_from(Log::State& log, std::size_t first, Offset recovery_point,
                                    const PartitionFiles& files) {
  const Offset base = log.segments[first]->base_offset();
  const replication::EpochHistory in_file = log.epochs;
  log.end = log.written_end = base;
  log.producers.clear(log.log_start);
  CO_TRY(had_snapshot, load_snapshot(log, files.snapshots, base));
  (void)had_snapshot;
  log.epochs.truncate_from_end(files.epochs_damaged ? Offset{0} : base);
  CO_TRY_DONE(co_await apply_batches(log, base));
  Offset expected = base;
  std::uint64_t bytes_cut = 0;
  const std::size_t found = log.segments.size();
  for (std::size_t index = first; index < log.segments.size(); ++index) {
    Segment& segment = *log.segments[index];
    // A gap below the recovery point may be compaction's work; behind it, the end of the segment before was lost. One that begins
    // too early was dropped by an earlier start, and came back with a power cut.
    if (segment.base_offset() != expected && index > first && expected >= recovery_point) {
      LOG(warn, "log.gap", "partition={} end_offset={} next_segment={}", log.name(), expected.value(),
          segment.base_offset().value());
      CO_TRY(dropped, drop_following(log, index));
      bytes_cut += dropped;
      break;
    }
    CO_TRY(recovered, co_await recover_segment(log, segment, expected, recovery_point));
    expected = recovered.end;
    bytes_cut += recovered.bytes_cut;
    if (!recovered.reason.empty()) {
      CO_TRY(dropped, drop_following(log, index + 1));
      bytes_cut += dropped;
    }
    // An index that is not written now is written at the next sync of the segment or its end.
    if (!segment.empty()) (void)segment.write_indexes();
    log.has_aborted |= segment.has_aborted();
    CO_TRY_DONE(co_await log.save_aborted(segment));
    segment.release_files();
  }
  if (log.segments.size() < found) CO_TRY_DONE(co_await io::sync_directory(log.proactor(), log.directory));
  log.end = log.written_end = expected;
  log.modified = log.modified || log.segments.size() > 1 || !log.active().empty();
  log.directory_dirty = true;
  const bool same = std::ranges::equal(log.epochs.entries(), in_file.entries());
  if (!same || files.epochs_damaged) log.epochs_unsaved_from = base;
  co_return bytes_cut;
}

// Epochs of the part of the log that recovery does not read, for a checkpoint that is lost or damaged.
io::Task<Result<void>> rebuild_epochs(Log::State& log) {
  LOG(warn, "log.epochs_rebuilt", "partition={}", log.name());
  log.epochs.clear();
  for (const auto& segment : log.segments) {
    CO_TRY(file, segment->file());
    HeaderScan headers = segment->scan(*file, 0);
    while (!headers.at_end()) {
      CO_TRY(found, headers.next());
      const auto latest = log.epochs.latest();
      const LeaderEpoch epoch = found.leader_epoch;
      if (epoch >= LeaderEpoch{0} && (!latest || latest->epoch < epoch)) {
        log.epochs.assign(epoch, found.batch.base_offset);
      }
    }
    co_await io::yield();
  }
  co_return log.save_epochs();
}

io::Task<Result<void>> open_clean(Log::State& log, const PartitionFiles& files, Offset end) {
  log.end = log.written_end = end;
  CO_TRY(had_snapshot, load_snapshot(log, files.snapshots, end));
  if (!had_snapshot && files.snapshots.empty()) {
    // A clean stop leaves one unless there was no producer to remember.
    log.producers.clear(end);
    co_return Result<void>{};
  }
  // What was left is damaged: the batches tell the same.
  if (!had_snapshot) log.producers.clear(log.log_start);
  CO_TRY_DONE(co_await apply_batches(log, end));
  co_return Result<void>{};
}

Result<void> load_epochs(Log::State& log, PartitionFiles& files) {
  files.epochs_damaged = !files.has_epochs;
  if (!files.has_epochs) return {};
  TRY(text, io::read_small_file(log.proactor(), log.directory + "/" + std::string(kEpochFile)));
  auto decoded = replication::EpochHistory::decode(text);
  if (decoded) log.epochs = std::move(*decoded);
  else files.epochs_damaged = true;
  return {};
}

// What is known to be on disk once the segments were looked at.
void note_synced(Log::State& log, Offset synced) {
  log.flushed_end = std::min(synced, log.end);
  log.durable_end = log.write_ahead_end = log.flushed_end;
  log.write_ahead_from = log.end;
}

// What the checkpoints say must fit to what the segments hold.
io::Task<Result<void>> settle_bounds(Log::State& log, bool changed) {
  log.log_start = std::max(log.log_start, log.segments.front()->base_offset());
  if (log.log_start > log.end) {
    LOG(warn, "log.start_behind_end", "partition={} log_start_offset={} end_offset={}", log.name(),
        log.log_start.value(), log.end.value());
    CO_TRY_DONE(log.restart_at(log.log_start));
  }
  // The file need not say so: whatever is appended there gets its epoch noted, and every start cuts it like this.
  (void)log.epochs.truncate_from_end(log.end);
  (void)log.epochs.truncate_from_start(log.log_start);
  log.producers.on_log_start(log.log_start);
  log.update_durable();
  // A log start says nothing of what is on disk: what was deleted may stand in one segment with what was not.
  const bool start_unsynced = log.flushed_end < log.log_start;
  const bool is_behind = start_unsynced || log.epochs_unsaved_from < log.end ||
                         (log.is_fsync() && log.flushed_end < log.end);
  if (changed || is_behind) co_return co_await log.flush();
  co_return Result<void>{};
}

// ---- Replay

struct HeldBatch {
  Offset base;
  Offset last;
  std::uint32_t crc;
  ConstBytes bytes;
};

// What the steps leave: later ones win over earlier ones.
std::vector<HeldBatch> fold(const std::vector<WriteAheadStep>& steps) {
  std::vector<HeldBatch> held;
  const auto drop_from = [&](Offset offset) {
    while (!held.empty() && held.back().last >= offset) held.pop_back();
  };
  for (const WriteAheadStep& step : steps) {
    if (step.kind == WriteAheadStep::Kind::restart) held.clear();
    else drop_from(step.offset);
    if (step.kind != WriteAheadStep::Kind::append) continue;
    for (BatchWalk walk(step.batches); !walk.at_end();) {
      const auto batch = walk.next();
      CHECK(batch.has_value(), "checked when it was read");
      held.push_back({batch->base_offset(), batch->last_offset(), batch->stored_crc(), batch->bytes()});
    }
  }
  return held;
}

// Whether a batch of the log is what compaction left of the one that is held: bounds and sender stay, and either records are
// gone or the delete horizon has come.
bool is_rest_of(ConstBytes header, ConstBytes held) {
  const auto count = [](ConstBytes of) { return load_big_endian<std::int32_t>(of.data() + batch_field::kRecordCount); };
  const auto horizon = load_big_endian<std::int16_t>(header.data() + batch_field::kAttributes) &
                       batch_attribute::kDeleteHorizon;
  if (count(header) >= count(held) && horizon == 0) return false;
  const auto same = [&](std::size_t from, std::size_t end) {
    return std::ranges::equal(header.subspan(from, end - from), held.subspan(from, end - from));
  };
  return same(batch_field::kBaseOffset, batch_field::kLength) && same(batch_field::kLeaderEpoch, batch_field::kCrc) &&
         same(batch_field::kLastOffsetDelta, batch_field::kBaseTimestamp) &&
         same(batch_field::kProducerId, batch_field::kRecordCount);
}

// Whether the log has this very batch where it belongs, or has had it and compacted it since. A log has no gaps but those
// that compaction leaves and those where damage lies.
Result<bool> has_batch(Log::State& log, const HeldBatch& held) {
  const std::size_t index = log.segment_index(held.base);
  Segment& segment = *log.segments[index];
  TRY(location, segment.locate(held.base));
  if (!location || location->batch.base_offset > held.last) {
    const bool sealed = index + 1 < log.segments.size();
    return (location || sealed) && !segment.has_damage();
  }
  if (location->batch.base_offset != held.base) return false;
  TRY(file, segment.file());
  std::array<std::byte, kBatchHeaderBytes> header;
  TRY(got, log.proactor().read_inline(file->handle(), location->position, header));
  if (got != header.size()) return false;
  const ConstBytes held_header = held.bytes.first(kBatchHeaderBytes);
  const bool same = location->batch.bytes == held.bytes.size() && std::ranges::equal(header, held_header);
  if (!same) return is_rest_of(header, held_header);
  return true;
}

Result<void> append_held(Log::State& log, const HeldBatch& held, WallTime now) {
  // The tail is shared and not written to; an append as it is only reads.
  const Bytes bytes(const_cast<std::byte*>(held.bytes.data()), held.bytes.size());
  const auto batch = RecordBatch::parse(bytes);
  const BatchSummary summary{.base_offset = held.base,
                             .last_offset = held.last,
                             .bytes = bytes.size(),
                             .max_timestamp = batch->max_timestamp()};
  TRY_DONE(log.make_room(summary, now));
  log.note_epoch(batch->leader_epoch(), held.base);
  log.stage(bytes, summary, false);
  return {};
}

// The first that is not deleted as a whole; the end when all are.
std::vector<HeldBatch>::const_iterator first_from(const std::vector<HeldBatch>& held, Offset log_start) {
  return std::ranges::find_if(held, [&](const HeldBatch& batch) { return batch.last >= log_start; });
}

// Appends what the write-ahead logs hold of this partition and its segments do not. What is below the log start may be what joins
// the rest to the log's end. Where there is no rest it is not written again: it is deleted, and a start that is killed would leave
// it unsynced below the recovery point, for damage.
io::Task<Result<void>> replay(Log::State& log, const std::vector<WriteAheadStep>& steps) {
  const std::vector<HeldBatch> held = fold(steps);
  if (log.end <= log.log_start && first_from(held, log.log_start) == held.end()) co_return Result<void>{};
  const WallTime now = log.proactor().wall_now();
  std::size_t appended = 0;
  for (const HeldBatch& batch : held) {
    // Also one that the log begins inside of: it was emptied, and the note of that did not reach the write-ahead log.
    if (batch.base < log.segments.front()->base_offset()) continue;
    if (batch.base > log.end) {
      // Only what was never acknowledged can be missing before it: a batch too large for the write-ahead log.
      LOG(warn, "log.replay_gap", "partition={} end_offset={} next_held={}", log.name(), log.end.value(),
          batch.base.value());
      break;
    }
    if (batch.base < log.end) {
      CO_TRY_DONE(log.write_staged());
      CO_TRY(present, has_batch(log, batch));
      if (present) continue;
      CO_TRY_DONE(co_await log.truncate_to(batch.base));
      if (log.end != batch.base) {
        LOG(error, "log.replay_misfit", "partition={} end_offset={} held={}", log.name(),
            log.end.value(), batch.base.value());
        break;
      }
    }
    CO_TRY_DONE(append_held(log, batch, now));
    ++appended;
  }
  CO_TRY_DONE(log.write_staged());
  if (appended > 0) {
    LOG(info, "log.replayed", "partition={} batches={} end_offset={}", log.name(), appended, log.end.value());
  }
  co_return Result<void>{};
}

io::Task<Result<void>> write_again(Log::State& log, Segment& segment, std::uint64_t position) {
  CO_TRY(file, segment.file());
  std::vector<std::byte> chunk(BatchReader::kChunkBytes);
  while (position < segment.size()) {
    const auto wanted = std::min<std::uint64_t>(segment.size() - position, chunk.size());
    CO_TRY(got, co_await io::read_all(log.proactor(), file->handle(), position, Bytes(chunk).first(wanted)));
    if (got == 0) co_return fail(Errc::io_error, segment.path(kLogSuffix) + " has become shorter");
    const ::iovec slice{chunk.data(), got};
    CO_TRY_DONE(log.proactor().write_inline(file->handle(), position, {&slice, 1}));
    position += got;
    co_await io::yield();
  }
  co_return Result<void>{};
}

// After a sync that failed the page cache may hold alone what reads back well, and no later sync would write it: only what is
// written again is. From `synced` on; requires: flush_turn.
io::Task<Result<void>> write_from_again(Log::State& log, Offset synced, std::uint64_t bytes_max) {
  const std::size_t first = log.segment_index(synced);
  const auto location = log.segments[first]->locate(synced);
  std::uint64_t left = bytes_max;
  for (std::size_t index = log.segments.size(); index-- > first && left > 0;) {
    Segment& segment = *log.segments[index];
    std::uint64_t from = segment.size() - std::min(segment.size(), left);
    if (index == first && location) from = std::max(from, *location ? (*location)->position : segment.size());
    left -= segment.size() - from;
    CO_TRY_DONE(co_await write_again(log, segment, from));
    if (index + 1 < log.segments.size()) segment.release_files();
  }
  co_return Result<void>{};
}

// A replay has syncs begun in the background, which know nothing of what is written again: what they took for synced since
// `synced` is synced once more.
io::Task<Result<void>> write_unsynced_again(Log::State& log, Offset synced, std::uint64_t bytes_max) {
  co_await log.flush_turn.acquire(1);
  log.flushed_end = std::min(log.flushed_end, synced);
  auto written = co_await write_from_again(log, log.flushed_end, bytes_max);
  log.flush_turn.release(1);
  co_return written;
}

// Where a log begins of which there is no segment: the batch that it begins inside of may be held. What is held below is deleted.
Offset begin_of_lost(Offset log_start, const std::vector<WriteAheadStep>* steps) {
  if (steps == nullptr) return log_start;
  const std::vector<HeldBatch> held = fold(*steps);
  const auto first = first_from(held, log_start);
  return first == held.end() ? log_start : std::min(log_start, first->base);
}

// ---- What is missing

// The furthest end that any file beside the records tells of.
struct SaidEnd {
  Offset offset{0};
  std::string_view by = "nothing";

  void consider(Offset said, std::string_view said_by) {
    if (said <= offset) return;
    offset = said;
    by = said_by;
  }
};

// Before recovery makes these files fit to the records. Nothing of it is more than a hint: what cannot be read says nothing.
SaidEnd said_end(Log::State& log, const FoundPartition& found, const PartitionFiles& files) {
  SaidEnd said;
  said.consider(found.recovery_point, kRecoveryPointFile);
  said.consider(found.high_watermark, kHighWatermarkFile);
  for (const Offset snapshot : files.snapshots) said.consider(snapshot, "a producer snapshot");
  if (const auto latest = log.epochs.latest()) said.consider(latest->start_offset, kEpochFile);
  if (files.segments.empty()) return said;
  const Offset base = files.segments.back();
  OffsetIndex index;
  const auto loaded = index.load(log.proactor(), segment_path(log.directory, base, kIndexSuffix));
  if (loaded && index.last() && index.last()->relative_offset > 0) {
    said.consider(base + index.last()->relative_offset + 1, "an index");
  }
  return said;
}

// One line for every log that a stop did not close: a `replicated` topic's last records may have gone with the power, and
// nobody else can tell. Of an `fsync` log's tail what was cut off and is not in the write-ahead log was never acknowledged.
void tell_recovered(Log::State& log, const SaidEnd& said, std::uint64_t bytes_cut, Offset synced) {
  ++log.shard.counters.logs_recovered;
  // Most of a broker's partitions may never have been written to; of a `replicated` one nobody can tell.
  if (log.is_fsync() && log.end == Offset{0} && said.offset == Offset{0} && bytes_cut == 0) return;
  const std::int64_t missing = std::max<std::int64_t>(said.offset - log.end, 0);
  const std::string fields = fmt::format(
      "partition={} log_start_offset={} end_offset={} bytes_cut={} synced_before={} durability={}", log.name(),
      log.log_start.value(), log.end.value(), bytes_cut, synced.value(), log.is_fsync() ? "fsync" : "replicated");
  if (missing == 0 && (bytes_cut == 0 || log.is_fsync())) {
    LOG(info, "log.recovered", "{}", fields);
    return;
  }
  ++log.shard.counters.logs_shortened;
  LOG(warn, "log.recovered", "{} records_lost_min={} end_before_min={} known_from=\"{}\" reason=\"{}\"", fields,
      missing, std::max(said.offset, log.end).value(), said.by, missing > 0 ? "the files beside the records tell of more"
                                                                           : "the last records were not whole");
}

// Loads the indexes of aborted transactions. Gives the first segment of which the index is damaged, or how many there are.
Result<std::size_t> load_aborted(Log::State& log, const PartitionFiles& files) {
  std::size_t first_damaged = log.segments.size();
  for (const Offset base : files.transaction_indexes) {
    const std::size_t index = log.segment_index(base);
    Segment& segment = *log.segments[index];
    const auto loaded = segment.load_aborted();
    if (!loaded && loaded.error() != Errc::corrupt) return fail(loaded.error());
    if (!loaded) {
      LOG(warn, "log.index_rebuilt", "file={} reason=\"{}\"", segment.path(kTransactionIndexSuffix), loaded.error().message);
      first_damaged = std::min(first_damaged, index);
    }
    log.has_aborted |= segment.has_aborted();
  }
  return first_damaged;
}

struct Opened {
  // Up to where it is known to be on disk.
  Offset synced;
  std::uint64_t bytes_cut = 0;
};

// Opens what is there.
io::Task<Result<Opened>> open_segments(Log::State& log, const FoundPartition& found, PartitionFiles& files) {
  for (const Offset base : files.segments) CO_TRY_DONE(add_segment(log, base));
  CO_TRY(aborted_known_to, load_aborted(log, files));
  log.log_start = std::max(log.log_start, log.segments.front()->base_offset());
  const bool has_data = log.segments.size() > 1 || !log.active().empty();
  if (files.epochs_damaged && has_data && found.clean_stop) CO_TRY_DONE(co_await rebuild_epochs(log));
  std::size_t look_from = files.epochs_damaged ? 0 : log.segment_index(found.recovery_point);
  look_from = std::min(look_from, aborted_known_to);
  if (found.clean_stop && aborted_known_to == log.segments.size()) {
    const auto end = log.active().load();
    if (end) {
      CO_TRY_DONE(co_await open_clean(log, files, *end));
      CO_TRY_DONE(co_await log.cut_aborted(log.active(), *end));
      co_return Opened{.synced = *end};
    }
    if (end.error() != Errc::corrupt) co_return fail(end.error());
    LOG(warn, "log.not_clean", "partition={} reason=\"{}\"", log.name(), end.error().message);
    look_from = log.segments.size() - 1;
  }
  if (look_from > 0 && log.segments[look_from]->base_offset() == found.recovery_point) {
    Segment& before = *log.segments[look_from - 1];
    CO_TRY_DONE(co_await cut_zeros_at_end(log, before, found.recovery_point));
    before.release_files();
  }
  CO_TRY(bytes_cut, co_await recover_from(log, look_from, found.recovery_point, files));
  CO_TRY_DONE(co_await sync_end(log, found.recovery_point));
  if (log.end < found.recovery_point) {
    LOG(error, "log.shorter_than_synced", "partition={} end_offset={} recovery_point={}", log.name(),
        log.end.value(), found.recovery_point.value());
  }
  co_return Opened{.synced = found.recovery_point, .bytes_cut = bytes_cut};
}

}  // namespace

io::Task<Result<void>> recover_log(Log::State& log, const FoundPartition& found,
                                   const WriteAheadTail* tail) {
  const auto* steps = tail != nullptr ? tail->find({.topic_id = log.topic_id, .partition = log.partition}) : nullptr;
  const Drops drops = found.clean_stop ? Drops::synced : Drops::in_doubt;
  CO_TRY(files, co_await list_partition(log.proactor(), log.directory, drops));
  const bool names_missing = (!files.has_metadata || found.topic_id_missing) && !log.topic_id.is_zero();
  if (names_missing) {
    // A crash while the partition was made; its caller knows from the metadata which topic it belongs to.
    CO_TRY_DONE(write_partition_metadata(log.proactor(), log.directory, log.topic_id));
  }
  CO_TRY_DONE(load_epochs(log, files));
  log.log_start = found.log_start_offset;
  log.cleaned_end = found.cleaned_end;
  const SaidEnd said = said_end(log, found, files);
  Opened opened{.synced = log.log_start};
  if (files.segments.empty()) {
    const Offset base = begin_of_lost(log.log_start, steps);
    CO_TRY_DONE(log.add_segment(base));
    log.end = log.written_end = base;
    log.producers.clear(log.end);
  } else {
    CO_TRY(there, co_await open_segments(log, found, files));
    opened = there;
  }
  // The last run may have ended before the first sync of this log.
  const bool has_data = log.segments.size() > 1 || !log.active().empty();
  log.names_unsynced = log.directory_dirty = !found.clean_stop || !has_data || names_missing;
  note_synced(log, opened.synced);
  const Offset synced = log.flushed_end;
  if (steps != nullptr) CO_TRY_DONE(co_await replay(log, *steps));
  // Whatever is in a write-ahead log was promised to be on disk, also if the topic has become `replicated` since.
  const bool was_promised = steps != nullptr || (log.is_fsync() && !found.clean_stop);
  if (was_promised) CO_TRY_DONE(co_await write_unsynced_again(log, synced, unsynced_bytes_max(tail)));
  CO_TRY_DONE(co_await settle_bounds(log, steps != nullptr || names_missing));
  log.active().release_files();
  if (!found.clean_stop || found.made_again || opened.bytes_cut > 0) tell_recovered(log, said, opened.bytes_cut, opened.synced);
  co_return Result<void>{};
}

io::Task<Result<void>> reload_producers(Log::State& log) {
  CO_TRY(files, co_await list_partition(log.proactor(), log.directory, Drops::synced));
  log.producers.clear(log.log_start);
  CO_TRY(had_snapshot, load_snapshot(log, files.snapshots, log.end));
  (void)had_snapshot;
  co_return co_await apply_batches(log, log.end);
}

}  // namespace millrace::log
