// Uuid: 16 bytes as Kafka sends them, and Kafka's text form: base64url without padding, 22 characters.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;

  // The form of Java's UUID(most, least), in which Kafka writes its reserved ids.
  static constexpr Uuid from_halves(std::uint64_t most, std::uint64_t least) {
    Uuid uuid;
    for (int i = 0; i < 8; ++i) {
      uuid.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(most >> (56 - 8 * i));
      uuid.bytes[static_cast<std::size_t>(8 + i)] = static_cast<std::uint8_t>(least >> (56 - 8 * i));
    }
    return uuid;
  }
  // Sixteen random bytes made into a version 4 id.
  static Uuid from_random(std::uint64_t most, std::uint64_t least);
  // Empty when the text is not 22 characters of base64url that encode 16 bytes.
  static std::optional<Uuid> parse(std::string_view text);

  std::string to_string() const;
  bool is_zero() const { return *this == Uuid{}; }
};

// Kafka's reserved ids.
inline constexpr Uuid kZeroUuid{};
inline constexpr Uuid kMetadataTopicId = Uuid::from_halves(0, 1);
inline constexpr Uuid kDirectoryMigrating = Uuid::from_halves(0, 0);
inline constexpr Uuid kDirectoryUnassigned = Uuid::from_halves(0, 1);
inline constexpr Uuid kDirectoryLost = Uuid::from_halves(0, 2);

}  // namespace millrace

template <>
struct std::hash<millrace::Uuid> {
  std::size_t operator()(const millrace::Uuid& uuid) const noexcept {
    std::uint64_t halves[2];
    std::memcpy(halves, uuid.bytes.data(), 16);
    return static_cast<std::size_t>(halves[0] ^ (halves[1] * 0x9e3779b97f4a7c15ULL));
  }
};
