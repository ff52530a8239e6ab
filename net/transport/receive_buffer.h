// ReceiveBuffers: the memory that requests are received into, bounded per shard. A buffer is
// counted: the connection that fills it and each request that lies in it hold a reference, and the
// last one gives it back.
//
// Shard:      one each. A buffer is given back on the shard it came from.
// Lifetime:   outlives every buffer taken from it.
// Bound:      what is lent is at most bytes_max, plus one buffer that somebody waiting for it was
//             given beforehand, plus the small buffers (kSmallBytes), which are never refused:
//             whoever waits for memory must be able to hold the start of his request. Of those a
//             connection has few.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bytes.h"

namespace millrace::net {

class ReceiveBuffers;

namespace detail {

// One run of memory; it stays with its head when it is kept for reuse.
struct ReceiveBlock {
  std::byte* data = nullptr;
  std::size_t capacity = 0;
  std::uint32_t size_class = 0;
  std::uint32_t references = 0;
  ReceiveBuffers* home = nullptr;
  ReceiveBlock* next = nullptr;  // in the list of kept ones
};

}  // namespace detail

// A reference to a buffer.
class ReceiveBuffer {
 public:
  ReceiveBuffer() = default;
  explicit ReceiveBuffer(detail::ReceiveBlock* block) : block_(block) { ++block_->references; }
  ReceiveBuffer(const ReceiveBuffer& other) : block_(other.block_) {
    if (block_ != nullptr) ++block_->references;
  }
  ReceiveBuffer(ReceiveBuffer&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  ReceiveBuffer& operator=(ReceiveBuffer other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~ReceiveBuffer() { reset(); }

  explicit operator bool() const { return block_ != nullptr; }
  std::byte* data() const { return block_->data; }
  std::size_t capacity() const { return block_->capacity; }
  bool unique() const { return block_->references == 1; }
  void reset();

 private:
  detail::ReceiveBlock* block_ = nullptr;
};

class ReceiveBuffers {
 public:
  // Smaller buffers are never refused.
  static constexpr std::size_t kSmallBytes = 4096;

  struct Options {
    std::size_t bytes_max = std::size_t{128} << 20;
    // Memory kept for reuse: memory that is touched for the first time is slow.
    std::size_t bytes_kept_max = std::size_t{16} << 20;
  };

  explicit ReceiveBuffers(Options options) : options_(options) {}
  ~ReceiveBuffers();
  ReceiveBuffers(const ReceiveBuffers&) = delete;

  // A buffer of at least `bytes`, page-aligned when it is kSmallBytes or more; none when the memory
  // is spent or others wait for it, unless it is a small one.
  ReceiveBuffer try_take(std::size_t bytes);

  // The same, waiting for others to give back what they hold. First come, first served. Who comes
  // first may be served although the memory is spent, one at a time, so that those who hold a part
  // while they wait for more do not wait for each other.
  class Awaiter;
  Awaiter take(std::size_t bytes);

  std::size_t bytes_lent() const { return bytes_lent_; }
  std::size_t bytes_kept() const { return bytes_kept_; }
  bool has_waiters() const { return !waiters_.empty(); }
  // Frees what is kept if nothing was taken from it since the last call.
  void trim();

 private:
  friend class ReceiveBuffer;
  struct Waiter : boost::intrusive::list_base_hook<
                      boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    std::size_t bytes = 0;
    std::coroutine_handle<> handle;
    ReceiveBuffer granted;
  };
  using Waiters = boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>>;
  static constexpr std::size_t kClasses = 42;

  detail::ReceiveBlock* take_block(std::size_t bytes);
  void give_back(detail::ReceiveBlock* block);
  void serve_waiters();
  static void free_block(detail::ReceiveBlock* block);

  Options options_;
  std::size_t bytes_lent_ = 0;
  std::size_t bytes_kept_ = 0;
  bool taken_since_trim_ = false;
  const detail::ReceiveBlock* overdraft_ = nullptr;  // the buffer lent beyond the bound
  std::array<detail::ReceiveBlock*, kClasses> kept_{};
  Waiters waiters_;
};

class ReceiveBuffers::Awaiter : Waiter {
 public:
  Awaiter(ReceiveBuffers& home, std::size_t wanted) : home_(home) { bytes = wanted; }

  bool await_ready() {
    granted = home_.try_take(bytes);
    return static_cast<bool>(granted);
  }
  void await_suspend(std::coroutine_handle<> awaiting) {
    handle = awaiting;
    home_.waiters_.push_back(*this);
    home_.serve_waiters();
  }
  ReceiveBuffer await_resume() { return std::move(granted); }

 private:
  ReceiveBuffers& home_;
};

inline ReceiveBuffers::Awaiter ReceiveBuffers::take(std::size_t bytes) {
  return Awaiter(*this, bytes);
}

inline void ReceiveBuffer::reset() {
  detail::ReceiveBlock* block = std::exchange(block_, nullptr);
  if (block != nullptr && --block->references == 0) block->home->give_back(block);
}

}  // namespace millrace::net
