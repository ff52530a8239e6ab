// Reader and Writer: the primitive types of Kafka's protocol over bounded spans of bytes.
//
// Nothing here copies text or payloads: what a Reader returns points into the bytes it was given.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/uuid.h"

namespace millrace::wire {

// A run of bytes that belongs to somebody else; unlike ConstBytes it compares by content.
class WireBytes : public ConstBytes {
 public:
  using ConstBytes::ConstBytes;
  constexpr WireBytes() = default;
  constexpr WireBytes(ConstBytes bytes) : ConstBytes(bytes) {}

  friend bool operator==(const WireBytes& a, const WireBytes& b) {
    return std::ranges::equal(a, b);
  }
};

// True when `text` is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

// `text`, cut at a character's boundary if it is longer than a string on the wire may be.
std::string_view sendable_text(std::string_view text);

// How many bytes `value` takes as an unsigned varint.
constexpr std::size_t uvarint_size(std::uint32_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// Reads values from the front of a span.
//
// Lifetime:   the bytes outlive the Reader and everything read as text or bytes.
// Invariant:  position() <= the size of the span. After the first failure every read returns zero
//             or nothing, so a caller may read a whole structure and ask ok() once.
class Reader {
 public:
  explicit Reader(ConstBytes bytes) : data_(bytes.data()), end_(bytes.size()), bytes_(bytes) {
    // A decoded array element is larger than its wire form, but by a bounded factor in any message
    // a client has reason to send; what needs more than this is an attack on our memory.
    allocation_left_ = kAllocationFree + kAllocationFactor * bytes.size();
  }

  static constexpr std::size_t kAllocationFree = std::size_t{64} * 1024;
  static constexpr std::size_t kAllocationFactor = 16;
  // The longest string that any version may carry.
  static constexpr std::size_t kTextBytesMax = std::numeric_limits<std::int16_t>::max();

  bool ok() const { return error_ == nullptr; }
  // A constant sentence that says what was wrong; null while ok().
  const char* error() const { return error_; }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return end_ - position_; }
  ConstBytes rest() const { return bytes_.subspan(position_, remaining()); }

  // Makes this and every later read fail. The first reason is kept.
  void fail(const char* reason) {
    if (error_ == nullptr) error_ = reason;
    position_ = end_;
  }

  template <std::integral T>
  T integer() {
    if (remaining() < sizeof(T)) [[unlikely]] {
      fail("ends inside an integer");
      return 0;
    }
    const T value = load_big_endian<T>(data_ + position_);
    position_ += sizeof(T);
    return value;
  }
  bool boolean() { return integer<std::int8_t>() != 0; }
  double float64() { return std::bit_cast<double>(integer<std::uint64_t>()); }
  Uuid uuid();
  std::uint32_t uvarint();
  std::int32_t varint();

  // The next `size` bytes, in place.
  WireBytes bytes(std::size_t size) {
    if (size > remaining()) [[unlikely]] {
      fail("a length exceeds what remains of the frame");
      return {};
    }
    const WireBytes found = bytes_.subspan(position_, size);
    position_ += size;
    return found;
  }
  // The next `size` bytes as text, in place; fails when longer than kTextBytesMax or not UTF-8.
  std::string_view text(std::size_t size);

  // A length or count, as each of the protocol's forms writes it; -1 stands for null. Everything
  // else negative fails. compact: unsigned varint of length + 1.
  std::int64_t length16();
  std::int64_t length32();
  std::int64_t length_compact();

  // Called before room is made for `count` elements that take at least `wire_size` bytes each on
  // the wire and `memory_size` bytes each in memory. Returns false, and fails, when they cannot be
  // there.
  bool admit_elements(std::int64_t count, std::size_t wire_size, std::size_t memory_size);

  // Restricts reading to the next `size` bytes and returns the former end, for widen().
  // Requires: size <= remaining().
  std::size_t narrow(std::size_t size) { return std::exchange(end_, position_ + size); }
  void widen(std::size_t former_end) {
    end_ = former_end;
    if (!ok()) position_ = end_;
  }

 private:
  const std::byte* data_;
  std::size_t end_;
  ConstBytes bytes_;
  std::size_t position_ = 0;
  std::size_t allocation_left_;
  const char* error_ = nullptr;
};

// Writes values to the front of a span whose size the caller computed beforehand (encoded_size).
//
// Lifetime:   the span outlives the Writer.
// Invariant:  position() <= the size of the span; a write that does not fit is a bug and a CHECK.
class Writer {
 public:
  explicit Writer(Bytes out) : out_(out) {}

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return out_.size() - position_; }

  template <std::integral T>
  void integer(T value) {
    store_big_endian(take(sizeof value), value);
  }
  void uvarint(std::uint32_t value) {
    for (; value >= 0x80; value >>= 7) *take(1) = static_cast<std::byte>(value | 0x80);
    *take(1) = static_cast<std::byte>(value);
  }
  void bytes(ConstBytes from) {
    if (from.empty()) return;
    std::memcpy(take(from.size()), from.data(), from.size());
  }

 private:
  std::byte* take(std::size_t size) {
    CHECK(size <= remaining(), "writing {} bytes, room for {}", size, remaining());
    std::byte* at = out_.data() + position_;
    position_ += size;
    return at;
  }

  Bytes out_;
  std::size_t position_ = 0;
};

// Takes what a Writer takes and counts it.
class Sizer {
 public:
  std::size_t position() const { return position_; }

  template <std::integral T>
  void integer(T) {
    position_ += sizeof(T);
  }
  void uvarint(std::uint32_t value) { position_ += uvarint_size(value); }
  void bytes(ConstBytes from) { position_ += from.size(); }

 private:
  std::size_t position_ = 0;
};

}  // namespace millrace::wire
