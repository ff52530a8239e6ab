#include "tests/support/alloc_counter.h"

#include <cstdlib>
#include <new>

#include "io/sanitizer.h"

namespace millrace {
namespace {
constinit thread_local std::uint64_t count = 0;
}  // namespace

std::uint64_t allocations() { return count; }
bool counts_allocations() { return !MILLRACE_ASAN && !MILLRACE_TSAN; }

#if !MILLRACE_ASAN && !MILLRACE_TSAN
namespace detail {
void* counted_allocation(std::size_t bytes, std::size_t alignment) {
  ++count;
  void* const memory = alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__
                           ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                           : std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
}  // namespace detail
#endif

}  // namespace millrace

#if !MILLRACE_ASAN && !MILLRACE_TSAN
void* operator new(std::size_t bytes) { return millrace::detail::counted_allocation(bytes, 0); }
void* operator new[](std::size_t bytes) { return millrace::detail::counted_allocation(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return millrace::detail::counted_allocation(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return millrace::detail::counted_allocation(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#endif
