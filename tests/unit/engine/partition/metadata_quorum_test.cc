// Three drivers over three real metadata logs on one simulated disk, whose power goes at any
// moment, and a network that loses and delays. Whatever was said to be committed is there
// afterwards, once, in order, and the logs agree.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/drivers/metadata_log.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/record.h"
#include "io/reactor.h"
#include "replication/quorum_state_file.h"
#include "replication/raft_driver.h"
#include "tests/sim/sim_proactor.h"
#include "tests/sim/world.h"

namespace millrace::engine {
namespace {

constexpr int kNodes = 3;

class Cluster;

// Requests to another node of the cluster, on their way for a while.
class Network final : public replication::PeerTransport {
 public:
  explicit Network(Cluster& cluster, int from) : cluster_(cluster), from_(from) {}
  io::Task<Result<raft::Reply>> ask(BrokerId to, raft::Request request) override;

 private:
  Cluster& cluster_;
  int from_;
};

class Node final : public replication::RaftListener {
 public:
  Node(Cluster& cluster, io::Proactor& proactor, int id)
      : proactor_(proactor),
        id_(id),
        directory_("/node" + std::to_string(id)),
        network_(cluster, id) {}

  io::Task<Result<void>> start(std::uint64_t seed) {
    const auto made = proactor_.make_directory(directory_);
    if (!made && made.error() != Errc::already_exists) co_return made;
    CO_TRY_DONE(proactor_.sync_directory("/"));
    CO_TRY(opened, co_await MetadataLog::open(proactor_, {.parent_directory = directory_}));
    log_ = std::move(opened);
    std::vector<raft::ReplicaKey> keys;
    for (int id = 0; id < kNodes; ++id) keys.push_back({BrokerId(id), {}});
    const auto voters = *raft::VoterSet::make(keys);
    state_ = std::make_unique<replication::QuorumStateFile>(
        proactor_, log_->directory() + "/quorum-state", 0, voters);
    driver_ = std::make_unique<replication::RaftDriver>(
        log_->replica(), *state_, network_, *this,
        replication::RaftDriver::Options{.raft = {.self = {BrokerId(id_), {}},
                                                  .voters = voters,
                                                  .cluster_id = "c",
                                                  .timing = {}},
                                         .seed = seed});
    co_return co_await driver_->start();
  }
  io::Task<void> stop() {
    if (driver_) co_await driver_->stop();
    driver_.reset();
    if (log_) (void)co_await log_->close();
    log_.reset();
  }
  replication::RaftDriver* driver() { return driver_.get(); }
  MetadataLog& log() { return *log_; }

  void on_commit(Offset high_watermark) override {
    EXPECT_GT(high_watermark, committed);
    committed = high_watermark;
  }
  void on_leader_change(LeaderEpoch, BrokerId) override {}
  void on_failure(const Error& error) override {
    ADD_FAILURE() << "node " << id_ << ": " << error.message;
  }

  Offset committed{0};

 private:
  io::Proactor& proactor_;
  int id_;
  std::string directory_;
  Network network_;
  std::unique_ptr<MetadataLog> log_;
  std::unique_ptr<replication::QuorumStateFile> state_;
  std::unique_ptr<replication::RaftDriver> driver_;
};

std::vector<std::byte> batch_of(const std::string& value) {
  log::BatchBuilder builder;
  builder.append(1, std::nullopt, as_bytes(value));
  const auto bytes = builder.finish();
  return {bytes.begin(), bytes.end()};
}

// The nodes between two power cuts.
class Cluster {
 public:
  Cluster(sim::World& world, sim::SimDisk& disk, const std::string& name)
      : world_(world),
        random_(world.stream(name)),
        proactor_(world, disk, name),
        reactor_(ShardId{0}, proactor_) {
    proactor_.timing.stall_one_in = 0;
    world_.add(reactor_);
    for (int id = 0; id < kNodes; ++id)
      nodes_.push_back(std::make_unique<Node>(*this, proactor_, id));
  }
  ~Cluster() {
    const io::Reactor::Enter enter(reactor_);
    nodes_.clear();
    world_.remove(reactor_);
  }

  void start() {
    for (auto& node : nodes_) {
      const auto started = run(node->start(random_.next()));
      ASSERT_TRUE(started) << started.error().message;
    }
  }
  void stop() {
    stopping_ = true;
    for (auto& node : nodes_) run(node->stop());
  }
  void wait(Duration duration) {
    const Instant end = world_.now() + duration;
    world_.at(end, [] {});
    world_.run_until([&] { return world_.now() >= end; }, duration * 2);
  }
  Node* leader() {
    for (int tries = 0; tries < 600; ++tries) {
      for (auto& node : nodes_) {
        if (node->driver()->raft().is_leader() &&
            node->driver()->raft().high_watermark() > node->driver()->raft().epoch_start()) {
          return node.get();
        }
      }
      wait(from_ms(100));
    }
    return nullptr;
  }
  // Appends a record of its own by whoever leads; true once it is committed.
  bool append(const std::string& value) {
    Node* const node = leader();
    if (node == nullptr) return false;
    return run(node->driver()->append_and_commit(batch_of(value), node->driver()->raft().epoch()))
        .has_value();
  }
  // The same, and waits for nothing.
  void begin_append(const std::string& value) {
    Node* const node = leader();
    ASSERT_NE(node, nullptr);
    const io::Reactor::Enter enter(reactor_);
    (void)node->driver()->append(batch_of(value), node->driver()->raft().epoch());
  }
  // The values of the data records of a node up to `end`, by offset.
  std::map<std::int64_t, std::string> values(Node& node, Offset end) {
    std::map<std::int64_t, std::string> values;
    Offset next{0};
    while (next < end) {
      const auto bytes = run(node.log().read(next, 1 << 20));
      EXPECT_TRUE(bytes) << bytes.error().message;
      if (!bytes || bytes->empty()) break;
      for (log::BatchWalk walk(*bytes); !walk.at_end();) {
        const auto batch = walk.next();
        EXPECT_TRUE(batch && batch->verify());
        if (!batch) return values;
        next = batch->end_offset();
        if (batch->is_control() || batch->base_offset() >= end) continue;
        for (log::RecordWalk records(*batch, batch->payload()); !records.at_end();) {
          const auto record = records.next();
          values[record->offset.value()] = as_text(*record->value);
        }
      }
    }
    return values;
  }

  template <class T>
  T run(io::Task<T> task) {
    return world_.run(reactor_, std::move(task));
  }
  Node& node(int id) { return *nodes_[static_cast<std::size_t>(id)]; }
  bool stopping() const { return stopping_; }
  Prng& random() { return random_; }
  std::uint64_t lose_one_in = 30;

 private:
  sim::World& world_;
  Prng random_;
  sim::SimProactor proactor_;
  io::Reactor reactor_;
  std::vector<std::unique_ptr<Node>> nodes_;
  bool stopping_ = false;
};

io::Task<Result<raft::Reply>> Network::ask(BrokerId to, raft::Request request) {
  const auto on_the_way = [&] {
    return Duration(static_cast<Duration::rep>(cluster_.random().below(5'000'000)));
  };
  const auto lost = [&] {
    return cluster_.lose_one_in != 0 && cluster_.random().chance(cluster_.lose_one_in);
  };
  co_await io::sleep_for(on_the_way());
  if (lost() || cluster_.stopping()) co_return fail(Errc::closed, "lost");
  auto* const peer = cluster_.node(to.value()).driver();
  if (peer == nullptr) co_return fail(Errc::closed, "nobody there");
  auto reply = co_await peer->handle(std::move(request));
  co_await io::sleep_for(on_the_way());
  if (lost() || from_ == to.value()) co_return fail(Errc::closed, "lost");
  co_return reply;
}

TEST(MetadataQuorum, what_was_committed_survives_power_cuts_of_the_whole_cluster) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    sim::World world(seed);
    auto disk = std::make_unique<sim::SimDisk>(world.stream("disk"));
    Prng power = world.stream("power");
    std::vector<std::string> committed;
    int next_value = 0;
    for (int round = 0; round < 4; ++round) {
      std::unique_ptr<sim::SimDisk> image;
      {
        Cluster cluster(world, *disk, "round" + std::to_string(round));
        cluster.start();
        Node* const leader = cluster.leader();
        ASSERT_NE(leader, nullptr);
        // Each in its place, once.
        std::vector<std::string> found;
        for (const auto& [offset, value] : cluster.values(*leader, leader->committed))
          found.push_back(value);
        std::size_t at = 0;
        for (const auto& value : found)
          at += at < committed.size() && value == committed[at] ? 1 : 0;
        ASSERT_EQ(at, committed.size()) << "round " << round << " has " << found.size();
        // Every other node has committed the same.
        for (int id = 0; id < kNodes; ++id) {
          Node& node = cluster.node(id);
          const Offset shared = std::min(node.committed, leader->committed);
          EXPECT_EQ(cluster.values(node, shared), cluster.values(*leader, shared)) << id;
        }
        for (auto left = 5 + power.below(20); left > 0; --left) {
          const std::string value = std::to_string(next_value++);
          if (cluster.append(value)) committed.push_back(value);
        }
        // One more is on its way when the power goes.
        cluster.begin_append("unacknowledged");
        cluster.wait(Duration(static_cast<Duration::rep>(power.below(3'000'000))));
        image = disk->power_cut(power);
        cluster.stop();
      }
      disk = std::move(image);
    }
    EXPECT_GT(committed.size(), 15u);
  }
}

}  // namespace
}  // namespace millrace::engine
