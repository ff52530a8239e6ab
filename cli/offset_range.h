// Where `millrace consume -o` begins and ends.
//
//   beginning, end      the first record there is; what comes from now on
//   N, -N               offset N; the last N records of each partition
//   s@TIME, e@TIME      the first record at or after TIME; stop before TIME
//   A..B                both ends at once: offsets (10..20) or times (s@T..e@T, s@T..)
// TIME is milliseconds since 1970 or 2026-01-31, 2026-01-31T12:30:00, with Z or +02:00; without, it
// is UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::cli {

struct RangeEnd {
  enum class Kind : std::uint8_t { beginning, end, offset, tail, time };
  Kind kind = Kind::beginning;
  std::int64_t value = 0;  // an offset, a number of records or milliseconds
  bool operator==(const RangeEnd&) const = default;
};

struct OffsetRange {
  RangeEnd start;
  std::optional<RangeEnd> stop;  // exclusive; nothing: go on for ever
  bool operator==(const OffsetRange&) const = default;
};

// Each text is one -o. Errors: invalid_argument, with what may be written.
Result<OffsetRange> parse_offset_range(const std::vector<std::string>& texts);
Result<WallTime> parse_time(std::string_view text);

}  // namespace millrace::cli
