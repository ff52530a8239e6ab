// A histogram of durations that keeps two significant digits over its whole range.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace millrace::bench {

// Counts microseconds in buckets that are 1/64 of their power of two wide. Fixed size; one thread.
class Histogram {
 public:
  void add(std::uint64_t microseconds) {
    ++buckets_[bucket_of(microseconds)];
    ++count_;
    if (microseconds > max_) max_ = microseconds;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }

  // The upper edge of the bucket that holds the given share (0 to 1) of all values.
  std::uint64_t quantile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > wanted || seen == count_) return upper_edge(i) < max_ ? upper_edge(i) : max_;
    }
    return max_;
  }

 private:
  static constexpr unsigned kSubBits = 6;
  static constexpr std::size_t kSubBuckets = std::size_t{1} << kSubBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kSubBuckets) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return kSubBuckets * shift + static_cast<std::size_t>(value >> shift);
  }

  static std::uint64_t upper_edge(std::size_t bucket) {
    if (bucket < 2 * kSubBuckets) return bucket;
    const std::size_t shift = bucket / kSubBuckets - 1;
    return ((bucket % kSubBuckets + kSubBuckets + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kSubBuckets * (64 - kSubBits + 1)> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace millrace::bench
