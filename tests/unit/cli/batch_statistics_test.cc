#include "cli/batch_statistics.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

BatchHeader batch(std::int32_t size, std::int32_t records, std::int64_t first, std::int64_t last,
                  std::int16_t attributes = 0) {
  return {.size_bytes = size,
          .attributes = attributes,
          .base_timestamp_ms = first,
          .max_timestamp_ms = last,
          .records_count = records};
}

TEST(BatchStatistics, rates_are_counts_over_the_time_from_first_to_last_record) {
  BatchStatistics statistics;
  statistics.add(batch(100, 10, 1000, 1500));
  statistics.add(batch(300, 30, 2000, 3000));
  EXPECT_EQ(statistics.batches(), 2);
  EXPECT_EQ(statistics.records(), 40);
  EXPECT_EQ(statistics.bytes(), 400);
  EXPECT_DOUBLE_EQ(*statistics.per_second(statistics.records()), 20.0);
  EXPECT_DOUBLE_EQ(*statistics.per_second(statistics.bytes()), 200.0);
}

TEST(BatchStatistics, records_of_one_moment_have_no_rate) {
  BatchStatistics statistics;
  EXPECT_EQ(statistics.per_second(0), std::nullopt);
  statistics.add(batch(100, 10, 1000, 1000));
  EXPECT_EQ(statistics.per_second(10), std::nullopt);
}

TEST(BatchStatistics, sizes_are_told_by_rank) {
  BatchStatistics statistics;
  for (std::int32_t size = 100; size >= 1; --size) statistics.add(batch(size, 1, 0, 0));
  EXPECT_EQ(statistics.size_at(0.5), 50);
  EXPECT_EQ(statistics.size_at(0.99), 99);
  EXPECT_EQ(statistics.size_at(1.0), 100);
  EXPECT_EQ(statistics.size_at(0.0), 1);
}

TEST(BatchStatistics, codecs_are_named_once_and_markers_are_no_records) {
  BatchStatistics statistics;
  statistics.add(batch(10, 1, 0, 0, 3));
  statistics.add(batch(10, 1, 0, 0, 3));
  statistics.add(batch(10, 1, 0, 0, 0x30));
  EXPECT_EQ(statistics.codecs(), (std::set<std::string>{"lz4", "none"}));
  EXPECT_EQ(statistics.records(), 2);
}

TEST(BatchStatistics, sums_of_partitions_cover_all_their_time) {
  BatchStatistics one;
  one.add(batch(10, 1, 500, 600));
  BatchStatistics other;
  other.add(batch(20, 2, 300, 400, 4));
  one.add(other);
  one.add(BatchStatistics{});
  EXPECT_EQ(one.batches(), 2);
  EXPECT_EQ(one.first_ms(), 300);
  EXPECT_EQ(one.last_ms(), 600);
  EXPECT_EQ(one.size_at(1.0), 20);
}

TEST(BatchStatistics, the_last_batches_are_looked_for_further_back_until_they_are_found) {
  EXPECT_EQ(further_back(900, 100, 100, 0, 1000), std::nullopt);  // found
  EXPECT_EQ(further_back(0, 5, 100, 0, 1000), std::nullopt);      // that is all there is
  EXPECT_EQ(further_back(900, 50, 100, 0, 1000), 760);            // 2 offsets a batch, a fifth more
  EXPECT_EQ(further_back(900, 90, 100, 0, 1000), 800);            // twice as far at least
  EXPECT_EQ(further_back(900, 1, 100, 0, 1000), 0);               // not before the log's start
  EXPECT_EQ(further_back(900, 0, 100, 200, 1000), 200);
}

}  // namespace
}  // namespace millrace::cli
