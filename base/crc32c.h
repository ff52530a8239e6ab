// CRC-32C (Castagnoli), the checksum of record batches and of Millrace's own files. isa-l's was measured fastest.
#pragma once

#include <isa-l/crc.h>

#include <cstdint>

#include "base/bytes.h"

namespace millrace {

// The checksum of `bytes` continued from `seed`, which is the result over what stands before them (0 for nothing).
inline std::uint32_t crc32c(ConstBytes bytes, std::uint32_t seed = 0) {
  // isa-l takes an int length and a non-const pointer it does not write through; it neither pre- nor post-inverts.
  std::uint32_t crc = ~seed;
  auto* at = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
  std::size_t left = bytes.size();
  constexpr std::size_t kStep = std::size_t{1} << 30;
  while (left > 0) {
    const std::size_t step = left < kStep ? left : kStep;
    crc = crc32_iscsi(at, static_cast<int>(step), crc);
    at += step;
    left -= step;
  }
  return ~crc;
}

}  // namespace millrace
