#include "engine/log/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>

#include "base/check.h"
#include "base/logging.h"
#include "engine/log/format/record_batch.h"
#include "io/file.h"

namespace millrace::log {
namespace {

constexpr std::uint64_t kReserveStepMin = std::uint64_t{1} << 20;
constexpr std::uint64_t kReserveStepMax = std::uint64_t{64} << 20;

// A page cache takes one write of this size in large folios, and smaller ones page by page: writing zeros ahead and the
// batches over them costs half of writing the batches alone. What is as large as a step needs no such help.
constexpr std::uint64_t kFillStep = std::uint64_t{64} << 10;
alignas(4096) constinit std::array<std::byte, kFillStep> zeros{};

constexpr std::size_t kOffsetDigits = 20;

// A segment this small is walked from its start.
constexpr std::uint64_t kNoIndexBelow = 4096;

// An index built anew because it was damaged; the topic's own interval holds for what is appended.
constexpr std::int64_t kIndexIntervalDefault = 4096;

}  // namespace

std::string segment_path(std::string_view directory, Offset base_offset, std::string_view suffix) {
  return fmt::format("{}/{:020}{}", directory, base_offset.value(), suffix);
}

std::optional<Offset> parse_segment_name(std::string_view name, std::string_view suffix) {
  if (name.size() != kOffsetDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::int64_t offset = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kOffsetDigits, offset);
  if (error != std::errc() || end != name.data() + kOffsetDigits || offset < 0) return std::nullopt;
  return Offset(offset);
}

// ---- HeaderScan

bool HeaderScan::holds(std::uint64_t position) const {
  return position >= window_start_ && position + kBatchHeaderBytes <= window_start_ + window_bytes_;
}

io::Task<Result<void>> HeaderScan::fetch_next() {
  const auto wanted = std::min<std::uint64_t>(kWindowBytes, end_ - position_);
  window_bytes_ = 0;
  CO_TRY(got, co_await io::read_all(proactor_, file_, position_, Bytes(window_, wanted)));
  window_start_ = position_;
  window_bytes_ = got;
  co_return Result<void>{};
}

Result<const std::byte*> HeaderScan::header_at(std::uint64_t position) {
  if (!holds(position)) {
    // Of large batches the header alone: the rest of a window is memory that nobody has touched for long, and holds no other.
    const std::size_t window = batch_bytes_ < kWindowBytes ? kWindowBytes : kBatchHeaderBytes;
    const auto wanted = std::min<std::uint64_t>(window, end_ - position);
    TRY(got, proactor_.read_inline(file_, position, Bytes(window_, wanted)));
    window_start_ = position;
    window_bytes_ = got;
    if (got < kBatchHeaderBytes) {
      return fail(Errc::corrupt, fmt::format("no whole batch header at position {}", position));
    }
  }
  return window_ + (position - window_start_);
}

Result<BatchLocation> HeaderScan::next() {
  TRY(header, header_at(position_));
  const auto corrupt = [&](std::string_view why) {
    return fail(Errc::corrupt, fmt::format("{} at position {}", why, position_));
  };
  const auto size = RecordBatch::size_at(ConstBytes(header, kBatchPrefixBytes));
  if (!size) return corrupt("no batch size");
  if (std::to_integer<int>(header[batch_field::kMagic]) != kBatchMagic) return corrupt("no batch of format v2");
  if (*size < kBatchHeaderBytes || *size > end_ - position_) return corrupt("a batch that does not end");
  const Offset base(load_big_endian<std::int64_t>(header + batch_field::kBaseOffset));
  const auto delta = load_big_endian<std::int32_t>(header + batch_field::kLastOffsetDelta);
  if (base < segment_base_ || delta < 0) return corrupt("offsets that cannot be");
  BatchLocation found{.batch = {.base_offset = base,
                                .last_offset = base + delta,
                                .bytes = *size,
                                .max_timestamp = load_big_endian<std::int64_t>(
                                    header + batch_field::kMaxTimestamp)},
                      .leader_epoch = LeaderEpoch(load_big_endian<std::int32_t>(
                          header + batch_field::kLeaderEpoch)),
                      .position = position_};
  position_ += *size;
  batch_bytes_ = *size;
  return found;
}

// ---- Append

Result<std::shared_ptr<const io::OpenFile>> Segment::file() {
  return files_.get(slot_, [this] { return path(kLogSuffix); });
}

Result<void> Segment::create() {
  TRY_DONE(files_.create(slot_, path(kLogSuffix)));
  begin_rebuild();
  return {};
}

void Segment::reserve_ahead(io::FileHandle file, std::uint64_t bytes, const Reservation& reservation) {
  const std::uint64_t end = size_ + bytes;
  if (end < reservation.from || end <= reserved_end_) return;
  const std::uint64_t step = std::clamp(std::bit_floor(size_), kReserveStepMin, kReserveStepMax);
  const std::uint64_t length = std::min(std::max(step, bytes), std::max(reservation.max, bytes));
  // Without the reservation the write itself finds out whether there is room; asking again waits for the next step.
  (void)files_.proactor().reserve(file, size_, length);
  reserved_end_ = size_ + length;
}

void Segment::fill_ahead(io::FileHandle file, std::uint64_t bytes, const Reservation& reservation) {
  const std::uint64_t end = size_ + bytes;
  const std::uint64_t fill_end = std::min(reservation.fill_end, reserved_end_);
  if (end <= filled_end_ || end > fill_end || bytes >= kFillStep) return;
  const std::uint64_t from = std::max(size_, filled_end_);
  const std::uint64_t to = std::min((end + kFillStep - 1) / kFillStep * kFillStep, fill_end);
  // At most what is left of one step and the next.
  const std::array<::iovec, 2> slices{{{zeros.data(), std::min<std::uint64_t>(kFillStep, to - from)},
                                       {zeros.data(), to - from - std::min<std::uint64_t>(kFillStep, to - from)}}};
  // What keeps the zeros from being written keeps the batches as well, and is told of those; some may have been.
  (void)files_.proactor().write_inline(file, from, slices);
  filled_end_ = to;
}

Result<void> Segment::write(std::span<const ::iovec> slices, std::uint64_t bytes,
                            const Reservation& reservation) {
  TRY(open, file());
  reserve_ahead(open->handle(), bytes, reservation);
  fill_ahead(open->handle(), bytes, reservation);
  auto written = files_.proactor().write_inline(open->handle(), size_, slices);
  if (written) return {};
  if (written.error() == Errc::disk_full || written.error() == Errc::refused) {
    reserved_end_ = filled_end_ = 0;
    note_batches_cut();
    auto cut = files_.proactor().truncate(open->handle(), size_);
    if (!cut) return fail(Errc::io_error, "cannot cut off a partly written batch: " + cut.error().message);
  }
  return written;
}

Result<void> Segment::note(const BatchSummary& batch, std::int64_t index_interval_bytes) {
  if (!first_timestamp_ && size_ == 0) first_timestamp_ = batch.max_timestamp;
  if (batch.max_timestamp > max_timestamp_.timestamp) {
    max_timestamp_ = {.timestamp = batch.max_timestamp, .offset = batch.last_offset};
  }
  const auto relative = relative_offset(base_offset_, batch.last_offset);
  if (!relative) return fail(Errc::corrupt, "an offset too far from the segment's base");
  if (bytes_since_entry_ > index_interval_bytes) {
    offsets_.append({.relative_offset = *relative, .position = static_cast<std::int32_t>(size_)});
    if (max_timestamp_.timestamp >= 0) {
      times_.append({.timestamp = max_timestamp_.timestamp,
                     .relative_offset = *relative_offset(base_offset_, max_timestamp_.offset)});
    }
    bytes_since_entry_ = 0;
    // An index that cannot be written now is written later, or built anew.
    if (offsets_.wants_write()) (void)write_indexes();
  }
  size_ += batch.bytes;
  bytes_since_entry_ += static_cast<std::int64_t>(batch.bytes);
  return {};
}

void Segment::note_damage(std::uint64_t bytes) {
  damage_.push_back({.position = size_, .length = bytes});
  size_ += bytes;
  // The next batch gets an entry, so that nobody has to walk over the damage.
  bytes_since_entry_ = std::numeric_limits<std::int32_t>::max();
}

bool Segment::damaged(std::uint64_t position) const {
  return std::ranges::any_of(damage_, [&](const Range& range) {
    return position >= range.position && position < range.position + range.length;
  });
}

std::uint64_t Segment::next_damage(std::uint64_t position) const {
  for (const Range& range : damage_) {
    if (range.position >= position) return range.position;
  }
  return size_;
}

bool Segment::indexes_full(std::int64_t index_bytes_max) const {
  const auto bytes_max = static_cast<std::uint64_t>(index_bytes_max);
  return offsets_.bytes() + OffsetIndexEntry::kBytes > bytes_max ||
         times_.bytes() + TimeIndexEntry::kBytes > bytes_max;
}

Result<void> Segment::trim() {
  if (reserved_end_ <= size_) return {};
  TRY(open, file());
  TRY_DONE(files_.proactor().truncate(open->handle(), size_));
  if (filled_end_ > size_) ++cuts_;
  reserved_end_ = filled_end_ = 0;
  return {};
}

Result<void> Segment::seal() {
  if (max_timestamp_known_ && max_timestamp_.timestamp >= 0) {
    times_.append({.timestamp = max_timestamp_.timestamp,
                   .relative_offset = *relative_offset(base_offset_, max_timestamp_.offset)});
  }
  return write_indexes();
}

void Segment::note_batches_cut() {
  ++cuts_;
  batches_cut_ = true;
}

void Segment::note_cuts_synced(std::uint32_t cuts) {
  cuts_synced_ = std::max(cuts_synced_, std::min(cuts, cuts_));
  batches_cut_ = batches_cut_ && has_unsynced_cut();
}

Result<void> Segment::write_indexes() {
  if (!indexes_loaded_) return {};
  TRY_DONE(offsets_.write_out(files_.proactor(), path(kIndexSuffix)));
  return times_.write_out(files_.proactor(), path(kTimeIndexSuffix));
}

std::optional<Segment::Range> Segment::take_write_back(std::uint64_t step) {
  if (size_ - std::min(size_, write_back_from_) < step) return std::nullopt;
  const Range range{.position = write_back_from_, .length = size_ - write_back_from_};
  write_back_from_ = size_;
  return range;
}

// ---- Find

Result<void> Segment::load_indexes() {
  if (indexes_loaded_) return {};
  if (size_ <= kNoIndexBelow) {
    // Walking all of it is cheaper than asking files that can hold next to nothing.
    indexes_loaded_ = true;
    offsets_.begin_anew();
    times_.begin_anew();
    return {};
  }
  auto loaded = offsets_.load(files_.proactor(), path(kIndexSuffix));
  if (loaded) loaded = times_.load(files_.proactor(), path(kTimeIndexSuffix));
  if (!loaded && loaded.error() != Errc::corrupt) return loaded;
  const auto last = offsets_.last();
  const bool beyond = last && static_cast<std::uint64_t>(last->position) >= size_;
  // Without entries a large segment would be walked from its start each time.
  const bool missing = !last && size_ > (std::uint64_t{1} << 20);
  indexes_loaded_ = true;
  if (loaded && !beyond && !missing) return {};
  LOG(warn, "log.index_rebuilt", "segment={} reason=\"{}\"", path(kLogSuffix),
      !loaded ? loaded.error().message : beyond ? "points behind the end" : "missing");
  return rebuild_indexes(kIndexIntervalDefault);
}

void Segment::begin_rebuild() {
  size_ = 0;
  damage_.clear();
  offsets_.begin_anew();
  times_.begin_anew();
  indexes_loaded_ = true;
  bytes_since_entry_ = 0;
  max_timestamp_ = {};
  max_timestamp_known_ = true;
  first_timestamp_.reset();
}

Result<void> Segment::rebuild_indexes(std::int64_t index_interval_bytes) {
  const std::uint64_t size = size_;
  TRY(open, file());
  begin_rebuild();
  HeaderScan headers(files_.proactor(), open->handle(), base_offset_, 0, size);
  while (!headers.at_end()) {
    auto found = headers.next();
    auto noted = found ? note(found->batch, index_interval_bytes) : fail(std::move(found).error());
    if (!noted) {
      // What lies behind the damage can still be found by walking from the last entry up to it.
      size_ = size;
      return noted;
    }
  }
  CHECK(size_ == size, "walked to {} of {}", size_, size);
  return write_indexes();
}

template <class Predicate>
Result<std::optional<OffsetIndexEntry>> Segment::last_entry(Predicate at_or_before) {
  TRY_DONE(load_indexes());
  return offsets_.find_last(files_.proactor(), [this] { return path(kIndexSuffix); }, at_or_before,
                            &files_.index_pages());
}

Result<std::optional<OffsetIndexEntry>> Segment::entry_before(Offset offset) {
  return last_entry([&](const OffsetIndexEntry& candidate) { return absolute(candidate.relative_offset) <= offset; });
}

Result<std::uint64_t> Segment::headers_before(Offset offset) {
  TRY(entry, entry_before(offset));
  return entry ? static_cast<std::uint64_t>(entry->position) : 0;
}

Result<std::uint64_t> Segment::headers_before_position(std::uint64_t position) {
  TRY(entry, last_entry([&](const OffsetIndexEntry& candidate) {
        return static_cast<std::uint64_t>(candidate.position) <= position;
      }));
  return entry ? static_cast<std::uint64_t>(entry->position) : 0;
}

Result<std::uint64_t> Segment::index_position(Offset offset) {
  TRY(entry, entry_before(offset));
  if (!entry) return std::uint64_t{0};
  // The entry is believed once the batch it speaks of is where it says.
  const auto position = static_cast<std::uint64_t>(entry->position);
  TRY(open, file());
  HeaderScan headers = scan(*open, position);
  if (headers.at_end()) return fail(Errc::corrupt, "an index entry behind the end");
  TRY(found, headers.next());
  if (found.batch.last_offset != absolute(entry->relative_offset)) {
    return fail(Errc::corrupt, "an index entry for another batch");
  }
  return position;
}

Result<std::uint64_t> Segment::trusted_index_position(Offset offset) {
  auto position = index_position(offset);
  if (position || position.error() != Errc::corrupt) return position;
  offsets_.forget_kept();
  if (rebuilt_) return position;
  LOG(warn, "log.index_rebuilt", "segment={} reason=\"{}\"", path(kLogSuffix),
      position.error().message);
  rebuilt_ = true;
  TRY_DONE(rebuild_indexes(kIndexIntervalDefault));
  return index_position(offset);
}

Result<std::optional<BatchLocation>> Segment::locate(Offset offset) {
  TRY(position, trusted_index_position(offset));
  TRY(open, file());
  HeaderScan headers = scan(*open, position);
  while (!headers.at_end()) {
    TRY(found, headers.next());
    if (found.batch.last_offset >= offset) return std::optional<BatchLocation>(found);
  }
  return std::optional<BatchLocation>();
}

Result<BatchEnd> Segment::batch_end_before(std::uint64_t start, std::uint64_t limit) {
  TRY(from, headers_before_position(limit));
  BatchEnd end{.position = std::max(start, from)};
  TRY(open, file());
  HeaderScan headers = scan(*open, end.position);
  while (!headers.at_end()) {
    const auto found = headers.next();
    if (!found) {
      offsets_.forget_kept();
      return fail(found.error());
    }
    if (found->end_position() > limit) {
      end.next_offset = found->batch.base_offset;
      break;
    }
    end = {.position = found->end_position(), .next_offset = found->batch.last_offset + 1};
  }
  return end;
}

Result<std::uint64_t> Segment::position_for_timestamp(std::int64_t timestamp) {
  TRY_DONE(load_indexes());
  auto entry = times_.find_last(
      files_.proactor(), [this] { return path(kTimeIndexSuffix); },
      [&](const TimeIndexEntry& candidate) { return candidate.timestamp <= timestamp; });
  if (!entry) return fail(std::move(entry).error());
  if (!*entry) return std::uint64_t{0};
  return trusted_index_position(absolute((*entry)->relative_offset));
}

Result<Segment::TimestampWalk> Segment::begin_timestamp_walk() {
  if (!max_timestamp_known_) TRY_DONE(load_indexes());
  if (max_timestamp_known_) return TimestampWalk{.youngest = max_timestamp_, .position = size_};
  // Of a sealed segment the last time entry is its maximum; from there on the headers are asked, which ends at once.
  TimestampWalk walk;
  if (const auto last = times_.last()) {
    walk.youngest = {.timestamp = last->timestamp, .offset = absolute(last->relative_offset)};
    if (const auto last_position = offsets_.last()) {
      walk.position = static_cast<std::uint64_t>(last_position->position);
    }
  }
  return walk;
}

void Segment::note_max_timestamp(TimestampedOffset youngest) {
  max_timestamp_ = youngest;
  max_timestamp_known_ = true;
}

Result<TimestampedOffset> Segment::max_timestamp() {
  TRY(walk, begin_timestamp_walk());
  TimestampedOffset youngest = walk.youngest;
  if (walk.position < size_) {
    TRY(open, file());
    HeaderScan headers = scan(*open, walk.position);
    while (!headers.at_end()) {
      TRY(found, headers.next());
      if (found.batch.max_timestamp > youngest.timestamp) {
        youngest = {.timestamp = found.batch.max_timestamp, .offset = found.batch.last_offset};
      }
    }
  }
  note_max_timestamp(youngest);
  return youngest;
}

Result<std::int64_t> Segment::first_timestamp() {
  if (first_timestamp_) return *first_timestamp_;
  if (size_ == 0) return kNoTimestamp;
  TRY(open, file());
  HeaderScan headers = scan(*open, 0);
  TRY(found, headers.next());
  first_timestamp_ = found.batch.max_timestamp;
  return *first_timestamp_;
}

// ---- Open, truncate

Result<void> Segment::load_size() {
  TRY(open, file());
  TRY(size, files_.proactor().size(open->handle()));
  size_ = size;
  write_back_from_ = size;
  return {};
}

Result<Offset> Segment::load() {
  if (size_ == 0) {
    begin_rebuild();
    return base_offset_;
  }
  TRY_DONE(load_indexes());
  TRY(open, file());
  TimestampedOffset youngest;
  std::uint64_t position = 0;
  if (const auto last = offsets_.last()) position = static_cast<std::uint64_t>(last->position);
  if (const auto last = times_.last()) {
    youngest = {.timestamp = last->timestamp, .offset = absolute(last->relative_offset)};
  }
  HeaderScan headers = scan(*open, position);
  Offset end = base_offset_;
  while (!headers.at_end()) {
    TRY(found, headers.next());
    if (found.position == 0) first_timestamp_ = found.batch.max_timestamp;
    if (found.batch.base_offset < end) return fail(Errc::corrupt, "offsets go back");
    if (found.batch.max_timestamp > youngest.timestamp) {
      youngest = {.timestamp = found.batch.max_timestamp, .offset = found.batch.last_offset};
    }
    end = found.batch.last_offset + 1;
  }
  bytes_since_entry_ = static_cast<std::int64_t>(size_ - position);
  write_back_from_ = size_;
  max_timestamp_ = youngest;
  max_timestamp_known_ = true;
  return end;
}

Result<BatchEnd> Segment::end_of_headers() {
  // An index that has to be built anew is, up to where the headers end.
  if (auto loaded = load_indexes(); !loaded && loaded.error() != Errc::corrupt) return fail(std::move(loaded).error());
  BatchEnd end;
  if (const auto last = offsets_.last()) end.position = static_cast<std::uint64_t>(last->position);
  TRY(open, file());
  HeaderScan headers = scan(*open, end.position);
  while (!headers.at_end()) {
    auto found = headers.next();
    if (!found && found.error() != Errc::corrupt) return fail(std::move(found).error());
    if (!found || found->batch.base_offset < end.next_offset) break;
    end = {.position = found->end_position(), .next_offset = found->batch.last_offset + 1};
  }
  return end;
}

Result<void> Segment::truncate(std::uint64_t size) {
  CHECK(size <= size_);
  TRY_DONE(load_indexes());
  TRY(open, file());
  TRY_DONE(files_.proactor().truncate(open->handle(), size));
  note_batches_cut();
  size_ = size;
  reserved_end_ = filled_end_ = 0;
  write_back_from_ = std::min(write_back_from_, size);
  // What the newest entries said of the youngest record may be gone with it.
  return rebuild_indexes(kIndexIntervalDefault);
}

// ---- Aborted transactions

Result<void> Segment::load_aborted() {
  const std::string name = path(kTransactionIndexSuffix);
  has_aborted_file_ = true;
  TRY_DONE(aborted_.load(files_.proactor(), name));
  // All of it, as its entries are not checked against the batches when they are used.
  Offset least = base_offset_;
  const auto every = [](const AbortedTransaction&) { return false; };
  TRY(misplaced, aborted_.visit_from(files_.proactor(), name, every, [&](const AbortedTransaction& entry) {
        const bool fits_here = entry.last_offset >= least;
        least = entry.last_offset + 1;
        return fits_here;
      }));
  if (misplaced) return fail(Errc::corrupt, "an aborted transaction of another segment");
  return {};
}

void Segment::note_aborted(const AbortedTransaction& entry) {
  aborted_.append(entry);
  // What cannot be written now is told of at the end.
  if (aborted_.wants_write()) (void)write_aborted();
}

Result<bool> Segment::cut_aborted(Offset end) {
  if (!aborted_.last() || aborted_.last()->last_offset < end) return false;
  TRY_DONE(aborted_.keep_while(files_.proactor(), path(kTransactionIndexSuffix),
                               [&](const AbortedTransaction& entry) { return entry.last_offset < end; }));
  return true;
}

Result<bool> Segment::write_aborted() {
  if (!has_aborted_file_ && aborted_.empty()) return false;
  has_aborted_file_ = true;
  TRY_DONE(aborted_.write_out(files_.proactor(), path(kTransactionIndexSuffix)));
  return true;
}

Result<bool> Segment::find_aborted(Offset first, Offset end, std::vector<AbortedTransaction>& found) const {
  const auto is_before = [&](const AbortedTransaction& entry) { return entry.last_offset < first; };
  return aborted_.visit_from(files_.proactor(), path(kTransactionIndexSuffix), is_before,
                             [&](const AbortedTransaction& entry) {
                               if (entry.first_offset < end) found.push_back(entry);
                               // Whatever was open then began at or behind `end`, and so did all that came later.
                               return entry.last_stable_offset < end;
                             });
}

// ---- Delete

Result<void> Segment::mark_deleted() {
  slot_.reset();
  for (const auto suffix : {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix}) {
    const std::string from = path(suffix);
    auto renamed = files_.proactor().rename(from, from + std::string(kDeletedSuffix));
    if (!renamed && renamed.error() != Errc::not_found) return renamed;
  }
  return {};
}

std::vector<std::string> Segment::deleted_paths() const {
  std::vector<std::string> paths;
  for (const auto suffix : {kLogSuffix, kIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix}) {
    paths.push_back(path(suffix) + std::string(kDeletedSuffix));
  }
  return paths;
}

}  // namespace millrace::log
