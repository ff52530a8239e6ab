// Kafka's zig-zag varints, as records use them: 1 to 5 bytes for 32 bits, 1 to 10 for 64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::log {

constexpr std::uint32_t zigzag(std::int32_t value) {
  return (static_cast<std::uint32_t>(value) << 1) ^ static_cast<std::uint32_t>(value >> 31);
}
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int32_t unzigzag(std::uint32_t raw) {
  return static_cast<std::int32_t>((raw >> 1) ^ (~(raw & 1) + 1));
}
constexpr std::int64_t unzigzag(std::uint64_t raw) {
  return static_cast<std::int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
}

constexpr std::size_t varint_bytes(std::int64_t value) {
  std::size_t bytes = 1;
  for (std::uint64_t raw = zigzag(value); raw >= 0x80; raw >>= 7) ++bytes;
  return bytes;
}

inline void put_varint(std::vector<std::byte>& out, std::int64_t value) {
  std::uint64_t raw = zigzag(value);
  while (raw >= 0x80) {
    out.push_back(static_cast<std::byte>(raw | 0x80));
    raw >>= 7;
  }
  out.push_back(static_cast<std::byte>(raw));
}

}  // namespace millrace::log
