// Counts what this thread asks of the allocator, so that a test can hold the data plane to "per request a fixed number, per
// record none". Linking the library `alloc_counter` replaces operator new for the whole executable.
#pragma once

#include <cstdint>

namespace millrace {

// Calls of operator new on this thread so far. Always 0 under a sanitizer, which keeps the allocator to itself.
std::uint64_t allocations();
// Whether allocations are counted in this build.
bool counts_allocations();

}  // namespace millrace
