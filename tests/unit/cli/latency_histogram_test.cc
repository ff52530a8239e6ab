#include "cli/latency_histogram.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(LatencyHistogram, percentiles_are_within_two_percent_of_the_truth) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100'000; ++i) histogram.add(std::chrono::microseconds(i));
  for (const double share : {0.5, 0.9, 0.99, 0.999}) {
    const double truth = share * 100'000 * 1000;
    EXPECT_NEAR(static_cast<double>(histogram.percentile(share).count()), truth, truth * 0.02)
        << share;
  }
  EXPECT_EQ(histogram.largest(), std::chrono::microseconds(100'000));
  EXPECT_EQ(histogram.percentile(1.0), histogram.largest());
  EXPECT_EQ(histogram.count(), 100'000u);
}

TEST(LatencyHistogram, small_and_huge_durations_have_their_place) {
  LatencyHistogram histogram;
  histogram.add(Duration(-5));
  EXPECT_EQ(histogram.percentile(1.0), Duration(0));
  for (const std::int64_t ns :
       {std::int64_t{0}, std::int64_t{63}, std::int64_t{64}, std::int64_t{127}, std::int64_t{128},
        std::numeric_limits<std::int64_t>::max()}) {
    LatencyHistogram one;
    one.add(Duration(ns));
    EXPECT_EQ(one.percentile(0.5), Duration(ns)) << ns;
  }
}

TEST(LatencyHistogram, nothing_is_zero) {
  EXPECT_EQ(LatencyHistogram().percentile(0.99), Duration(0));
}

}  // namespace
}  // namespace millrace::cli
