#include "engine/drivers/snapshot_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/prng.h"
#include "engine/log/format/record_batch.h"
#include "engine/metadata/image.h"
#include "tests/support/golden.h"
#include "tests/unit/engine/metadata/random_record.h"

namespace millrace::engine {
namespace {

constexpr WallTime kNow{1'700'000'000'000};

// The same batches at another time: what Apache's formatter wrote, as if it had been written then.
std::vector<std::byte> moved_to(std::vector<std::byte> batches, WallTime now) {
  for (std::size_t at = 0; at < batches.size();) {
    const Bytes batch = Bytes(batches).subspan(at);
    const std::size_t size = *log::RecordBatch::size_at(batch);
    store_big_endian(batch.data() + log::batch_field::kBaseTimestamp, now.ms);
    store_big_endian(batch.data() + log::batch_field::kMaxTimestamp, now.ms);
    log::set_crc(batch.first(size));
    at += size;
  }
  return batches;
}

TEST(SnapshotFile, the_bootstrap_checkpoint_is_the_one_kafkas_formatter_writes) {
  const SnapshotContents contents{.voters = std::nullopt,
                                  .records = {{FeatureLevelRecord{"metadata.version", 21}, 0}}};
  EXPECT_EQ(tests::to_hex(encode_snapshot(contents, LeaderEpoch(0), kNow)),
            tests::to_hex(moved_to(tests::golden("fmt1 bootstrap.checkpoint"), kNow)));
}

TEST(SnapshotFile, the_voters_snapshot_is_the_one_kafkas_formatter_writes) {
  const auto golden =
      tests::golden("fmt2 __cluster_metadata-0/00000000000000000000-0000000000.checkpoint");
  const auto decoded = decode_snapshot(golden);
  ASSERT_TRUE(decoded) << decoded.error().message;
  ASSERT_TRUE(decoded->voters);
  ASSERT_EQ(decoded->voters->voters.size(), 1u);
  EXPECT_EQ(decoded->voters->voters[0].endpoints[0].name, "CONTROLLER");
  EXPECT_TRUE(decoded->records.empty());
  EXPECT_EQ(tests::to_hex(encode_snapshot(*decoded, LeaderEpoch(0), kNow)),
            tests::to_hex(moved_to(golden, kNow)));
}

TEST(SnapshotFile, what_goes_in_comes_out) {
  Prng prng(1);
  SnapshotContents contents{
      .last_contained_log_timestamp = 77, .voters = std::nullopt, .records = {}};
  for (int round = 0; round < 20; ++round) {
    testing::for_each_record_version(
        prng, [&](const VersionedRecord& record) { contents.records.push_back(record); });
  }
  const auto decoded = decode_snapshot(encode_snapshot(contents, LeaderEpoch(3), kNow));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->records, contents.records);
  EXPECT_EQ(decoded->last_contained_log_timestamp, 77);
}

TEST(SnapshotFile, a_large_snapshot_is_several_batches_with_offsets_that_run_on) {
  SnapshotContents contents{.voters = std::nullopt, .records = {}};
  for (int i = 0; i < 400; ++i) {
    contents.records.push_back(
        {ConfigRecord{2, "t", "k" + std::to_string(i), std::string(32000, 'x')}, 0});
  }
  const auto bytes = encode_snapshot(contents, LeaderEpoch(1), kNow);
  Offset expected(0);
  int batches = 0;
  for (log::BatchWalk walk(bytes); !walk.at_end(); ++batches) {
    const auto batch = walk.next();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->base_offset(), expected);
    expected = batch->end_offset();
    EXPECT_LT(batch->size(), std::size_t{8} << 20);
  }
  EXPECT_GT(batches, 4);
  const auto decoded = decode_snapshot(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->records == contents.records);
}

TEST(SnapshotFile, one_that_was_not_finished_or_is_damaged_is_refused) {
  const SnapshotContents contents{.voters = std::nullopt,
                                  .records = {{FeatureLevelRecord{"metadata.version", 21}, 0}}};
  const auto bytes = encode_snapshot(contents, LeaderEpoch(0), kNow);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_snapshot(ConstBytes(bytes).first(size))) << size;
  }
  auto damaged = bytes;
  damaged[bytes.size() / 2] ^= std::byte{1};
  EXPECT_FALSE(decode_snapshot(damaged));
}

TEST(SnapshotFile, names_say_where_a_snapshot_ends) {
  const SnapshotName name{Offset(27), LeaderEpoch(2)};
  EXPECT_EQ(snapshot_file_name(name), "00000000000000000027-0000000002.checkpoint");
  EXPECT_EQ(parse_snapshot_file_name(snapshot_file_name(name)), name);
  for (const char* other :
       {"00000000000000000027.snapshot", "00000000000000000027-0000000002.checkpoint.part",
        "0000000000000000002x-0000000002.checkpoint", "leader-epoch-checkpoint", ""}) {
    EXPECT_FALSE(parse_snapshot_file_name(other)) << other;
  }
}

}  // namespace
}  // namespace millrace::engine
