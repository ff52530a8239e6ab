#include "net/wire/codec.h"

namespace millrace::wire {
namespace {

// How many bytes the character that starts with `lead` takes, and the smallest code point that may
// take that many; 0 for a byte that starts no character.
struct Utf8Form {
  std::size_t size;
  std::uint32_t smallest;
};

Utf8Form utf8_form(unsigned char lead) {
  if (lead < 0x80) return {1, 0};
  if (lead >= 0xc2 && lead < 0xe0) return {2, 0x80};
  if (lead >= 0xe0 && lead < 0xf0) return {3, 0x800};
  if (lead >= 0xf0 && lead < 0xf5) return {4, 0x10000};
  return {0, 0};
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t left = text.size();
  while (left > 0) {
    // Names are nearly always ASCII: eight bytes at a time.
    for (std::uint64_t word; left >= sizeof word; at += sizeof word, left -= sizeof word) {
      std::memcpy(&word, at, sizeof word);
      if ((word & 0x8080808080808080ULL) != 0) break;
    }
    if (left == 0) break;
    const Utf8Form form = utf8_form(*at);
    if (form.size == 0 || form.size > left) return false;
    std::uint32_t code_point = form.size == 1 ? *at : *at & (0x7fU >> form.size);
    for (std::size_t i = 1; i < form.size; ++i) {
      if ((at[i] & 0xc0) != 0x80) return false;
      code_point = (code_point << 6) | (at[i] & 0x3fU);
    }
    if (code_point < form.smallest || code_point > 0x10ffff) return false;
    if (code_point >= 0xd800 && code_point < 0xe000) return false;
    at += form.size;
    left -= form.size;
  }
  return true;
}

std::string_view sendable_text(std::string_view text) {
  if (text.size() <= Reader::kTextBytesMax) return text;
  std::size_t size = Reader::kTextBytesMax;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

Uuid Reader::uuid() {
  Uuid uuid;
  const WireBytes found = bytes(uuid.bytes.size());
  if (ok()) std::memcpy(uuid.bytes.data(), found.data(), found.size());
  return uuid;
}

std::uint32_t Reader::uvarint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    if (remaining() == 0) {
      fail("ends inside a varint");
      return 0;
    }
    const auto byte = static_cast<std::uint8_t>(data_[position_++]);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) {
      if (value <= std::numeric_limits<std::uint32_t>::max())
        return static_cast<std::uint32_t>(value);
      break;
    }
  }
  fail("a varint is longer than 32 bits");
  return 0;
}

std::int32_t Reader::varint() {
  const std::uint32_t raw = uvarint();
  return static_cast<std::int32_t>(raw >> 1) ^ -static_cast<std::int32_t>(raw & 1);
}

std::string_view Reader::text(std::size_t size) {
  if (size > kTextBytesMax) {
    fail("a string is longer than 32767 bytes");
    return {};
  }
  const std::string_view found = as_text(bytes(size));
  if (is_utf8(found)) return found;
  fail("a string is not UTF-8");
  return {};
}

std::int64_t Reader::length16() {
  const auto length = integer<std::int16_t>();
  if (length < -1) fail("a length is negative");
  return length;
}

std::int64_t Reader::length32() {
  const auto length = integer<std::int32_t>();
  if (length < -1) fail("a length is negative");
  return length;
}

std::int64_t Reader::length_compact() {
  return std::int64_t{uvarint()} - 1;
}

bool Reader::admit_elements(std::int64_t count, std::size_t wire_size, std::size_t memory_size) {
  const auto wanted = static_cast<std::uint64_t>(count);
  if (wanted > remaining() / wire_size) {
    fail("an array's count exceeds what remains of the frame");
    return false;
  }
  // Cannot overflow: wanted <= remaining(), and memory_size is the size of a struct.
  if (wanted * memory_size > allocation_left_) {
    fail("its arrays would take too much memory for its size");
    return false;
  }
  allocation_left_ -= wanted * memory_size;
  return true;
}

}  // namespace millrace::wire
