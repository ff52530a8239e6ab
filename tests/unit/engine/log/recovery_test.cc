// Opening a partition from what a crash, or Apache Kafka, has left in its directory.
#include "tests/unit/engine/log/recovery_test.h"

#include <zlib.h>

#include <set>
#include <utility>

#include "base/prng.h"

namespace millrace::log {
namespace {

std::uint32_t crc32_of(ConstBytes bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

TEST_F(RecoveryTest, what_it_says_is_synced_is_on_disk_also_where_the_log_start_is_ahead_of_the_last_sync) {
  const auto whole = batches(0, 5);
  write(kData, whole);
  write("/data/log-start-offset-checkpoint", as_bytes("0\n1\nt 0 2\n"));
  ASSERT_TRUE(disk_.sync_directory("/"));
  ASSERT_TRUE(disk_.sync_directory("/data"));
  ASSERT_TRUE(open());
  ASSERT_EQ(log_->log_start_offset(), Offset(2));
  EXPECT_GE(log_->recovery_point(), Offset(2));
  Prng cuts(1);
  for (int i = 0; i < 8; ++i) {
    const auto after = disk_.power_cut(cuts);
    const auto file = after->open(kData, {});
    ASSERT_TRUE(file);
    std::vector<std::byte> found(whole.size());
    EXPECT_EQ(after->read(*file, 0, found), whole.size());
    EXPECT_TRUE(found == whole) << "cut " << i;
    after->close(*file);
  }
}

// The start before was killed between the cut of a tail and its sync: the page cache says the file is whole, the disk says more.
class RecoveryAfterKilledCut : public RecoveryTest {
 protected:
  void cut_without_sync(const std::string& path, std::uint64_t size, ConstBytes tail) {
    const auto handle = disk_.open(path, {.write = true});
    CHECK(disk_.write(*handle, size, tail).has_value());
    CHECK(disk_.sync(*handle).has_value());
    CHECK(disk_.truncate(*handle, size).has_value());
    disk_.close(*handle);
    CHECK(disk_.sync_directory("/").has_value() && disk_.sync_directory("/data").has_value());
    CHECK(disk_.sync_directory("/data/t-0").has_value());
  }
  // The sizes the file has after power cuts.
  std::set<std::uint64_t> sizes_after_power_cuts(const std::string& path) {
    std::set<std::uint64_t> sizes;
    Prng cuts(1);
    for (int i = 0; i < 16; ++i) {
      const auto after = disk_.power_cut(cuts);
      const auto file = after->open(path, {});
      sizes.insert(after->size(*file).value());
      after->close(*file);
    }
    return sizes;
  }
};

TEST_F(RecoveryAfterKilledCut, the_tail_does_not_come_back_behind_a_log_that_ends_at_its_recovery_point) {
  const auto whole = batches(0, 3);
  write(kData, whole);
  write("/data/recovery-point-offset-checkpoint", as_bytes("0\n1\nt 0 3\n"));
  cut_without_sync(kData, whole.size(), as_bytes("a part of a batch"));
  EXPECT_EQ(sizes_after_power_cuts(kData).size(), 2U);
  ASSERT_TRUE(open());
  EXPECT_EQ(sizes_after_power_cuts(kData), (std::set<std::uint64_t>{whole.size()}));
}

TEST_F(RecoveryAfterKilledCut, zeros_do_not_come_back_in_front_of_the_segment_that_begins_at_the_recovery_point) {
  const auto whole = batches(0, 3);
  write(kData, whole);
  write("/data/t-0/00000000000000000003.log", batches(3, 5));
  write("/data/recovery-point-offset-checkpoint", as_bytes("0\n1\nt 0 3\n"));
  cut_without_sync(kData, whole.size(), std::vector<std::byte>(1000));
  EXPECT_EQ(sizes_after_power_cuts(kData).size(), 2U);
  ASSERT_TRUE(open());
  EXPECT_EQ(sizes_after_power_cuts(kData), (std::set<std::uint64_t>{whole.size()}));
}

// It was not joined to the log's end any more. The records that came since end where it began.
TEST_F(RecoveryTest, a_segment_that_was_dropped_does_not_come_back_behind_records_that_were_appended_since) {
  const std::string dropped = "/data/t-0/00000000000000000005.log";
  write(kData, batches(0, 3));
  write(dropped, batches(5, 7));
  write("/data/recovery-point-offset-checkpoint", as_bytes("0\n1\nt 0 3\n"));
  for (const std::string path : {"/", "/data", "/data/t-0"}) ASSERT_TRUE(disk_.sync_directory(path));
  for (const bool was_killed : {false, true}) {
    SCOPED_TRACE(was_killed);
    if (was_killed) {
      // The start before had come so far.
      node_.reset();
      write(dropped, batches(5, 7));
      ASSERT_TRUE(disk_.sync_directory("/data/t-0"));
      ASSERT_TRUE(disk_.remove(dropped));
    }
    ASSERT_TRUE(open());
    ASSERT_EQ(log_->end_offset(), Offset(3));
    Prng cuts(1);
    for (int i = 0; i < 8; ++i) EXPECT_FALSE(disk_.power_cut(cuts)->open(dropped, {})) << "cut " << i;
    kill();
  }
}

// The start before was killed behind the drop. Nothing is promised of the records that a `replicated` log has not synced, but those of
// another life must not stand behind them.
TEST_F(RecoveryTest, a_segment_that_was_dropped_does_not_come_back_behind_a_log_that_is_not_synced_either) {
  const std::string dropped = "/data/t-0/00000000000000000005.log";
  write(kData, batches(0, 3));
  write(dropped, batches(5, 7));
  for (const std::string path : {"/", "/data", "/data/t-0"}) ASSERT_TRUE(disk_.sync_directory(path));
  ASSERT_TRUE(disk_.remove(dropped));
  ASSERT_TRUE(open());
  ASSERT_EQ(log_->end_offset(), Offset(3));
  Prng cuts(1);
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(disk_.power_cut(cuts)->open(dropped, {})) << "cut " << i;
}

TEST_F(RecoveryTest, a_segment_that_was_dropped_behind_a_log_without_records_does_not_come_back) {
  const std::string dropped = "/data/t-0/00000000000000000005.log";
  write(kData, text("not a batch"));
  write(dropped, batches(5, 7));
  for (const std::string path : {"/", "/data", "/data/t-0"}) ASSERT_TRUE(disk_.sync_directory(path));
  ASSERT_TRUE(open());
  ASSERT_EQ(log_->end_offset(), Offset(0));
  Prng cuts(1);
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(disk_.power_cut(cuts)->open(dropped, {})) << "cut " << i;
}

// The run before was killed while it emptied the log: its segments have other names, and the directory was not synced.
TEST_F(RecoveryTest, segments_of_a_log_that_was_being_emptied_do_not_come_back_in_place_of_what_came_since) {
  const std::string later = "/data/t-0/00000000000000000005.log";
  enum class Killed { before_it_began_anew, after_it_began_anew, after_housekeeping };
  for (const Killed killed : {Killed::before_it_began_anew, Killed::after_it_began_anew, Killed::after_housekeeping}) {
    SCOPED_TRACE(static_cast<int>(killed));
    write(kData, batches(0, 5));
    write(later, batches(5, 7));
    for (const std::string path : {"/", "/data", "/data/t-0"}) ASSERT_TRUE(disk_.sync_directory(path));
    for (const std::string& path : {later, std::string(kData)}) {
      ASSERT_TRUE(disk_.rename(path, path + ".deleted"));
      if (killed == Killed::after_housekeeping) ASSERT_TRUE(disk_.remove(path + ".deleted"));
    }
    if (killed == Killed::after_it_began_anew) write(kData, {});
    ASSERT_TRUE(open());
    ASSERT_EQ(log_->end_offset(), Offset(0));
    EXPECT_FALSE(exists(later + ".deleted"));
    Prng cuts(1);
    for (int i = 0; i < 16; ++i) EXPECT_FALSE(disk_.power_cut(cuts)->open(later, {})) << "cut " << i;
    kill();
  }
}

// The start may be killed as well, and the next one asks the same names.
TEST_F(RecoveryTest, what_tells_of_dropped_segments_goes_only_when_they_cannot_come_back) {
  write(kData, batches(0, 5));
  for (const std::string path : {"/", "/data", "/data/t-0"}) ASSERT_TRUE(disk_.sync_directory(path));
  ASSERT_TRUE(disk_.rename(kData, std::string(kData) + ".deleted"));
  write(kData, {});
  Prng cuts(1);
  int seen = 0;
  bool imaging = false;
  disk_.set_observer([&] {
    if (exists(std::string(kData) + ".deleted") || std::exchange(imaging, true)) return;
    for (int i = 0; i < 8; ++i, ++seen) {
      const auto after = disk_.power_cut(cuts);
      const auto file = after->open(kData, {});
      if (!file) continue;
      EXPECT_EQ(*after->size(*file), 0U) << "image " << seen;
      after->close(*file);
    }
    imaging = false;
  });
  ASSERT_TRUE(open());
  disk_.set_observer({});
  EXPECT_GT(seen, 0);
}

TEST_F(RecoveryTest, ends_the_log_before_a_torn_batch_wherever_it_is_torn) {
  const auto whole = batches(0, 3);
  const auto two = batches(0, 2).size();
  for (std::size_t bytes = two; bytes < whole.size(); ++bytes) {
    write(kData, ConstBytes(whole).first(bytes));
    ASSERT_TRUE(open());
    expect_records(0, 2);
    kill();
    EXPECT_EQ(size_of(kData), two);
  }
}

TEST_F(RecoveryTest, ends_the_log_before_a_batch_with_a_wrong_checksum) {
  auto bytes = batches(0, 5);
  bytes[batches(0, 3).size() + 40] ^= std::byte{1};
  write(kData, bytes);
  ASSERT_TRUE(open());
  expect_records(0, 3);
}

TEST_F(RecoveryTest, drops_segments_that_follow_a_cut) {
  auto bytes = batches(0, 5);
  bytes.resize(bytes.size() - 1);
  write(kData, bytes);
  write("/data/t-0/00000000000000000005.log", batches(5, 8));
  ASSERT_TRUE(open());
  expect_records(0, 4);
  EXPECT_EQ(log_->segment_count(), 1U);
}

TEST_F(RecoveryTest, counts_a_log_as_shortened_when_its_last_records_were_cut_off) {
  auto bytes = batches(0, 5);
  write(kData, bytes);
  ASSERT_TRUE(open());
  EXPECT_EQ(node_->shard().counters().logs_recovered, 1U);
  EXPECT_EQ(node_->shard().counters().logs_shortened, 0U);
  kill();
  bytes.resize(bytes.size() - 1);
  write(kData, bytes);
  ASSERT_TRUE(open());
  EXPECT_EQ(node_->shard().counters().logs_shortened, 1U);
}

// An `fsync` log's acknowledged records are in the segments or in the write-ahead log: what is cut off was nobody's.
TEST_F(RecoveryTest, an_fsync_log_may_lose_a_torn_batch_without_being_shortened) {
  options_.durability = Durability::fsync;
  auto bytes = batches(0, 5);
  bytes.resize(bytes.size() - 1);
  write(kData, bytes);
  ASSERT_TRUE(open());
  EXPECT_EQ(node_->shard().counters().logs_recovered, 1U);
  EXPECT_EQ(node_->shard().counters().logs_shortened, 0U);
}

TEST_F(RecoveryTest, counts_a_log_as_shortened_when_a_file_beside_it_tells_of_more_records) {
  const std::vector<std::pair<std::string, std::vector<std::byte>>> hints = {
      {"/data/replication-offset-checkpoint", text("0\n1\nt 0 6\n")},
      {"/data/recovery-point-offset-checkpoint", text("0\n1\nt 0 6\n")},
      {"/data/t-0/00000000000000000006.snapshot", text("")},
      {"/data/t-0/leader-epoch-checkpoint", text("0\n2\n0 0\n1 6\n")},
      {"/data/t-0/00000000000000000000.index",
       {std::byte{0}, std::byte{0}, std::byte{0}, std::byte{5}, std::byte{0}, std::byte{0}, std::byte{1}, std::byte{0}}}};
  for (const auto& [path, content] : hints) {
    write(kData, batches(0, 5));
    write(path, content);
    ASSERT_TRUE(open()) << path;
    expect_records(0, 5);
    EXPECT_EQ(node_->shard().counters().logs_shortened, 1U) << path;
    kill();
    (void)disk_.remove(path);
    write("/data/t-0/leader-epoch-checkpoint", as_bytes("0\n1\n0 0\n"));
  }
}

TEST_F(RecoveryTest, cuts_off_room_that_was_reserved) {
  auto bytes = batches(0, 5);
  const auto good = bytes.size();
  bytes.resize(good + 10'000);
  write(kData, bytes);
  ASSERT_TRUE(open());
  expect_records(0, 5);
  EXPECT_EQ(size_of(kData), good);
}

TEST_F(RecoveryTest, keeps_the_segment_that_joins_on_to_one_with_room_at_its_end) {
  auto bytes = batches(0, 5);
  const auto good = bytes.size();
  bytes.resize(good + 10'000);
  write(kData, bytes);
  write("/data/t-0/00000000000000000005.log", batches(5, 8));
  ASSERT_TRUE(open());
  expect_records(0, 8);
  EXPECT_EQ(size_of(kData), good);
}

TEST_F(RecoveryTest, drops_a_segment_that_begins_before_the_end_of_the_one_before_it) {
  write(kData, batches(0, 8));
  write("/data/t-0/00000000000000000005.log", batches(5, 7));
  ASSERT_TRUE(open());
  expect_records(0, 8);
  EXPECT_EQ(log_->segment_count(), 1U);
}

TEST_F(RecoveryTest, drops_the_segment_that_does_not_join_on_to_one_with_room_at_its_end) {
  auto bytes = batches(0, 4);
  bytes.resize(batches(0, 5).size());
  write(kData, bytes);
  write("/data/t-0/00000000000000000005.log", batches(5, 8));
  ASSERT_TRUE(open());
  expect_records(0, 4);
  EXPECT_EQ(log_->segment_count(), 1U);
}

TEST_F(RecoveryTest, does_not_take_a_read_error_for_the_end_of_the_log) {
  write(kData, batches(0, 5));
  disk_.faults.only = "t-0/0000";
  disk_.faults.read_error_one_in = 1;
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::io_error);
  disk_.faults.read_error_one_in = 0;
  EXPECT_EQ(size_of(kData), batches(0, 5).size());
  ASSERT_TRUE(open());
  expect_records(0, 5);
}

TEST_F(RecoveryTest, refuses_a_partition_damaged_to_its_end_below_the_recovery_point) {
  auto bytes = batches(0, 5);
  for (std::size_t i = batches(0, 2).size(); i < bytes.size(); ++i) bytes[i] = std::byte{0x55};
  write(kData, bytes);
  write("/data/recovery-point-offset-checkpoint", as_bytes("0\n1\nt 0 5\n"));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::corrupt);
  EXPECT_EQ(size_of(kData), bytes.size());
}

TEST_F(RecoveryTest, a_checkpoint_that_cannot_be_understood_is_not_an_empty_one) {
  write(kData, batches(0, 5));
  write("/data/recovery-point-offset-checkpoint", as_bytes("0\n7\nt 0 5\n"));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::corrupt);
}

TEST_F(RecoveryTest, builds_lost_epochs_anew_from_the_batches) {
  write(kData, batches(0, 25));
  ASSERT_TRUE(disk_.remove("/data/t-0/leader-epoch-checkpoint"));
  ASSERT_TRUE(open());
  EXPECT_EQ(log_->latest_epoch(), LeaderEpoch(2));
  EXPECT_EQ(log_->end_offset_for(LeaderEpoch(0))->end_offset, Offset(10));
  EXPECT_EQ(log_->end_offset_for(LeaderEpoch(1))->end_offset, Offset(20));
  EXPECT_TRUE(exists("/data/t-0/leader-epoch-checkpoint"));
}

TEST_F(RecoveryTest, refuses_message_formats_before_v2_and_leaves_them_alone) {
  // A message of format v1 as Kafka 0.10 wrote it: offset, size, crc-32, magic, attributes, timestamp, null key, value "old".
  const unsigned char old[] = {0, 0, 0,    0,    0,    0,    0,    0,    0,    0,    0,    25, 0, 0, 0, 0, 1, 0,
                               0, 0, 0,    0,    0,    0,    0,    1,    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3, 'o', 'l', 'd'};
  std::vector<std::byte> bytes;
  for (const auto byte : old) bytes.push_back(static_cast<std::byte>(byte));
  store_big_endian(bytes.data() + 12, crc32_of(ConstBytes(bytes).subspan(16)));
  write(kData, bytes);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::unsupported);
  EXPECT_EQ(size_of(kData), bytes.size());
}

TEST_F(RecoveryTest, removes_what_deletions_and_unfinished_rewrites_left) {
  write(kData, batches(0, 5));
  write("/data/t-0/00000000000000000000.log.deleted", as_bytes("x"));
  write("/data/t-0/00000000000000000000.log.cleaned", as_bytes("x"));
  write("/data/t-0/00000000000000000000.log.swap", batches(2, 3));
  write("/data/t-0/00000000000000000009.index", as_bytes("01234567"));
  ASSERT_TRUE(open());
  expect_records(0, 5);
  EXPECT_FALSE(exists("/data/t-0/00000000000000000000.log.deleted"));
  EXPECT_FALSE(exists("/data/t-0/00000000000000000000.log.cleaned"));
  EXPECT_FALSE(exists("/data/t-0/00000000000000000000.log.swap"));
  EXPECT_FALSE(exists("/data/t-0/00000000000000000009.index"));
}

TEST_F(RecoveryTest, puts_a_finished_rewrite_in_the_place_of_what_it_was_made_from) {
  write(kData, batches(0, 5));
  write("/data/t-0/00000000000000000005.log", batches(5, 8));
  write("/data/t-0/00000000000000000008.log", batches(8, 10));
  // Made from the first two, of which only two records are left.
  auto kept = batches(1, 2);
  const auto seven = batches(7, 8);
  kept.insert(kept.end(), seven.begin(), seven.end());
  write("/data/t-0/00000000000000000000.log.swap", kept);
  write("/data/recovery-point-offset-checkpoint", as_bytes("0\n1\nt 0 8\n"));
  ASSERT_TRUE(open());
  EXPECT_EQ(log_->segment_count(), 2U);
  EXPECT_EQ(log_->end_offset(), Offset(10));
  const auto records = world_.run(reactor_, sim::read_records(*log_, Offset(0), Offset(10)));
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 4U);
  EXPECT_EQ(records->at(0).value, "v1");
  EXPECT_EQ(records->at(1).value, "v7");
}

TEST_F(RecoveryTest, starts_at_the_checkpoint_when_the_log_ends_before_it) {
  write(kData, batches(0, 5));
  write("/data/log-start-offset-checkpoint", as_bytes("0\n1\nt 0 40\n"));
  ASSERT_TRUE(open());
  EXPECT_EQ(log_->log_start_offset(), Offset(40));
  EXPECT_EQ(log_->end_offset(), Offset(40));
}

TEST(PartitionMetadata, is_torn_when_a_part_is_missing_or_zeros_and_damaged_otherwise) {
  const std::string whole = encode_partition_metadata(Uuid::from_halves(7, 1));
  EXPECT_FALSE(is_torn_partition_metadata(whole));
  for (std::size_t kept = 0; kept < whole.size(); ++kept) {
    EXPECT_TRUE(is_torn_partition_metadata(whole.substr(0, kept))) << kept;
    EXPECT_TRUE(is_torn_partition_metadata(whole.substr(0, kept) + std::string(whole.size() - kept, '\0'))) << kept;
    EXPECT_TRUE(is_torn_partition_metadata(std::string(kept + 1, '\0') + whole.substr(kept + 1))) << kept;
  }
  EXPECT_FALSE(is_torn_partition_metadata("version: 7\n"));
  EXPECT_FALSE(is_torn_partition_metadata("holiday"));
}

TEST_F(RecoveryTest, a_directory_without_segments_is_an_empty_log) {
  ASSERT_TRUE(open());
  EXPECT_EQ(log_->end_offset(), Offset(0));
  EXPECT_TRUE(exists(kData));
}

}  // namespace
}  // namespace millrace::log
