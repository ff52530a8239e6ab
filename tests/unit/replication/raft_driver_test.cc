// The driver over a log in memory, in virtual time: what it does in which order, and how it ends.
#include "replication/raft_driver.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/sim/sim_proactor.h"
#include "tests/sim/world.h"
#include "tests/unit/replication/raft/sim_log.h"

namespace millrace::replication {
namespace {

using raft::Raft;
using raft::SimLog;

// A record is one byte; flushes take a millisecond, and fail when they are told to.
class MemoryLog final : public ReplicaLog {
 public:
  explicit MemoryLog(std::vector<std::string>& journal) : journal_(journal) {}

  Offset start_offset() const override { return log_.start_offset(); }
  Offset end_offset() const override { return log_.end_offset(); }
  LeaderEpoch last_epoch() const override { return log_.last_epoch(); }
  raft::EpochEnd end_offset_for(LeaderEpoch epoch) const override {
    return log_.end_offset_for(epoch);
  }
  std::optional<raft::SnapshotId> earliest_snapshot() const override { return std::nullopt; }
  std::optional<raft::SnapshotId> latest_snapshot() const override { return std::nullopt; }

  Result<AppendedRange> append_as_leader(std::vector<std::byte> batches,
                                         LeaderEpoch epoch) override {
    const Offset first = end_offset();
    for (const auto byte : batches) log_.append({epoch, static_cast<std::uint64_t>(byte)});
    journal_.push_back(fmt::format("append {}", batches.size()));
    return AppendedRange{first, end_offset(), epoch};
  }
  Result<void> append_leader_change(const raft::AppendLeaderChange& change) override {
    if (refuse_leader_change) return fail(Errc::disk_full, "full");
    journal_.push_back(fmt::format("leader_change epoch={}", change.epoch.value()));
    log_.append({change.epoch, 0});
    return {};
  }
  Result<void> append_as_follower(std::vector<std::byte> batches) override {
    journal_.push_back(fmt::format("append_fetched {}", batches.size()));
    for (std::size_t i = 0; i < batches.size(); ++i) log_.append({LeaderEpoch(7), 1});
    return {};
  }
  io::Task<Result<void>> flush() override {
    const Offset end = end_offset();
    co_await io::sleep_for(from_ms(1));
    ++flushes;
    if (fail_flush) co_return fail(*fail_flush, "flush");
    if (lose_on_full) {
      lose_on_full = false;
      log_.truncate(log_.flushed());
      co_return fail(Errc::disk_full, "full");
    }
    log_.flush_to(end);
    journal_.push_back(fmt::format("flushed {}", end.value()));
    co_return Result<void>();
  }
  io::Task<Result<void>> truncate(Offset end) override {
    journal_.push_back(fmt::format("truncate {}", end.value()));
    log_.truncate(end);
    co_return Result<void>();
  }
  io::Task<Result<std::vector<std::byte>>> read(Offset from, std::size_t) override {
    co_return std::vector<std::byte>(static_cast<std::size_t>(end_offset() - from));
  }

  std::optional<Errc> fail_flush;
  bool lose_on_full = false;
  bool refuse_leader_change = false;
  int flushes = 0;

 private:
  SimLog log_;
  std::vector<std::string>& journal_;
};

class MemoryStore final : public QuorumStateStore {
 public:
  explicit MemoryStore(std::vector<std::string>& journal) : journal_(journal) {}
  Result<std::optional<raft::QuorumState>> load() override { return state; }
  Result<void> save(const raft::QuorumState& saved) override {
    if (broken) return fail(Errc::io_error, "quorum-state");
    state = saved;
    journal_.push_back(
        fmt::format("persist epoch={} leader={}", saved.epoch.value(), saved.leader.value()));
    return {};
  }
  std::optional<raft::QuorumState> state;
  bool broken = false;

 private:
  std::vector<std::string>& journal_;
};

class ScriptedPeers final : public PeerTransport {
 public:
  explicit ScriptedPeers(std::vector<std::string>& journal) : journal_(journal) {}
  io::Task<Result<raft::Reply>> ask(BrokerId to, raft::Request request) override {
    journal_.push_back(fmt::format("ask {} {}", to.value(), request.index()));
    if (answer) co_return answer(to, request);
    co_return fail(Errc::closed, "nobody there");
  }
  std::function<Result<raft::Reply>(BrokerId, const raft::Request&)> answer;

 private:
  std::vector<std::string>& journal_;
};

class Journal final : public RaftListener {
 public:
  void on_commit(Offset high_watermark) override {
    lines.push_back(fmt::format("commit {}", high_watermark.value()));
  }
  void on_leader_change(LeaderEpoch epoch, BrokerId leader) override {
    lines.push_back(fmt::format("leader {} epoch={}", leader.value(), epoch.value()));
  }
  void on_failure(const Error& error) override { lines.push_back("failure " + error.message); }
  std::vector<std::string> lines;
};

class RaftDriverTest : public testing::Test {
 protected:
  RaftDriver& make(int voters = 1) {
    std::vector<raft::ReplicaKey> keys;
    for (int id = 1; id <= voters; ++id) keys.push_back({BrokerId(id), {}});
    driver = std::make_unique<RaftDriver>(
        log, store, peers, journal,
        RaftDriver::Options{.raft = {.self = {BrokerId(1), {}},
                                     .voters = *raft::VoterSet::make(keys),
                                     .cluster_id = "c",
                                     .timing = {}},
                            .seed = 5});
    return *driver;
  }
  template <class T>
  T run(io::Task<T> task) {
    return world.run(reactor, std::move(task), std::chrono::minutes(1));
  }
  void run_for(Duration duration) {
    const Instant end = world.now() + duration;
    world.at(end, [] {});
    world.run_until([&] { return world.now() >= end; }, duration * 2);
  }
  void TearDown() override {
    if (driver) run(driver->stop());
    const io::Reactor::Enter enter(reactor);
    driver.reset();
  }

  sim::World world{1};
  sim::SimDisk disk{world.stream("disk")};
  sim::SimProactor proactor{world, disk, "proactor"};
  io::Reactor reactor{ShardId{0}, proactor};
  struct Member {
    Member(sim::World& world, io::Reactor& reactor) { world.add(reactor); }
  } member{world, reactor};
  Journal journal;
  MemoryLog log{journal.lines};
  MemoryStore store{journal.lines};
  ScriptedPeers peers{journal.lines};
  std::unique_ptr<RaftDriver> driver;
};

std::vector<std::byte> records(std::size_t count) {
  return std::vector<std::byte>(count, std::byte{1});
}

TEST_F(RaftDriverTest, a_lone_voter_persists_leads_flushes_and_only_then_claims) {
  RaftDriver& raft = make();
  ASSERT_TRUE(run(raft.start()));
  EXPECT_EQ(*run(raft.wait_to_lead()), LeaderEpoch(1));
  const std::vector<std::string> expected = {
      "flushed 0", "persist epoch=1 leader=1", "leader_change epoch=1", "flushed 1",
      "commit 1",  "leader 1 epoch=1"};
  // Elected and leading in one step: one state to persist, since nothing left the node between the
  // two.
  EXPECT_EQ(journal.lines, expected);
}

TEST_F(RaftDriverTest, an_append_is_committed_when_it_is_flushed_and_not_before) {
  RaftDriver& raft = make();
  ASSERT_TRUE(run(raft.start()));
  const LeaderEpoch epoch = *run(raft.wait_to_lead());
  const io::Reactor::Enter enter(reactor);
  const auto range = raft.append(records(3), epoch);
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first_offset, Offset(1));
  EXPECT_EQ(range->end_offset, Offset(4));
  EXPECT_EQ(raft.raft().high_watermark(), Offset(1));
  EXPECT_TRUE(run(raft.committed(*range)));
  EXPECT_EQ(raft.raft().high_watermark(), Offset(4));
  EXPECT_EQ(journal.lines.back(), "commit 4");
}

TEST_F(RaftDriverTest, appends_during_a_flush_share_the_next_one) {
  RaftDriver& raft = make();
  ASSERT_TRUE(run(raft.start()));
  const LeaderEpoch epoch = *run(raft.wait_to_lead());
  const int before = log.flushes;
  const io::Reactor::Enter enter(reactor);
  AppendedRange last{};
  for (int i = 0; i < 20; ++i) last = *raft.append(records(1), epoch);
  EXPECT_TRUE(run(raft.committed(last)));
  EXPECT_LE(log.flushes, before + 2);
}

TEST_F(RaftDriverTest, an_append_for_another_epoch_is_refused) {
  RaftDriver& raft = make();
  ASSERT_TRUE(run(raft.start()));
  const LeaderEpoch epoch = *run(raft.wait_to_lead());
  const io::Reactor::Enter enter(reactor);
  EXPECT_EQ(raft.append(records(1), epoch + 1).error(), Errc::not_leader);
  EXPECT_EQ(raft.append(records(1), epoch - 1).error(), Errc::not_leader);
}

TEST_F(RaftDriverTest, a_broken_disk_ends_the_driver_and_everyone_who_waits_is_told) {
  RaftDriver& raft = make();
  ASSERT_TRUE(run(raft.start()));
  const LeaderEpoch epoch = *run(raft.wait_to_lead());
  log.fail_flush = Errc::io_error;
  EXPECT_EQ(run(raft.append_and_commit(records(1), epoch)).error(), Errc::io_error);
  EXPECT_EQ(journal.lines.back(), "failure flush");
  const io::Reactor::Enter enter(reactor);
  EXPECT_EQ(raft.append(records(1), epoch).error(), Errc::io_error);
}

TEST_F(RaftDriverTest, a_state_that_cannot_be_saved_ends_the_driver_before_it_leads) {
  RaftDriver& raft = make();
  store.broken = true;
  EXPECT_EQ(run(raft.start()).error(), Errc::io_error);
  EXPECT_EQ(log.end_offset(), Offset(0)) << "nothing was appended on the strength of it";
}

TEST_F(RaftDriverTest, a_full_disk_costs_leadership_and_a_later_election_brings_it_back) {
  RaftDriver& raft = make();
  ASSERT_TRUE(run(raft.start()));
  const LeaderEpoch epoch = *run(raft.wait_to_lead());
  log.lose_on_full = true;
  EXPECT_EQ(run(raft.append_and_commit(records(2), epoch)).error(), Errc::not_leader);
  const LeaderEpoch later = *run(raft.wait_to_lead());
  EXPECT_GT(later, epoch);
  EXPECT_TRUE(run(raft.append_and_commit(records(1), later)));
  EXPECT_FALSE(raft.failure());
}

TEST_F(RaftDriverTest, records_that_a_full_disk_took_back_leave_their_offsets_to_a_later_epoch) {
  RaftDriver& raft = make();
  ASSERT_TRUE(run(raft.start()));
  const LeaderEpoch epoch = *run(raft.wait_to_lead());
  {
    const io::Reactor::Enter enter(reactor);
    ASSERT_TRUE(raft.append(records(2), epoch));
    run(log.truncate(Offset(1)));  // what the log does by itself when its write fails
    EXPECT_EQ(raft.append(records(2), epoch).error(), Errc::not_leader);
  }
  EXPECT_GT(*run(raft.wait_to_lead()), epoch);
}

TEST_F(RaftDriverTest, a_leader_change_that_finds_no_room_is_tried_again) {
  RaftDriver& raft = make();
  log.refuse_leader_change = true;
  ASSERT_TRUE(run(raft.start()));
  run_for(std::chrono::seconds(5));
  EXPECT_FALSE(raft.failure());
  log.refuse_leader_change = false;
  EXPECT_TRUE(run(raft.wait_to_lead()));
}

TEST_F(RaftDriverTest, stop_lets_go_of_everyone_who_waits) {
  RaftDriver& raft = make(3);
  ASSERT_TRUE(run(raft.start()));
  auto waiting = raft.wait_to_lead();
  reactor.schedule(waiting.handle());
  run_for(from_ms(100));
  EXPECT_FALSE(waiting.done());
  run(raft.stop());
  ASSERT_TRUE(waiting.done());
  EXPECT_EQ(waiting.handle().promise().value->error(), Errc::closed);
}

TEST_F(RaftDriverTest, a_vote_is_persisted_before_it_is_answered) {
  RaftDriver& raft = make(3);
  ASSERT_TRUE(run(raft.start()));
  journal.lines.clear();
  const auto reply = run(raft.handle(raft::VoteRequest{.cluster_id = "c",
                                                       .epoch = LeaderEpoch(7),
                                                       .candidate = {BrokerId(2), {}},
                                                       .last_epoch = LeaderEpoch(3),
                                                       .last_offset = Offset(10)}));
  ASSERT_TRUE(reply);
  EXPECT_TRUE(std::get<raft::VoteReply>(*reply).granted);
  ASSERT_TRUE(store.state);
  EXPECT_EQ(store.state->epoch, LeaderEpoch(7));
  EXPECT_EQ(store.state->voted->id, BrokerId(2));
}

TEST_F(RaftDriverTest, a_follower_acknowledges_only_what_it_has_flushed) {
  RaftDriver& raft = make(3);
  std::vector<std::pair<Offset, int>>
      fetches;  // what was asked for, and how many flushes there had been
  peers.answer = [&](BrokerId, const raft::Request& request) -> Result<raft::Reply> {
    const auto* fetch = std::get_if<raft::FetchRequest>(&request);
    if (fetch == nullptr || fetches.size() > 5) return fail(Errc::closed, "gone");
    fetches.push_back({fetch->fetch_offset, log.flushes});
    return raft::FetchReply{.epoch = LeaderEpoch(7),
                            .leader = BrokerId(2),
                            .high_watermark = fetch->fetch_offset,
                            .records = records(2)};
  };
  ASSERT_TRUE(run(raft.start()));
  run(raft.handle(raft::BeginQuorumEpochRequest{
      .cluster_id = "c", .recipient = {}, .epoch = LeaderEpoch(7), .leader = BrokerId(2)}));
  run_for(from_ms(500));
  ASSERT_EQ(fetches.size(), 6u);
  for (std::size_t i = 1; i < fetches.size(); ++i) {
    EXPECT_EQ(fetches[i].first, fetches[i - 1].first + 2);
    EXPECT_GT(fetches[i].second, fetches[i - 1].second);
  }
  // The leader's high watermark, as far as we have it.
  EXPECT_EQ(raft.raft().high_watermark(), Offset(10));
}

}  // namespace
}  // namespace millrace::replication
