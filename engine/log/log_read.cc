// A Log's read: locate batches by offset or by time.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/logging.h"
#include "engine/log/format/record.h"
#include "engine/log/log_state.h"
#include "io/file.h"

namespace millrace::log {
namespace {

// What looking for the end of a batch may have to read.
constexpr std::uint64_t kProbeBytes = 4096;

}  // namespace

// ---- RecentBatches, ReadMarks

void RecentBatches::push(Entry entry) {
  if (!entries_) entries_ = std::make_unique<Entry[]>(kKept);
  entries_[next_ % kKept] = entry;
  ++next_;
  count_ = std::min(count_ + 1, kKept);
}

template <class Key, class Get>
std::optional<RecentBatches::Entry> RecentBatches::find(Key key, Get get) const {
  if (count_ == 0 || get(at(0)) > key) return std::nullopt;
  std::size_t low = 0;
  std::size_t high = count_;
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (get(at(middle)) <= key ? low : high) = middle;
  }
  return at(low);
}

std::optional<RecentBatches::Entry> RecentBatches::at_or_before(Offset offset) const {
  return find(offset, [](const Entry& entry) { return entry.base_offset; });
}

std::optional<RecentBatches::Entry> RecentBatches::at_or_before_position(std::uint64_t position) const {
  return find(position, [](const Entry& entry) { return entry.position; });
}

std::optional<ReadMarks::Mark> ReadMarks::find(Offset offset) const {
  for (const Mark& mark : marks_) {
    if (mark.offset == offset) return mark;
  }
  return std::nullopt;
}

void ReadMarks::remember(Mark mark) {
  for (Mark& kept : marks_) {
    if (kept.offset == mark.offset) {
      kept = mark;
      return;
    }
  }
  marks_[next_++ % marks_.size()] = mark;
}

// ---- By offset

std::size_t Log::State::segment_index(Offset offset) const {
  const auto behind = std::ranges::upper_bound(
      segments, offset, {}, [](const auto& segment) { return segment->base_offset(); });
  return behind == segments.begin() ? 0 : static_cast<std::size_t>(behind - segments.begin()) - 1;
}

Error Log::State::note_damage(const Error& error, Offset at) {
  if (error == Errc::corrupt && damage_said != at) {
    damage_said = at;
    LOG(error, "log.damaged", "partition={} offset={} reason=\"{}\"", name(), at.value(), error.message);
  }
  // After a failed sync the pages may have gone back to what the disk has. Recovery may yet bring the records back, from the
  // write-ahead log, so that readers should come again instead of giving up.
  if (error == Errc::corrupt && offline) return {Errc::offline, offline->message};
  return error;
}

// Where the batch that holds `from` begins in this segment, if that is in mind.
std::optional<RecentBatches::Entry> Log::State::known_start(std::size_t index, Offset from) const {
  const Segment& segment = *segments[index];
  if (index + 1 == segments.size()) {
    // The batches of a log that was never compacted follow each other without gaps, so the last one to begin at or before
    // `from` holds it; of the youngest one the written end is the bound.
    if (const auto found = recent.at_or_before(from)) return found;
  }
  const auto mark = marks.find(from);
  if (mark && mark->segment_base == segment.base_offset() && mark->position < segment.size()) {
    return RecentBatches::Entry{.base_offset = from, .position = mark->position};
  }
  return std::nullopt;
}

// Where the batch that holds `from`, or the first one behind it, begins in this segment; empty if there is none.
Result<std::optional<RecentBatches::Entry>> Log::State::start_of(std::size_t index, Offset from) {
  using Found = std::optional<RecentBatches::Entry>;
  Segment& segment = *segments[index];
  if (const auto known = known_start(index, from)) return known;
  TRY(location, segment.locate(from));
  if (!location) return Found();
  return Found(RecentBatches::Entry{.base_offset = location->batch.base_offset, .position = location->position});
}

// Where the batches below `limit` end in this segment.
Result<BatchEnd> Log::State::end_in_segment(std::size_t index, Offset limit) {
  Segment& segment = *segments[index];
  if (limit >= segment_end(index)) {
    return BatchEnd{.position = segment.size(), .next_offset = segment_end(index)};
  }
  const bool is_active = index + 1 == segments.size();
  if (is_active) {
    const auto found = recent.at_or_before(limit);
    if (found && found->base_offset == limit) {
      return BatchEnd{.position = found->position, .next_offset = limit};
    }
  }
  TRY(location, segment.locate(limit));
  if (!location) return BatchEnd{.position = segment.size(), .next_offset = segment_end(index)};
  return BatchEnd{.position = location->position, .next_offset = location->batch.base_offset};
}

// The end of a range that may be no longer than the limits say.
Result<BatchEnd> Log::State::cut(std::size_t index, const io::OpenFile& file, std::uint64_t start,
                                 BatchEnd end, const ReadLimits& limits) {
  const std::uint64_t wanted = start + limits.bytes_max;
  if (wanted >= end.position) return end;
  Segment& segment = *segments[index];
  BatchEnd result{.position = start};
  const bool is_active = index + 1 == segments.size();
  const auto near = is_active ? recent.at_or_before_position(wanted) : std::nullopt;
  if (near) {
    if (near->position > start) result = {.position = near->position, .next_offset = near->base_offset};
  } else {
    const std::uint64_t probe = wanted > kProbeBytes ? wanted - kProbeBytes : 0;
    const bool first_fits = limits.bytes_max >= options.accept.max_message_bytes;
    // Whose readers are to be told of aborted transactions must know where the range ends.
    if (limits.may_cut_cold && !has_aborted && first_fits &&
        !shard.proactor.resident(file.handle(), probe, std::min(2 * kProbeBytes, end.position - probe))) {
      return BatchEnd{.position = wanted};
    }
    TRY(found, segment.batch_end_before(start, wanted));
    result = found;
  }
  if (result.position > start || !limits.at_least_one_batch) return result;
  HeaderScan headers = segment.scan(file, start);
  TRY(first, headers.next());
  return BatchEnd{.position = first.end_position(), .next_offset = first.batch.last_offset + 1};
}

// The end of the batches from `start` on that are whole, below `limit` and within the limits. Errors: corrupt, if the first
// one is not.
Result<BatchEnd> Log::State::walk_to_damage(const Segment& segment, const io::OpenFile& file,
                                            std::uint64_t start, Offset limit, const ReadLimits& limits) {
  BatchEnd end{.position = start};
  HeaderScan headers = segment.scan(file, start);
  while (!headers.at_end()) {
    const auto found = headers.next();
    const bool first = end.position == start;
    if (!found && first) return fail(found.error());
    if (!found || found->batch.base_offset >= limit) break;
    const bool fits = found->end_position() - start <= limits.bytes_max;
    if (!fits && !(first && limits.at_least_one_batch)) break;
    end = {.position = found->end_position(), .next_offset = found->batch.last_offset + 1};
  }
  return end;
}

Result<ReadRange> Log::State::read_in_segment(std::size_t index, RecentBatches::Entry start,
                                              Offset limit, const ReadLimits& limits) {
  Segment& segment = *segments[index];
  TRY(file, segment.file());
  if (segment.damaged(start.position)) return fail(Errc::corrupt, "damaged since it was written");
  auto found_end = end_in_segment(index, limit);
  if (found_end && found_end->position > start.position) {
    if (const auto damage = segment.next_damage(start.position); damage < found_end->position) {
      found_end = BatchEnd{.position = damage};
    }
    found_end = cut(index, *file, start.position, *found_end, limits);
  }
  // Looking for the end may meet damage that lies behind what can still be given.
  if (!found_end && found_end.error() == Errc::corrupt) {
    found_end = walk_to_damage(segment, *file, start.position, limit, limits);
  }
  if (!found_end) return fail(std::move(found_end).error());
  const BatchEnd range_end = *found_end;
  if (range_end.position <= start.position) return ReadRange{};
  if (range_end.next_offset != kNoOffset && range_end.position < segment.size()) {
    marks.remember({.offset = range_end.next_offset,
                    .segment_base = segment.base_offset(),
                    .position = range_end.position});
  }
  return ReadRange{.file = file,
                   .position = start.position,
                   .length = range_end.position - start.position,
                   .first_offset = start.base_offset,
                   .end_offset = range_end.next_offset != kNoOffset ? range_end.next_offset : segment_end(index)};
}

Result<ReadRange> Log::State::read(Offset from, const ReadLimits& limits) {
  const Offset limit = std::min(limits.end, written_end);
  if (from < log_start || from > end) {
    return fail(Errc::out_of_range, fmt::format("offset {} is outside of {} to {}", from.value(),
                                                log_start.value(), end.value()));
  }
  if (from >= limit) return ReadRange{};
  for (std::size_t index = segment_index(from); index < segments.size(); ++index) {
    if (segments[index]->base_offset() >= limit) break;
    auto start = start_of(index, from);
    if (!start) return fail(note_damage(start.error(), from));
    if (!*start) continue;  // a compacted segment may end in a gap
    auto range = read_in_segment(index, **start, limit, limits);
    if (!range) return fail(note_damage(range.error(), from));
    return range;
  }
  return ReadRange{};
}

Result<ReadRange> Log::read(Offset from, const ReadLimits& limits) {
  return state_->read(from, limits);
}

// A transaction is in the index of the segment where it ended, which may be another than that of its records.
Result<std::vector<AbortedTransaction>> Log::State::aborted_in(const ReadRange& range) const {
  std::vector<AbortedTransaction> found;
  if (!has_aborted || range.empty()) return found;
  for (std::size_t index = segment_index(range.first_offset); index < segments.size(); ++index) {
    if (!segments[index]->has_aborted()) continue;
    TRY(complete, segments[index]->find_aborted(range.first_offset, range.end_offset, found));
    if (complete) break;
  }
  return found;
}

Result<std::vector<AbortedTransaction>> Log::aborted_in(const ReadRange& range) const {
  return state_->aborted_in(range);
}

io::Task<Result<std::vector<std::byte>>> Log::State::read_bytes(Offset from, ReadLimits limits) {
  limits.may_cut_cold = false;
  if (is_cold(from, limits)) co_await warm(from, limits, false);
  CO_TRY(range, read(from, limits));
  std::vector<std::byte> bytes(range.length);
  if (range.empty()) co_return bytes;
  CO_TRY(got, co_await io::read_all(proactor(), range.file->handle(), range.position, bytes));
  if (got < bytes.size()) co_return fail(Errc::corrupt, "a segment shorter than it was");
  co_return bytes;
}

io::Task<Result<std::vector<std::byte>>> Log::read_bytes(Offset from, ReadLimits limits) {
  return state_->read_bytes(from, limits);
}

// ---- Warm

// What the reader looks at to find where its range begins and ends.
bool Log::State::is_cold(Offset from, const ReadLimits& limits) const {
  const Offset limit = std::min(limits.end, written_end);
  if (from < log_start || from >= limit) return false;
  const std::size_t index = segment_index(from);
  Segment& segment = *segments[index];
  const auto start = known_start(index, from);
  if (!start) return true;
  // The limit itself is at the log's tail or near it.
  const std::uint64_t wanted = start->position + limits.bytes_max;
  if (wanted >= segment.size()) return false;
  if (index + 1 == segments.size() && recent.at_or_before_position(wanted)) return false;
  const auto file = segment.file();
  const std::uint64_t probe = wanted > kProbeBytes ? wanted - kProbeBytes : 0;
  return file && !shard.proactor.resident((*file)->handle(), probe, std::min(2 * kProbeBytes, segment.size() - probe));
}

bool Log::State::aborted_from(std::size_t index) const {
  return has_aborted && std::any_of(segments.begin() + static_cast<std::ptrdiff_t>(index), segments.end(),
                                    [](const auto& segment) { return segment->has_aborted(); });
}

// Reads headers, so that they are in memory, until `enough` says so of one. The segment may go meanwhile: its file stays.
template <class Enough>
io::Task<void> pass_headers([[maybe_unused]] std::shared_ptr<const io::OpenFile> file, HeaderScan headers, Enough enough) {
  while (!headers.at_end()) {
    if (!headers.holds_next() && !co_await headers.fetch_next()) co_return;
    const auto found = headers.next();
    if (!found || enough(*found)) co_return;
  }
}

io::Task<void> Log::State::warm_indexes(Offset base, std::string_view suffix) {
  Segment* const segment = segment_at(base);
  if (segment != nullptr && !closed) (void)co_await io::bring_in(proactor(), segment->path(suffix));
}

io::Task<void> Log::State::warm(Offset from, ReadLimits limits, bool aborted) {
  const Offset base = segments[segment_index(from)]->base_offset();
  if (is_cold(from, limits)) {
    const auto known = known_start(segment_index(from), from);
    co_await warm_indexes(base, kIndexSuffix);
    const std::uint64_t start = known ? known->position : co_await warm_start(base, from);
    co_await warm_end(base, start + limits.bytes_max);
  }
  if (aborted && has_aborted) co_await warm_aborted(base, from);
}

// Gives where the batch begins, or where it was looked for last.
io::Task<std::uint64_t> Log::State::warm_start(Offset base, Offset from) {
  Segment* const segment = segment_at(base);
  if (segment == nullptr || closed) co_return 0;
  const auto position = segment->headers_before(from);
  const auto file = segment->file();
  if (!position || !file) co_return 0;
  std::uint64_t start = *position;
  const auto reached = [&](const BatchLocation& at) {
    start = at.position;
    return at.batch.last_offset >= from;
  };
  co_await pass_headers(*file, segment->scan(**file, start), reached);
  co_return start;
}

io::Task<void> Log::State::warm_end(Offset base, std::uint64_t wanted) {
  Segment* const segment = segment_at(base);
  if (segment == nullptr || closed || wanted >= segment->size()) co_return;
  const auto position = segment->headers_before_position(wanted);
  const auto file = segment->file();
  if (!position || !file) co_return;
  co_await pass_headers(*file, segment->scan(**file, *position),
                        [wanted](const BatchLocation& at) { return at.end_position() > wanted; });
}

// The indexes of this segment and of those behind it, up to the one that shows that no later one is asked.
io::Task<void> Log::State::warm_aborted(Offset base, Offset from) {
  std::vector<AbortedTransaction> found;
  const Segment* const next = segment_from(base + 1);
  const Offset end = next != nullptr ? next->base_offset() : written_end;
  for (Segment* segment = segment_at(base); segment != nullptr; segment = segment_from(base + 1)) {
    base = segment->base_offset();
    if (!segment->has_aborted()) continue;
    co_await warm_indexes(base, kTransactionIndexSuffix);
    segment = segment_at(base);
    if (segment == nullptr || segment->find_aborted(from, end, found).value_or(true)) co_return;
  }
}

bool Log::is_cold(Offset from, const ReadLimits& limits, bool aborted) {
  return (aborted && state_->aborted_from(state_->segment_index(from))) || state_->is_cold(from, limits);
}

io::Task<void> Log::warm(Offset from, ReadLimits limits, bool aborted) {
  return state_->warm(from, limits, aborted);
}

// ---- By time

LeaderEpoch Log::State::epoch_of(Offset offset) const {
  return epochs.epoch_at(offset).value_or(kNoLeaderEpoch);
}

Result<std::optional<FoundOffset>> Log::State::find_in_batch(const RecordBatch& batch,
                                                             std::int64_t timestamp) {
  using Found = std::optional<FoundOffset>;
  const std::int64_t span = batch.last_offset() - batch.base_offset() + 1;
  const bool is_whole = batch.base_offset() >= log_start && batch.record_count() == span;
  // All records of the batch are as old; which of them are left after a compaction only the records say.
  if (is_whole && batch.timestamp_type() == TimestampType::log_append_time) {
    return Found({.timestamp = batch.max_timestamp(), .offset = batch.base_offset(), .leader_epoch = batch.leader_epoch()});
  }
  TRY(payload, open_payload(batch, shard.codecs, options.accept.decompressed_bytes_max(), shard.workspace.opened));
  for (RecordWalk walk(batch, payload); !walk.at_end();) {
    TRY(record, walk.next());
    if (record.timestamp >= timestamp && record.offset >= log_start) {
      return Found({.timestamp = record.timestamp, .offset = record.offset, .leader_epoch = batch.leader_epoch()});
    }
  }
  return Found();
}

// The first segment that begins at or behind `base`; null when there is none. Asked for anew after every wait: retention may have
// taken segments from the front, and a segment with them that was being looked at.
Segment* Log::State::segment_from(Offset base) {
  const auto next = std::ranges::lower_bound(segments, base, {}, [](const auto& held) { return held->base_offset(); });
  return next == segments.end() ? nullptr : next->get();
}

Segment* Log::State::segment_at(Offset base) {
  Segment* const found = segment_from(base);
  return found != nullptr && found->base_offset() == base ? found : nullptr;
}

// The youngest timestamp in the segment that begins at `base`, found without holding the shard. -1 if it is gone.
io::Task<Result<TimestampedOffset>> Log::State::youngest_in_segment(Offset base) {
  Segment* segment = segment_at(base);
  CHECK(segment != nullptr);
  if (!segment->indexes_loaded()) {
    co_await warm_indexes(base, kIndexSuffix);
    co_await warm_indexes(base, kTimeIndexSuffix);
    segment = segment_at(base);
    if (segment == nullptr) co_return TimestampedOffset{};
  }
  CO_TRY(walk, segment->begin_timestamp_walk());
  TimestampedOffset youngest = walk.youngest;
  const std::uint64_t size = segment->size();
  if (walk.position < size) {
    CO_TRY(file, segment->file());
    HeaderScan headers = segment->scan(*file, walk.position);
    while (!headers.at_end()) {
      if (!headers.holds_next()) CO_TRY_DONE(co_await headers.fetch_next());
      CO_TRY(found, headers.next());
      if (found.batch.max_timestamp > youngest.timestamp) {
        youngest = {.timestamp = found.batch.max_timestamp, .offset = found.batch.last_offset};
      }
    }
    segment = segment_at(base);
  }
  const bool unchanged = segment != nullptr && segment->size() == size;
  if (unchanged) segment->note_max_timestamp(youngest);
  co_return youngest;
}

io::Task<Result<std::optional<FoundOffset>>> Log::State::find_timestamp(std::int64_t timestamp,
                                                                        Offset limit) {
  using Found = std::optional<FoundOffset>;
  limit = std::min(limit, written_end);
  const Offset from = log_start;
  // The first segment with a record as young; segments before it cannot have one.
  Offset base = segments[segment_index(log_start)]->base_offset();
  for (Segment* segment = segment_from(base); segment != nullptr; segment = segment_from(base)) {
    const Offset at = segment->base_offset();
    base = at + 1;
    CO_TRY(youngest, co_await youngest_in_segment(at));
    if (youngest.timestamp < timestamp) continue;
    co_await warm_indexes(at, kTimeIndexSuffix);
    co_await warm_indexes(at, kIndexSuffix);
    segment = segment_at(at);
    if (segment == nullptr) continue;
    CO_TRY(position, segment->position_for_timestamp(timestamp));
    CO_TRY(file, segment->file());
    HeaderScan headers = segment->scan(*file, position);
    while (!headers.at_end()) {
      if (!headers.holds_next()) CO_TRY_DONE(co_await headers.fetch_next());
      CO_TRY(found, headers.next());
      if (found.batch.max_timestamp < timestamp || found.batch.last_offset < from) continue;
      if (found.batch.base_offset >= limit) co_return Found();
      std::vector<std::byte> bytes(found.batch.bytes);
      CO_TRY(got, co_await io::read_all(proactor(), file->handle(), found.position, bytes));
      CO_TRY(batch, RecordBatch::parse(ConstBytes(bytes).first(got)));
      CO_TRY(record, find_in_batch(batch, timestamp));
      if (record && record->offset >= limit) co_return Found();
      if (record) co_return record;
    }
  }
  co_return Found();
}

io::Task<Result<std::optional<FoundOffset>>> Log::State::find_max_timestamp() {
  using Found = std::optional<FoundOffset>;
  TimestampedOffset youngest;
  Offset base = segments[segment_index(log_start)]->base_offset();
  for (Segment* segment = segment_from(base); segment != nullptr; segment = segment_from(base)) {
    base = segment->base_offset() + 1;
    CO_TRY(candidate, co_await youngest_in_segment(segment->base_offset()));
    if (candidate.timestamp > youngest.timestamp) youngest = candidate;
  }
  if (youngest.timestamp < 0 || youngest.offset < log_start) co_return Found();
  const ReadLimits one_batch{.end = written_end, .bytes_max = 1, .at_least_one_batch = true};
  CO_TRY(bytes, co_await read_bytes(youngest.offset, one_batch));
  CO_TRY(batch, RecordBatch::parse(bytes));
  co_return find_in_batch(batch, batch.max_timestamp());
}

io::Task<Result<std::optional<FoundOffset>>> Log::find_timestamp(std::int64_t timestamp, Offset end) {
  return state_->find_timestamp(timestamp, end);
}
io::Task<Result<std::optional<FoundOffset>>> Log::find_max_timestamp() {
  return state_->find_max_timestamp();
}

}  // namespace millrace::log
