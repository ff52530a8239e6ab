// A Log's upkeep: roll, sync, retain, truncate, close.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "engine/log/log_directory.h"
#include "engine/log/log_state.h"
#include "engine/log/partition_files.h"
#include "engine/log/recovery.h"
#include "engine/log/retention.h"
#include "io/file.h"

namespace millrace::log {
namespace {

// Producer snapshots kept besides those of the segments that are left; Kafka keeps two.
constexpr std::size_t kSnapshotsKept = 2;
// A sync first writes back in pieces of this share of `write_back_bytes`, one after the other. Whoever else flushes the disk
// meanwhile, a write-ahead log above all, then waits for a piece and not for a segment.
constexpr std::uint64_t kSyncPieceShare = 32;

io::Task<Result<void>> write_back_in_pieces(io::Proactor& proactor, const io::OpenFile& file, Segment::Range range,
                                            std::uint64_t piece) {
  for (std::uint64_t done = 0; done < range.length; done += piece) {
    const std::uint64_t length = std::min(piece, range.length - done);
    CO_TRY_DONE(co_await io::start_write_back(proactor, file.handle(), range.position + done, length));
  }
  co_return Result<void>{};
}

// Without a handle nothing was begun, and the next try may have one: who appends is to come again, as when the disk is full.
Result<void> as_no_room(Result<void> result) {
  if (!result && result.error() == Errc::refused) return fail(Errc::disk_full, result.error().message);
  return result;
}

}  // namespace

// ---- Roll

Result<void> Log::State::add_segment(Offset base) {
  auto segment = std::make_unique<Segment>(shard.files, directory, base, 0);
  auto created = segment->create();
  if (!created && created.error() == Errc::already_exists) {
    // A crash between the making of the file and its first batch; an empty file is no loss.
    TRY(file, segment->file());
    TRY(size, proactor().size(file->handle()));
    if (size > 0) return created;
    segment->begin_rebuild();
    created = {};
  }
  TRY_DONE(std::move(created));
  segments.push_back(std::move(segment));
  active_since_ms = proactor().wall_now().ms;
  recent.clear();
  directory_dirty = true;
  return {};
}

Result<void> Log::State::roll(WallTime now) {
  TRY_DONE(write_staged());
  if (active().empty() && active().base_offset() == end) return {};
  if (active().has_unsynced_cut_of_batches()) {
    // Recovery would take what a power cut brings back for records, and what follows for others' of the same offsets.
    sync_cut_of_batches();
    return fail(Errc::disk_full, "what the full disk took a part of is being cut off");
  }
  // Zeros behind the batches of a segment that has ended would be taken for damage.
  if (auto trimmed = active().trim(); !trimmed) {
    if (trimmed.error() != Errc::refused && trimmed.error() != Errc::disk_full) go_offline(trimmed.error());
    return as_no_room(std::move(trimmed));
  }
  // Indexes and the snapshot can be built anew: a failure here must not keep the log from growing.
  if (auto sealed = active().seal(); !sealed) {
    LOG(warn, "log.seal_failed", "partition={} reason=\"{}\"", name(), sealed.error().message);
  }
  if (auto saved = save_producers(); !saved) {
    LOG(warn, "log.snapshot_failed", "partition={} reason=\"{}\"", name(), saved.error().message);
  }
  if (active().has_unsynced_cut()) cut_unsynced_from = std::min(cut_unsynced_from, active().base_offset());
  TRY_DONE(as_no_room(add_segment(end)));
  active_since_ms = now.ms;
  modified = true;
  // The ended segment is synced in the background, as Kafka does at a roll.
  gate.spawn(flush_in_background());
  return {};
}

void Log::State::sync_cut_of_batches() {
  if (syncing_cut || offline || closed) return;
  syncing_cut = true;
  gate.spawn(sync_active_segment());
}

io::Task<void> Log::State::sync_active_segment() {
  co_await flush_turn.acquire(1);
  auto file = active().file();
  auto synced = file ? co_await sync_segment(active().base_offset(), **file) : fail(std::move(file).error());
  // Without a handle it was not begun, and housekeeping comes again.
  if (!synced && synced.error() != Errc::refused) go_offline(synced.error());
  flush_turn.release(1);
  syncing_cut = false;
}

io::Task<Result<void>> Log::State::sync_segment(Offset base, const io::OpenFile& file) {
  const Segment* const before = segment_at(base);
  const std::uint32_t cuts = before != nullptr ? before->cuts() : 0;
  CO_TRY_DONE(co_await io::sync(proactor(), file.handle()));
  // It may be gone meanwhile.
  if (Segment* const segment = segment_at(base); segment != nullptr) segment->note_cuts_synced(cuts);
  ++shard.counters.segment_syncs;
  co_return Result<void>{};
}

io::Task<void> Log::State::flush_in_background() { (void)co_await flush(); }

Result<void> Log::roll(WallTime now) {
  TRY_DONE(state_->check_usable());
  return state_->roll(now);
}

// ---- Small files

Result<void> Log::State::save_epochs() {
  TRY_DONE(io::replace_small_file(proactor(), fmt::format("{}/{}", directory, kEpochFile),
                                  as_bytes(epochs.encode())));
  epochs_unsaved_from = kNowhere;
  return {};
}

// Requires: flush_turn.
io::Task<Result<void>> Log::State::save_epochs_queued() {
  const Offset from = std::exchange(epochs_unsaved_from, kNowhere);
  auto saved = co_await io::replace_small_file_queued(
      proactor(), fmt::format("{}/{}", directory, kEpochFile), epochs.encode());
  if (!saved) epochs_unsaved_from = std::min(epochs_unsaved_from, from);
  co_return saved;
}

Result<void> Log::State::save_producers() {
  if (snapshot_offset == end) return {};
  const auto bytes = producers.encode_snapshot();
  // Not synced by itself: after a crash it is checked by its checksum and, without it, built anew from the batches.
  TRY(file, io::OpenFile::open(proactor(), segment_path(directory, end, kSnapshotSuffix),
                               {.write = true, .create = true, .truncate = true}));
  const ::iovec slice{const_cast<std::byte*>(bytes.data()), bytes.size()};
  TRY_DONE(proactor().write_inline(file->handle(), 0, {&slice, 1}));
  snapshot_offset = end;
  directory_dirty = true;
  return drop_old_snapshots();
}

Result<void> Log::State::drop_old_snapshots() {
  TRY(entries, proactor().list(directory));
  std::vector<Offset> snapshots;
  for (const auto& entry : entries) {
    if (const auto offset = parse_segment_name(entry.name, kSnapshotSuffix)) snapshots.push_back(*offset);
  }
  std::ranges::sort(snapshots);
  for (std::size_t i = 0; i + kSnapshotsKept < snapshots.size(); ++i) {
    TRY_DONE(proactor().remove(segment_path(directory, snapshots[i], kSnapshotSuffix)));
  }
  return {};
}

Result<void> Log::begin_epoch(LeaderEpoch epoch) {
  TRY_DONE(state_->check_usable());
  state_->note_epoch(epoch, state_->end);
  return {};
}

// ---- Sync

io::Task<Result<void>> Log::State::flush() {
  ++flushes;
  co_await flush_turn.acquire(1);
  auto flushed = co_await flush_locked();
  flush_turn.release(1);
  // Nothing of the log is touched behind this: who closes it goes on.
  if (--flushes == 0) flushes_ended.notify_all();
  co_return flushed;
}

// A log without a handle for now is not in doubt.
io::Task<Result<void>> Log::State::sync_segments() {
  ++flushes;
  Result<void> synced;
  while (true) {
    synced = co_await flush();
    if (synced || synced.error() != Errc::refused || closed) break;
    co_await io::sleep_for(kHandlePause);
  }
  if (--flushes == 0) flushes_ended.notify_all();
  co_return synced;
}

io::Task<Result<void>> Log::State::flush_locked() {
  if (offline) co_return fail(Errc::offline, offline->message);
  (void)write_staged();  // who staged is told
  const Offset target = written_end;
  const bool was_made = std::exchange(names_unsynced, false);
  const bool was_dirty = std::exchange(directory_dirty, false);
  const Offset cut_from = cut_unsynced_from;
  const bool is_behind = flushed_end < target || epochs_unsaved_from < target || cut_unsynced_from < target;
  if (!is_behind && !was_dirty && !was_made) co_return Result<void>{};
  auto synced = co_await sync_data(target);
  if (synced) synced = co_await sync_names(was_made, was_dirty);
  last_flush = io::Reactor::current().now();
  // Whoever put it offline meanwhile may have been told of what this sync was not.
  if (synced && offline) synced = fail(Errc::offline, offline->message);
  if (!synced && synced.error() == Errc::refused && !offline) {
    // No handle was to be had: what was not synced was not begun, and all of it is still to be done.
    names_unsynced |= was_made;
    directory_dirty |= was_dirty;
    cut_unsynced_from = std::min(cut_unsynced_from, cut_from);
    co_return synced;
  }
  if (!synced) {
    // What is on disk is in doubt, and a second sync would prove nothing.
    go_offline(synced.error());
    co_return synced;
  }
  // A truncation may have come in between; it waits for us, but an error path of an append may have not.
  flushed_end = std::max(flushed_end, std::min(target, written_end));
  update_durable();
  co_return Result<void>{};
}

// What stands below `target`, the ends of segments that were cut, and the indexes of those that have ended. A cut is synced before
// flushed_end passes it: a start looks no further back than at the segment that ends where the recovery point is.
io::Task<Result<void>> Log::State::sync_data(Offset target) {
  const Offset from = std::min(flushed_end, std::exchange(cut_unsynced_from, kNowhere));
  if (from >= target) co_return Result<void>{};
  struct Behind {
    Offset base;
    std::shared_ptr<const io::OpenFile> file;
    Segment::Range range;
  };
  std::vector<std::string> indexes;
  const std::uint64_t piece = std::max<std::uint64_t>(shard.options.write_back_bytes / kSyncPieceShare, 1);
  std::vector<Behind> files;
  for (std::size_t index = segment_index(from); index < segments.size(); ++index) {
    Segment& segment = *segments[index];
    if (segment_end(index) <= flushed_end && !segment.has_unsynced_cut()) continue;
    CO_TRY(file, segment.file());
    files.emplace_back(segment.base_offset(), file, segment.take_write_back(piece).value_or(Segment::Range{}));
    if (index + 1 == segments.size()) break;
    indexes.push_back(segment.path(kIndexSuffix));
    indexes.push_back(segment.path(kTimeIndexSuffix));
  }
  for (const Behind& behind : files) {
    CO_TRY_DONE(co_await write_back_in_pieces(proactor(), *behind.file, behind.range, piece));
    CO_TRY_DONE(co_await sync_segment(behind.base, *behind.file));
  }
  for (const auto& path : indexes) co_await sync_path(path);
  co_return Result<void>{};
}

// The entries that lead to the data: those in the log's directory, and the one of the directory itself.
io::Task<Result<void>> Log::State::sync_names(bool was_made, bool was_dirty) {
  if (was_made) {
    CO_TRY_DONE(co_await sync_metadata());
    CO_TRY_DONE(co_await shard.sync_root(io::directory_of(directory)));
  }
  if (epochs_unsaved_from < written_end) {
    // It syncs the directory.
    const auto saved = co_await save_epochs_queued();
    if (saved) co_return Result<void>{};
    // The recovery point waits for the next try.
    LOG(warn, "log.epochs_not_saved", "partition={} reason=\"{}\"", name(), saved.error().message);
  }
  if (was_dirty || was_made) co_return co_await io::sync_directory(proactor(), directory);
  co_return Result<void>{};
}

// The same is written again in its place first: after a sync that failed, no other would write it.
io::Task<Result<void>> Log::State::sync_metadata() {
  const std::string path = fmt::format("{}/{}", directory, kPartitionMetadataFile);
  auto text = io::read_small_file(proactor(), path);
  if (!text && text.error() == Errc::not_found) co_return Result<void>{};
  if (!text) co_return fail(std::move(text).error());
  if (is_torn_partition_metadata(*text)) *text = encode_partition_metadata(topic_id);
  CO_TRY(file, io::OpenFile::open(proactor(), path, {.write = true}));
  const ::iovec slice{text->data(), text->size()};
  CO_TRY_DONE(proactor().write_inline(file->handle(), 0, {&slice, 1}));
  co_return co_await io::sync(proactor(), file->handle());
}

// Of an index: it is checked before it is used, so that an error here costs a rebuild and nothing else.
io::Task<void> Log::State::sync_path(std::string path) {
  auto file = io::OpenFile::open(proactor(), path, {.write = true});
  if (file) (void)co_await io::sync(proactor(), (*file)->handle());
}

io::Task<Result<void>> Log::flush() { return state_->flush(); }

// ---- Retention

void Log::State::advance_start(Offset offset) {
  log_start = offset;
  // A start cuts what its file says just so.
  (void)epochs.truncate_from_start(offset);
  producers.on_log_start(offset);
  modified = true;
}

Result<Offset> Log::State::delete_records(Offset offset) {
  if (offset > written_end) {
    return fail(Errc::out_of_range, fmt::format("offset {} is behind the end {}", offset.value(), written_end.value()));
  }
  if (offset > log_start) {
    advance_start(offset);
    LOG(info, "log.records_deleted", "partition={} log_start_offset={}", name(), offset.value());
  }
  return log_start;
}

Result<Offset> Log::delete_records(Offset offset) {
  TRY_DONE(state_->check_usable());
  return state_->delete_records(offset);
}

// Takes the segment out of the log and leaves its files, renamed, for a while to those who still read them.
Result<void> Log::State::drop_segment(std::size_t index) {
  CHECK(!swapping, "{} loses a segment while others are swapped", directory);
  Segment& segment = *segments[index];
  TRY_DONE(segment.mark_deleted());
  for (auto& path : segment.deleted_paths()) {
    shard.remove_later(std::move(path), false, options.file_delete_delay_ms);
  }
  segments.erase(segments.begin() + static_cast<std::ptrdiff_t>(index));
  marks.clear();
  directory_dirty = true;
  modified = true;
  return {};
}

io::Task<void> Log::State::learn_ages(WallTime now) {
  if (!retains_by_time()) co_return;
  Offset base = segments.front()->base_offset();
  for (Segment* segment = segment_from(base); segment != nullptr && !closed; segment = segment_from(base + 1)) {
    base = segment->base_offset();
    const auto youngest = co_await youngest_in_segment(base);
    if (!youngest || now.ms - youngest->timestamp <= options.retention_ms) co_return;
  }
}

io::Task<void> Log::learn_ages(WallTime now) { return state_->learn_ages(now); }

Result<std::size_t> Log::State::apply_retention(WallTime now, Offset high_watermark) {
  // Over within a sync or two; what is due then is still due at the next call.
  if (swapping) return std::size_t{0};
  TRY_DONE(write_staged());
  std::vector<RetentionSegment> rows;
  // None is asked for its age behind the first that is too young to go.
  bool asks_for_age = retains_by_time();
  for (std::size_t index = 0; index < segments.size(); ++index) {
    RetentionSegment row{.base_offset = segments[index]->base_offset(),
                         .end_offset = segment_end(index),
                         .bytes = segments[index]->size(),
                         .youngest_ms = now.ms};
    if (asks_for_age) {
      // A segment whose records have no time is as young as this process has known it.
      const auto youngest = segments[index]->max_timestamp();
      row.youngest_ms = youngest && youngest->timestamp >= 0 ? youngest->timestamp : std::max(active_since_ms, std::int64_t{0});
      asks_for_age = now.ms - row.youngest_ms > options.retention_ms;
    }
    rows.push_back(row);
  }
  const std::size_t count = expired_segments(rows,
                                             {.deletes = options.deletes,
                                              .retention_ms = options.retention_ms,
                                              .retention_bytes = options.retention_bytes,
                                              .log_start_offset = log_start,
                                              .high_watermark = high_watermark},
                                             now);
  if (count == 0) return std::size_t{0};
  if (count == segments.size()) {
    auto ended = roll(now);
    // For now; what is due will be at the next call.
    if (!ended && ended.error() == Errc::disk_full) return std::size_t{0};
    TRY_DONE(std::move(ended));
  }
  const Offset new_start = rows[count - 1].end_offset;
  // The start moves first: a reader must never look for what is being removed.
  if (new_start > log_start) advance_start(new_start);
  for (std::size_t i = 0; i < count; ++i) TRY_DONE(drop_segment(0));
  LOG(info, "log.retained", "partition={} segments_removed={} log_start_offset={}", name(), count,
      log_start.value());
  return count;
}

Result<std::size_t> Log::apply_retention(WallTime now, Offset high_watermark) {
  TRY_DONE(state_->check_usable());
  return state_->apply_retention(now, high_watermark);
}

// ---- Truncate

io::Task<void> Log::State::hold_cleaning() {
  ++cleaning_holds;
  while (cleaning > 0) co_await cleaning_ended.wait();
}

// Waits until nothing of this log is on its way to the disk.
io::Task<void> Log::State::settle() {
  (void)write_staged();
  if (shard.write_ahead != nullptr) co_await shard.write_ahead->completed(write_ahead_sequence);
}

io::Task<Result<void>> Log::State::truncate_to(Offset offset) {
  CO_TRY_DONE(check_usable());
  co_await hold_cleaning();
  co_await settle();
  Result<void> truncated;
  if (offset < end) truncated = co_await truncate_below_end(offset);
  release_cleaning();
  if (truncated) recovery_point_max = kNowhere;
  if (!truncated) go_offline(truncated.error());
  co_return truncated;
}

io::Task<Result<void>> Log::State::truncate_below_end(Offset offset) {
  co_await flush_turn.acquire(1);
  auto truncated = co_await truncate_locked(offset);
  // A write-ahead log that is full has room for the note only when it has had this log's segments synced.
  flush_turn.release(1);
  CO_TRY_DONE(std::move(truncated));
  CO_TRY_DONE(co_await settle_cut());
  co_return co_await reload_producers(*this);
}

io::Task<Result<void>> Log::State::truncate_locked(Offset offset) {
  if (offset < segments.front()->base_offset()) co_return fail(Errc::out_of_range, "below the first segment");
  CO_TRY_DONE(check_cut_can_be_noted());
  CO_TRY_DONE(write_staged());
  LOG(info, "log.truncate", "partition={} from={} to={}", name(), end.value(), offset.value());
  const std::size_t found = segments.size();
  while (segments.size() > 1 && active().base_offset() >= offset) CO_TRY_DONE(drop_last());
  // A power cut must not bring them back behind what is left of the one that is cut now.
  if (segments.size() < found) CO_TRY_DONE(co_await io::sync_directory(proactor(), directory));
  Offset new_end = offset;
  CO_TRY(location, active().locate(offset));
  if (location) {
    new_end = std::min(offset, location->batch.base_offset);
    CO_TRY_DONE(active().truncate(location->position));
  }
  CO_TRY_DONE(co_await cut_aborted(active(), new_end));
  end_at(new_end);
  if (epochs.truncate_from_end(new_end)) CO_TRY_DONE(co_await save_epochs_queued());
  note_cut(WriteAheadEntry::Kind::truncate, new_end);
  CO_TRY(file, active().file());
  CO_TRY_DONE(co_await sync_segment(active().base_offset(), *file));
  if (std::exchange(directory_dirty, false)) CO_TRY_DONE(co_await io::sync_directory(proactor(), directory));
  co_return Result<void>{};
}

// Everything at and behind `new_end` is gone.
void Log::State::end_at(Offset new_end) {
  recent.clear();
  marks.clear();
  end = written_end = new_end;
  // The start may have been inside of the batch that is gone.
  log_start = std::min(log_start, new_end);
  flushed_end = std::min(flushed_end, new_end);
  durable_end = std::min(durable_end, new_end);
  write_ahead_end = std::min(write_ahead_end, new_end);
  write_ahead_from = std::min(write_ahead_from, new_end);
  cleaned_end = std::min(cleaned_end, new_end);
  high_watermark = std::min(high_watermark, new_end);
  modified = true;
}

Result<void> Log::State::drop_last() {
  const Offset base = active().base_offset();
  TRY_DONE(drop_segment(segments.size() - 1));
  // Wherever it stops, nobody looks for what is gone.
  end_at(base);
  return {};
}

// A write-ahead log that has failed still holds what was appended before, and cannot be told that it is gone.
Result<void> Log::State::check_cut_can_be_noted() const {
  const bool may_be_held = write_ahead_sequence > 0 && shard.write_ahead != nullptr;
  if (!may_be_held || !shard.write_ahead->failed()) return {};
  return fail(Errc::io_error, "the write-ahead log has failed, and the next start would bring back what is cut off");
}

void Log::State::note_cut(WriteAheadEntry::Kind kind, Offset offset) {
  if (WriteAhead* const ahead = shard.usable_write_ahead(); ahead != nullptr) {
    write_ahead_sequence = ahead->note(*this, {.topic_id = topic_id, .partition = partition}, kind, offset);
  }
}

io::Task<Result<void>> Log::State::settle_cut() {
  co_await settle();
  co_return check_cut_can_be_noted();
}

// A transaction whose marker is gone is open again.
io::Task<Result<void>> Log::State::cut_aborted(Segment& segment, Offset new_end) {
  CO_TRY(cut, segment.cut_aborted(new_end));
  if (!cut) co_return Result<void>{};
  co_return co_await save_aborted(segment);
}

// Synced, as nothing but the batches could tell that something is missing, and later starts do not ask them.
io::Task<Result<void>> Log::State::save_aborted(Segment& segment) {
  CO_TRY(wrote, segment.write_aborted());
  if (!wrote) co_return Result<void>{};
  directory_dirty = true;
  CO_TRY(file, io::OpenFile::open(proactor(), segment.path(kTransactionIndexSuffix), {.write = true}));
  co_return co_await io::sync(proactor(), file->handle());
}

io::Task<Result<void>> Log::truncate_to(Offset offset) {
  if (offset < state_->log_start) co_return fail(Errc::out_of_range, "below the log start offset");
  co_return co_await state_->truncate_to(offset);
}

io::Task<Result<void>> Log::State::truncate_fully_to(Offset offset) {
  CO_TRY_DONE(check_usable());
  co_await hold_cleaning();
  co_await settle();
  co_await flush_turn.acquire(1);
  auto restarted = check_cut_can_be_noted();
  if (restarted) restarted = restart_at(offset);
  flush_turn.release(1);
  if (restarted) restarted = co_await settle_cut();
  if (restarted) recovery_point_max = kNowhere;
  release_cleaning();
  if (!restarted) go_offline(restarted.error());
  co_return restarted;
}

// The cut may fall into a batch that begins before the offset, but not before its segment.
void Log::hold_recovery_point(Offset offset) {
  const Segment& segment = *state_->segments[state_->segment_index(offset)];
  state_->recovery_point_max = std::min(offset, segment.base_offset());
}

// Whatever fails, the log ends where its segments do, and has one.
Result<void> Log::State::restart_at(Offset offset) {
  LOG(info, "log.restart", "partition={} from={} to={}", name(), end.value(), offset.value());
  while (!segments.empty()) TRY_DONE(drop_last());
  auto restarted = restart_empty(offset);
  if (!segments.empty()) return restarted;
  // Its file is not there. It is not asked for: there is nothing in it.
  segments.push_back(std::make_unique<Segment>(shard.files, directory, offset, 0));
  active().begin_rebuild();
  log_start = end = written_end = durable_end = write_ahead_from = write_ahead_end = offset;
  // The next start makes it anew, from wherever.
  flushed_end = Offset{0};
  return restarted;
}

Result<void> Log::State::restart_empty(Offset offset) {
  TRY(entries, proactor().list(directory));
  for (const auto& entry : entries) {
    if (!parse_segment_name(entry.name, kSnapshotSuffix)) continue;
    TRY_DONE(proactor().remove(directory + "/" + entry.name));
  }
  snapshot_offset = kNoOffset;
  epochs.clear();
  TRY_DONE(save_epochs());
  producers.clear(offset);
  log_start = end = written_end = flushed_end = durable_end = offset;
  write_ahead_from = write_ahead_end = offset;
  cut_unsynced_from = kNowhere;
  cleaned_end = kNoOffset;
  high_watermark = offset;
  TRY_DONE(add_segment(offset));
  TRY_DONE(proactor().sync_directory(directory));
  // Made again, the log would not begin at `offset`.
  if (names_unsynced) TRY_DONE(proactor().sync_directory(io::directory_of(directory)));
  note_cut(WriteAheadEntry::Kind::restart, offset);
  return {};
}

io::Task<Result<void>> Log::truncate_fully_to(Offset offset) {
  return state_->truncate_fully_to(offset);
}

// ---- End

io::Task<Result<void>> Log::State::close() {
  if (closing) {
    while (!closed_for_good) co_await close_ended.wait();
    co_return Result<void>{};
  }
  closing = true;
  co_await hold_cleaning();
  co_await settle();
  Result<void> result;
  if (!offline && modified) {
    result = co_await flush();
    // What could not be synced now is kept, as that of a log that was offline before.
    if (!result) go_offline(result.error());
    // A clean start asks the file and not the batches.
    if (result && epochs_unsaved_from < end) result = fail(Errc::io_error, "the leader epochs could not be saved");
    if (result) result = active().trim();
    if (result) result = active().seal();
    if (result && active().has_unsynced_cut()) co_await sync_path(active().path(kLogSuffix));
    const bool has_producers = !producers.producers().empty() || snapshot_offset != kNoOffset;
    // The indexes are not synced: the next start tests them against the data, and a stop should not take long.
    if (result && has_producers) result = save_producers();
    if (result) {
      if (has_producers) co_await sync_path(segment_path(directory, snapshot_offset, kSnapshotSuffix));
      if (directory_dirty) result = co_await io::sync_directory(proactor(), directory);
    }
  } else if (offline) {
    result = fail(Errc::offline, offline->message);
  }
  closed = true;
  co_await gate.close();
  if (shard.write_ahead != nullptr) {
    co_await shard.write_ahead->completed(write_ahead_sequence);
    if (offline) shard.write_ahead->keep(*this);
    shard.write_ahead->forget(*this);
  }
  // A sync of all logs may be under way and have this one in hand, or wait for its turn.
  while (flushes > 0) co_await flushes_ended.wait();
  if (shard.write_ahead != nullptr) shard.write_ahead->forget(*this);
  for (auto& segment : segments) segment->release_files();
  written_moved.notify_all();
  stable_moved.notify_all();
  closed_for_good = true;
  close_ended.notify_all();
  co_return result;
}

io::Task<Result<void>> Log::close() { return state_->close(); }

io::Task<Result<void>> Log::State::remove() {
  // What is removed need not be synced first.
  modified = false;
  (void)co_await close();
  CO_TRY(gone, rename_to_deleted(proactor(), directory));
  removed = true;
  shard.remove_later(gone, true, options.file_delete_delay_ms);
  co_return Result<void>{};
}

io::Task<Result<void>> Log::remove() { return state_->remove(); }

}  // namespace millrace::log
