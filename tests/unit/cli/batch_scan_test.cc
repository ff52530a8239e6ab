// Batches are written here byte by byte, as the format says, with one field each for what the
// scanner reads.
#include "cli/batch_scan.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::cli {
namespace {

struct Sample {
  std::int64_t base_offset = 0;
  std::vector<std::pair<int, int>> records;  // offset delta, timestamp delta; all below 64
  std::int64_t base_timestamp = 1000;
  std::int64_t max_timestamp = 1000;
  std::int16_t attributes = 0;
};

std::vector<std::byte> write(const Sample& sample) {
  std::vector<std::byte> bytes(kBatchHeaderBytes);
  for (const auto& [offset_delta, timestamp_delta] : sample.records) {
    // Length, attributes, the two deltas, no key, no value, no headers; all one-byte varints.
    for (const int each : {12, 0, timestamp_delta * 2, offset_delta * 2, 1, 1, 0})
      bytes.push_back(static_cast<std::byte>(each));
  }
  store_big_endian(bytes.data(), sample.base_offset);
  store_big_endian(bytes.data() + 8, static_cast<std::int32_t>(bytes.size() - 12));
  bytes[16] = std::byte{2};
  store_big_endian(bytes.data() + 21, sample.attributes);
  store_big_endian(bytes.data() + 23, static_cast<std::int32_t>(sample.records.back().first));
  store_big_endian(bytes.data() + 27, sample.base_timestamp);
  store_big_endian(bytes.data() + 35, sample.max_timestamp);
  store_big_endian(bytes.data() + 57, static_cast<std::int32_t>(sample.records.size()));
  return bytes;
}

std::vector<std::byte> join(std::vector<std::byte> first, const std::vector<std::byte>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST(BatchScan, a_header_says_size_offsets_times_count_and_codec) {
  const auto bytes = write(
      {.base_offset = 40, .records = {{0, 0}, {3, 9}}, .max_timestamp = 1009, .attributes = 3});
  const auto header = read_batch_header(bytes);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->size_bytes, static_cast<std::int32_t>(bytes.size()));
  EXPECT_EQ(header->base_offset, 40);
  EXPECT_EQ(header->last_offset(), 43);
  EXPECT_EQ(header->base_timestamp_ms, 1000);
  EXPECT_EQ(header->max_timestamp_ms, 1009);
  EXPECT_EQ(header->records_count, 2);
  EXPECT_EQ(codec_name(header->codec()), "lz4");
  EXPECT_FALSE(header->is_control());
}

TEST(BatchScan, too_few_bytes_another_format_and_a_bad_length_are_no_batch) {
  auto bytes = write({.records = {{0, 0}}});
  EXPECT_FALSE(read_batch_header(ConstBytes(bytes).subspan(0, kBatchHeaderBytes - 1)));
  bytes[16] = std::byte{1};
  EXPECT_FALSE(read_batch_header(bytes));
  bytes[16] = std::byte{2};
  store_big_endian(bytes.data() + 8, std::int32_t{-1});
  EXPECT_FALSE(read_batch_header(bytes));
}

TEST(BatchScan, every_batch_is_seen_and_the_last_one_may_be_cut_off) {
  const auto first = write({.records = {{0, 0}, {1, 1}}});
  const auto second = write({.base_offset = 2, .records = {{0, 0}}});
  const auto bytes = join(first, second);
  std::vector<std::int64_t> seen;
  const auto note = [&](const BatchHeader& header, ConstBytes) {
    seen.push_back(header.base_offset);
  };
  for_each_batch(bytes, note);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 2}));
  seen.clear();
  for_each_batch(ConstBytes(bytes).subspan(0, bytes.size() - 1), note);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 2}));
  seen.clear();
  for_each_batch(ConstBytes(bytes).subspan(0, first.size() + 20), note);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0}));
}

TEST(BatchScan, the_time_of_an_offset_is_that_of_its_own_record) {
  const auto bytes = join(write({.records = {{0, 0}, {1, 5}, {2, 7}}}),
                          write({.base_offset = 3, .records = {{0, 0}}, .base_timestamp = 2000}));
  EXPECT_EQ(timestamp_at(bytes, 0), 1000);
  EXPECT_EQ(timestamp_at(bytes, 1), 1005);
  EXPECT_EQ(timestamp_at(bytes, 2), 1007);
  EXPECT_EQ(timestamp_at(bytes, 3), 2000);
  EXPECT_EQ(timestamp_at(bytes, 4), std::nullopt);
}

TEST(BatchScan, where_a_record_was_cleaned_away_the_next_one_counts) {
  const auto bytes = join(write({.records = {{0, 0}, {4, 8}}}),
                          write({.base_offset = 9, .records = {{0, 0}}, .base_timestamp = 2000}));
  EXPECT_EQ(timestamp_at(bytes, 2), 1008);
  EXPECT_EQ(timestamp_at(bytes, 6), 2000);
}

TEST(BatchScan, a_compressed_batch_tells_the_time_of_its_first_record) {
  const auto bytes = write({.records = {{0, 0}, {1, 5}}, .max_timestamp = 1005, .attributes = 4});
  EXPECT_EQ(timestamp_at(bytes, 1), 1000);
}

TEST(BatchScan, a_batch_stamped_by_the_broker_has_one_time_for_all) {
  const auto bytes = write({.records = {{0, 0}, {1, 5}}, .max_timestamp = 5000, .attributes = 8});
  EXPECT_EQ(timestamp_at(bytes, 0), 5000);
  EXPECT_EQ(timestamp_at(bytes, 1), 5000);
}

TEST(BatchScan, a_batch_cut_off_before_the_record_tells_its_first_time) {
  const auto bytes = write({.records = {{0, 0}, {1, 5}}});
  EXPECT_EQ(timestamp_at(ConstBytes(bytes).subspan(0, bytes.size() - 3), 1), 1000);
  EXPECT_EQ(timestamp_at({}, 0), std::nullopt);
}

}  // namespace
}  // namespace millrace::cli
