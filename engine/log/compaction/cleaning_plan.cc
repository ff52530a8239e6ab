#include "engine/log/compaction/cleaning_plan.h"

#include <algorithm>

#include "base/check.h"

namespace millrace::log {
namespace {

// Lags are compared without a sum that could overflow: both may be as large as the type.
std::int64_t before(WallTime now, std::int64_t lag_ms) {
  const std::int64_t lag = std::max<std::int64_t>(lag_ms, 0);
  return now.ms < std::numeric_limits<std::int64_t>::min() + lag ? std::numeric_limits<std::int64_t>::min()
                                                                 : now.ms - lag;
}

std::size_t segment_of(std::span<const CleanableSegment> segments, Offset offset) {
  std::size_t index = 0;
  while (index + 1 < segments.size() && segments[index + 1].base_offset <= offset) ++index;
  return index;
}

}  // namespace

CleaningPlan plan_cleaning(std::span<const CleanableSegment> segments, const CleaningRules& rules, WallTime now) {
  CHECK(!segments.empty());
  const CleanableSegment& active = segments.back();
  CleaningPlan plan;
  plan.first_dirty = rules.cleaned_end < Offset{0} ? rules.log_start_offset : rules.cleaned_end;
  // Below the start after a deletion, beyond the end after a truncation.
  plan.reset = plan.first_dirty < rules.log_start_offset || plan.first_dirty > active.end_offset;
  if (plan.reset) plan.first_dirty = rules.log_start_offset;

  const std::size_t first = segment_of(segments, plan.first_dirty);
  std::size_t end = std::min(segment_of(segments, rules.limit), segments.size() - 1);
  if (rules.limit < segments.front().base_offset) end = 0;
  if (rules.lag_min_ms > 0) {
    const std::int64_t young = before(now, rules.lag_min_ms);
    for (std::size_t index = first; index < end; ++index) {
      if (segments[index].youngest_ms > young) end = index;
    }
  }
  plan.first_uncleanable = segments[end].base_offset;
  const std::int64_t old = before(now, rules.lag_max_ms);
  for (std::size_t index = 0; index < end; ++index) {
    const bool clean = segments[index].end_offset <= plan.first_dirty;
    (clean ? plan.clean_bytes : plan.dirty_bytes) += segments[index].bytes;
    if (!clean && segments[index].first_ms > 0 && segments[index].first_ms < old) plan.overdue = true;
  }
  return plan;
}

std::vector<std::size_t> group_segments(std::span<const CleanableSegment> segments, const GroupRules& rules) {
  std::vector<std::size_t> groups;
  for (std::size_t first = 0; first < segments.size();) {
    std::uint64_t bytes = segments[first].bytes;
    std::size_t count = 1;
    for (; first + count < segments.size() && count < rules.segments_max; ++count) {
      const CleanableSegment& next = segments[first + count];
      if (bytes + next.bytes > rules.bytes_max) break;
      // Indexes hold offsets relative to the segment's base in 32 bits.
      const std::int64_t span = next.end_offset - segments[first].base_offset;
      if (next.bytes > 0 && span - 1 > std::numeric_limits<std::int32_t>::max()) break;
      bytes += next.bytes;
    }
    groups.push_back(count);
    first += count;
  }
  return groups;
}

}  // namespace millrace::log
