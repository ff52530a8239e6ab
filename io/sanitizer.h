// Which sanitizer this is built with, and what the kernel owns while an operation runs.
//
// AddressSanitizer does not see what the kernel does with memory given to a ring. So a buffer the kernel will write to is
// poisoned from submission to completion: whoever reads, writes or frees it meanwhile is caught in the act. A buffer the
// kernel only reads may be read by others; it is checked to be alive at both ends.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define MILLRACE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MILLRACE_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define MILLRACE_TSAN 1
#endif
#endif
#ifndef MILLRACE_ASAN
#define MILLRACE_ASAN 0
#endif
#ifndef MILLRACE_TSAN
#define MILLRACE_TSAN 0
#endif

#if MILLRACE_ASAN
#include <sanitizer/asan_interface.h>

#include "base/check.h"
#endif

namespace millrace::io {

#if MILLRACE_ASAN
inline void check_addressable(const void* begin, std::size_t bytes) {
  CHECK(bytes == 0 || __asan_region_is_poisoned(const_cast<void*>(begin), bytes) == nullptr,
        "the kernel was given {} bytes that are not alive", bytes);
}
inline void kernel_takes(void* begin, std::size_t bytes) {
  check_addressable(begin, bytes);
  __asan_poison_memory_region(begin, bytes);
}
inline void kernel_returns(void* begin, std::size_t bytes) {
  __asan_unpoison_memory_region(begin, bytes);
}
#else
inline void check_addressable(const void*, std::size_t) {}
inline void kernel_takes(void*, std::size_t) {}
inline void kernel_returns(void*, std::size_t) {}
#endif

}  // namespace millrace::io
