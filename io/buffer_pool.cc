#include "io/buffer_pool.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/check.h"
#include "io/sanitizer.h"

namespace millrace::io {
namespace {

// What is reused is not seen when it is used after it was given back.
constexpr bool kKeeps = !MILLRACE_ASAN && !MILLRACE_TSAN;

}  // namespace

BufferPool::BufferPool(BufferPoolOptions options)
    : options_(options), budget_(options.budget_bytes) {}

BufferPool::~BufferPool() {
  CHECK(lent_bytes() == 0, "{} bytes are still lent", lent_bytes());
  for (const auto& buffers : kept_) {
    for (std::byte* const data : buffers) std::free(data);
  }
}

std::size_t BufferPool::rounded(std::size_t bytes) {
  const auto* const fitting = std::ranges::lower_bound(kClasses, bytes);
  if (fitting != kClasses.end()) return *fitting;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::vector<std::byte*>* BufferPool::kept_of(std::size_t size) {
  const auto* const found = std::ranges::find(kClasses, size);
  return found == kClasses.end() ? nullptr : &kept_[static_cast<std::size_t>(found - kClasses.begin())];
}

PooledBuffer BufferPool::obtain(std::size_t size) {
  auto* const kept = kept_of(size);
  if (kept != nullptr && !kept->empty()) {
    std::byte* const data = kept->back();
    kept->pop_back();
    kept_bytes_ -= size;
    return PooledBuffer(*this, data, size);
  }
  auto* const data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, size));
  CHECK(data != nullptr, "the system has no {} bytes left", size);
  return PooledBuffer(*this, data, size);
}

void BufferPool::give_back(std::byte* data, std::size_t size) {
  auto* const kept = kept_of(size);
  if (kKeeps && kept != nullptr && kept_bytes_ + size <= options_.kept_bytes_max) {
    kept->push_back(data);
    kept_bytes_ += size;
  } else {
    std::free(data);
  }
  budget_.release(size);
}

Result<PooledBuffer> BufferPool::take(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  if (size > options_.budget_bytes) {
    return fail(Errc::too_large, "a buffer of " + std::to_string(bytes) + " bytes");
  }
  if (!budget_.try_acquire(size)) return fail(Errc::refused, "the shard's memory budget is used up");
  return obtain(size);
}

Task<Result<PooledBuffer>> BufferPool::take_when_free(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  if (size > options_.budget_bytes) {
    co_return fail(Errc::too_large, "a buffer of " + std::to_string(bytes) + " bytes");
  }
  co_await budget_.acquire(size);
  co_return obtain(size);
}

}  // namespace millrace::io
