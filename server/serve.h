// serve: the broker's life in this process: settings, shards, broker, listeners, signals, ordered stop.
#pragma once

#include "server/settings.h"

namespace millrace::server {

// Runs until SIGINT or SIGTERM. Formats the log directories when none of them holds anything. Returns the exit code: 0 after a
// clean stop, 1 when the broker could not start (why was printed).
int serve(const Settings& settings);

}  // namespace millrace::server
