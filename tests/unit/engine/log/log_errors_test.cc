// A Log on a disk that is full, fails, or gives back something else than was written.
#include "io/file.h"
#include "tests/unit/engine/log/log_test.h"

namespace millrace::log {
namespace {

TEST_F(LogTest, a_full_disk_refuses_the_batch_and_nothing_of_it_remains) {
  boot();
  append_numbered(0, 5);
  disk_.set_capacity(disk_.used_bytes());
  const auto refused = append({.values = {std::string(100'000, 'x')}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::disk_full);
  EXPECT_FALSE(log_->is_offline());
  EXPECT_EQ(log_->end_offset(), Offset(5));
  expect_numbered(0, 5);
  disk_.set_capacity(std::uint64_t{1} << 40);
  (void)world_.run_until([] { return false; }, std::chrono::seconds(1));
  append_numbered(5, 2);
  expect_numbered(0, 7);
}

TEST_F(LogTest, a_segment_of_which_a_full_disk_took_a_part_of_a_batch_ends_only_when_that_is_synced) {
  boot();
  append_numbered(0, 5);
  disk_.set_capacity(disk_.used_bytes());
  ASSERT_FALSE(append({.values = {std::string(100'000, 'x')}}));
  disk_.set_capacity(std::uint64_t{1} << 40);
  EXPECT_EQ(log_->roll(world_.wall_now()).error().code, Errc::disk_full);
  EXPECT_EQ(log_->segment_count(), 1U);
  (void)world_.run_until([] { return false; }, std::chrono::seconds(3));
  ASSERT_TRUE(log_->roll(world_.wall_now()));
  EXPECT_EQ(log_->segment_count(), 2U);
  append_numbered(5, 2);
  expect_numbered(0, 7);
}

TEST_F(LogTest, a_refused_batch_may_be_sent_again_by_its_producer) {
  boot();
  const BatchSpec spec{.values = {std::string(100'000, 'x')}, .producer_id = ProducerId(9), .producer_epoch = 0, .base_sequence = 0};
  disk_.set_capacity(disk_.used_bytes());
  EXPECT_EQ(append(spec).error().code, Errc::disk_full);
  disk_.set_capacity(std::uint64_t{1} << 40);
  (void)world_.run_until([] { return false; }, std::chrono::seconds(1));
  const auto appended = append(spec);
  ASSERT_TRUE(appended) << appended.error().message;
  EXPECT_FALSE(appended->duplicate);
  EXPECT_EQ(appended->first_offset, Offset(0));
}

TEST_F(LogTest, a_batch_that_the_log_begins_inside_of_is_still_known_after_its_snapshot_was_damaged) {
  boot();
  const BatchSpec spec{.values = {"a", "b", "c"}, .producer_id = ProducerId(9), .producer_epoch = 0, .base_sequence = 0};
  ASSERT_TRUE(append(spec));
  ASSERT_TRUE(log_->delete_records(Offset(1)));
  stop();
  disk_.flip_bit("/data/t-0/00000000000000000003.snapshot", 3, 1);
  boot();
  ASSERT_EQ(log_->log_start_offset(), Offset(1));
  const auto again = append(spec);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(log_->end_offset(), Offset(3));
}

TEST_F(LogTest, a_failed_write_takes_the_log_offline_and_leaves_it_readable) {
  boot();
  append_numbered(0, 5);
  disk_.faults.only = "t-0";
  disk_.faults.write_error_one_in = 1;
  EXPECT_EQ(append({.values = {"x"}}).error().code, Errc::offline);
  disk_.faults.write_error_one_in = 0;
  EXPECT_TRUE(log_->is_offline());
  EXPECT_EQ(append({.values = {"x"}}).error().code, Errc::offline);
  expect_numbered(0, 5);
}

TEST_F(LogTest, what_a_failed_sync_has_lost_is_offline_and_not_corrupt) {
  boot();
  append_numbered(0, 300);
  auto range = log_->read(Offset(20), {.end = Offset(21), .bytes_max = 1000});
  ASSERT_TRUE(range);
  disk_.faults.only = "t-0";
  disk_.faults.sync_error_one_in = 1;
  EXPECT_FALSE(run(log_->flush()));
  ASSERT_TRUE(log_->is_offline());
  disk_.flip_bit("/data/t-0/00000000000000000000.log", range->position + 16, 1);
  EXPECT_EQ(log_->read(Offset(25), {.end = Offset(300), .bytes_max = 1000}).error().code, Errc::offline);
}

// The append was written before the disk was full the first time, and is asked about after it was full again.
TEST_F(LogTest, an_append_that_was_written_is_not_taken_for_one_of_two_later_failures) {
  boot();
  append_numbered(0, 5);
  const auto three = [](Log& log, sim::World& world, sim::SimDisk& disk) -> io::Task<Result<void>> {
    auto good = make_batch({.values = {"v5"}});
    CO_TRY(appended, log.stage_append_as_leader(good, {.leader_epoch = kEpoch, .now = world.wall_now()}));
    CO_TRY_DONE(log.write_staged());
    disk.set_capacity(disk.used_bytes());
    for (int i = 0; i < 2; ++i) {
      auto large = make_batch({.values = {std::string(100'000, 'x')}});
      CO_TRY(refused, log.stage_append_as_leader(large, {.leader_epoch = kEpoch, .now = world.wall_now()}));
      CHECK(refused.failures == appended.failures + static_cast<std::uint32_t>(i));
      CHECK(!log.write_staged());
      co_await io::sleep_for(std::chrono::seconds(1));
    }
    co_return co_await log.written(appended);
  };
  const auto written = run(three(*log_, world_, disk_));
  EXPECT_TRUE(written) << written.error().message;
  EXPECT_EQ(log_->end_offset(), Offset(6));
}

// Acknowledged through the write-ahead log; then the segment cannot be synced, and loses what it had in the page cache.
TEST_F(LogTest, acknowledged_records_of_a_log_that_went_offline_are_back_after_the_next_start) {
  boot();
  append_numbered(0, 50);
  disk_.faults.only = "t-0";
  disk_.faults.sync_error_one_in = 1;
  EXPECT_FALSE(run(log_->flush()));
  ASSERT_TRUE(log_->is_offline());
  disk_.faults.sync_error_one_in = 0;
  kill();
  const auto handle = disk_.open("/data/t-0/00000000000000000000.log", {.write = true});
  ASSERT_TRUE(handle);
  ASSERT_TRUE(disk_.truncate(*handle, 0));
  disk_.close(*handle);
  boot();
  ASSERT_EQ(log_->end_offset(), Offset(50));
  expect_numbered(0, 50);
}

// A part of what the failed sync should have written is in the page cache alone, which says that it is on disk. The rest is gone, and
// comes back from the write-ahead log.
TEST_F(LogTest, what_a_failed_sync_left_in_the_page_cache_alone_is_on_disk_after_the_next_start) {
  boot();
  const BatchSpec spec{.values = {std::string(1000, 'v')}};  // whole sectors, which no other batch makes dirty
  ASSERT_TRUE(append(spec));
  append_numbered(1, 49);
  disk_.faults.only = "t-0";
  disk_.faults.sync_error_one_in = 1;
  EXPECT_FALSE(run(log_->flush()));
  const std::string path = log_->directory() + "/00000000000000000000.log";
  std::vector<std::byte> first = make_batch(spec);
  set_leader_epoch(first, kEpoch);
  const auto handle = disk_.open(path, {.write = true});
  ASSERT_TRUE(handle);
  for (std::vector<std::byte> there(first.size()); there != first;) {
    ASSERT_TRUE(disk_.write(*handle, 0, first));
    ASSERT_FALSE(disk_.sync(*handle));
    ASSERT_EQ(disk_.read(*handle, 0, there), first.size());
  }
  ASSERT_TRUE(disk_.truncate(*handle, first.size()));
  disk_.faults.sync_error_one_in = 0;
  kill();
  boot();
  const std::uint64_t size = log_->size();
  Prng cuts(1);
  for (int i = 0; i < 8; ++i) {
    const auto after = disk_.power_cut(cuts);
    const auto file = after->open(path, {});
    ASSERT_TRUE(file);
    std::vector<std::byte> found(size);
    ASSERT_EQ(after->read(*file, 0, found), size);
    after->close(*file);
    std::int64_t batches = 0;
    for (BatchWalk walk(found); !walk.at_end(); ++batches) {
      const auto batch = walk.next();
      ASSERT_TRUE(batch && batch->verify()) << "batch " << batches << " after cut " << i;
    }
    EXPECT_EQ(batches, 50);
  }
  disk_.close(*handle);
}

TEST_F(LogTest, a_deleted_or_damaged_index_is_built_anew) {
  options_.segment_bytes = 4000;
  options_.index_interval_bytes = 100;
  boot();
  append_numbered(0, 120);
  stop();
  ASSERT_TRUE(disk_.remove("/data/t-0/00000000000000000000.index"));
  for (const auto& entry : *disk_.list("/data/t-0")) {
    if (entry.name.ends_with(".index") && entry.name != "00000000000000000000.index") {
      const auto handle = disk_.open("/data/t-0/" + entry.name, {});
      if (*disk_.size(*handle) > 16) disk_.flip_bit("/data/t-0/" + entry.name, 11, 3);
      disk_.close(*handle);
    }
  }
  boot();
  expect_numbered(0, 120);
  for (const int i : {3, 40, 77, 119}) expect_numbered(i, 120);
}

TEST_F(LogTest, a_damaged_batch_below_the_recovery_point_is_neither_given_nor_cut_off) {
  boot();
  append_numbered(0, 5);
  auto range = log_->read(Offset(2), {.end = Offset(3), .bytes_max = 1000});
  ASSERT_TRUE(range);
  stop();
  disk_.flip_bit("/data/t-0/00000000000000000000.log", range->position + 16, 1);  // its magic
  boot();
  EXPECT_EQ(log_->end_offset(), Offset(5));
  EXPECT_EQ(log_->read(Offset(2), {.end = Offset(5), .bytes_max = 1000}).error().code, Errc::corrupt);
  auto before = run(sim::read_records(*log_, Offset(0), Offset(2)));
  ASSERT_TRUE(before);
  EXPECT_EQ(before->size(), 2U);
  expect_numbered(3, 5);
  append_numbered(5, 2);
  expect_numbered(3, 7);
}

TEST_F(LogTest, damage_found_by_a_read_is_that_reads_error) {
  boot();
  append_numbered(0, 300);
  auto range = log_->read(Offset(20), {.end = Offset(21), .bytes_max = 1000});
  ASSERT_TRUE(range);
  disk_.flip_bit("/data/t-0/00000000000000000000.log", range->position + 16, 1);
  EXPECT_EQ(log_->read(Offset(25), {.end = Offset(300), .bytes_max = 1000}).error().code, Errc::corrupt);
  EXPECT_FALSE(log_->is_offline());
  expect_numbered(250, 300);
  append_numbered(300, 2);
}

}  // namespace
}  // namespace millrace::log
