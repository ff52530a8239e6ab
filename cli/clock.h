// The one place where the command line asks what time it is; the broker's code gets the time from
// its shard.
#pragma once

#include "base/time.h"

namespace millrace::cli {

Instant now();
WallTime wall_now();
// Waits; a signal ends the wait early.
void pause_for(Duration duration);

}  // namespace millrace::cli
