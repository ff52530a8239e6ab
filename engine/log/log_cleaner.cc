#include "engine/log/log_cleaner.h"

#include <algorithm>
#include <cmath>

#include "base/logging.h"
#include "engine/log/cleaning_pass.h"
#include "engine/log/log_state.h"
#include "io/reactor.h"

namespace millrace::log {
namespace {

// A pass that must wait looks up as often, whether it should give way.
constexpr Duration kNapMax = std::chrono::milliseconds(20);
// Less than this is not waited for.
constexpr Duration kNapMin = std::chrono::milliseconds(1);

// Between two offers of the turn: records hashed and looked up, and bytes checked, opened or copied, in units of a record.
constexpr std::size_t kWorkMax = 256;
constexpr std::size_t kBytesOfWork = 512;

// Not longer than this either; looked at after so much work, as the clock is not for nothing.
constexpr Duration kTurnMax = std::chrono::microseconds(100);
constexpr std::size_t kWorkUnlooked = 16;

// How long the core is left to others at a time, and for how long that goes on after the last durable write.
constexpr Duration kPause = std::chrono::microseconds(50);
constexpr Duration kPausesFor = std::chrono::seconds(1);

}  // namespace

// ---- CleanerPace

bool CleanerPace::behind() const { return paid_until_ >= io::Reactor::current().now() + kNapMin; }

io::Task<void> CleanerPace::spend(std::uint64_t bytes) {
  const Instant now = io::Reactor::current().now();
  const double seconds = static_cast<double>(bytes) / std::max(bytes_per_second_max_, 1.0);
  if (seconds > 0) {
    const double nanoseconds = std::min(seconds * 1e9, 3600e9);
    paid_until_ = std::max(paid_until_, now) + Duration(static_cast<std::int64_t>(nanoseconds));
  }
  if (!behind()) co_return;
  co_await io::sleep_until(std::min(paid_until_, now + kNapMax));
}

bool CleanerPace::worked(io::Proactor& proactor, std::size_t records, std::size_t bytes) {
  const std::size_t work = records + bytes / kBytesOfWork;
  work_ += work;
  unlooked_ += work;
  bool late = false;
  if (unlooked_ >= kWorkUnlooked) {
    unlooked_ = 0;
    late = proactor.now() >= turn_began_ + kTurnMax;
  }
  if (work_ < kWorkMax && !late) return false;
  work_ = 0;
  return true;
}

io::Task<void> CleanerPace::give_way(io::Proactor& proactor) {
  co_await io::yield();
  Instant now = io::Reactor::current().now();
  const Instant latest = now + kGiveWayMax;
  bool under_way = proactor.durable_write_under_way();
  if (under_way) pauses_until_ = now + kPausesFor;
  for (bool pauses = now < pauses_until_; pauses; pauses = under_way && now < latest) {
    co_await io::sleep_until(std::min(latest, now + kPause));
    now = io::Reactor::current().now();
    under_way = proactor.durable_write_under_way();
  }
  turn_began_ = proactor.now();
}

// ---- LogCleaner

LogCleaner::LogCleaner(LogShard::State& shard, const CleanerOptions& options)
    : shard_(shard), options_(options), pace_(options.bytes_per_second_max), prng_(options.seed) {}

void LogCleaner::set_options(const CleanerOptions& options) {
  options_ = options;
  pace_.set_rate(options.bytes_per_second_max);
  // What did not fit into the map may fit now.
  for (Log::State* const log : shard_.logs) {
    if (log->uncleanable && *log->uncleanable == Errc::too_large) log->uncleanable.reset();
  }
  wake();
}

io::Task<void> LogCleaner::run() {
  while (!shard_.stopping) {
    // Whoever asked for a pass by name comes first.
    const bool free = options_.enabled && turn_.available() > 0;
    Log::State* const log = free ? dirtiest() : nullptr;
    if (log != nullptr) {
      (void)co_await clean(*log, false);
      continue;
    }
    io::Timer timer([this] { wake_.notify_all(); });
    timer.arm(io::Reactor::current().now() + options_.backoff);
    co_await wake_.wait();
  }
}

Log::State* LogCleaner::dirtiest() {
  Log::State* chosen = nullptr;
  double most = 0;
  const Instant now = io::Reactor::current().now();
  for (Log::State* const log : shard_.logs) {
    const bool rests = !log->options.compacts || log->closing || log->offline || log->uncleanable ||
                       log->cleaning || log->cleaning_holds > 0 || now < log->clean_not_before;
    if (rests || log->segments.size() < 2) continue;
    const auto segments = cleanable_segments(*log);
    if (!segments) {
      note_failure(*log, segments.error());
      continue;
    }
    const CleaningRules rules = cleaning_rules(*log);
    const CleaningPlan plan = plan_cleaning(*segments, rules, shard_.proactor.wall_now());
    if (!plan.due(rules) || (chosen != nullptr && plan.dirty_ratio() <= most)) continue;
    chosen = log;
    most = plan.dirty_ratio();
  }
  return chosen;
}

// A pass that gave way is made again; a full disk may have room later. Anything else would only fail again.
void LogCleaner::note_failure(Log::State& log, const Error& error) {
  const bool passing = error == Errc::canceled || error == Errc::disk_full || error == Errc::refused;
  log.clean_not_before = io::Reactor::current().now() + options_.backoff;
  if (error == Errc::canceled || error == Errc::offline) return;
  if (passing) {
    LOG(warn, "log.clean_put_off", "partition={} reason=\"{}\"", log.name(), error.message);
    return;
  }
  if (!log.uncleanable) ++shard_.counters.logs_uncleanable;
  log.uncleanable = error;
  LOG(error, "log.uncleanable", "partition={} reason=\"{}\"", log.name(), error.message);
}

io::Task<Result<CleanedLog>> LogCleaner::clean(Log::State& log, bool always) {
  // Who closes the log waits from here on, also while another log has the turn.
  ++log.cleaning;
  co_await turn_.acquire(1);
  auto cleaned = co_await clean_in_turn(log, always);
  turn_.release(1);
  if (!cleaned) note_failure(log, cleaned.error());
  if (--log.cleaning == 0) log.cleaning_ended.notify_all();
  co_return cleaned;
}

io::Task<Result<CleanedLog>> LogCleaner::clean_in_turn(Log::State& log, bool always) {
  if (log.closing || log.cleaning_holds > 0) co_return fail(Errc::canceled, "the log is being closed or cut");
  CO_TRY_DONE(log.check_usable());
  // A record must be on disk before the one that it replaces may go.
  CO_TRY_DONE(co_await log.flush());
  const WallTime now = shard_.proactor.wall_now();
  CleaningRules rules = cleaning_rules(log);
  rules.limit = std::min(rules.limit, log.flushed_end);
  CO_TRY(segments, cleanable_segments(log));
  const CleaningPlan plan = plan_cleaning(segments, rules, now);
  if (plan.nothing() || !(always || plan.due(rules))) {
    log.clean_not_before = io::Reactor::current().now() + options_.backoff;
    co_return CleanedLog{.cleaned_end = log.cleaned_end};
  }
  if (plan.reset) {
    LOG(warn, "log.clean_from_start", "partition={} cleaned_end={} log_start_offset={}", log.name(),
        log.cleaned_end.value(), plan.first_dirty.value());
  }
  const OffsetMapOptions map{.first_offset = plan.first_dirty,
                             .keys_expected = static_cast<std::uint64_t>(plan.first_uncleanable - plan.first_dirty),
                             .bytes_max = options_.map_bytes_max,
                             .load_max = options_.map_load_max,
                             .secret = {.first = prng_.next(), .second = prng_.next()}};
  const Instant begun = io::Reactor::current().now();
  CleaningPass pass(log, pace_, codecs_, plan, map, now);
  CO_TRY(cleaned, co_await pass.run());
  log.cleaned_end = cleaned.cleaned_end;
  log.uncleanable.reset();
  ++shard_.counters.cleaner_passes;
  shard_.counters.cleaner_bytes_read += cleaned.bytes_read;
  shard_.counters.cleaner_bytes_written += cleaned.bytes_after;
  LOG(info, "log.cleaned",
      "partition={} dirty_from={} cleaned_end={} uncleanable_from={} keys={} map_bytes={} bytes_before={} "
      "bytes_after={} records_before={} records_after={} ms={}",
      log.name(), plan.first_dirty.value(), cleaned.cleaned_end.value(), plan.first_uncleanable.value(), cleaned.keys,
      cleaned.map_bytes, cleaned.bytes_before, cleaned.bytes_after, cleaned.records_before, cleaned.records_after,
      to_ms(io::Reactor::current().now() - begun));
  co_return cleaned;
}

}  // namespace millrace::log
