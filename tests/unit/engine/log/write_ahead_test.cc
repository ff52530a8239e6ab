// The write-ahead log on the simulated disk: what it said is durable is found again after a power cut, and nothing else is.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/crc32c.h"
#include "engine/log/format/record_batch.h"
#include "engine/log/write_ahead.h"
#include "engine/log/write_ahead_replay.h"
#include "io/file.h"
#include "tests/sim/log_node.h"
#include "tests/sim/sim_proactor.h"
#include "tests/sim/world.h"

namespace millrace::log {
namespace {

constexpr const char* kPath = "/wal/.millrace-wal-0";
// Enough for a test's writes without syncing a segment.
constexpr std::uint64_t kRoomy = 1 << 20;
const TopicPartition kPartition{.topic_id = Uuid::from_halves(1, 2), .partition = PartitionIndex(3)};

// A log whose syncs take no time, unless they are held up.
class Client final : public WriteAheadClient {
 public:
  void on_write_ahead_durable(Offset end) override {
    EXPECT_GE(end, durable) << "told out of order";
    durable = std::max(durable, end);
    if (on_durable) on_durable();
  }
  void on_write_ahead_failed() override { failed = true; }
  io::Task<Result<void>> sync_segments() override {
    ++syncs;
    while (held_up) co_await released.wait();
    if (sync_fails) co_return fail(Errc::io_error, "a segment's sync");
    co_return Result<void>{};
  }
  TopicPartition write_ahead_id() const override { return id; }

  Offset durable{0};
  bool failed = false;
  std::function<void()> on_durable;
  int syncs = 0;
  TopicPartition id = kPartition;
  bool held_up = false;
  bool sync_fails = false;
  io::Event released;
};

io::Task<void> pass(Duration duration) { co_await io::sleep_for(duration); }

class WriteAheadTest : public testing::Test {
 protected:
  WriteAheadTest()
      : world_(11), disk_(std::make_unique<sim::SimDisk>(world_.stream("disk"))), random_(3) {
    CHECK(disk_->make_directory("/wal").has_value());
    CHECK(disk_->sync_directory("/").has_value());
    attach();
  }
  ~WriteAheadTest() override { detach(); }

  void attach() {
    proactor_ = std::make_unique<sim::SimProactor>(world_, *disk_, "proactor");
    reactor_ = std::make_unique<io::Reactor>(ShardId{0}, *proactor_);
    world_.add(*reactor_);
    enter_ = std::make_unique<io::Reactor::Enter>(*reactor_);
  }
  void detach() {
    if (ahead_) end();
    enter_.reset();
    world_.remove(*reactor_);
    reactor_.reset();
    proactor_.reset();
  }
  void end() {
    ahead_->forget(client_);
    run(ahead_->stop());
    ahead_.reset();
  }
  // Goes on from what a power cut now would leave.
  void cut_power() {
    auto image = disk_->power_cut(random_);
    client_.held_up = false;
    client_.released.notify_all();
    detach();
    disk_ = std::move(image);
    attach();
  }
  template <class T>
  T run(io::Task<T> task) {
    return world_.run(*reactor_, std::move(task));
  }
  Result<void> start(std::uint64_t first = 64 << 10, std::uint64_t most = 256 << 10) {
    ahead_ = std::make_unique<WriteAhead>(
        *proactor_, WriteAheadOptions{.path = kPath, .bytes_max = most, .bytes_first = first});
    auto started = run(ahead_->start());
    if (!started) ahead_.reset();
    return started;
  }
  // Appends one batch of one record at `offset`; gives the number of its write.
  std::uint64_t append(int offset, std::size_t length = 100) { return append_to(client_, offset, length); }
  std::uint64_t append_to(Client& client, int offset, std::size_t length) {
    auto batch = sim::make_batch({.values = {std::string(length, static_cast<char>('a' + offset % 26))}});
    set_base_offset(batch, Offset(offset));
    const ::iovec slice{batch.data(), batch.size()};
    return ahead_->append(client, client.id, LeaderEpoch(0), Offset(offset), Offset(offset + 1),
                          {&slice, 1}, batch.size());
  }
  void append_and_wait(int offset, std::size_t length = 100) { run(ahead_->completed(append(offset, length))); }
  // Two appends, each in a write of its own, both in flight when it returns. Gives the number of the second.
  std::uint64_t append_two(int offset, std::size_t length = 100) {
    append(offset, length);
    reactor_->turn(false);
    const auto second = append(offset + 1, length);
    reactor_->turn(false);
    return second;
  }
  // What a start would find on this disk.
  Result<std::vector<std::int64_t>> held_on(sim::SimDisk& disk) {
    sim::SimProactor proactor(world_, disk, "image");
    io::Reactor reactor(ShardId{0}, proactor);
    world_.add(reactor);
    auto tail = world_.run(reactor, read_write_ahead(proactor, "/wal"));
    world_.remove(reactor);
    if (!tail) return fail(std::move(tail).error());
    std::vector<std::int64_t> offsets;
    if (const auto* steps = tail->find(kPartition)) {
      for (const auto& step : *steps) offsets.push_back(step.offset.value());
    }
    return offsets;
  }
  std::vector<std::int64_t> held_offsets(const TopicPartition& partition = kPartition) {
    auto tail = run(read_write_ahead(*proactor_, "/wal"));
    EXPECT_TRUE(tail) << tail.error().message;
    std::vector<std::int64_t> offsets;
    const auto* steps = tail ? tail->find(partition) : nullptr;
    for (std::size_t i = 0; steps != nullptr && i < steps->size(); ++i) {
      offsets.push_back((*steps)[i].offset.value());
    }
    return offsets;
  }

  sim::World world_;
  std::unique_ptr<sim::SimDisk> disk_;
  std::unique_ptr<sim::SimProactor> proactor_;
  std::unique_ptr<io::Reactor> reactor_;
  std::unique_ptr<io::Reactor::Enter> enter_;
  Client client_;
  std::unique_ptr<WriteAhead> ahead_;
  Prng random_;
};

TEST_F(WriteAheadTest, tells_its_client_only_when_the_write_is_done) {
  ASSERT_TRUE(start());
  const auto sequence = append(0);
  EXPECT_EQ(client_.durable, Offset(0));
  run(ahead_->completed(sequence));
  EXPECT_EQ(client_.durable, Offset(1));
}

TEST_F(WriteAheadTest, one_write_carries_what_came_meanwhile) {
  ASSERT_TRUE(start());
  const auto first = append(0);
  (void)world_.step();  // the first write is under way
  std::uint64_t last = first;
  for (int i = 1; i < 10; ++i) last = append(i);
  EXPECT_EQ(last, first + 1);
  run(ahead_->completed(last));
  EXPECT_EQ(ahead_->counters().writes, 2U);
}

TEST_F(WriteAheadTest, what_was_durable_is_found_after_a_power_cut) {
  ASSERT_TRUE(start(kRoomy, kRoomy));
  for (int i = 0; i < 20; ++i) append_and_wait(i);
  cut_power();
  const auto held = held_offsets();
  ASSERT_EQ(held.size(), 20U);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(held[static_cast<std::size_t>(i)], i);
}

TEST_F(WriteAheadTest, written_over_many_times_it_never_shows_an_old_write_as_a_new_one) {
  ASSERT_TRUE(start(64 << 10, 64 << 10));
  for (int i = 0; i < 297; ++i) append_and_wait(i, 1500);
  EXPECT_GT(client_.syncs, 3);
  client_.held_up = true;
  for (int i = 297; i < 300; ++i) append_and_wait(i, 1500);
  cut_power();
  const auto held = held_offsets();
  ASSERT_FALSE(held.empty());
  EXPECT_EQ(held.back(), 299);
  for (std::size_t i = 1; i < held.size(); ++i) EXPECT_EQ(held[i], held[i - 1] + 1);
}

TEST_F(WriteAheadTest, what_a_log_could_not_sync_is_kept_when_its_space_is_written_over) {
  ASSERT_TRUE(start(64 << 10, 64 << 10));
  Client other;
  other.id = {.topic_id = Uuid::from_halves(1, 5), .partition = PartitionIndex(0)};
  for (int i = 0; i < 5; ++i) append_and_wait(i, 1500);
  client_.sync_fails = true;
  for (int i = 0; i < 300; ++i) run(ahead_->completed(append_to(other, i, 1500)));
  EXPECT_GT(other.syncs, 3);
  EXPECT_EQ(client_.syncs, 1) << "a log that is offline is not asked again";
  ahead_->forget(other);
  cut_power();
  EXPECT_EQ(held_offsets(), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  // Replayed once, it is not kept any longer.
  ASSERT_TRUE(run(retire_write_ahead(*proactor_, "/wal", 1)));
  EXPECT_TRUE(held_offsets().empty());
}

TEST_F(WriteAheadTest, what_is_held_of_a_log_in_doubt_outlives_a_stop) {
  ASSERT_TRUE(start());
  Client other;
  other.id = {.topic_id = Uuid::from_halves(1, 5), .partition = PartitionIndex(0)};
  for (int i = 0; i < 5; ++i) append_and_wait(i);
  run(ahead_->completed(append_to(other, 0, 100)));
  ahead_->keep(client_);
  ahead_->forget(other);
  end();
  EXPECT_EQ(held_offsets(), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(held_offsets(other.id).empty()) << "its segments are synced";
}

TEST_F(WriteAheadTest, what_was_kept_is_read_before_what_was_written_after_it) {
  ASSERT_TRUE(start(kRoomy, kRoomy));
  for (int i = 0; i < 5; ++i) append_and_wait(i);
  cut_power();
  ASSERT_TRUE(disk_->rename(kPath, fmt::format("/wal/.millrace-wal-{}", kKeptShardFrom)));
  ASSERT_TRUE(disk_->sync_directory("/wal"));
  ASSERT_TRUE(start(kRoomy, kRoomy));
  for (int i = 5; i < 8; ++i) append_and_wait(i);
  cut_power();
  EXPECT_EQ(held_offsets(), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(WriteAheadTest, what_cannot_be_kept_elsewhere_is_not_written_over) {
  ASSERT_TRUE(start(64 << 10, 64 << 10));
  Client other;
  other.id = {.topic_id = Uuid::from_halves(1, 5), .partition = PartitionIndex(0)};
  for (int i = 0; i < 5; ++i) append_and_wait(i, 1500);
  client_.sync_fails = true;
  disk_->faults.only = "wal-1000000";
  disk_->faults.write_error_one_in = 1;
  for (int i = 0; i < 300 && !ahead_->failed(); ++i) run(ahead_->completed(append_to(other, i, 1500)));
  EXPECT_TRUE(ahead_->failed());
  EXPECT_TRUE(other.failed) << "it must sync its segments itself now";
  ahead_->forget(other);
  cut_power();
  EXPECT_EQ(held_offsets(), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST_F(WriteAheadTest, what_cannot_be_kept_elsewhere_outlives_a_stop) {
  ASSERT_TRUE(start());
  for (int i = 0; i < 5; ++i) append_and_wait(i);
  ahead_->keep(client_);
  disk_->faults.only = "wal-1000000";
  disk_->faults.write_error_one_in = 1;
  end();
  EXPECT_EQ(held_offsets(), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST_F(WriteAheadTest, a_torn_write_at_the_end_is_not_there) {
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE(start(kRoomy, kRoomy));
    for (int i = 0; i < 5; ++i) append_and_wait(i);
    append(5, 3000);
    (void)world_.step();  // under way, not done
    cut_power();
    const auto held = held_offsets();
    ASSERT_GE(held.size(), 5U);
    for (std::size_t i = 0; i < held.size(); ++i) EXPECT_EQ(held[i], static_cast<std::int64_t>(i));
    ASSERT_TRUE(run(retire_write_ahead(*proactor_, "/wal", 1)));
    client_.durable = Offset(0);
  }
}

TEST_F(WriteAheadTest, a_hole_in_front_of_a_newer_write_is_refused) {
  ASSERT_TRUE(start(kRoomy, kRoomy));
  for (int i = 0; i < 5; ++i) append_and_wait(i);
  cut_power();
  // The third frame; each takes one block.
  disk_->flip_bit(kPath, kWriteAheadFramesFrom + 2 * kWriteAheadBlock + 60, 2);
  const auto tail = run(read_write_ahead(*proactor_, "/wal"));
  ASSERT_FALSE(tail);
  EXPECT_EQ(tail.error().code, Errc::corrupt);
}

// ---- Two writes in flight

TEST_F(WriteAheadTest, a_write_begins_while_the_one_before_it_is_in_flight) {
  ASSERT_TRUE(start());
  proactor_->timing = {.least = std::chrono::milliseconds(1), .spread = Duration::zero(), .stall_one_in = 0};
  std::vector<Duration> told;
  client_.on_durable = [&, begin = world_.now()] { told.push_back(world_.now() - begin); };
  const auto second = append_two(0);
  // No third one: these wait for the first to end, and go together.
  append(2);
  reactor_->turn(false);
  const auto third = append(3);
  EXPECT_EQ(third, second + 1);
  run(ahead_->completed(third));
  client_.on_durable = nullptr;
  constexpr Duration kOne = std::chrono::milliseconds(1);
  EXPECT_EQ(told, (std::vector<Duration>{kOne, kOne, 2 * kOne, 2 * kOne}));
  EXPECT_EQ(ahead_->counters().writes, 3U);
}

// Power cuts at the moment of each notice and behind it, in a file that is written over again and again.
TEST_F(WriteAheadTest, what_was_told_of_is_there_after_a_power_cut_at_any_moment) {
  ASSERT_TRUE(start(64 << 10, 64 << 10));
  proactor_->timing.spread = std::chrono::milliseconds(1);
  std::vector<std::pair<Offset, std::unique_ptr<sim::SimDisk>>> images;
  const auto cut = [&] { images.emplace_back(client_.durable, disk_->power_cut(random_)); };
  client_.on_durable = cut;
  for (int i = 0; i < 400; i += 2) {
    const auto second = append_two(i, 1000 + 25 * static_cast<std::size_t>(i % 90));
    cut();
    run(ahead_->completed(second));
    client_.held_up = i >= 398;  // so that at the end there is something to be found
  }
  EXPECT_GT(client_.syncs, 3);
  client_.on_durable = nullptr;
  for (auto& [durable, image] : images) {
    const auto held = held_on(*image);
    ASSERT_TRUE(held) << held.error().message;
    for (std::size_t i = 1; i < held->size(); ++i) ASSERT_EQ((*held)[i], (*held)[i - 1] + 1);
    // What is not held any more was synced in segments.
    if (!held->empty()) ASSERT_GE(held->back() + 1, durable.value());
  }
  client_.held_up = false;
  client_.released.notify_all();
}

TEST_F(WriteAheadTest, what_stands_behind_a_write_that_was_never_finished_counts_for_nothing) {
  ASSERT_TRUE(start(kRoomy, kRoomy));
  for (int i = 0; i < 5; ++i) append_and_wait(i);
  run(ahead_->completed(append_two(5)));
  cut_power();
  ASSERT_EQ(held_offsets(), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6}));
  // Each takes one block. The seventh began before the sixth was done, so that it does not say that it must be there.
  disk_->flip_bit(kPath, kWriteAheadFramesFrom + 5 * kWriteAheadBlock + 60, 2);
  EXPECT_EQ(held_offsets(), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  ASSERT_TRUE(run(retire_write_ahead(*proactor_, "/wal", 1)));
  client_.durable = Offset(0);
  ASSERT_TRUE(start(kRoomy, kRoomy));
  append_and_wait(5);
  cut_power();
  EXPECT_EQ(held_offsets(), std::vector<std::int64_t>{5}) << "the old seventh write is of another generation";
}

TEST_F(WriteAheadTest, a_hole_that_both_writes_in_flight_rule_out_is_refused) {
  ASSERT_TRUE(start(kRoomy, kRoomy));
  for (int i = 0; i < 5; ++i) append_and_wait(i);
  run(ahead_->completed(append_two(5)));
  cut_power();
  disk_->flip_bit(kPath, kWriteAheadFramesFrom + 4 * kWriteAheadBlock + 60, 2);
  const auto tail = run(read_write_ahead(*proactor_, "/wal"));
  ASSERT_FALSE(tail);
  EXPECT_EQ(tail.error().code, Errc::corrupt);
}

TEST_F(WriteAheadTest, an_error_of_one_write_in_flight_keeps_what_was_told_before) {
  int told_before_it = 0;
  for (int round = 0; round < 60; ++round) {
    ASSERT_TRUE(start(kRoomy, kRoomy));
    proactor_->timing.spread = std::chrono::milliseconds(1);
    for (int i = 0; i < 3; ++i) append_and_wait(i);
    disk_->faults.write_error_one_in = 3;
    const auto second = append_two(3);
    run(ahead_->completed(second));
    disk_->faults.write_error_one_in = 0;
    EXPECT_EQ(client_.failed, client_.durable < Offset(5) || ahead_->failed());
    told_before_it += client_.failed && client_.durable == Offset(4);
    cut_power();
    const auto held = held_offsets();
    ASSERT_GE(held.size(), static_cast<std::size_t>(client_.durable.value()));
    for (std::size_t i = 0; i < held.size(); ++i) EXPECT_EQ(held[i], static_cast<std::int64_t>(i));
    ahead_.reset();
    ASSERT_TRUE(run(retire_write_ahead(*proactor_, "/wal", 1)));
    client_.durable = Offset(0);
    client_.failed = false;
  }
  EXPECT_GT(told_before_it, 0);
}

// ---- Version 1

// A file as the first version wrote it: three writes of one batch each.
std::vector<std::byte> file_of_version_1() {
  std::vector<std::byte> file(kWriteAheadFramesFrom + 3 * kWriteAheadBlock);
  WriteAheadFileHeader{.generation = 4, .state = FileState::in_use, .live_from = 7}.store(file.data());
  // The version stands in front of what the checksum covers.
  store_big_endian(file.data() + 8, std::uint32_t{1});
  for (int i = 0; i < 3; ++i) {
    auto batch = sim::make_batch({.values = {"v"}});
    set_base_offset(batch, Offset(i));
    std::byte* const frame = file.data() + kWriteAheadFramesFrom + static_cast<std::size_t>(i) * kWriteAheadBlock;
    constexpr std::size_t kHeader = 32;
    WriteAheadFrameHeader{.generation = 4,
                          .sequence = static_cast<std::uint64_t>(7 + i),
                          .bytes = static_cast<std::uint32_t>(kHeader + WriteAheadEntry::kBytes + batch.size()),
                          .entries = 1}
        .store(frame);
    WriteAheadEntry{.length = static_cast<std::uint32_t>(batch.size()),
                    .partition = kPartition,
                    .offset = Offset(i),
                    .end_offset = Offset(i + 1)}
        .store(frame + kHeader);
    std::ranges::copy(batch, frame + kHeader + WriteAheadEntry::kBytes);
    const auto entries = entry_checksum({frame + kHeader, WriteAheadEntry::kBytes + batch.size()}, 0);
    WriteAheadFrameHeader::store_crc(frame, crc32c({frame + 8, kHeader - 8}, *entries));
  }
  return file;
}

TEST_F(WriteAheadTest, a_file_of_the_first_version_is_read_and_then_written_anew) {
  const auto file = file_of_version_1();
  {
    const auto handle = *proactor_->open(kPath, {.write = true, .create = true});
    ASSERT_TRUE(run(io::write_all(*proactor_, handle, 0, file)));
    ASSERT_TRUE(proactor_->sync_inline(handle));
    ASSERT_TRUE(proactor_->sync_directory("/wal"));
    proactor_->close(handle);
  }
  EXPECT_EQ(held_offsets(), (std::vector<std::int64_t>{0, 1, 2}));
  auto damaged = disk_->power_cut(random_);
  damaged->flip_bit(kPath, kWriteAheadFramesFrom + kWriteAheadBlock + 60, 2);
  const auto held = held_on(*damaged);
  ASSERT_FALSE(held) << "one was in flight at a time: a hole is damage";
  EXPECT_EQ(held.error().code, Errc::corrupt);
  ASSERT_TRUE(run(retire_write_ahead(*proactor_, "/wal", 1)));
  ASSERT_TRUE(start());
  append_and_wait(3);
  cut_power();
  EXPECT_EQ(held_offsets(), std::vector<std::int64_t>{3});
}

TEST_F(WriteAheadTest, an_empty_file_can_be_opened_by_the_first_version) {
  ASSERT_TRUE(start());
  append_and_wait(0);
  end();
  const auto handle = *proactor_->open(kPath, {});
  std::vector<std::byte> blocks(kWriteAheadFramesFrom);
  ASSERT_TRUE(run(io::read_all(*proactor_, handle, 0, blocks)));
  proactor_->close(handle);
  const auto header = WriteAheadFileHeader::load(blocks);
  ASSERT_TRUE(header && *header);
  EXPECT_EQ((*header)->state, FileState::empty);
  EXPECT_EQ((*header)->version, 1U);
}

TEST_F(WriteAheadTest, refuses_to_start_over_what_was_not_replayed) {
  ASSERT_TRUE(start());
  append_and_wait(0);
  cut_power();
  const auto started = start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::invalid_argument);
  ASSERT_TRUE(run(retire_write_ahead(*proactor_, "/wal", 1)));
  EXPECT_TRUE(held_offsets().empty());
  EXPECT_TRUE(start());
}

TEST_F(WriteAheadTest, is_empty_after_a_clean_stop) {
  ASSERT_TRUE(start());
  append_and_wait(0);
  end();
  cut_power();
  EXPECT_TRUE(held_offsets().empty());
}

TEST_F(WriteAheadTest, files_of_shards_that_are_gone_are_read_and_then_removed) {
  ASSERT_TRUE(start());
  append_and_wait(4);
  cut_power();
  ASSERT_TRUE(disk_->rename(kPath, "/wal/.millrace-wal-7"));
  EXPECT_EQ(held_offsets(), std::vector<std::int64_t>{4});
  ASSERT_TRUE(run(retire_write_ahead(*proactor_, "/wal", 1)));
  EXPECT_TRUE(disk_->list("/wal")->empty());
}

TEST_F(WriteAheadTest, a_failed_write_sends_its_clients_to_their_segments) {
  ASSERT_TRUE(start());
  disk_->faults.write_error_one_in = 1;
  const auto sequence = append(0);
  run(ahead_->completed(sequence));
  EXPECT_TRUE(client_.failed);
  EXPECT_TRUE(ahead_->failed());
  EXPECT_EQ(client_.durable, Offset(0));
}

TEST_F(WriteAheadTest, says_how_much_room_it_needs) {
  disk_->set_capacity(disk_->used_bytes() + 10'000);
  const auto started = start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::disk_full);
  EXPECT_NE(started.error().message.find("65536"), std::string::npos) << started.error().message;
}

// Whatever the settings say by now: what a start writes again is to be as much as the last run could leave unsynced.
TEST_F(WriteAheadTest, what_was_read_says_how_large_the_files_were) {
  EXPECT_EQ(unsynced_bytes_max(nullptr), std::uint64_t{512} << 20);
  WriteAheadTail large;
  large.note_file(std::uint64_t{2} << 30);
  large.note_file(std::uint64_t{1} << 20);
  EXPECT_EQ(unsynced_bytes_max(&large), std::uint64_t{4} << 30);

  ASSERT_TRUE(start(64 << 10, 256 << 10));
  for (int i = 0; i < 200; ++i) append_and_wait(i, 2000);
  const auto tail = run(read_write_ahead(*proactor_, "/wal"));
  ASSERT_TRUE(tail);
  EXPECT_EQ(tail->file_bytes_max(), 256U << 10);
}

TEST_F(WriteAheadTest, grows_while_traffic_asks_for_it) {
  ASSERT_TRUE(start(64 << 10, 256 << 10));
  const auto small = ahead_->append_bytes_max();
  for (int i = 0; i < 200; ++i) append_and_wait(i, 2000);
  EXPECT_GT(ahead_->append_bytes_max(), small);
}

TEST_F(WriteAheadTest, a_stop_does_not_wait_until_the_file_has_grown) {
  ASSERT_TRUE(start(4 << 20, 64 << 20));
  const auto small = ahead_->append_bytes_max();
  for (int i = 0; i < 4; ++i) append_and_wait(i, 300'000);
  run(pass(std::chrono::milliseconds(5)));
  ASSERT_GT(ahead_->append_bytes_max(), small) << "it grows";
  const Instant before = world_.now();
  end();
  EXPECT_LT(world_.now() - before, std::chrono::milliseconds(10));
}

}  // namespace
}  // namespace millrace::log
