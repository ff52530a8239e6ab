#include "io/frame_pool.h"

#include <array>
#include <new>

#include "io/sanitizer.h"
#include "io/task.h"

namespace millrace::io {
namespace {

#if MILLRACE_ASAN || MILLRACE_TSAN
constexpr bool kPooled = false;
#else
constexpr bool kPooled = true;
#endif

constexpr std::size_t kClasses = kFrameBytesPooledMax / kFrameClassBytes;

struct FreeFrame {
  FreeFrame* next;
};

// Plain data, so that a frame freed late in a thread's end still finds it.
struct Lists {
  std::array<FreeFrame*, kClasses> heads{};
  FramePoolCounts counts;
  bool closed = false;
};
constinit thread_local Lists lists;

// Gives back what the thread's lists hold when it ends.
struct Closer {
  ~Closer() {
    lists.closed = true;
    for (auto& head : lists.heads) {
      while (head != nullptr) {
        FreeFrame* const frame = head;
        head = frame->next;
        ::operator delete(frame);
      }
    }
    lists.counts.bytes_kept = 0;
  }
  void touch() {}
};
thread_local Closer closer;

constexpr std::size_t class_of(std::size_t bytes) {
  return (bytes + kFrameClassBytes - 1) / kFrameClassBytes - 1;
}
constexpr std::size_t class_bytes(std::size_t size_class) {
  return (size_class + 1) * kFrameClassBytes;
}

}  // namespace

void* allocate_frame(std::size_t bytes) {
  if (!kPooled || bytes == 0 || bytes > kFrameBytesPooledMax) {
    ++lists.counts.allocated;
    return ::operator new(bytes);
  }
  const std::size_t size_class = class_of(bytes);
  if (FreeFrame* const frame = lists.heads[size_class]; frame != nullptr) {
    lists.heads[size_class] = frame->next;
    lists.counts.bytes_kept -= class_bytes(size_class);
    ++lists.counts.reused;
    return frame;
  }
  closer.touch();
  ++lists.counts.allocated;
  return ::operator new(class_bytes(size_class));
}

void free_frame(void* frame, std::size_t bytes) {
  if (!kPooled || bytes == 0 || bytes > kFrameBytesPooledMax || lists.closed ||
      lists.counts.bytes_kept >= kFrameBytesKept) {
    ::operator delete(frame);
    return;
  }
  const std::size_t size_class = class_of(bytes);
  closer.touch();
  lists.heads[size_class] = new (frame) FreeFrame{lists.heads[size_class]};
  lists.counts.bytes_kept += class_bytes(size_class);
}

FramePoolCounts frame_pool_counts() { return lists.counts; }

}  // namespace millrace::io
