// The cleaner on the simulated disk: what it writes, swaps in and leaves alone, and what comes in between.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/prng.h"
#include "engine/log/log_cleaner.h"
#include "io/file.h"
#include "io/gate.h"
#include "io/run.h"
#include "tests/sim/log_run.h"
#include "tests/unit/engine/log/log_on_disk_test.h"
#include "tests/unit/io/idle_proactor.h"

namespace millrace::log {
namespace {

using sim::BatchSpec;
using sim::ReadRecord;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kDirectory = "/data/t-0";

class LogCleanerTest : public LogOnDiskTest {
 protected:
  LogCleanerTest() : LogOnDiskTest(7) {
    shard_options_.cleaner.backoff = std::chrono::milliseconds(50);
    shard_options_.cleaner.enabled = false;  // passes are asked for by name
    options_.compacts = true;
    options_.deletes = false;
    options_.segment_bytes = 1000;
    options_.index_interval_bytes = 200;
    options_.file_delete_delay_ms = 0;
    options_.accept.compacted = true;
  }

  void boot() {
    ASSERT_NO_FATAL_FAILURE(LogOnDiskTest::boot());
    log_->on_high_watermark(log_->end_offset());
  }

  static io::Task<Result<AppendedBatches>> append_task(Log& log, std::vector<std::byte> batch, WallTime now) {
    CO_TRY(appended, log.stage_append_as_leader(batch, {.leader_epoch = LeaderEpoch(1), .now = now}));
    CO_TRY_DONE(co_await log.stable(appended));
    co_return appended;
  }
  // A record for each key, the value says which record of all it is.
  void append(std::vector<std::string> keys, std::set<std::size_t> without_value = {}) {
    BatchSpec spec{.timestamp = world_.wall_now().ms, .keys = keys, .without_value = std::move(without_value)};
    for (std::size_t i = 0; i < keys.size(); ++i) spec.values.push_back(fmt::format("v{}", sent_++));
    const auto appended = run(append_task(*log_, sim::make_batch(spec), world_.wall_now()));
    ASSERT_TRUE(appended) << appended.error().message;
    log_->on_high_watermark(log_->end_offset());
  }
  // Batches of one record over `keys` keys in turn.
  void append_many(int count, int keys) {
    for (int i = 0; i < count; ++i) append({fmt::format("k{}", sent_ % keys)});
  }
  void roll() { ASSERT_TRUE(log_->roll(world_.wall_now())); }
  CleanedLog clean() {
    const auto cleaned = run(log_->compact());
    EXPECT_TRUE(cleaned) << cleaned.error().message;
    return cleaned.value_or(CleanedLog{});
  }
  std::vector<ReadRecord> read(Offset from = Offset(0)) {
    auto records = run(sim::read_records(*log_, from, log_->written_end()));
    EXPECT_TRUE(records) << records.error().message;
    return records ? *records : std::vector<ReadRecord>();
  }
  std::vector<std::int64_t> offsets() {
    std::vector<std::int64_t> offsets;
    for (const auto& record : read()) offsets.push_back(record.offset.value());
    return offsets;
  }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    const auto listed = proactor_.list(kDirectory);
    EXPECT_TRUE(listed);
    for (const auto& entry : *listed) names.push_back(entry.name);
    return names;
  }
  // 40 records over 4 keys in sealed segments, one more in the active one.
  void fill() {
    append_many(40, 4);
    roll();
    append({"k0"});
  }
  void expect_filled_and_cleaned() {
    EXPECT_THAT(offsets(), testing::ElementsAre(36, 37, 38, 39, 40));
    EXPECT_EQ(read().front(), (ReadRecord{Offset(36), "v36", "k0"}));
  }

  int sent_ = 0;
};

TEST_F(LogCleanerTest, keeps_the_last_record_of_each_key_below_the_active_segment) {
  boot();
  fill();
  const std::uint64_t size = log_->size();
  const auto cleaned = clean();
  EXPECT_EQ(cleaned.cleaned_end, Offset(40));
  EXPECT_EQ(cleaned.keys, 4U);
  EXPECT_EQ(cleaned.records_before, 40U);
  EXPECT_EQ(cleaned.records_after, 4U);
  EXPECT_LT(log_->size(), size);
  EXPECT_EQ(log_->log_start_offset(), Offset(0));
  EXPECT_EQ(log_->end_offset(), Offset(41));
  expect_filled_and_cleaned();
}

TEST_F(LogCleanerTest, joins_segments_that_have_become_small) {
  boot();
  fill();
  const std::size_t segments = log_->segment_count();
  clean();
  append_many(20, 4);
  roll();
  clean();
  EXPECT_LT(log_->segment_count(), segments);
  EXPECT_EQ(offsets().size(), 4U);
  kill();
  boot();
  EXPECT_EQ(offsets().size(), 4U);
  EXPECT_EQ(log_->end_offset(), Offset(61));
}

TEST_F(LogCleanerTest, finds_every_offset_after_a_gap) {
  boot();
  fill();
  clean();
  for (int from = 0; from <= 36; ++from) {
    const auto records = read(Offset(from));
    ASSERT_FALSE(records.empty()) << from;
    EXPECT_EQ(records.front().offset, Offset(36)) << from;
  }
}

TEST_F(LogCleanerTest, a_time_finds_a_record_that_is_left_of_a_batch_stamped_by_the_broker) {
  options_.accept.timestamp_type = TimestampType::log_append_time;
  boot();
  append({"a", "b", "c"});
  append({"a", "b"});
  roll();
  append({"d"});
  clean();
  ASSERT_THAT(offsets(), testing::ElementsAre(2, 3, 4, 5));
  const auto oldest = run(log_->find_timestamp(0, log_->end_offset()));
  ASSERT_TRUE(oldest && *oldest);
  EXPECT_EQ((*oldest)->offset, Offset(2));
}

TEST_F(LogCleanerTest, is_the_same_log_after_a_clean_stop_and_after_one_that_was_not_marked) {
  boot();
  fill();
  clean();
  stop();
  boot();
  expect_filled_and_cleaned();
  EXPECT_EQ(log_->cleaned_end(), Offset(40));
  kill();
  boot();
  expect_filled_and_cleaned();
  append({"k1"});
  EXPECT_EQ(log_->end_offset(), Offset(42));
}

TEST_F(LogCleanerTest, writes_kafkas_checkpoint) {
  boot();
  fill();
  clean();
  ASSERT_TRUE(run(node_->checkpoint()));
  const auto text = io::read_small_file(proactor_, "/data/cleaner-offset-checkpoint");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "0\n1\nt 0 40\n");
}

TEST_F(LogCleanerTest, begins_at_the_start_when_its_checkpoint_is_damaged) {
  boot();
  fill();
  clean();
  stop();
  ASSERT_TRUE(io::replace_small_file(proactor_, "/data/cleaner-offset-checkpoint", as_bytes(std::string("0\nx\n"))));
  boot();
  EXPECT_EQ(log_->cleaned_end(), kNoOffset);
  EXPECT_EQ(clean().cleaned_end, Offset(40));
  expect_filled_and_cleaned();
}

TEST_F(LogCleanerTest, has_nothing_to_do_when_all_is_clean) {
  boot();
  fill();
  clean();
  EXPECT_EQ(clean().segments_written, 0U);
}

TEST_F(LogCleanerTest, cleans_again_what_came_since) {
  boot();
  fill();
  clean();
  append_many(20, 5);
  roll();
  EXPECT_GT(clean().segments_written, 0U);
  std::set<std::string> keys;
  for (const auto& record : read()) EXPECT_TRUE(keys.insert(record.key).second) << record.key;
  EXPECT_EQ(keys.size(), 5U);
}

TEST_F(LogCleanerTest, takes_up_nothing_at_or_behind_the_high_watermark) {
  boot();
  fill();
  log_->on_high_watermark(Offset(5));
  EXPECT_LE(clean().cleaned_end, Offset(5));
  const auto left = offsets();
  for (int offset = 5; offset <= 40; ++offset) EXPECT_THAT(left, Contains(offset));
}

TEST_F(LogCleanerTest, removes_a_tombstone_after_its_retention_and_the_record_before_it_at_once) {
  options_.delete_retention_ms = 1000;
  boot();
  append({"a"});
  append({"a"}, {0});
  append({"b"});
  roll();
  clean();
  ASSERT_EQ(read().size(), 2U);
  EXPECT_FALSE(read().front().has_value);
  world_.run(reactor_, [](LogCleanerTest& test) -> io::Task<void> {
    co_await io::sleep_for(std::chrono::milliseconds(1100));
    (void)test;
  }(*this));
  append({"c"});
  roll();
  clean();
  EXPECT_THAT(offsets(), testing::ElementsAre(2, 3));
}

TEST_F(LogCleanerTest, keeps_the_last_sequence_number_of_a_producer) {
  boot();
  const auto from_producer = [&](std::int32_t sequence) {
    BatchSpec spec{.values = {"x"}, .timestamp = world_.wall_now().ms, .producer_id = ProducerId(5),
                   .producer_epoch = 0, .base_sequence = sequence, .keys = {"a"}};
    return run(append_task(*log_, sim::make_batch(spec), world_.wall_now()));
  };
  ASSERT_TRUE(from_producer(0));
  ASSERT_TRUE(from_producer(1));
  append({"a"});
  roll();
  append({"b"});
  clean();
  EXPECT_THAT(offsets(), testing::ElementsAre(2, 3));
  kill();
  ASSERT_TRUE(proactor_.remove(std::string(kDirectory) + "/00000000000000000003.snapshot"));
  boot();
  const auto repeated = from_producer(1);
  ASSERT_TRUE(repeated) << repeated.error().message;
  EXPECT_TRUE(repeated->duplicate);
  EXPECT_EQ(from_producer(7).error(), Errc::out_of_order_sequence);
}

io::Task<Result<AppendedBatches>> append_of_producer(Log& log, std::int32_t sequence, std::string key, WallTime now) {
  auto batch = sim::make_batch({.values = {"x"}, .timestamp = now.ms, .producer_id = ProducerId(5), .producer_epoch = 0,
                                .base_sequence = sequence, .keys = {std::move(key)}});
  CO_TRY(appended, log.stage_append_as_leader(batch, {.leader_epoch = LeaderEpoch(1), .now = now}));
  CO_TRY_DONE(co_await log.stable(appended));
  log.on_high_watermark(log.end_offset());
  co_return appended;
}

bool is_being_rewritten() {
  const auto listed = io::Reactor::current().proactor().list(kDirectory);
  return listed && std::ranges::any_of(*listed, [](const auto& entry) { return entry.name.ends_with(".cleaned"); });
}

// The pass has seen to it that all that there was is on disk.
io::Task<void> append_during_a_pass(Log& log, WallTime now) {
  while (!is_being_rewritten()) co_await io::sleep_for(std::chrono::microseconds(1));
  EXPECT_TRUE(co_await append_of_producer(log, 2, "c", now));
}

// Of two batches of a producer the second is replaced; a third comes while that one is cleaned away.
io::Task<void> clean_while_a_producer_goes_on(Log& log, WallTime now) {
  EXPECT_TRUE(co_await append_of_producer(log, 0, "stays", now));
  EXPECT_TRUE(co_await append_of_producer(log, 1, "a", now));
  auto batch = sim::make_batch({.values = {"y"}, .timestamp = now.ms, .keys = {"a"}});
  const auto appended = log.stage_append_as_leader(batch, {.leader_epoch = LeaderEpoch(1), .now = now});
  EXPECT_TRUE(appended && co_await log.stable(*appended));
  log.on_high_watermark(log.end_offset());
  EXPECT_TRUE(log.roll(now));
  io::Gate gate;
  gate.spawn(append_during_a_pass(log, now));
  EXPECT_TRUE(co_await log.compact());
  co_await gate.close();
}

TEST(LogCleanerPowerCut, the_last_sequence_number_on_disk_does_not_go_for_one_that_is_not) {
  LogOptions options;
  options.compacts = true;
  options.accept.compacted = true;
  options.durability = Durability::replicated;
  LogShardOptions shard_options;
  shard_options.cleaner.enabled = false;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    sim::World world(seed);
    Prng random = world.stream("power");
    sim::SimDisk before(world.stream("disk"));
    std::unique_ptr<sim::SimDisk> after;
    {
      sim::LogRun run(world, before, "first", shard_options);
      ASSERT_TRUE(world.run(run.reactor, run.node->boot(options)));
      ASSERT_TRUE(world.run(run.reactor, run.node->create("t", 0, options)));
      world.run(run.reactor, clean_while_a_producer_goes_on(*run.node->find("t", 0), world.wall_now()));
      // It is not synced either.
      ASSERT_TRUE(run.proactor.remove(std::string(kDirectory) + "/00000000000000000003.snapshot"));
      after = before.power_cut(random);
      run.crash();
    }
    sim::LogRun run(world, *after, "second", shard_options);
    ASSERT_TRUE(world.run(run.reactor, run.node->boot(options)));
    Log& log = *run.node->find("t", 0);
    const auto again = world.run(run.reactor, append_of_producer(log, 2, "c", world.wall_now()));
    EXPECT_TRUE(again) << "seed " << seed << ": " << again.error().message;
    run.crash();
  }
}

TEST_F(LogCleanerTest, cleans_as_far_as_its_map_reaches_and_goes_on_from_there) {
  shard_options_.cleaner.map_bytes_max = 16 * 12;
  boot();
  append_many(60, 30);
  roll();
  append({"z"});
  const auto first = clean();
  EXPECT_EQ(first.cleaned_end, Offset(10));
  EXPECT_LE(first.keys, 11U);
  Offset before = first.cleaned_end;
  for (int pass = 0; pass < 20 && before < Offset(60); ++pass) {
    const Offset after = clean().cleaned_end;
    ASSERT_GT(after, before);
    before = after;
  }
  EXPECT_EQ(offsets().size(), 31U);
}

TEST_F(LogCleanerTest, names_a_log_whose_batch_has_more_keys_than_the_map) {
  shard_options_.cleaner.map_bytes_max = 16 * 4;
  boot();
  append({"a", "b", "c", "d", "e", "f"});
  roll();
  append({"a"});
  const auto cleaned = run(log_->compact());
  ASSERT_FALSE(cleaned);
  EXPECT_EQ(cleaned.error(), Errc::too_large);
  EXPECT_THAT(log_->uncleanable().value_or(""), HasSubstr("log.cleaner.dedupe.buffer.size"));
  EXPECT_EQ(read().size(), 7U);
  shard_options_.cleaner.map_bytes_max = 1 << 10;
  node_->shard().set_cleaner_options(shard_options_.cleaner);
  EXPECT_FALSE(log_->uncleanable().has_value());
  EXPECT_EQ(clean().cleaned_end, Offset(6));
}

class LogCleanerDamageTest : public LogCleanerTest, public testing::WithParamInterface<std::uint64_t> {};

// In a record, and in a batch's base offset, which no checksum covers.
INSTANTIATE_TEST_SUITE_P(Positions, LogCleanerDamageTest, testing::Values(68, 75));

TEST_P(LogCleanerDamageTest, leaves_a_damaged_log_as_it_is_and_names_it) {
  boot();
  fill();
  ASSERT_TRUE(run(log_->flush()));
  disk_.flip_bit(std::string(kDirectory) + "/00000000000000000000.log", GetParam(), 3);
  const std::uint64_t size = log_->size();
  const auto cleaned = run(log_->compact());
  ASSERT_FALSE(cleaned);
  EXPECT_EQ(cleaned.error(), Errc::corrupt);
  EXPECT_TRUE(log_->uncleanable().has_value());
  EXPECT_EQ(log_->size(), size);
  EXPECT_FALSE(log_->is_offline());
  EXPECT_THAT(files(), Not(Contains(HasSubstr(".cleaned"))));
}

TEST_F(LogCleanerTest, a_full_disk_puts_cleaning_off_and_costs_nothing) {
  boot();
  fill();
  disk_.set_capacity(disk_.used_bytes());
  const auto cleaned = run(log_->compact());
  ASSERT_FALSE(cleaned);
  EXPECT_EQ(cleaned.error(), Errc::disk_full);
  EXPECT_FALSE(log_->uncleanable().has_value());
  EXPECT_EQ(read().size(), 41U);
  EXPECT_THAT(files(), Not(Contains(HasSubstr(".cleaned"))));
  disk_.set_capacity(std::uint64_t{1} << 40);
  clean();
  expect_filled_and_cleaned();
}

TEST_F(LogCleanerTest, cleaning_leaves_half_of_the_disks_reserve) {
  shard_options_.disk_reserve_percent = 50;
  boot();
  fill();
  // Room for what is written, but not for a quarter of the disk beside it.
  const auto leave_free = [&](std::uint64_t kibibytes) { disk_.set_capacity(disk_.used_bytes() + (kibibytes << 10)); };
  leave_free(1100);
  const auto cleaned = run(log_->compact());
  ASSERT_FALSE(cleaned);
  EXPECT_EQ(cleaned.error(), Errc::disk_full);
  EXPECT_FALSE(log_->uncleanable().has_value());
  leave_free(8 << 10);
  clean();
  expect_filled_and_cleaned();
}

TEST_F(LogCleanerTest, a_reader_of_an_old_segment_reads_it_to_its_end) {
  boot();
  fill();
  const auto range = log_->read(Offset(0), {.end = Offset(41), .bytes_max = 1 << 20});
  ASSERT_TRUE(range);
  ASSERT_FALSE(range->empty());
  std::vector<std::byte> before(range->length);
  ASSERT_TRUE(proactor_.read_inline(range->file->handle(), range->position, before));
  clean();
  world_.run(reactor_, [](LogCleanerTest& test) -> io::Task<void> {
    co_await io::sleep_for(std::chrono::seconds(3));  // the old files are removed
    (void)test;
  }(*this));
  EXPECT_THAT(files(), Not(Contains(HasSubstr(".deleted"))));
  std::vector<std::byte> after(range->length);
  ASSERT_EQ(*proactor_.read_inline(range->file->handle(), range->position, after), after.size());
  EXPECT_EQ(before, after);
}

io::Task<void> compact_aside(Log& log, std::optional<Result<CleanedLog>>& outcome) {
  outcome = co_await log.compact();
}

struct SwapWatch {
  Log& log;
  io::Proactor& proactor;
  WallTime now;
  std::optional<Result<CleanedLog>>* outcome;
  int swaps_seen = 0;
  std::size_t dropped = 0;
  int reads_failed = 0;
};

TEST_F(LogCleanerTest, gives_way_to_a_truncation) {
  boot();
  fill();
  std::optional<Result<CleanedLog>> outcome;
  io::Gate gate;
  gate.spawn(compact_aside(*log_, outcome));
  ASSERT_FALSE(outcome.has_value());
  ASSERT_TRUE(run(log_->truncate_to(Offset(20))));
  run(gate.close());
  ASSERT_TRUE(outcome.has_value());
  ASSERT_FALSE(outcome->has_value());
  EXPECT_EQ(outcome->error(), Errc::canceled);
  EXPECT_EQ(log_->end_offset(), Offset(20));
  EXPECT_EQ(read().size(), 20U);
  EXPECT_FALSE(log_->uncleanable().has_value());
}

TEST_F(LogCleanerTest, gives_way_to_a_stop) {
  boot();
  fill();
  std::optional<Result<CleanedLog>> outcome;
  io::Gate gate;
  gate.spawn(compact_aside(*log_, outcome));
  stop();
  run(gate.close());
  ASSERT_TRUE(outcome.has_value());
  boot();
  EXPECT_EQ(read().size(), 41U);
}

TEST_F(LogCleanerTest, retention_may_take_segments_during_a_pass) {
  boot();
  fill();
  std::optional<Result<CleanedLog>> outcome;
  io::Gate gate;
  gate.spawn(compact_aside(*log_, outcome));
  ASSERT_TRUE(log_->delete_records(Offset(25)));
  ASSERT_GT(*log_->apply_retention(world_.wall_now(), Offset(41)), 0U);
  run(gate.close());
  ASSERT_TRUE(outcome.has_value());
  clean();
  EXPECT_THAT(read(Offset(25)).size(), 5U);
  EXPECT_EQ(log_->log_start_offset(), Offset(25));
}

// Looks in at every turn of a pass: reads all there is, and drops what retention may drop while a swap is under way.
io::Task<void> look_in(SwapWatch& watch) {
  while (!*watch.outcome) {
    const auto names = watch.proactor.list(kDirectory);
    const bool swapping = names && std::ranges::any_of(*names, [](const auto& entry) {
      return entry.name.ends_with(".log.swap");
    });
    if (swapping) {
      ++watch.swaps_seen;
      const auto dropped = watch.log.apply_retention(watch.now, Offset(41));
      watch.dropped += dropped ? *dropped : 1000;
      const auto records = co_await sim::read_records(watch.log, Offset(36), Offset(41));
      watch.reads_failed += !records || records->size() != 5;
    }
    co_await io::sleep_for(std::chrono::microseconds(20));
  }
}

TEST_F(LogCleanerTest, a_swap_that_waits_for_the_disk_hides_nothing_from_readers_and_loses_nothing_to_retention) {
  boot();
  fill();
  ASSERT_TRUE(log_->delete_records(Offset(25)));
  std::optional<Result<CleanedLog>> outcome;
  SwapWatch watch{*log_, proactor_, world_.wall_now(), &outcome};
  io::Gate gate;
  gate.spawn(compact_aside(*log_, outcome));
  gate.spawn(look_in(watch));
  run(gate.close());
  ASSERT_TRUE(outcome->has_value()) << outcome->error().message;
  EXPECT_GT(watch.swaps_seen, 0);
  EXPECT_EQ(watch.dropped, 0U);
  EXPECT_EQ(watch.reads_failed, 0);
  EXPECT_EQ(read(Offset(25)).size(), 5U);
  EXPECT_THAT(files(), Not(Contains(HasSubstr(".swap"))));
}

TEST_F(LogCleanerTest, cleans_what_is_due_by_itself) {
  shard_options_.cleaner.enabled = true;
  boot();
  fill();
  for (int i = 0; i < 100 && log_->cleaned_end() < Offset(40); ++i) {
    world_.run(reactor_, [](LogCleanerTest& test) -> io::Task<void> {
      co_await io::sleep_for(std::chrono::milliseconds(10));
      (void)test;
    }(*this));
  }
  EXPECT_EQ(log_->cleaned_end(), Offset(40));
  expect_filled_and_cleaned();
}

TEST_F(LogCleanerTest, stays_below_its_rate) {
  shard_options_.cleaner.bytes_per_second_max = 10'000;
  boot();
  fill();
  const Instant begun = reactor_.now();
  const auto cleaned = clean();
  const double seconds = static_cast<double>((world_.now() - begun).count()) / 1e9;
  EXPECT_GE(seconds, static_cast<double>(cleaned.bytes_read) / 10'000 * 0.8);
  expect_filled_and_cleaned();
}

// A killed process leaves a write-ahead log that holds every batch, also those that were compacted away since.
TEST_F(LogCleanerTest, what_the_write_ahead_log_still_holds_of_dropped_records_does_not_bring_them_back) {
  boot();
  fill();
  clean();
  Prng random(1);
  const auto image = disk_.process_kill(random);
  sim::SimProactor proactor(world_, *image, "after the kill");
  io::Reactor reactor(ShardId{0}, proactor);
  world_.add(reactor);
  {
    const io::Reactor::Enter enter(reactor);
    sim::LogNode node(proactor, "/data", shard_options_);
    const auto booted = world_.run(reactor, node.boot(options_));
    ASSERT_TRUE(booted) << booted.error().message;
    Log* const log = node.find("t", 0);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->end_offset(), Offset(41));
    const auto records = world_.run(reactor, sim::read_records(*log, Offset(0), log->written_end()));
    ASSERT_TRUE(records);
    EXPECT_EQ(records->size(), 5U);
    EXPECT_EQ(records->front().offset, Offset(36));
    world_.run(reactor, node.crash());
  }
  world_.remove(reactor);
}

// A durable write that is done when it has been asked about so often.
class WritingProactor final : public io::IdleProactor {
 public:
  bool durable_write_under_way() const override { return asks_left-- > 0; }
  mutable int asks_left = 0;
};

class CleanerPaceTest : public testing::Test {
 protected:
  Duration time_given() {
    const Instant before = proactor_.now();
    io::run_task(proactor_, pace_.give_way(proactor_));
    return proactor_.now() - before;
  }

  WritingProactor proactor_;
  CleanerPace pace_{1e9};
};

TEST_F(CleanerPaceTest, the_core_is_not_left_to_others_where_no_write_is_waited_for) { EXPECT_EQ(time_given(), Duration::zero()); }

TEST_F(CleanerPaceTest, the_cleaner_waits_for_a_durable_write_but_goes_on_where_there_is_always_one) {
  proactor_.asks_left = 3;
  const Duration three = time_given();
  EXPECT_GT(three, Duration::zero());
  EXPECT_LT(three, kGiveWayMax);
  proactor_.asks_left = 1'000'000;
  EXPECT_EQ(time_given(), kGiveWayMax);
}

TEST_F(CleanerPaceTest, where_durable_writes_come_and_go_the_core_is_left_to_others_between_them_too) {
  proactor_.asks_left = 1;
  (void)time_given();
  EXPECT_GT(time_given(), Duration::zero());
  proactor_.advance(std::chrono::seconds(2));
  EXPECT_EQ(time_given(), Duration::zero()) << "long after the last one";
}

TEST_F(CleanerPaceTest, a_turn_ends_by_what_was_done_or_by_how_long_it_took) {
  (void)time_given();
  EXPECT_FALSE(pace_.worked(proactor_, 100, 0));
  EXPECT_TRUE(pace_.worked(proactor_, 200, 0)) << "enough was done";
  EXPECT_FALSE(pace_.worked(proactor_, 100, 0));
  proactor_.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(pace_.worked(proactor_, 20, 0)) << "it took long enough";
}

}  // namespace
}  // namespace millrace::log
