// Versions of the protocol's messages.
#pragma once

#include <cstdint>
#include <limits>

namespace millrace::wire {

// Above every version; as a first version it means "never".
inline constexpr std::int16_t kNoVersion = std::numeric_limits<std::int16_t>::max();

// Both ends included, as the protocol writes them.
struct VersionRange {
  std::int16_t min = 0;
  std::int16_t max = 0;

  constexpr bool contains(std::int16_t version) const { return version >= min && version <= max; }
  friend constexpr bool operator==(const VersionRange&, const VersionRange&) = default;
};

}  // namespace millrace::wire
