#include "engine/log/format/record_batch.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/log/format/batch_builder.h"
#include "tests/support/golden.h"

namespace millrace::log {
namespace {

std::vector<std::byte> sample(std::int32_t records, std::int64_t base_offset = 0) {
  BatchBuilder builder({.base_offset = Offset(base_offset)});
  for (std::int32_t i = 0; i < records; ++i) {
    builder.append(1000 + i, as_bytes("key"), as_bytes("value"));
  }
  const auto bytes = builder.finish();
  return {bytes.begin(), bytes.end()};
}

TEST(RecordBatch, reads_the_batch_that_kafka_wrote) {
  const auto bytes = tests::golden("LeaderChange batch at offset 0, epoch 1");
  const auto batch = RecordBatch::parse(bytes);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->size(), bytes.size());
  EXPECT_TRUE(batch->verify());
  EXPECT_TRUE(batch->is_control());
  EXPECT_FALSE(batch->is_transactional());
  EXPECT_EQ(batch->codec(), Codec::none);
  EXPECT_EQ(batch->timestamp_type(), TimestampType::create_time);
  EXPECT_EQ(batch->base_offset(), Offset(0));
  EXPECT_EQ(batch->end_offset(), Offset(1));
  EXPECT_EQ(batch->leader_epoch(), LeaderEpoch(1));
  EXPECT_EQ(batch->max_timestamp(), 0x1a201e912cb);
  EXPECT_FALSE(batch->has_producer_id());
  EXPECT_EQ(batch->last_sequence(), kNoSequence);
}

TEST(RecordBatch, every_proper_prefix_is_truncated) {
  const auto bytes = sample(3);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto batch = RecordBatch::parse(ConstBytes(bytes).first(size));
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error(), Errc::truncated) << size;
  }
}

TEST(RecordBatch, old_message_formats_are_unsupported_and_unknown_ones_corrupt) {
  auto bytes = sample(1);
  for (const int magic : {0, 1}) {
    bytes[batch_field::kMagic] = static_cast<std::byte>(magic);
    EXPECT_EQ(RecordBatch::parse(bytes).error(), Errc::unsupported);
  }
  for (const int magic : {3, 127, 255}) {
    bytes[batch_field::kMagic] = static_cast<std::byte>(magic);
    EXPECT_EQ(RecordBatch::parse(bytes).error(), Errc::corrupt);
  }
}

TEST(RecordBatch, lengths_that_no_batch_has_are_corrupt) {
  auto bytes = sample(1);
  for (const std::int32_t length : {-1, 0, 13, 48, std::numeric_limits<std::int32_t>::min()}) {
    store_big_endian(bytes.data() + batch_field::kLength, length);
    EXPECT_EQ(RecordBatch::parse(bytes).error(), Errc::corrupt) << length;
  }
  store_big_endian(bytes.data() + batch_field::kLength, std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(RecordBatch::parse(bytes).error(), Errc::truncated);
}

TEST(RecordBatch, a_flipped_bit_behind_the_crc_fails_verification) {
  const auto good = sample(2);
  for (std::size_t at = batch_field::kCrc; at < good.size(); ++at) {
    auto bad = good;
    bad[at] ^= std::byte{0x10};
    const auto batch = RecordBatch::parse(bad);
    ASSERT_TRUE(batch);
    EXPECT_FALSE(batch->verify()) << at;
  }
}

TEST(RecordBatch, offset_and_epoch_are_patched_without_touching_the_crc) {
  auto bytes = sample(5);
  set_base_offset(bytes, Offset(1'000'000'000'007));
  set_leader_epoch(bytes, LeaderEpoch(42));
  const auto batch = *RecordBatch::parse(bytes);
  EXPECT_TRUE(batch.crc_valid());
  EXPECT_EQ(batch.base_offset(), Offset(1'000'000'000'007));
  EXPECT_EQ(batch.last_offset(), Offset(1'000'000'000'011));
  EXPECT_EQ(batch.leader_epoch(), LeaderEpoch(42));
}

TEST(RecordBatch, log_append_time_is_patched_with_a_new_crc) {
  auto bytes = sample(5);
  const auto before = RecordBatch::parse(bytes)->stored_crc();
  set_max_timestamp(bytes, TimestampType::log_append_time, 777);
  const auto batch = *RecordBatch::parse(bytes);
  EXPECT_TRUE(batch.crc_valid());
  EXPECT_NE(batch.stored_crc(), before);
  EXPECT_EQ(batch.timestamp_type(), TimestampType::log_append_time);
  EXPECT_EQ(batch.max_timestamp(), 777);
  EXPECT_EQ(batch.base_timestamp(), 1000);
}

TEST(RecordBatch, counts_that_cannot_be_true_are_corrupt_although_the_crc_holds) {
  auto bytes = sample(3);
  store_big_endian(bytes.data() + batch_field::kRecordCount, std::int32_t{4});
  set_crc(bytes);
  EXPECT_EQ(RecordBatch::parse(bytes)->verify().error(), Errc::corrupt);
  // What compaction leaves: fewer records than offsets.
  store_big_endian(bytes.data() + batch_field::kRecordCount, std::int32_t{1});
  set_crc(bytes);
  EXPECT_TRUE(RecordBatch::parse(bytes)->verify());
}

TEST(RecordBatch, offsets_that_would_overflow_are_corrupt) {
  auto bytes = sample(3);
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t base : {kMax, kMax - 1, kMax - 2, std::int64_t{-1}}) {
    set_base_offset(bytes, Offset(base));
    EXPECT_EQ(RecordBatch::parse(bytes)->verify().error(), Errc::corrupt) << base;
  }
  set_base_offset(bytes, Offset(kMax - 3));
  EXPECT_TRUE(RecordBatch::parse(bytes)->verify());
  EXPECT_EQ(RecordBatch::parse(bytes)->end_offset(), Offset(kMax));
}

TEST(RecordBatch, sequence_numbers_wrap_from_the_largest_to_zero) {
  constexpr auto kMax = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(advance_sequence(kMax, 1), 0);
  EXPECT_EQ(advance_sequence(kMax - 1, 3), 1);
  EXPECT_EQ(advance_sequence(0, kMax), kMax);
}

TEST(BatchWalk, gives_every_batch_and_stops_before_a_torn_one) {
  auto bytes = sample(1, 10);
  const auto second = sample(2, 11);
  bytes.insert(bytes.end(), second.begin(), second.end());
  const std::size_t whole = bytes.size();
  const auto third = sample(1, 13);
  bytes.insert(bytes.end(), third.begin(), third.end() - 1);

  BatchWalk walk(bytes);
  EXPECT_EQ(walk.next()->base_offset(), Offset(10));
  EXPECT_EQ(walk.next()->base_offset(), Offset(11));
  EXPECT_EQ(walk.position(), whole);
  ASSERT_FALSE(walk.at_end());
  EXPECT_EQ(walk.next().error(), Errc::truncated);
  EXPECT_EQ(walk.position(), whole);
}

}  // namespace
}  // namespace millrace::log
