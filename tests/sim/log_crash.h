// One seed's life of a node's logs: clients append, read and check; the node is killed or its power cut at any instant, also
// while it recovers; after each start the promises are checked.
//
//   - What was acknowledged is there, in order, once, with the value it had: after a kill for every log, after a power cut for
//     `fsync` logs. So is what could be read after an earlier start.
//   - Every record that is there was sent for that offset; offsets have no gaps.
//   - What was cut off the end of a log stays gone.
//   - A disk that fails or is full, and a process without handles, take nothing back that was acknowledged, except in logs that said
//     they went offline; the others take records again when it is over.
//   - A log directory whose disk was replaced takes its own logs with it and no others.
#pragma once

#include <cstdint>
#include <string>

namespace millrace::sim {

struct CrashRun {
  std::uint64_t seed = 0;
  int generations = 4;
};

struct CrashReport {
  std::string failure;  // empty: all promises were kept
  std::uint64_t acknowledged = 0;
  std::uint64_t kills = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t clean_stops = 0;
  std::uint64_t crashes_in_recovery = 0;
  std::uint64_t lost_unsynced = 0;  // of `replicated` logs, to a power cut
  std::uint64_t cuts = 0;
  std::uint64_t directories_lost = 0;
  std::uint64_t trace = 0;          // equal for two runs of one seed
};

CrashReport run_log_crashes(const CrashRun& run);

}  // namespace millrace::sim
