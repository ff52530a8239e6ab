// Counts of durations, exact to 1.6 %, in fixed memory.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace millrace::cli {

class LatencyHistogram {
 public:
  void add(Duration duration) {
    const auto ns = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
    ++counts_[index_of(ns)];
    ++count_;
    if (ns > largest_) largest_ = ns;
  }

  std::uint64_t count() const { return count_; }
  Duration largest() const { return Duration(static_cast<std::int64_t>(largest_)); }

  // The duration that `share` (0 to 1) of all stay within; zero when there are none.
  Duration percentile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_) + 0.5);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && seen >= wanted)
        return Duration(static_cast<std::int64_t>(std::min(upper_of(i), largest_)));
    }
    return Duration(0);
  }

 private:
  // 64 buckets for each power of two; below 64 ns each nanosecond is its own.
  static constexpr int kSubBits = 6;
  static constexpr std::size_t kBuckets = (64 - kSubBits + 1) << kSubBits;

  static std::size_t index_of(std::uint64_t ns) {
    if (ns < (1U << kSubBits)) return ns;
    const int shift = std::bit_width(ns) - kSubBits - 1;
    return (static_cast<std::size_t>(shift) << kSubBits) + (ns >> shift);
  }
  static std::uint64_t upper_of(std::size_t index) {
    if (index < (2U << kSubBits)) return index;
    const std::size_t shift = (index >> kSubBits) - 1;
    const std::uint64_t sub = (index & ((1U << kSubBits) - 1)) + (1U << kSubBits);
    return ((sub + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace millrace::cli
