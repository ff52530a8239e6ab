// BufferPool: page-aligned buffers in a few sizes, and the bound on how much of them a shard may hold at once.
//
// Alignment matters beyond direct I/O: a copy whose two ends differ by a few bytes modulo a page is many times slower.
//
// Shard:     one each. A buffer is given back on the shard it came from; a lent one goes home first.
// Lifetime:  outlives every buffer taken from it.
// Bound:     lent_bytes() <= budget_bytes. What is kept for reuse is at most kept_bytes_max beside it. Nothing is touched before
//            it is asked for: an idle process stays small.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/task.h"
#include "io/wait.h"

namespace millrace::io {

class BufferPool;

// Owns one buffer; gives it back at the end.
class PooledBuffer {
 public:
  PooledBuffer() = default;
  PooledBuffer(PooledBuffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  PooledBuffer& operator=(PooledBuffer&& other) noexcept {
    PooledBuffer old(std::move(*this));
    pool_ = std::exchange(other.pool_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~PooledBuffer() { reset(); }

  explicit operator bool() const { return data_ != nullptr; }
  std::byte* data() const { return data_; }
  // At least what was asked for: the size of its class.
  std::size_t size() const { return size_; }
  Bytes bytes() const { return {data_, size_}; }
  void reset();

 private:
  friend class BufferPool;
  PooledBuffer(BufferPool& pool, std::byte* data, std::size_t size)
      : pool_(&pool), data_(data), size_(size) {}

  BufferPool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

struct BufferPoolOptions {
  std::size_t budget_bytes = 64 * 1024 * 1024;
  std::size_t kept_bytes_max = 8 * 1024 * 1024;
};

class BufferPool {
 public:
  static constexpr std::size_t kAlignment = 4096;
  // Larger ones are rounded up to a page, come from the allocator as they are and are not kept.
  static constexpr std::array<std::size_t, 6> kClasses{4096,       16 * 1024,  64 * 1024,
                                                       128 * 1024, 256 * 1024, 1024 * 1024};

  explicit BufferPool(BufferPoolOptions options = {});
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // Errors: refused when it would exceed the budget, or others wait for memory; too_large when it could never be had.
  Result<PooledBuffer> take(std::size_t bytes);
  // Waits, first come first served, until there is room. Errors: too_large.
  Task<Result<PooledBuffer>> take_when_free(std::size_t bytes);

  std::size_t lent_bytes() const { return options_.budget_bytes - budget_.available(); }
  std::size_t kept_bytes() const { return kept_bytes_; }

 private:
  friend class PooledBuffer;
  static std::size_t rounded(std::size_t bytes);
  PooledBuffer obtain(std::size_t size);
  void give_back(std::byte* data, std::size_t size);
  std::vector<std::byte*>* kept_of(std::size_t size);

  BufferPoolOptions options_;
  Semaphore budget_;
  std::array<std::vector<std::byte*>, kClasses.size()> kept_;
  std::size_t kept_bytes_ = 0;
};

inline void PooledBuffer::reset() {
  if (data_ != nullptr) pool_->give_back(std::exchange(data_, nullptr), std::exchange(size_, 0));
}

}  // namespace millrace::io
