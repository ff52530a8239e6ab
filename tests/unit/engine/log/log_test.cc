// A Log on the simulated disk: what is appended is read back, whatever was rolled, retained, truncated or opened again between.
#include "tests/unit/engine/log/log_test.h"

#include <functional>

#include "engine/log/write_ahead_replay.h"
#include "io/file.h"
#include "io/gate.h"

namespace millrace::log {
namespace {

// Counts how often other work of the shard gets a turn.
io::Task<void> count_turns(const bool& done, int& turns) {
  while (!done) {
    ++turns;
    co_await io::sleep_for(std::chrono::microseconds(1));
  }
}

using TimestampSearch = io::Task<Result<std::optional<FoundOffset>>>;

io::Task<void> expect_found(TimestampSearch search) {
  const auto found = co_await search;
  EXPECT_TRUE(found && *found);
}

// One of them before the work begins.
io::Task<int> turns_during(io::Task<void> work) {
  bool done = false;
  int turns = 0;
  io::Gate gate;
  gate.spawn(count_turns(done, turns));
  co_await work;
  done = true;
  co_await gate.close();
  co_return turns;
}

TEST_F(LogTest, gives_back_what_was_appended) {
  boot();
  append_numbered(0, 10);
  EXPECT_EQ(log_->end_offset(), Offset(10));
  EXPECT_EQ(log_->stable_end(), Offset(10));
  expect_numbered(0, 10);
  expect_numbered(7, 10);
}

TEST_F(LogTest, gives_the_first_batch_even_if_it_is_too_large) {
  boot();
  append_numbered(0, 3);
  const auto records = read(Offset(0), 1);
  EXPECT_EQ(records.size(), 3U);
  auto none = log_->read(Offset(0), {.end = Offset(3), .bytes_max = 1});
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST_F(LogTest, ends_a_read_with_the_last_whole_batch_that_fits) {
  boot();
  append_numbered(0, 20);
  auto one = log_->read(Offset(0), {.end = Offset(1), .bytes_max = 1 << 20});
  ASSERT_TRUE(one);
  ASSERT_EQ(log_->size(), one->length * 10 + (one->length + 1) * 10);
  auto some = log_->read(Offset(0), {.end = Offset(20), .bytes_max = one->length * 5 + 3});
  ASSERT_TRUE(some);
  EXPECT_EQ(some->length, one->length * 5);
}

TEST_F(LogTest, refuses_to_read_outside_of_the_log) {
  boot();
  append_numbered(0, 3);
  EXPECT_EQ(log_->read(Offset(4), {.end = Offset(3), .bytes_max = 100}).error().code, Errc::out_of_range);
  EXPECT_TRUE(log_->read(Offset(3), {.end = Offset(3), .bytes_max = 100})->empty());
  ASSERT_TRUE(log_->delete_records(Offset(2)));
  EXPECT_EQ(log_->read(Offset(1), {.end = Offset(3), .bytes_max = 100}).error().code, Errc::out_of_range);
}

TEST_F(LogTest, rolls_by_size_and_reads_across_segments) {
  options_.segment_bytes = 500;
  boot();
  append_numbered(0, 50);
  EXPECT_GT(log_->segment_count(), 5U);
  expect_numbered(0, 50);
  expect_numbered(33, 50);
  stop();
  boot();
  EXPECT_TRUE(node_->was_clean());
  EXPECT_EQ(log_->end_offset(), Offset(50));
  expect_numbered(0, 50);
  append_numbered(50, 5);
  expect_numbered(20, 55);
}

TEST_F(LogTest, zeros_written_ahead_are_behind_the_records_and_go_with_the_segment_s_end) {
  shard_options_.reserve_from_bytes = 0;
  boot();
  append_numbered(0, 3);
  const auto file = disk_.open("/data/t-0/00000000000000000000.log", {});
  ASSERT_TRUE(file);
  EXPECT_EQ(*disk_.size(*file), 64U << 10);
  expect_numbered(0, 3);
  append_numbered(3, 4);
  expect_numbered(0, 7);
  stop();
  EXPECT_LT(*disk_.size(*file), 1000U);
  disk_.close(*file);
  boot();
  EXPECT_EQ(log_->end_offset(), Offset(7));
  expect_numbered(0, 7);
}

TEST_F(LogTest, a_segment_that_ends_with_zeros_written_ahead_is_synced_behind_the_roll) {
  shard_options_.reserve_from_bytes = 0;
  boot();
  append_numbered(0, 3);
  disk_.faults.only = "00000000000000000000.log";
  disk_.faults.sync_error_one_in = 1;
  ASSERT_TRUE(log_->roll(world_.wall_now())) << "it has not asked the disk yet";
  EXPECT_EQ(log_->segment_count(), 2U);
  EXPECT_FALSE(log_->is_offline());
  EXPECT_FALSE(run(log_->flush())) << "a cut that could not be synced is no smaller matter than records";
  EXPECT_TRUE(log_->is_offline());
}

TEST_F(LogTest, an_ended_segment_is_synced_once_more_when_only_its_end_was_cut) {
  shard_options_.reserve_from_bytes = 0;
  boot();
  append_numbered(0, 3);
  ASSERT_TRUE(run(log_->flush()));
  ASSERT_EQ(log_->recovery_point(), Offset(3));
  const auto before = node_->shard().counters().segment_syncs;
  ASSERT_TRUE(log_->roll(world_.wall_now()));
  ASSERT_TRUE(run(log_->flush()));
  EXPECT_EQ(node_->shard().counters().segment_syncs, before + 1);
  ASSERT_TRUE(run(log_->flush()));
  EXPECT_EQ(node_->shard().counters().segment_syncs, before + 1);
}

// Power cuts at the moment after a roll, of which some bring the zeros back that were cut off the segment before.
TEST_F(LogTest, zeros_that_come_back_behind_an_ended_segment_are_cut_off_again) {
  shard_options_.reserve_from_bytes = 0;
  boot();
  append_numbered(0, 3);
  ASSERT_TRUE(run(log_->flush()));
  ASSERT_TRUE(run(node_->checkpoint()));
  ASSERT_TRUE(log_->roll(world_.wall_now()));
  Prng prng(3);
  std::vector<std::unique_ptr<sim::SimDisk>> images;
  for (int i = 0; i < 40; ++i) images.push_back(disk_.power_cut(prng));
  int came_back = 0;
  for (const auto& after : images) {
    const auto file = after->open("/data/t-0/00000000000000000000.log", {});
    ASSERT_TRUE(file);
    const auto next = after->open("/data/t-0/00000000000000000003.log", {});
    came_back += next && *after->size(*file) > 1000 ? 1 : 0;
    sim::SimProactor there(world_, *after, "there");
    io::Reactor reactor(ShardId{1}, there);
    const io::Reactor::Enter enter(reactor);
    world_.add(reactor);
    sim::LogNode node(there, "/data", shard_options_);
    const auto booted = world_.run(reactor, node.boot(options_));
    EXPECT_TRUE(booted) << booted.error().message;
    if (booted) {
      EXPECT_LT(*after->size(*file), next ? 1000U : 70'000U);
      const auto records = world_.run(reactor, sim::read_records(*node.find("t", 0), Offset(0), Offset(3)));
      EXPECT_TRUE(records && records->size() == 3);
      world_.run(reactor, node.crash());
    }
    world_.remove(reactor);
  }
  EXPECT_GT(came_back, 0);
}

TEST_F(LogTest, rolls_by_time_without_an_append) {
  options_.segment_ms = 60'000;
  boot();
  ASSERT_TRUE(append({.values = {"a"}, .timestamp = world_.wall_now().ms}));
  EXPECT_EQ(log_->segment_count(), 1U);
  (void)world_.run_until([] { return false; }, std::chrono::seconds(70));
  EXPECT_EQ(log_->segment_count(), 2U);
}

TEST_F(LogTest, is_the_same_after_a_kill) {
  options_.segment_bytes = 2000;
  boot();
  append_numbered(0, 60);
  Prng prng(5);
  auto image = disk_.process_kill(prng);
  kill();
  sim::SimProactor proactor(world_, *image, "second");
  io::Reactor reactor(ShardId{0}, proactor);
  world_.add(reactor);
  sim::LogNode node(proactor, "/data", shard_options_);
  ASSERT_TRUE(world_.run(reactor, node.boot(options_)));
  EXPECT_FALSE(node.was_clean());
  Log* const log = node.find("t", 0);
  ASSERT_NE(log, nullptr);
  auto records = world_.run(reactor, sim::read_records(*log, Offset(0), log->written_end()));
  ASSERT_TRUE(records);
  EXPECT_EQ(records->size(), 60U);
  world_.run(reactor, node.crash());
  world_.remove(reactor);
}

TEST_F(LogTest, answers_a_repeated_batch_with_its_first_offsets) {
  boot();
  const BatchSpec spec{.values = {"a", "b"}, .timestamp = world_.wall_now().ms, .producer_id = ProducerId(9), .producer_epoch = 0, .base_sequence = 0};
  const auto first = append(spec);
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->duplicate);
  const auto again = append(spec);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->first_offset, Offset(0));
  EXPECT_EQ(again->last_offset, Offset(1));
  EXPECT_EQ(log_->end_offset(), Offset(2));
  auto gap = spec;
  gap.base_sequence = 7;
  EXPECT_EQ(append(gap).error().code, Errc::out_of_order_sequence);
  stop();
  boot();
  const auto after_restart = append(spec);
  ASSERT_TRUE(after_restart) << after_restart.error().message;
  EXPECT_TRUE(after_restart->duplicate);
  ASSERT_EQ(log_->active_producers().size(), 1U);
}

TEST_F(LogTest, truncates_whole_batches) {
  options_.segment_bytes = 400;
  boot();
  append_numbered(0, 30);
  ASSERT_TRUE(run(log_->truncate_to(Offset(12))));
  EXPECT_EQ(log_->end_offset(), Offset(12));
  expect_numbered(0, 12);
  append_numbered(12, 10);
  expect_numbered(0, 22);
  stop();
  boot();
  expect_numbered(0, 22);
}

TEST_F(LogTest, begins_again_where_it_is_told) {
  boot();
  append_numbered(0, 5);
  ASSERT_TRUE(run(log_->truncate_fully_to(Offset(100))));
  EXPECT_EQ(log_->log_start_offset(), Offset(100));
  append_numbered(100, 3);
  stop();
  boot();
  EXPECT_EQ(log_->log_start_offset(), Offset(100));
  expect_numbered(100, 103);
}

TEST_F(LogTest, keeps_what_retention_by_size_says) {
  options_.segment_bytes = 400;
  options_.retention_bytes = 1000;
  options_.retention_ms = LogOptions::kNoLimit;
  boot();
  append_numbered(0, 60);
  const auto removed = log_->apply_retention(world_.wall_now(), Offset(60));
  ASSERT_TRUE(removed);
  EXPECT_GT(*removed, 0U);
  EXPECT_GE(log_->size(), 1000U);
  EXPECT_LT(log_->size(), 1500U);
  const Offset start = log_->log_start_offset();
  EXPECT_GT(start, Offset(0));
  expect_numbered(static_cast<int>(start.value()), 60);
  stop();
  boot();
  EXPECT_EQ(log_->log_start_offset(), start);
}

TEST_F(LogTest, retention_by_time_ends_the_active_segment_too) {
  options_.retention_ms = 1000;
  boot();
  append_numbered(0, 5);  // timestamps long past
  const auto removed = log_->apply_retention(world_.wall_now(), Offset(5));
  ASSERT_TRUE(removed);
  EXPECT_EQ(*removed, 1U);
  EXPECT_EQ(log_->log_start_offset(), Offset(5));
  EXPECT_EQ(log_->size(), 0U);
  append_numbered(5, 1);
}

TEST_F(LogTest, retention_by_time_does_not_ask_the_disk_once_it_has_learned_how_old_segments_are) {
  options_.segment_bytes = 7000;
  options_.retention_ms = 100'000;
  boot();
  const std::int64_t now = world_.wall_now().ms;
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(append({.values = {std::string(3000, 'x')}, .timestamp = i < 6 ? now - 500'000 : now}));
  }
  stop();
  boot();
  ASSERT_EQ(log_->segment_count(), 6U);
  EXPECT_GT(run(turns_during(log_->learn_ages(world_.wall_now()))), 1);
  disk_.faults.read_error_one_in = 1;
  EXPECT_EQ(log_->apply_retention(world_.wall_now(), log_->end_offset()), 3U) << "all it needs to know is in mind";
}

TEST_F(LogTest, retention_keeps_what_is_not_below_the_high_watermark) {
  options_.retention_ms = 1000;
  boot();
  append_numbered(0, 5);
  EXPECT_EQ(*log_->apply_retention(world_.wall_now(), Offset(4)), 0U);
}

TEST_F(LogTest, finds_offsets_by_time) {
  options_.segment_bytes = 1500;
  options_.index_interval_bytes = 200;
  boot();
  append_numbered(0, 100);  // record i has timestamp 1000 + i
  for (const int i : {0, 1, 17, 50, 99}) {
    auto found = run(log_->find_timestamp(1000 + i, Offset(100)));
    ASSERT_TRUE(found && *found) << i;
    EXPECT_EQ((*found)->offset, Offset(i));
    EXPECT_EQ((*found)->timestamp, 1000 + i);
    EXPECT_EQ((*found)->leader_epoch, kEpoch);
  }
  EXPECT_EQ((*run(log_->find_timestamp(0, Offset(100))))->offset, Offset(0));
  EXPECT_FALSE(run(log_->find_timestamp(1100, Offset(100)))->has_value());
  EXPECT_FALSE(run(log_->find_timestamp(1050, Offset(20)))->has_value());
  const auto youngest = run(log_->find_max_timestamp());
  ASSERT_TRUE(youngest && *youngest);
  EXPECT_EQ((*youngest)->offset, Offset(99));
}

// All records of such a batch are as old: the first of the batch is named, as by Kafka.
TEST_F(LogTest, the_youngest_record_of_a_batch_stamped_by_the_broker_is_its_first) {
  options_.accept.timestamp_type = TimestampType::log_append_time;
  boot();
  ASSERT_TRUE(append({.values = {"a", "b"}, .timestamp = 5}));
  (void)world_.run_until([] { return false; }, std::chrono::milliseconds(10));
  ASSERT_TRUE(append({.values = {"c", "d", "e"}, .timestamp = 3}));
  const auto youngest = run(log_->find_max_timestamp());
  ASSERT_TRUE(youngest && *youngest);
  EXPECT_EQ((*youngest)->offset, Offset(2));
  EXPECT_GT((*youngest)->timestamp, 5);
}

TEST_F(LogTest, a_time_is_never_found_below_the_start_of_the_log) {
  options_.accept.timestamp_type = TimestampType::log_append_time;
  boot();
  ASSERT_TRUE(append({.values = {"a", "b", "c", "d", "e"}, .timestamp = 5}));
  ASSERT_TRUE(log_->delete_records(Offset(2)));
  const auto oldest = run(log_->find_timestamp(0, Offset(5)));
  ASSERT_TRUE(oldest && *oldest);
  EXPECT_EQ((*oldest)->offset, Offset(2));
  const auto youngest = run(log_->find_max_timestamp());
  ASSERT_TRUE(youngest && *youngest);
  EXPECT_EQ((*youngest)->offset, Offset(2));
}

TEST_F(LogTest, looking_for_a_time_lets_others_run_while_headers_are_walked_over) {
  constexpr int kBatches = 250;
  options_.index_interval_bytes = 1 << 30;
  options_.segment_bytes = 900'000;
  boot();
  for (int i = 0; i < kBatches; ++i) {
    ASSERT_TRUE(append({.values = {std::string(3000, 'x')}, .timestamp = 1000 + i}));
  }
  ASSERT_TRUE(append({.values = {std::string(200'000, 'y')}, .timestamp = 1}));
  EXPECT_GE(run(turns_during(expect_found(log_->find_timestamp(1000 + kBatches - 1, Offset(1000))))), kBatches);
}

TEST_F(LogTest, looking_for_the_youngest_lets_others_run_at_each_segment) {
  constexpr int kSegments = 20;
  options_.segment_bytes = 7000;
  boot();
  for (int i = 0; i < 2 * kSegments; ++i) {
    ASSERT_TRUE(append({.values = {std::string(3000, 'x')}, .timestamp = 1000 + i}));
  }
  stop();
  boot();
  EXPECT_GE(run(turns_during(expect_found(log_->find_max_timestamp()))), kSegments - 1);
  const auto again = run(log_->find_max_timestamp());
  ASSERT_TRUE(again && *again);
  EXPECT_EQ((*again)->offset, Offset(2 * kSegments - 1));
}

TEST_F(LogTest, a_cold_range_may_end_inside_of_a_batch_only_where_the_reader_says_so) {
  options_.segment_bytes = 40'000;
  options_.accept.max_message_bytes = 4000;
  boot();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append({.values = {std::string(3000, 'x')}}));
  disk_.faults.cold_one_in = 1;
  const auto cut = log_->read(Offset(0), {.end = Offset(20), .bytes_max = 10'000, .may_cut_cold = true});
  const auto whole = log_->read(Offset(0), {.end = Offset(20), .bytes_max = 10'000, .may_cut_cold = false});
  ASSERT_TRUE(cut && whole);
  EXPECT_EQ(cut->length, 10'000U);
  EXPECT_LT(whole->length, 10'000U);
}

TEST_F(LogTest, a_read_says_whether_it_may_wait_for_the_disk_and_finds_the_same_when_it_was_warmed) {
  options_.segment_bytes = 100'000;
  options_.index_interval_bytes = 1000;
  boot();
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(append({.values = {std::string(3000, 'x')}}));
  const ReadLimits limits{.end = Offset(60), .bytes_max = 10'000};
  EXPECT_FALSE(log_->is_cold(Offset(50), limits, false)) << "appended a moment ago";
  stop();
  boot();
  disk_.faults.cold_one_in = 1;
  for (const int from : {0, 7, 31, 59}) {
    ASSERT_TRUE(log_->is_cold(Offset(from), limits, false)) << "nobody knows where it is";
    EXPECT_GT(run(turns_during(log_->warm(Offset(from), limits, false))), 1) << "nobody else could do anything";
    const auto range = log_->read(Offset(from), limits);
    ASSERT_TRUE(range) << range.error().message;
    EXPECT_EQ(range->first_offset, Offset(from));
  }
  const auto first = log_->read(Offset(0), limits);
  ASSERT_TRUE(first);
  EXPECT_TRUE(log_->is_cold(first->end_offset, limits, false)) << "its end is not in memory";
  disk_.faults.cold_one_in = 0;
  EXPECT_FALSE(log_->is_cold(first->end_offset, limits, false)) << "where the last read ended is known";
  EXPECT_FALSE(log_->is_cold(Offset(60), limits, false)) << "there is nothing to be read";
}

io::Task<Result<std::size_t>> retain_while_warming(Log& log, WallTime now, ReadLimits limits) {
  io::Gate gate;
  gate.spawn(log.warm(Offset(3), limits, true));
  auto removed = log.apply_retention(now, log.end_offset());
  co_await gate.close();
  co_return removed;
}

TEST_F(LogTest, segments_may_go_while_what_a_read_would_look_at_is_brought_in) {
  options_.segment_bytes = 40'000;
  options_.index_interval_bytes = 1000;
  options_.retention_bytes = 50'000;
  boot();
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(append({.values = {std::string(3000, 'x')}}));
  disk_.faults.cold_one_in = 1;
  const auto removed = run(retain_while_warming(*log_, world_.wall_now(), {.end = Offset(60), .bytes_max = 10'000}));
  ASSERT_TRUE(removed);
  EXPECT_GT(*removed, 0U);
  EXPECT_EQ(log_->read(Offset(3), {.end = Offset(60), .bytes_max = 10'000}).error().code, Errc::out_of_range);
}

TEST_F(LogTest, epochs_say_where_they_ended) {
  boot();
  append_numbered(0, 4);
  ASSERT_TRUE(log_->begin_epoch(LeaderEpoch(5)));
  ASSERT_TRUE(run(append_task(*log_, make_batch({.values = {"v4"}}), world_.wall_now(), LeaderEpoch(5))));
  EXPECT_EQ(log_->latest_epoch(), LeaderEpoch(5));
  EXPECT_EQ(log_->end_offset_for(kEpoch)->end_offset, Offset(4));
  EXPECT_EQ(log_->end_offset_for(LeaderEpoch(5))->end_offset, Offset(5));
  EXPECT_EQ(log_->epoch_of(Offset(3)), kEpoch);
  stop();
  boot();
  EXPECT_EQ(log_->end_offset_for(kEpoch)->end_offset, Offset(4));
}

TEST_F(LogTest, an_epoch_is_written_down_before_the_recovery_point_passes_it) {
  boot();
  const auto file = [&] { return io::read_small_file(proactor_, log_->directory() + "/leader-epoch-checkpoint"); };
  ASSERT_TRUE(log_->begin_epoch(LeaderEpoch(5)));
  EXPECT_EQ(file().error().code, Errc::not_found) << "an epoch without records is worth no file";
  ASSERT_TRUE(run(append_task(*log_, make_batch({.values = {"v0"}}), world_.wall_now(), LeaderEpoch(5))));
  EXPECT_EQ(log_->recovery_point(), Offset(0));
  ASSERT_TRUE(run(log_->flush()));
  EXPECT_EQ(log_->recovery_point(), Offset(1));
  EXPECT_EQ(file().value(), "0\n1\n5 0\n");
}

// The whole of a start that finds no directory for a partition whose records were acknowledged.
io::Task<Result<std::vector<ReadRecord>>> make_again(io::Proactor& proactor, LogShard& shard, NewPartition partition) {
  CO_TRY(tail, co_await read_write_ahead(proactor, "/data"));
  partition.tail = &tail;
  CO_TRY(log, co_await shard.create(partition, {}));
  auto records = co_await sim::read_records(*log, Offset(0), log->stable_end());
  CO_TRY_DONE(co_await log->close());
  co_return records;
}

TEST_F(LogTest, a_directory_that_was_lost_is_made_again_with_what_the_write_ahead_log_holds) {
  boot();
  append_numbered(0, 3);
  const NewPartition lost{.log_directory = "/data", .topic = "t", .topic_id = log_->topic_id()};
  // What a power cut may leave, made certain.
  Prng prng(1);
  const auto after = disk_.process_kill(prng);
  sim::SimProactor there(world_, *after, "there");
  io::Reactor reactor(ShardId{1}, there);
  const io::Reactor::Enter enter(reactor);
  world_.add(reactor);
  ASSERT_TRUE(world_.run(reactor, remove_tree(there, "/data/t-0")));
  LogShard shard(there, shard_options_);
  const auto records = world_.run(reactor, make_again(there, shard, lost));
  world_.remove(reactor);
  ASSERT_TRUE(records) << records.error().message;
  ASSERT_EQ(records->size(), 3U);
  EXPECT_EQ(records->back().value, "v2");
}

TEST_F(LogTest, a_lost_segment_comes_back_from_before_the_log_start) {
  boot();
  ASSERT_TRUE(append({.values = {"v0", "v1", "v2"}}));
  ASSERT_TRUE(append({.values = {"v3"}}));
  ASSERT_TRUE(log_->delete_records(Offset(2)));
  ASSERT_TRUE(run(node_->checkpoint()));
  Prng prng(1);
  const auto after = disk_.process_kill(prng);
  sim::SimProactor there(world_, *after, "there");
  ASSERT_TRUE(there.remove("/data/t-0/00000000000000000000.log"));
  io::Reactor reactor(ShardId{1}, there);
  const io::Reactor::Enter enter(reactor);
  world_.add(reactor);
  sim::LogNode node(there, "/data", shard_options_);
  const auto booted = world_.run(reactor, node.boot(options_));
  EXPECT_TRUE(booted) << booted.error().message;
  if (booted) {
    EXPECT_EQ(node.find("t", 0)->log_start_offset(), Offset(2));
    EXPECT_EQ(node.find("t", 0)->end_offset(), Offset(4));
    world_.run(reactor, node.crash());
  }
  world_.remove(reactor);
}

// Nothing that was not synced survives this.
std::unique_ptr<sim::SimDisk> worst_power_cut(const sim::SimDisk& disk, const std::string& lost, Prng prng) {
  for (int i = 0; i < 1000; ++i) {
    auto after = disk.power_cut(prng);
    if (!after->list(lost)) return after;
  }
  return nullptr;
}

TEST_F(LogTest, a_partition_can_be_lost_until_its_first_sync_and_not_afterwards) {
  boot();
  NewPartition partition{.log_directory = "/data", .topic = "late", .topic_id = Uuid::from_halves(8, 1)};
  auto late = run(node_->shard().create(partition, options_));
  ASSERT_TRUE(late) << late.error().message;
  EXPECT_NE(worst_power_cut(disk_, "/data/late-0", Prng(1)), nullptr);
  ASSERT_TRUE(run((*late)->flush()));
  EXPECT_EQ(worst_power_cut(disk_, "/data/late-0", Prng(1)), nullptr);
  const auto after = [&] {
    Prng prng(2);
    return disk_.power_cut(prng);
  }();
  sim::SimProactor there(world_, *after, "there");
  EXPECT_EQ(io::read_small_file(there, "/data/late-0/partition.metadata").value().size(), 43U);
  ASSERT_TRUE(run((*late)->close()));
}

TEST_F(LogTest, follows_a_leader_byte_for_byte) {
  boot();
  append_numbered(0, 6);
  auto bytes = run(log_->read_bytes(Offset(0), {.end = Offset(6), .bytes_max = 1 << 20}));
  ASSERT_TRUE(bytes);
  auto made = run(node_->create("follower", 0, options_));
  ASSERT_TRUE(made);
  Log& follower = **made;
  auto copied = follower.stage_append_as_follower(*bytes, world_.wall_now());
  ASSERT_TRUE(copied) << copied.error().message;
  ASSERT_TRUE(run(follower.stable(*copied)));
  EXPECT_EQ(follower.end_offset(), Offset(6));
  EXPECT_EQ(follower.latest_epoch(), kEpoch);
  EXPECT_EQ(*run(follower.read_bytes(Offset(0), {.end = Offset(6), .bytes_max = 1 << 20})), *bytes);
  const auto again = follower.stage_append_as_follower(*bytes, world_.wall_now());
  ASSERT_TRUE(again);
  EXPECT_EQ(follower.end_offset(), Offset(6));
}

TEST_F(LogTest, removes_its_directory_at_once_and_its_files_later) {
  boot();
  append_numbered(0, 3);
  const std::string directory = log_->directory();
  ASSERT_TRUE(run(log_->remove()));
  EXPECT_FALSE(disk_.list(directory));
  std::size_t gone = 0;
  for (const auto& entry : *disk_.list("/data")) gone += entry.name.ends_with("-delete") ? 1 : 0;
  EXPECT_EQ(gone, 1U);
  (void)world_.run_until([] { return false; }, std::chrono::seconds(70));
  gone = 0;
  for (const auto& entry : *disk_.list("/data")) gone += entry.name.ends_with("-delete") ? 1 : 0;
  EXPECT_EQ(gone, 0U);
}

}  // namespace
}  // namespace millrace::log
