// LogView: what the Raft machine asks of its log. It only looks; what should happen to the log
// comes out as effects.
#pragma once

#include <optional>

#include "base/ids.h"

namespace millrace::raft {

// An epoch and the offset behind its last record. Names a snapshot too: everything before
// end_offset, the last of it written in `epoch`.
struct EpochEnd {
  LeaderEpoch epoch;
  Offset end_offset;
  auto operator<=>(const EpochEnd&) const = default;
};
using SnapshotId = EpochEnd;

class LogView {
 public:
  virtual ~LogView() = default;

  virtual Offset start_offset() const = 0;
  // Behind everything that was appended, flushed or not.
  virtual Offset end_offset() const = 0;
  // Of the last record, or of the snapshot the log starts at; 0 when there is neither.
  virtual LeaderEpoch last_epoch() const = 0;
  // Where `epoch` ended, as the largest epoch at or below it that this log has; (last_epoch,
  // end_offset) for one above all, and (epoch, start_offset) for one below all.
  virtual EpochEnd end_offset_for(LeaderEpoch epoch) const = 0;
  virtual std::optional<SnapshotId> earliest_snapshot() const = 0;
  virtual std::optional<SnapshotId> latest_snapshot() const = 0;
};

}  // namespace millrace::raft
