// A Log on a disk that is full, fails, or gives back something else than was written.
#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "io/file.h"
#include "io/gate.h"
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

// A segment that ends has zeros behind its batches, which cannot be cut off.
TEST_F(LogTest, zeros_written_ahead_do_not_stay_at_the_end_of_a_segment_that_has_ended) {
  shard_options_.reserve_from_bytes = 0;
  boot();
  append_numbered(0, 5);
  disk_.faults.only = "t-0";
  disk_.faults.write_error_one_in = 1;
  EXPECT_FALSE(log_->roll(world_.wall_now()));
  EXPECT_TRUE(log_->is_offline());
  EXPECT_EQ(log_->segment_count(), 1U);
  disk_.faults = {};
  kill();
  boot();
  append_numbered(5, 2);
  ASSERT_TRUE(log_->roll(world_.wall_now()));
  append_numbered(7, 2);
  stop();
  boot();
  expect_numbered(0, 9);
}

TEST_F(LogTest, a_log_that_could_not_begin_anew_still_has_a_segment_and_is_offline) {
  boot();
  append_numbered(0, 5);
  ASSERT_TRUE(log_->roll(world_.wall_now()));
  append_numbered(5, 5);
  disk_.faults.only = "00000000000000000100.log";
  disk_.faults.name_error_one_in = 1;
  EXPECT_FALSE(run(log_->truncate_fully_to(Offset(100))));
  EXPECT_TRUE(log_->is_offline());
  EXPECT_EQ(log_->segment_count(), 1U);
  EXPECT_EQ(log_->end_offset(), Offset(100));
  EXPECT_EQ(log_->checkpoint_row().recovery_point, Offset(0));
  EXPECT_TRUE(run(sim::read_records(*log_, Offset(100), Offset(100)))->empty());
  disk_.faults = {};
  kill();
  boot();
  EXPECT_FALSE(log_->is_offline());
}

TEST_F(LogTest, a_cut_that_fails_half_way_leaves_the_log_ending_where_its_segments_do) {
  boot();
  append_numbered(0, 5);
  ASSERT_TRUE(log_->roll(world_.wall_now()));
  append_numbered(5, 5);
  ASSERT_TRUE(log_->roll(world_.wall_now()));
  append_numbered(10, 5);
  disk_.faults.only = "00000000000000000005";
  disk_.faults.name_error_one_in = 1;
  EXPECT_FALSE(run(log_->truncate_to(Offset(3))));
  disk_.faults = {};
  EXPECT_TRUE(log_->is_offline());
  EXPECT_EQ(log_->end_offset(), Offset(10));
  expect_numbered(0, 10);
}

// The write-ahead log holds what is to be cut off, and cannot be told.
TEST_F(LogTest, nothing_is_cut_off_that_a_failed_write_ahead_log_would_bring_back) {
  boot();
  append_numbered(0, 10);
  disk_.faults.only = "wal-";
  disk_.faults.write_error_one_in = 1;
  append_numbered(10, 1);
  disk_.faults = {};
  EXPECT_FALSE(run(log_->truncate_to(Offset(5))));
  EXPECT_TRUE(log_->is_offline());
  expect_numbered(0, 11);
  kill();
  boot();
  expect_numbered(0, 11);
}

TEST_F(LogTest, a_log_without_a_handle_for_its_file_refuses_for_now_and_loses_nothing) {
  shard_options_.open_files_max = 1;
  boot();
  append_numbered(0, 5);
  ASSERT_TRUE(log_->roll(world_.wall_now()));
  append_numbered(5, 5);
  EXPECT_EQ(read(Offset(0)).size(), 10U);
  const auto older = log_->read(Offset(0), {.end = Offset(5), .bytes_max = 1000});
  ASSERT_TRUE(older) << "the active segment's handle has gone to this one";
  disk_.faults.only = "t-0";
  disk_.faults.open_error_one_in = 1;
  EXPECT_EQ(append({.values = {"x"}}).error().code, Errc::disk_full);
  EXPECT_EQ(run(log_->flush()).error().code, Errc::refused);
  EXPECT_FALSE(log_->is_offline());
  disk_.faults = {};
  (void)world_.run_until([] { return false; }, std::chrono::seconds(1));
  append_numbered(10, 2);
  EXPECT_TRUE(run(log_->flush()));
  EXPECT_EQ(log_->recovery_point(), Offset(12));
  kill();
  boot();
  expect_numbered(0, 12);
}

// Room for the note that a log was cut comes from syncing logs, this one among them.
TEST_F(LogTest, a_log_is_cut_also_while_the_write_ahead_log_is_full) {
  shard_options_.write_ahead_bytes_first = shard_options_.write_ahead_bytes_max = 64 << 10;
  boot();
  auto other = run(node_->create("u", 0, options_));
  ASSERT_TRUE(other);
  append_numbered(0, 5);
  int appended = 0;
  const auto fill = [&](Log& log) -> io::Task<void> {
    const auto done = co_await append_task(log, make_batch({.values = {std::string(3500, 'x')}}), world_.wall_now(), kEpoch);
    appended += done ? 1 : 0;
  };
  const auto cut_beside = [&](Log& log, Log& beside) -> io::Task<Result<void>> {
    io::Gate gate;
    for (int i = 0; i < 40; ++i) {
      gate.spawn(fill(beside));
      co_await io::yield();
    }
    auto cut = co_await log.truncate_to(Offset(3));
    co_await gate.close();
    co_return cut;
  };
  EXPECT_TRUE(run(cut_beside(*log_, **other)));
  EXPECT_EQ(appended, 40);
  expect_numbered(0, 3);
}

// Of a cut that the power ends anywhere a part at the end is gone, and nothing in the middle.
TEST_F(LogTest, segments_that_a_cut_drops_do_not_come_back_behind_what_is_left) {
  options_.durability = Durability::replicated;
  boot();
  append_numbered(0, 5);
  ASSERT_TRUE(log_->roll(world_.wall_now()));
  append_numbered(5, 5);
  ASSERT_TRUE(run(log_->flush()));
  const std::string first = "/data/t-0/00000000000000000000.log";
  const std::string second = "/data/t-0/00000000000000000005.log";
  const auto size_of = [](sim::SimDisk& disk, const std::string& path) -> std::uint64_t {
    const auto file = disk.open(path, {});
    if (!file) return 0;
    const auto size = disk.size(*file);
    disk.close(*file);
    return *size;
  };
  const std::uint64_t whole = size_of(disk_, first);
  Prng cuts(1);
  int seen = 0;
  bool imaging = false;
  disk_.set_observer([&] {
    if (std::exchange(imaging, true)) return;
    for (int i = 0; i < 8; ++i, ++seen) {
      const auto after = disk_.power_cut(cuts);
      if (size_of(*after, second) > 0) {
        EXPECT_EQ(size_of(*after, first), whole) << "image " << seen;
      }
    }
    imaging = false;
  });
  ASSERT_TRUE(run(log_->truncate_to(Offset(3))));
  disk_.set_observer({});
  EXPECT_GT(seen, 16);
}

// It was to begin anew inside of a batch, and was killed before the write-ahead log knew.
TEST_F(LogTest, a_log_that_was_emptied_opens_whatever_the_write_ahead_log_still_holds_of_it) {
  boot();
  ASSERT_TRUE(append({.values = {"a", "b", "c"}}));
  ASSERT_TRUE(append({.values = {"d"}}));
  std::vector<std::unique_ptr<sim::SimDisk>> images;
  Prng random(1);
  disk_.set_observer([&] { images.push_back(disk_.process_kill(random)); });
  ASSERT_TRUE(run(log_->truncate_fully_to(Offset(1))));
  disk_.set_observer({});
  std::set<Offset> begins;
  for (const auto& image : images) {
    sim::SimProactor there(world_, *image, "there");
    io::Reactor reactor(ShardId{1}, there);
    const io::Reactor::Enter enter(reactor);
    world_.add(reactor);
    sim::LogNode node(there, "/data", shard_options_);
    const auto booted = world_.run(reactor, node.boot(options_));
    EXPECT_TRUE(booted) << booted.error().message;
    if (booted) {
      begins.insert(node.find("t", 0)->log_start_offset());
      world_.run(reactor, node.crash());
    }
    world_.remove(reactor);
  }
  EXPECT_EQ(begins, (std::set<Offset>{Offset(0), Offset(1)}));
}

// A start that dropped segments below the log start was killed before it began the log anew. What the write-ahead log still holds below
// is deleted; written again, and not yet synced, it would be taken for damage below the recovery point.
TEST_F(LogTest, what_the_write_ahead_log_holds_below_the_log_start_is_not_written_again) {
  boot();
  append_numbered(0, 5);
  const std::string data = "/data/t-0/00000000000000000000.log";
  Prng random(1);
  struct Left {
    std::int64_t log_start;
    bool a_segment;
  };
  for (const Left left : {Left{3, false}, Left{5, false}, Left{40, false}, Left{5, true}, Left{40, true}}) {
    SCOPED_TRACE(testing::Message() << "log start " << left.log_start << ", a segment is left " << left.a_segment);
    const auto image = disk_.process_kill(random);
    const auto put = [&](const std::string& path, std::string_view text) {
      const auto file = image->open(path, {.write = true, .create = true, .truncate = true});
      CHECK(file.has_value() && image->write(*file, 0, as_bytes(text)).has_value());
      image->close(*file);
    };
    put(data, "");
    if (!left.a_segment) ASSERT_TRUE(image->remove(data));
    put("/data/log-start-offset-checkpoint", "0\n1\nt 0 " + std::to_string(left.log_start) + "\n");
    bool written_below = false;
    image->set_observer([&] {
      const auto file = image->open(data, {});
      if (!file) return;
      written_below |= image->size(*file).value() > 0;
      image->close(*file);
    });
    sim::SimProactor there(world_, *image, "there");
    io::Reactor reactor(ShardId{1}, there);
    const io::Reactor::Enter enter(reactor);
    world_.add(reactor);
    sim::LogNode node(there, "/data", shard_options_);
    const auto booted = world_.run(reactor, node.boot(options_));
    EXPECT_TRUE(booted) << booted.error().message;
    if (booted) {
      EXPECT_EQ(node.find("t", 0)->log_start_offset(), Offset(left.log_start));
      EXPECT_EQ(node.find("t", 0)->end_offset(), Offset(std::max<std::int64_t>(left.log_start, 5)));
      world_.run(reactor, node.crash());
    }
    EXPECT_FALSE(written_below);
    world_.remove(reactor);
  }
}

TEST_F(LogTest, the_recovery_point_is_held_down_until_the_log_is_cut) {
  boot();
  append_numbered(0, 5);
  ASSERT_TRUE(log_->roll(world_.wall_now()));
  append_numbered(5, 5);
  ASSERT_TRUE(run(log_->flush()));
  ASSERT_EQ(log_->recovery_point(), Offset(10));
  log_->hold_recovery_point(Offset(7));
  ASSERT_TRUE(run(log_->flush()));
  EXPECT_EQ(log_->checkpoint_row().recovery_point, Offset(5)) << "what is cut may begin before the offset";
  ASSERT_TRUE(run(log_->truncate_to(Offset(7))));
  EXPECT_EQ(log_->recovery_point(), Offset(7));
}

}  // namespace
}  // namespace millrace::log
