#include "engine/log/retention.h"

#include <algorithm>

namespace millrace::log {
namespace {

std::size_t expired_by_start(std::span<const RetentionSegment> segments, const RetentionRules& rules) {
  std::size_t count = 0;
  // The active segment stays: nothing begins behind it.
  while (count + 1 < segments.size() && segments[count].end_offset <= rules.log_start_offset) ++count;
  return count;
}

bool removable(const RetentionSegment& segment, const RetentionRules& rules) {
  return segment.bytes > 0 && segment.end_offset <= rules.high_watermark;
}

std::size_t expired_by_time(std::span<const RetentionSegment> segments, const RetentionRules& rules,
                            WallTime now) {
  if (rules.retention_ms < 0) return 0;
  std::size_t count = 0;
  while (count < segments.size() && removable(segments[count], rules) &&
         now.ms - segments[count].youngest_ms > rules.retention_ms) {
    ++count;
  }
  return count;
}

std::size_t expired_by_size(std::span<const RetentionSegment> segments, const RetentionRules& rules) {
  if (rules.retention_bytes < 0) return 0;
  std::uint64_t total = 0;
  for (const auto& segment : segments) total += segment.bytes;
  const auto kept = static_cast<std::uint64_t>(rules.retention_bytes);
  std::size_t count = 0;
  while (count < segments.size() && removable(segments[count], rules) &&
         total - segments[count].bytes >= kept) {
    total -= segments[count].bytes;
    ++count;
  }
  return count;
}

}  // namespace

std::size_t expired_segments(std::span<const RetentionSegment> segments, const RetentionRules& rules,
                             WallTime now) {
  const std::size_t by_start = expired_by_start(segments, rules);
  if (!rules.deletes) return by_start;
  return std::max({by_start, expired_by_time(segments, rules, now), expired_by_size(segments, rules)});
}

}  // namespace millrace::log
