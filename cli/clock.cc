#include "cli/clock.h"

#include <poll.h>

#include <chrono>

namespace millrace::cli {

Instant now() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

WallTime wall_now() {
  return {std::chrono::duration_cast<std::chrono::milliseconds>(
              std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

void pause_for(Duration duration) {
  ::poll(nullptr, 0, static_cast<int>(to_ms(duration)));
}

}  // namespace millrace::cli
