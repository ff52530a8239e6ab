// A Log's append: validate, stage, write once per turn, make stable.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "engine/log/log_state.h"
#include "io/file.h"

namespace millrace::log {
namespace {

// How long a full disk is taken for full without asking it again.
constexpr Duration kFullDiskPause = std::chrono::milliseconds(100);

// A segment's last part gets no zeros ahead, an eighth or this: when it is full there is then nothing to be cut off it, which
// would have to be synced before the next one begins.
constexpr std::uint64_t kUnfilledMax = std::uint64_t{4} << 20;

}  // namespace

// ---- Staging

Result<void> Log::State::check_usable() {
  if (offline) return fail(Errc::offline, offline->message);
  if (closed) return fail(Errc::closed, "the log is closed");
  if (refuse_until != Instant{} && io::Reactor::current().now() < refuse_until) {
    return fail(Errc::disk_full, "the disk was full a moment ago");
  }
  return {};
}

Result<std::optional<ProducerBatch>> Log::State::check_producer(const RecordBatch& batch,
                                                                AppendOrigin origin) const {
  if (!batch.has_producer_id() || batch.is_control()) return std::optional<ProducerBatch>();
  return producers.check(batch, origin == AppendOrigin::client ? ProducerState::Source::client
                                                               : ProducerState::Source::coordinator);
}

Result<AppendedBatches> Log::State::stage_one(Bytes bytes, const AppendOptions& append) {
  options.accept.from_client = append.origin == AppendOrigin::client;
  TRY(valid, validate_for_append(bytes, options.accept, append.now, shard.workspace));
  TRY(duplicate, check_producer(valid.batch(), append.origin));
  AppendedBatches result{.log_append_time_ms = valid.append_time,
                         .log_start_offset = log_start,
                         .failures = failures};
  if (duplicate) {
    result.first_offset = duplicate->first_offset();
    result.last_offset = duplicate->last_offset;
    result.duplicate = true;
    return result;
  }
  BatchSummary summary{.base_offset = end,
                       .last_offset = end + valid.batch().last_offset_delta(),
                       .bytes = valid.bytes.size(),
                       .max_timestamp = valid.max_timestamp};
  TRY_DONE(make_room(summary, append.now));
  note_epoch(append.leader_epoch, end);
  set_base_offset(valid.bytes, end);
  set_leader_epoch(valid.bytes, append.leader_epoch);
  stage(valid.bytes, summary, valid.rebuilt);
  result.first_offset = summary.base_offset;
  result.last_offset = summary.last_offset;
  result.failures = failures;
  return result;
}

Result<AppendedBatches> Log::stage_append_as_leader(Bytes batches, const AppendOptions& options) {
  State& log = *state_;
  log.shard.workspace.record_errors.clear();
  log.shard.workspace.give_back();
  TRY_DONE(log.check_usable());
  if (options.origin == AppendOrigin::client && !log.reserve.admit(batches.size(), io::Reactor::current().now())) {
    return fail(Errc::disk_full, "the disk has no more room than what millrace.disk.reserve.percent keeps free");
  }
  if (batches.empty()) return fail(Errc::malformed, "no batch");
  TRY(first_size, RecordBatch::size_at(batches));
  if (first_size >= batches.size() || options.origin == AppendOrigin::client) {
    // More than one batch from a client is refused by the validation.
    return log.stage_one(batches, options);
  }
  AppendedBatches all;
  while (!batches.empty()) {
    TRY(size, RecordBatch::size_at(batches));
    if (size > batches.size()) return fail(Errc::malformed, "a batch that does not end");
    TRY(one, log.stage_one(batches.first(size), options));
    if (all.first_offset == kNoOffset) all = one;
    all.last_offset = one.last_offset;
    batches = batches.subspan(size);
  }
  return all;
}

Result<AppendedBatches> Log::stage_append_as_follower(Bytes batches, WallTime now) {
  State& log = *state_;
  TRY_DONE(log.check_usable());
  AppendedBatches all{.log_start_offset = log.log_start, .failures = log.failures};
  for (BatchWalk walk(batches); !walk.at_end();) {
    const std::size_t at = walk.position();
    TRY(batch, walk.next());
    TRY_DONE(batch.verify());
    if (batch.last_offset() < log.end) continue;
    if (batch.base_offset() < log.end) {
      return fail(Errc::out_of_range, fmt::format("batch {} to {} begins below the end {}", batch.base_offset().value(),
                                                  batch.last_offset().value(), log.end.value()));
    }
    // A follower may begin behind what the leader has deleted; inside of a compacted log offsets may be missing, too.
    const BatchSummary summary{.base_offset = batch.base_offset(),
                               .last_offset = batch.last_offset(),
                               .bytes = batch.size(),
                               .max_timestamp = batch.max_timestamp()};
    TRY_DONE(log.make_room(summary, now));
    log.note_epoch(batch.leader_epoch(), batch.base_offset());
    log.stage(batches.subspan(at, batch.size()), summary, false);
    if (all.first_offset == kNoOffset) all.first_offset = summary.base_offset;
    all.last_offset = summary.last_offset;
  }
  if (all.first_offset == kNoOffset) all.last_offset = log.end - 1;
  all.failures = log.failures;
  return all;
}

const std::vector<RecordError>& Log::record_errors() const {
  return state_->shard.workspace.record_errors;
}

bool Log::State::must_roll(const BatchSummary& batch, WallTime now) {
  const std::uint64_t size = active().size() + staged_bytes;
  if (size == 0) return !active().fits(batch.last_offset);
  if (size + batch.bytes > static_cast<std::uint64_t>(options.segment_bytes)) return true;
  if (!active().fits(batch.last_offset)) return true;
  if (active().indexes_full(options.segment_index_bytes)) return true;
  // By the records' own time while they have one, so that a log that is read in again rolls where it did before.
  const auto first = active().first_timestamp();
  const bool by_record = first && *first >= 0 && batch.max_timestamp >= 0;
  const std::int64_t age = by_record ? batch.max_timestamp - *first : now.ms - active_since_ms;
  return age > segment_age_max();
}

std::int64_t Log::State::segment_age_max() const {
  // Each log's share of the jitter is its own, so that logs made together do not roll together.
  const std::size_t own = std::hash<TopicPartition>{}({topic_id, partition});
  const auto share = static_cast<std::int64_t>(
      own % static_cast<std::size_t>(std::max<std::int64_t>(options.segment_jitter_ms, 0) + 1));
  // Only a segment that has ended can be compacted in time.
  const bool bounded = options.compacts && options.compaction_lag_max_ms > 0;
  const std::int64_t age = bounded ? std::min(options.segment_ms, options.compaction_lag_max_ms) : options.segment_ms;
  return age - std::min(share, age);
}

Result<void> Log::State::make_room(const BatchSummary& batch, WallTime now) {
  if (!must_roll(batch, now)) return {};
  TRY_DONE(write_staged());
  if (active().empty()) {
    // Nothing to end: only a base nearer to the batch's offsets.
    if (active().fits(batch.last_offset)) return {};
  }
  return roll(now);
}

// Saved by the next sync of the segments, which comes before a recovery point behind `start`.
void Log::State::note_epoch(LeaderEpoch epoch, Offset start) {
  const auto latest = epochs.latest();
  if (epoch < LeaderEpoch{0} || (latest && latest->epoch >= epoch)) return;
  epochs.assign(epoch, start);
  epochs_unsaved_from = std::min(epochs_unsaved_from, start);
}

void Log::State::stage(Bytes bytes, const BatchSummary& summary, bool rebuilt) {
  const auto batch = RecordBatch::parse(bytes);
  CHECK(batch.has_value(), "a validated batch");
  if (rebuilt) {
    staged_owned.emplace_back(bytes.begin(), bytes.end());
    bytes = Bytes(staged_owned.back());
  }
  if (batch->has_producer_id()) {
    const ProducerEntry* before = producers.find(batch->producer_id());
    producers_before.push_back(
        {batch->producer_id(), before ? std::optional(*before) : std::nullopt});
  }
  // Batches without a producer move the state's end as well. A marker that is no marker was refused by the validation.
  (void)producers.apply(*batch);
  const bool adjacent = !staged.empty() && static_cast<std::byte*>(staged.back().iov_base) +
                                                   staged.back().iov_len == bytes.data();
  if (adjacent) staged.back().iov_len += bytes.size();
  else staged.push_back({bytes.data(), bytes.size()});
  staged_bytes += bytes.size();
  staged_batches.push_back(summary);
  end = summary.last_offset + 1;
  io::Reactor::current().arm_turn_end(*this);
}

// ---- Writing

void Log::State::at_turn_end() { (void)write_staged(); }

Result<void> Log::State::write_staged() {
  if (staged_batches.empty()) return {};
  const auto room = static_cast<std::uint64_t>(options.segment_bytes);
  const std::uint64_t left = room > active().size() ? room - active().size() : 0;
  auto written = active().write(staged, staged_bytes,
                                {.from = shard.options.reserve_from_bytes,
                                 .max = std::min(left, reserve.room()),
                                 .fill_end = room - std::min(room / 8, kUnfilledMax)});
  ++shard.counters.segment_writes;
  if (!written) return refuse_staged(std::move(written).error());
  const Offset from = staged_batches.front().base_offset;
  if (active().empty()) active_since_ms = proactor().wall_now().ms;
  for (const BatchSummary& batch : staged_batches) {
    if (batch.base_offset != written_end) recent.clear();  // it tells neighbours only
    recent.push({.base_offset = batch.base_offset, .position = active().size()});
    auto noted = active().note(batch, options.index_interval_bytes);
    CHECK(noted.has_value(), "make_room() saw to it that the offset fits");
    written_end = batch.last_offset + 1;
  }
  CHECK(written_end == end);
  modified = true;
  refuse_until = {};
  shard.counters.bytes_appended += staged_bytes;
  shard.counters.batches_appended += staged_batches.size();
  const bool gathered = !is_fsync() || to_write_ahead(from);
  // Whatever comes next may come back here.
  clear_staged();
  if (!gathered) {
    // Durable when the segments are. What follows must wait for that as well.
    write_ahead_from = written_end;
    start_sync();
  }
  if (!is_fsync()) stable_moved.notify_all();
  written_moved.notify_all();
  start_write_back();
  return {};
}

void Log::State::clear_staged() {
  staged.clear();
  staged_batches.clear();
  staged_owned.clear();
  producers_before.clear();
  staged_bytes = 0;
}

// Nothing of what was staged remains: the offsets will be given to others.
Result<void> Log::State::refuse_staged(Error error) {
  ++shard.counters.write_failures;
  for (auto before = producers_before.rbegin(); before != producers_before.rend(); ++before) {
    producers.restore(before->id, std::move(before->entry), written_end);
  }
  clear_staged();
  end = written_end;
  if (producers.end_offset() > end) producers.restore(kNoProducerId, std::nullopt, end);
  if (epochs.truncate_from_end(end)) epochs_unsaved_from = std::min(epochs_unsaved_from, end);
  note_failure(written_end);
  if (error == Errc::disk_full || error == Errc::refused) {
    LOG(warn, "log.disk_full", "partition={} end_offset={} reason=\"{}\"", name(), end.value(), error.message);
    refuse_until = io::Reactor::current().now() + kFullDiskPause;
    written_moved.notify_all();
    stable_moved.notify_all();
  } else {
    go_offline(error);
  }
  return fail(std::move(error));
}

void Log::State::go_offline(const Error& error) {
  if (offline) return;
  LOG(error, "log.offline", "partition={} written_end={} reason=\"{}\"", name(), written_end.value(),
      error.message);
  offline = error;
  note_failure(stable_end());
  ++shard.counters.logs_offline;
  written_moved.notify_all();
  stable_moved.notify_all();
}

void Log::State::start_write_back() {
  const auto range = active().take_write_back(shard.options.write_back_bytes);
  if (!range) return;
  auto file = active().file();
  if (file) gate.spawn(write_back(*file, *range));
}

io::Task<void> Log::State::write_back(std::shared_ptr<const io::OpenFile> file, Segment::Range range) {
  // The kernel tells an error once. No sync may take the file for good between that and our knowing of it.
  co_await flush_turn.acquire(1);
  const auto written = co_await io::start_write_back(proactor(), file->handle(), range.position, range.length);
  if (!written) go_offline(written.error());
  flush_turn.release(1);
}

// ---- Durability

// False when there is none, or what is staged is too large for it.
bool Log::State::to_write_ahead(Offset from) {
  WriteAhead* const ahead = shard.usable_write_ahead();
  if (ahead == nullptr || staged_bytes > ahead->append_bytes_max()) return false;
  const auto epoch = epochs.latest();
  write_ahead_sequence = ahead->append(
      *this, {.topic_id = topic_id, .partition = partition}, epoch ? epoch->epoch : kNoLeaderEpoch,
      from, written_end, staged, staged_bytes);
  return true;
}

void Log::State::on_write_ahead_durable(Offset durable) {
  write_ahead_end = std::max(write_ahead_end, durable);
  update_durable();
}

void Log::State::on_write_ahead_failed() {
  write_ahead_from = written_end;
  start_sync();
}

void Log::State::start_sync() {
  if (syncing || offline || closed) return;
  syncing = true;
  gate.spawn(sync_until_durable());
}

io::Task<void> Log::State::sync_until_durable() {
  while (!offline && !closed && flushed_end < write_ahead_from) {
    const auto flushed = co_await flush();
    if (flushed) continue;
    if (flushed.error() != Errc::refused) break;
    co_await io::sleep_for(kHandlePause);
  }
  syncing = false;
}

void Log::State::update_durable() {
  Offset durable = flushed_end;
  if (flushed_end >= write_ahead_from) durable = std::max(durable, write_ahead_end);
  if (offline || durable <= durable_end) return;
  durable_end = durable;
  stable_moved.notify_all();
}

// ---- Waiting

bool Log::State::was_written(const AppendedBatches& appended) const {
  // Whoever waits is woken by each failure: nobody is behind by more than a few.
  if (failures - appended.failures > kFailuresKept) return false;
  return appended.end_offset() <= failed_from[appended.failures % kFailuresKept];
}

io::Task<Result<void>> Log::written(AppendedBatches appended) {
  State& log = *state_;
  while (log.written_end < appended.end_offset() || log.failures != appended.failures) {
    if (log.failures != appended.failures) {
      if (log.was_written(appended)) break;
      if (log.offline) co_return fail(Errc::offline, log.offline->message);
      co_return fail(Errc::disk_full, "the disk is full");
    }
    co_await log.written_moved.wait();
  }
  co_return Result<void>{};
}

io::Task<Result<void>> Log::stable(AppendedBatches appended) {
  State& log = *state_;
  CO_TRY_DONE(co_await written(appended));
  while (log.stable_end() < appended.end_offset()) {
    if (log.offline) co_return fail(Errc::offline, log.offline->message);
    co_await log.stable_moved.wait();
  }
  co_return Result<void>{};
}

Result<void> Log::write_staged() { return state_->write_staged(); }

}  // namespace millrace::log
