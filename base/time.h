// Instant, Duration, WallTime. Nothing here can ask what time it is: the time comes in as an argument, from the shard's
// clock (io/proactor.h) or the simulator's.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace millrace {

using Duration = std::chrono::nanoseconds;

// A clock that never goes back and is not related to the calendar. Its zero has no meaning.
struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock, Duration>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;

// Milliseconds since 1970-01-01 UTC, as record timestamps are. May jump.
struct WallTime {
  std::int64_t ms = 0;
  auto operator<=>(const WallTime&) const = default;
};

constexpr std::int64_t to_ms(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}
constexpr Duration from_ms(std::int64_t ms) { return std::chrono::milliseconds(ms); }

}  // namespace millrace
