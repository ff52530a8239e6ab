// How the kernel's scheduler is to treat a shard's thread.
#pragma once

#include <optional>

#include "base/time.h"

namespace millrace::io {

// How long a shard's thread has the core before whoever else waits for it, by the kernel's own choice 1.4 to 2.8 ms on few cores.
inline constexpr Duration kShardSlice = std::chrono::microseconds(100);

// Asks for slices of so long for the calling thread and those the kernel makes for it; its share of the core stays what it is. A thread
// with short slices gives way sooner, above all to the kernel's workers that finish its durable writes on the same core, and
// gets its turn sooner when it wakes. Needs no privilege. False where the kernel knows no such thing (before Linux 6.12),
// forbids it, or where the operator has chosen another scheduling class.
bool take_short_slices(Duration slice);

// The calling thread's; nothing before Linux 6.12.
std::optional<Duration> current_slice();

}  // namespace millrace::io
