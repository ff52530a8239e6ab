#include "net/transport/receive_buffer.h"

#include <bit>
#include <cstdlib>

#include "base/check.h"
#include "io/reactor.h"

namespace millrace::net {
namespace {

// Sizes are 1 KiB and then four steps per doubling from 4 KiB on, up to kClassBytesMax: at most a
// quarter is lost. Larger ones are rare, come from the allocator as they are and are not kept.
constexpr std::size_t kTinyBytes = 1024;
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kClassBytesMax = std::size_t{4} << 20;
constexpr std::uint32_t kNotKept = ~std::uint32_t{0};

struct SizeClass {
  std::uint32_t index;
  std::size_t bytes;
};

SizeClass size_class(std::size_t bytes) {
  if (bytes <= kTinyBytes) return {0, kTinyBytes};
  if (bytes <= kPageBytes) return {1, kPageBytes};
  if (bytes > kClassBytesMax) {
    return {kNotKept, (bytes + kPageBytes - 1) / kPageBytes * kPageBytes};
  }
  // Between 2^n (exclusive) and 2^(n+1): quarters of 2^n.
  const auto power = static_cast<std::uint32_t>(std::bit_width(bytes - 1)) - 1;
  const std::size_t base = std::size_t{1} << power;
  const std::size_t quarter = base / 4;
  const std::size_t quarters = (bytes - base + quarter - 1) / quarter;
  const auto index = 2 + (power - 12) * 4 + static_cast<std::uint32_t>(quarters) - 1;
  const std::size_t rounded = base + quarters * quarter;
  return {index, (rounded + kPageBytes - 1) / kPageBytes * kPageBytes};
}

}  // namespace

ReceiveBuffers::~ReceiveBuffers() {
  CHECK(waiters_.empty());
  CHECK(bytes_lent_ == 0, "{} bytes are still lent", bytes_lent_);
  taken_since_trim_ = false;
  trim();
}

ReceiveBuffer ReceiveBuffers::try_take(std::size_t bytes) {
  const bool small = bytes <= kSmallBytes;
  const bool room = bytes_lent_ + size_class(bytes).bytes <= options_.bytes_max;
  if (!small && (!room || !waiters_.empty())) return {};
  return ReceiveBuffer(take_block(bytes));
}

detail::ReceiveBlock* ReceiveBuffers::take_block(std::size_t bytes) {
  const SizeClass wanted = size_class(bytes);
  CHECK(wanted.index == kNotKept || wanted.index < kClasses);
  taken_since_trim_ = true;
  bytes_lent_ += wanted.bytes;
  if (wanted.index != kNotKept && kept_[wanted.index] != nullptr) {
    detail::ReceiveBlock* block = kept_[wanted.index];
    kept_[wanted.index] = std::exchange(block->next, nullptr);
    bytes_kept_ -= block->capacity;
    return block;
  }
  auto* block =
      new detail::ReceiveBlock{.capacity = wanted.bytes, .size_class = wanted.index, .home = this};
  const std::size_t alignment = wanted.bytes >= kPageBytes ? kPageBytes : 64;
  block->data = static_cast<std::byte*>(std::aligned_alloc(alignment, wanted.bytes));
  CHECK(block->data != nullptr, "no memory for a request of {} bytes", bytes);
  return block;
}

void ReceiveBuffers::give_back(detail::ReceiveBlock* block) {
  bytes_lent_ -= block->capacity;
  if (overdraft_ == block) overdraft_ = nullptr;
  if (block->size_class != kNotKept && bytes_kept_ + block->capacity <= options_.bytes_kept_max) {
    bytes_kept_ += block->capacity;
    block->next = std::exchange(kept_[block->size_class], block);
  } else {
    free_block(block);
  }
  if (!waiters_.empty()) serve_waiters();
}

void ReceiveBuffers::serve_waiters() {
  while (!waiters_.empty()) {
    Waiter& first = waiters_.front();
    const bool room = bytes_lent_ + size_class(first.bytes).bytes <= options_.bytes_max;
    if (!room && overdraft_ != nullptr) return;
    detail::ReceiveBlock* block = take_block(first.bytes);
    if (!room) overdraft_ = block;
    first.granted = ReceiveBuffer(block);
    waiters_.pop_front();
    io::Reactor::current().schedule(first.handle);
  }
}

void ReceiveBuffers::free_block(detail::ReceiveBlock* block) {
  std::free(block->data);
  delete block;
}

void ReceiveBuffers::trim() {
  if (std::exchange(taken_since_trim_, false)) return;
  for (detail::ReceiveBlock*& list : kept_) {
    while (list != nullptr) {
      detail::ReceiveBlock* block = list;
      list = block->next;
      free_block(block);
    }
  }
  bytes_kept_ = 0;
}

}  // namespace millrace::net
