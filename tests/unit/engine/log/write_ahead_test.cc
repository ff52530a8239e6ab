// The write-ahead log on the simulated disk: what it said is durable is found again after a power cut, and nothing else is.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "engine/log/format/record_batch.h"
#include "engine/log/write_ahead.h"
#include "engine/log/write_ahead_replay.h"
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
  void on_write_ahead_durable(Offset end) override { durable = std::max(durable, end); }
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
  int syncs = 0;
  TopicPartition id = kPartition;
  bool held_up = false;
  bool sync_fails = false;
  io::Event released;
};

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

TEST_F(WriteAheadTest, grows_while_traffic_asks_for_it) {
  ASSERT_TRUE(start(64 << 10, 256 << 10));
  const auto small = ahead_->append_bytes_max();
  for (int i = 0; i < 200; ++i) append_and_wait(i, 2000);
  EXPECT_GT(ahead_->append_bytes_max(), small);
}

}  // namespace
}  // namespace millrace::log
