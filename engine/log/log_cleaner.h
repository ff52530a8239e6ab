// LogCleaner: compacts the logs of one shard, one pass over one log at a time, behind everything else the shard does.
//
// A pass reads the part of the log that was not compacted yet into a map of keys, then writes the log anew, segment group by
// segment group, without the records that a later one of the same key replaces, and swaps each group in (cleaned_segment.h).
// Offsets never change. What is not taken up: the active segment, what is at or behind the last stable offset, what is
// not synced yet.
//
// Shard:      one each, made and used on it.
// Lifetime:   of its LogShard; run() has ended before destruction. A log that closes, is cut or removed waits for the pass
//             over it to give way, which it does within a chunk.
// Memory:     one OffsetMap of at most map_bytes_max; chunks of 1 MiB read and written; one opened batch.
// Order:      a group's swap is on disk before the next group's begins, and groups go from old to new: a tombstone never goes
//             before what it deletes. The last batch of each group stays, empty if need be, so that every segment
//             reaches to the next one's base and recovery still sees a cut segment for what it is.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/prng.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/log/compaction/cleaning_plan.h"
#include "engine/log/compression.h"
#include "engine/log/log.h"
#include "engine/log/log_options.h"
#include "engine/log/log_shard.h"
#include "io/proactor.h"
#include "io/task.h"
#include "io/wait.h"

namespace millrace::log {

// So long the cleaner waits for a durable write before it goes on nevertheless: where there is always one it still gets on.
inline constexpr Duration kGiveWayMax = std::chrono::microseconds(500);

// Keeps the cleaner's reading and writing below a rate, and its work in slices.
class CleanerPace {
 public:
  explicit CleanerPace(double bytes_per_second_max) : bytes_per_second_max_(bytes_per_second_max) {}

  void set_rate(double bytes_per_second_max) { bytes_per_second_max_ = bytes_per_second_max; }
  // So many bytes were read or written: completes when the next ones may be. Not for longer than kNapMax at a time.
  io::Task<void> spend(std::uint64_t bytes);
  bool behind() const;
  // Whether it is others' turn, by how much was done or how long it took.
  bool worked(io::Proactor& proactor, std::size_t records, std::size_t bytes);
  // Others' turn: whoever is ready on the shard. Where there are durable writes also whoever waits for its core, the kernel's
  // workers first, who do not preempt a thread at work: they have it until no such write is under way, for kGiveWayMax at most.
  io::Task<void> give_way(io::Proactor& proactor);

 private:
  double bytes_per_second_max_;
  Instant paid_until_{};
  std::size_t work_ = 0;
  std::size_t unlooked_ = 0;  // work since the clock was looked at
  Instant turn_began_{};
  Instant pauses_until_{};    // durable writes were seen not long ago
};

class LogCleaner {
 public:
  LogCleaner(LogShard::State& shard, const CleanerOptions& options);
  LogCleaner(const LogCleaner&) = delete;

  // Takes up the dirtiest log that is due, again and again, until the shard stops.
  io::Task<void> run();
  void wake() { wake_.notify_all(); }
  void set_options(const CleanerOptions& options);

  // One pass over `log` if there is anything to compact; unless `always`, only if it is due. Errors: canceled (the log is
  // being closed or cut), disk_full, too_large (a batch with more keys than the map holds), corrupt, io_error.
  io::Task<Result<CleanedLog>> clean(Log::State& log, bool always);

 private:
  io::Task<Result<CleanedLog>> clean_in_turn(Log::State& log, bool always);
  Log::State* dirtiest();
  void note_failure(Log::State& log, const Error& error);

  LogShard::State& shard_;
  CleanerOptions options_;
  CleanerPace pace_;
  Prng prng_;
  // Its own: a batch is opened in pieces, and appends open theirs in between.
  Compression codecs_;
  io::Semaphore turn_{1};
  io::Event wake_;
};

}  // namespace millrace::log
