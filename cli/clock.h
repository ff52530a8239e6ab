// The one place where the command line asks what time it is; the broker's code gets the time from
// its shard.
#pragma once

#include "base/time.h"

namespace millrace::cli {

Instant now();
WallTime wall_now();

}  // namespace millrace::cli
