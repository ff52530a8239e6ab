#include "engine/log/log_shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "engine/log/log_state.h"
#include "engine/log/partition_files.h"
#include "engine/log/recovery.h"
#include "io/file.h"

namespace millrace::log {

LogShard::LogShard(io::Proactor& proactor, LogShardOptions options)
    : state_(std::make_unique<State>(proactor, std::move(options))) {}
LogShard::~LogShard() = default;

// ---- Start and stop

io::Task<Result<void>> LogShard::start() {
  State& shard = *state_;
  if (!shard.options.write_ahead_path.empty()) {
    auto ahead = std::make_unique<WriteAhead>(
        shard.proactor, WriteAheadOptions{.path = shard.options.write_ahead_path,
                                          .shard = io::Reactor::current().shard().value(),
                                          .bytes_max = shard.options.write_ahead_bytes_max,
                                          .bytes_first = shard.options.write_ahead_bytes_first});
    CO_TRY_DONE(co_await ahead->start());
    shard.write_ahead = std::move(ahead);
  }
  shard.gate.spawn(shard.housekeeping());
  shard.gate.spawn(shard.cleaner.run());
  co_return Result<void>{};
}

io::Task<void> LogShard::stop() {
  State& shard = *state_;
  for (const Log::State* log : shard.logs) CHECK(log->closed, "{} is open", log->name());
  shard.stopping = true;
  shard.wake.notify_all();
  shard.cleaner.wake();
  co_await shard.gate.close();
  // A directory says by its name that it is deleted: the next start removes it, and a stop need not take long.
  for (auto& removal : std::exchange(shard.removals, {})) {
    if (!removal.directory) co_await shard.remove(std::move(removal));
  }
  if (shard.write_ahead) co_await shard.write_ahead->stop();
}

// ---- Logs

io::Task<Result<std::unique_ptr<Log>>> LogShard::open(FoundPartition partition, LogOptions options,
                                                      const WriteAheadTail* tail) {
  State& shard = *state_;
  auto log = std::make_unique<Log::State>(shard, partition.directory, partition.topic,
                                          partition.partition, partition.topic_id, std::move(options));
  auto opened = co_await recover_log(*log, partition, tail);
  if (!opened) {
    // Nothing of the directory is touched any more.
    log->offline = opened.error();
    (void)co_await log->close();
    co_return fail(opened.error().code, fmt::format("{}: {}", partition.directory, opened.error().message));
  }
  // How long the active segment has been there is not on disk. Its first record is the best guess, unless it is so old that it
  // may as well have been read in yesterday from elsewhere.
  const std::int64_t now = shard.proactor.wall_now().ms;
  const std::int64_t guess = log->active().first_timestamp_if_known().value_or(now);
  const bool likely = guess <= now && now - guess < log->options.segment_ms;
  log->active_since_ms = likely ? guess : now;
  shard.logs.push_back(log.get());
  co_return std::make_unique<Log>(std::move(log));
}

io::Task<Result<std::unique_ptr<Log>>> LogShard::create(NewPartition partition, LogOptions options) {
  State& shard = *state_;
  const std::string directory = fmt::format(
      "{}/{}", partition.log_directory, partition_directory_name(partition.topic, partition.partition));
  CO_TRY_DONE(shard.proactor.make_directory(directory));
  auto made = write_partition_metadata(shard.proactor, directory, partition.topic_id);
  if (made) {
    auto opened = co_await open({.directory = directory,
                                 .topic = partition.topic,
                                 .partition = partition.partition,
                                 .topic_id = partition.topic_id,
                                 .clean_stop = true,
                                 .made_again = partition.tail != nullptr},
                                std::move(options), partition.tail);
    if (opened) co_return opened;
    made = fail(opened.error());
  }
  // Left there, it would be in the way of the next try.
  if (const auto removed = co_await remove_tree(shard.proactor, directory); !removed) {
    LOG(warn, "partition.create", "directory={} error=\"{}\"", directory, removed.error().message);
  }
  co_return fail(made.error());
}

std::vector<CheckpointRow> LogShard::checkpoint_rows(const std::string& log_directory) const {
  std::vector<CheckpointRow> rows;
  for (const Log::State* log : state_->logs) {
    if (log->removed || io::directory_of(log->directory) != log_directory) continue;
    rows.push_back(log->checkpoint_row());
  }
  return rows;
}

const LogShardCounters& LogShard::counters() const {
  State& shard = *state_;
  if (shard.write_ahead) {
    shard.counters.write_ahead_writes = shard.write_ahead->counters().writes;
    shard.counters.write_ahead_bytes = shard.write_ahead->counters().bytes;
  }
  return shard.counters;
}

void LogShard::set_cleaner_options(const CleanerOptions& options) { state_->cleaner.set_options(options); }

// ---- Housekeeping

void LogShard::State::remove_later(std::string path, bool directory, std::int64_t delay_ms) {
  const Instant due = io::Reactor::current().now() + from_ms(std::clamp<std::int64_t>(delay_ms, 0, 86'400'000));
  removals.push_back({.due = due, .path = std::move(path), .directory = directory});
}

// One after the other: a topic may leave thousands of directories.
io::Task<void> LogShard::State::remove_due() {
  while (!stopping) {
    const Instant now = io::Reactor::current().now();
    const auto due = std::ranges::find_if(removals, [&](const Removal& removal) { return removal.due <= now; });
    if (due == removals.end()) break;
    Removal removal = std::move(*due);
    removals.erase(due);
    co_await remove(std::move(removal));
  }
  removing = false;
}

io::Task<void> LogShard::State::remove(Removal removal) {
  const auto removed = removal.directory ? co_await remove_tree(proactor, removal.path)
                                         : co_await io::remove_file(proactor, removal.path);
  if (removed || removed.error() == Errc::not_found) co_return;
  LOG(warn, "log.remove_failed", "path={} reason=\"{}\"", removal.path, removed.error().message);
}

io::Task<Result<void>> LogShard::State::sync_root(std::string root) {
  RootSync& sync = root_syncs[root];
  // One that runs already may have begun too early for what the caller has made.
  const std::uint64_t wanted = sync.begun + 1;
  while (sync.ended < wanted) {
    if (sync.running) {
      co_await sync.moved.wait();
      continue;
    }
    sync.running = true;
    const std::uint64_t own = ++sync.begun;
    const auto synced = co_await io::sync_directory(proactor, root);
    sync.running = false;
    sync.ended = own;
    if (!synced) {
      sync.failed = own;
      sync.error = synced.error();
    }
    sync.moved.notify_all();
  }
  // Which of those since did is not asked: after a failure all that waited are in doubt.
  if (sync.failed >= wanted) co_return fail(*sync.error);
  co_return Result<void>{};
}

io::Task<void> LogShard::State::housekeeping() {
  while (!stopping) {
    io::Timer timer([this] { wake.notify_all(); });
    timer.arm(io::Reactor::current().now() + options.housekeeping_interval);
    co_await wake.wait();
    if (stopping) break;
    if (!removing) {
      removing = true;
      gate.spawn(remove_due());
    }
    // A log may be closed while another is looked after: by index, and never beyond the end.
    for (std::size_t i = 0; i < logs.size(); ++i) look_after(*logs[i]);
  }
}

void LogShard::State::look_after(Log::State& log) {
  if (log.offline || log.closed) return;
  const WallTime now = proactor.wall_now();
  const LogOptions& rules = log.options;
  // By the time since its first append, not by the records' own: old records may well be read in today.
  const std::int64_t age = now.ms - log.active_since_ms;
  if (!log.active().empty() && age > log.segment_age_max()) (void)log.roll(now);
  // Before the segment ends, so that its end need not wait.
  if (log.active().has_unsynced_cut_of_batches()) log.sync_cut_of_batches();
  const std::int64_t unsynced = log.written_end - log.flushed_end;
  const bool by_count = unsynced >= rules.flush_messages;
  const bool by_time = unsynced > 0 && rules.flush_ms != LogOptions::kNever &&
                       to_ms(io::Reactor::current().now() - log.last_flush) >= rules.flush_ms;
  if (by_count || by_time) log.gate.spawn(log.flush_in_background());
}

}  // namespace millrace::log
