// EpochHistory: which leader epoch began at which offset, and so where two logs part. The same for
// data and metadata.
//
// Shard:      its log's; a value, no I/O.
// Lifetime:   of its log; kept on disk as leader-epoch-checkpoint.
// Invariant:  epochs and start offsets both grow strictly.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace millrace::replication {

struct EpochStart {
  LeaderEpoch epoch;
  Offset start_offset;
  auto operator<=>(const EpochStart&) const = default;
};

// The end of an epoch: where the next one begins.
struct EpochEnd {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset end_offset = kNoOffset;
  auto operator<=>(const EpochEnd&) const = default;
};

class EpochHistory {
 public:
  EpochHistory() = default;

  bool empty() const { return entries_.empty(); }
  std::span<const EpochStart> entries() const { return entries_; }
  std::optional<EpochStart> latest() const;
  // The epoch of the record at `offset`; empty below the first entry.
  std::optional<LeaderEpoch> epoch_at(Offset offset) const;
  // The epoch before `epoch` that left records.
  std::optional<LeaderEpoch> previous(LeaderEpoch epoch) const;

  // `epoch` begins at `start_offset`. Entries that contradict it, of a later or the same epoch or
  // that start behind it, go. Returns whether anything changed, and so whether the checkpoint must
  // be written.
  bool assign(LeaderEpoch epoch, Offset start_offset);
  // Where `epoch` ended in a log that ends at `log_end_offset`, as the epoch that answers for it:
  // itself, or the last one before it that left records. Empty when the history does not reach that
  // far.
  std::optional<EpochEnd> end_offset_for(LeaderEpoch epoch, Offset log_end_offset) const;
  // Records at and behind `end_offset` are gone. Returns whether anything changed.
  bool truncate_from_end(Offset end_offset);
  // Records before `start_offset` are gone. Returns whether anything changed.
  bool truncate_from_start(Offset start_offset);
  void clear() { entries_.clear(); }

  // The text of leader-epoch-checkpoint: "0", the number of entries, "<epoch> <start offset>" each
  // on a line.
  std::string encode() const;
  // Errors: malformed, unsupported (another version).
  static Result<EpochHistory> decode(std::string_view text);

 private:
  // By epoch.
  std::vector<EpochStart> entries_;
};

// To where a follower truncates when the leader says that (epoch, end_offset) is the last they can
// share, given the follower's own history and end. Below the high watermark it must never come: the
// caller checks.
Offset truncation_offset(const EpochHistory& history, Offset log_end_offset, EpochEnd leader);

}  // namespace millrace::replication
