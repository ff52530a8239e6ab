// Prng: the only random numbers in the project, seeded by whoever runs it: the process from the kernel, the simulator from
// its seed. SplitMix64: small state, passes BigCrush; not for secrets.
#pragma once

#include <cstdint>

namespace millrace {

class Prng {
 public:
  explicit Prng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound); bound must be above 0.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  // True once in `one_in` draws on average.
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
  // Uniform in [0, 1).
  double fraction() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  // A generator of its own, so that draws from one do not disturb the other's.
  Prng split() { return Prng(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace millrace
