#include "base/uuid.h"

namespace millrace {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int digit_of(char c) {
  const auto position = kAlphabet.find(c);
  return position == std::string_view::npos ? -1 : static_cast<int>(position);
}

}  // namespace

Uuid Uuid::from_random(std::uint64_t most, std::uint64_t least) {
  most = (most & ~0xf000ULL) | 0x4000ULL;
  least = (least & ~(3ULL << 62)) | (2ULL << 62);
  return from_halves(most, least);
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 22) return std::nullopt;
  Uuid uuid;
  std::uint32_t bits = 0;
  int bit_count = 0;
  std::size_t written = 0;
  for (const char c : text) {
    const int digit = digit_of(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    if (written < uuid.bytes.size()) {
      uuid.bytes[written++] = static_cast<std::uint8_t>(bits >> bit_count);
    }
    bits &= (1U << bit_count) - 1;
  }
  if (bits != 0) return std::nullopt;
  return uuid;
}

std::string Uuid::to_string() const {
  std::string text;
  text.reserve(22);
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const std::uint8_t byte : bytes) {
    bits = (bits << 8) | byte;
    bit_count += 8;
    while (bit_count >= 6) {
      bit_count -= 6;
      text.push_back(kAlphabet[(bits >> bit_count) & 63]);
    }
    bits &= (1U << bit_count) - 1;
  }
  text.push_back(kAlphabet[(bits << (6 - bit_count)) & 63]);
  return text;
}

}  // namespace millrace
