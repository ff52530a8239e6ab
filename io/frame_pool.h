// The frames of coroutines, by size class, from free lists of the thread that asks. allocate_frame() and free_frame(), declared
// in io/task.h, are its only users' interface.
//
// Shard:     each thread has its own lists. A frame freed on another thread joins that thread's lists, which is safe since
//            every frame is a block of its own.
// Bound:     at most kFrameBytesKept stay in the lists of one thread; what is freed beyond that goes back to the allocator.
// Sanitizers: under AddressSanitizer and ThreadSanitizer nothing is pooled, so that a use after free and a race are seen.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::io {

inline constexpr std::size_t kFrameClassBytes = 64;
// Larger frames come from the allocator each time.
inline constexpr std::size_t kFrameBytesPooledMax = 4096;
inline constexpr std::size_t kFrameBytesKept = 4 * 1024 * 1024;
static_assert(kFrameBytesPooledMax % kFrameClassBytes == 0);

struct FramePoolCounts {
  std::uint64_t allocated = 0;  // frames that came from the allocator
  std::uint64_t reused = 0;     // frames that came from the lists
  std::size_t bytes_kept = 0;   // what the lists hold now
};
// Of the calling thread.
FramePoolCounts frame_pool_counts();

}  // namespace millrace::io
