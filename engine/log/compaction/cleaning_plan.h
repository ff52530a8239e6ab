// Which part of a log the cleaner may take up and whether that is worth it: decisions over plain values, Kafka's rules.
// engine/log/log_cleaner carries them out.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace millrace::log {

struct CleanableSegment {
  Offset base_offset{0};
  Offset end_offset{0};
  std::uint64_t bytes = 0;
  // Of its youngest record and of its first batch; -1 if there is none, or if no rule asks for it.
  std::int64_t youngest_ms = -1;
  std::int64_t first_ms = -1;
};

struct CleaningRules {
  // min.cleanable.dirty.ratio, min.compaction.lag.ms, max.compaction.lag.ms
  double dirty_ratio_min = 0.5;
  std::int64_t lag_min_ms = 0;
  std::int64_t lag_max_ms = std::numeric_limits<std::int64_t>::max();
  Offset log_start_offset{0};
  // What cleaner-offset-checkpoint says: everything below was compacted. -1: it says nothing.
  Offset cleaned_end{-1};
  // Nothing at or behind it may be taken up: the last stable offset, and what is not on disk yet.
  Offset limit{0};
};

struct CleaningPlan {
  // What the map of keys is made of: [first_dirty, first_uncleanable). The second is a segment's base.
  Offset first_dirty{0};
  Offset first_uncleanable{0};
  // Of the segments wholly below first_dirty, and of the others up to first_uncleanable.
  std::uint64_t clean_bytes = 0;
  std::uint64_t dirty_bytes = 0;
  // A record has waited for longer than max.compaction.lag.ms.
  bool overdue = false;
  // The checkpoint could not be true of this log and was taken for the log's start.
  bool reset = false;

  bool nothing() const { return dirty_bytes == 0; }
  double dirty_ratio() const {
    return nothing() ? 0 : static_cast<double>(dirty_bytes) / static_cast<double>(clean_bytes + dirty_bytes);
  }
  bool due(const CleaningRules& rules) const {
    return !nothing() && (overdue || dirty_ratio() > rules.dirty_ratio_min);
  }
};

// `segments` are all of the log, the last of them active; never empty.
CleaningPlan plan_cleaning(std::span<const CleanableSegment> segments, const CleaningRules& rules, WallTime now);

struct GroupRules {
  std::uint64_t bytes_max = 0;
  // A swap renames every file of a group in one turn of the loop.
  std::size_t segments_max = 32;
};

// Splits `segments` into runs of neighbours, each of which becomes one segment; gives their lengths.
std::vector<std::size_t> group_segments(std::span<const CleanableSegment> segments, const GroupRules& rules);

}  // namespace millrace::log
