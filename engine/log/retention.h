// Which segments may go: a decision over plain values. Log::apply_retention carries it out.
#pragma once

#include <cstdint>
#include <span>

#include "base/ids.h"
#include "base/time.h"

namespace millrace::log {

struct RetentionSegment {
  Offset base_offset{0};
  Offset end_offset{0};
  std::uint64_t bytes = 0;
  // Of its youngest record, or of its last write when records have none.
  std::int64_t youngest_ms = 0;
};

struct RetentionRules {
  bool deletes = true;
  std::int64_t retention_ms = -1;     // -1: time does not matter
  std::int64_t retention_bytes = -1;  // -1: size does not matter
  Offset log_start_offset{0};
  // Nothing at or behind it may go.
  Offset high_watermark{0};
};

// How many segments from the front may go, Kafka's rules: those below the log start offset; and, where the policy deletes, the
// leading ones that are too old, and the leading ones without which the log still has retention_bytes. The last segment may
// be among them if it is not empty: it is then ended first.
std::size_t expired_segments(std::span<const RetentionSegment> segments, const RetentionRules& rules,
                             WallTime now);

}  // namespace millrace::log
