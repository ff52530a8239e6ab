// AlignedBuffer: memory for direct reads and writes.
//
// Shard:      anywhere; a value that moves.
// Lifetime:   it keeps what it has grown to until it ends.
// Invariant:  data() is aligned to a page, and there is room for size() rounded up to whole blocks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace millrace::log {

// What position, length and memory of a direct read or write are multiples of.
inline constexpr std::size_t kDirectBlock = 4096;
// A bulk transfer in the background is cut into these, one after the other: whoever flushes the disk meanwhile waits for one.
inline constexpr std::size_t kDirectPiece = std::size_t{256} << 10;

constexpr std::uint64_t blocks_below(std::uint64_t bytes) { return bytes / kDirectBlock * kDirectBlock; }
constexpr std::uint64_t blocks_above(std::uint64_t bytes) { return blocks_below(bytes + kDirectBlock - 1); }

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  ~AlignedBuffer();
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer(AlignedBuffer&& other) noexcept { swap(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    swap(other);
    return *this;
  }

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  ConstBytes bytes() const { return {data_, size_}; }
  // Grows to hold `size` bytes, of which those before are kept.
  void resize(std::size_t size);
  void append(ConstBytes bytes);
  // The rest moves to the front. Requires: bytes <= size().
  void drop_front(std::size_t bytes);
  void clear() { size_ = 0; }

 private:
  void swap(AlignedBuffer& other) noexcept;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace millrace::log
