// One seed's life of a node's compacted logs: clients write keys and delete them, segments roll, the cleaner runs all the
// time, by itself and on demand; the node is killed or its power cut at any change of the disk, also while it recovers. After
// each start:
//
//   - Of every key the last record that was acknowledged and lies below the log's end is there, or a later one. A key may be
//     missing only if it was deleted, and what was deleted or replaced is never a key's last record again.
//   - Every record that is there was sent for that offset; offsets grow.
//   - An `fsync` log ends behind all that was acknowledged, and so does any log after a kill.
//   - The log knows how far each producer has come: what a producer sends again is there once, and what it sends next is taken.
//
// A log may compress what it is sent, leave young records to themselves, and also retain by size or time: then keys may go with the
// log's beginning. Somebody reads it whole meanwhile, and misses nothing that was acknowledged before: a deletion stays for the time
// that its topic gives it.
#pragma once

#include <cstdint>
#include <string>

namespace millrace::sim {

struct CompactionReport {
  std::string failure;  // empty: all promises were kept
  std::uint64_t acknowledged = 0;
  std::uint64_t kills = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t crashes_in_recovery = 0;
  std::uint64_t passes = 0;
  std::uint64_t records_dropped = 0;
  std::uint64_t passes_put_off = 0;
  std::uint64_t reads = 0;       // of whole logs, while everybody is at work
  std::uint64_t duplicates = 0;  // batches that were sent again and known
};

CompactionReport run_compaction_crashes(std::uint64_t seed, int generations);

}  // namespace millrace::sim
