// The controller under random questions of five brokers that come, go, pause and restart. After
// every step its own invariants are checked, and beside them what only a history can show: epochs
// never go back, blocks of ids never overlap, and the log makes the same state at every moment.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "engine/controller/bootstrap.h"
#include "engine/controller/controller_machine.h"

namespace millrace::engine {
namespace {

class RandomCluster {
 public:
  explicit RandomCluster(std::uint64_t seed) : prng_(seed) {
    options_.node_id = BrokerId(0);
    options_.default_replication_factor = 2;
    options_.bootstrap_records = default_bootstrap_records(kMetadataVersionMax);
    machine_ = std::make_unique<ControllerMachine>(options_, identity(), seed);
    step(Activate{});
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      now_ += from_ms(static_cast<std::int64_t>(prng_.below(3000)));
      ask_something();
      step(Tick{});
    }
  }
  void expect_log_makes_the_same() const {
    ControllerMachine again(options_, identity(), 1);
    for (std::size_t i = 0; i < log_.size(); ++i) {
      const auto applied = again.apply(log_[i].record, Offset(static_cast<std::int64_t>(i)));
      ASSERT_TRUE(applied) << applied.error().message;
    }
    EXPECT_TRUE(again.image().same_contents(machine_->image()));
    ImageBuilder from_snapshot;
    for (const VersionedRecord& record : to_records(machine_->image())) {
      ASSERT_TRUE(from_snapshot.apply(record.record));
    }
    EXPECT_TRUE(from_snapshot.uncommitted().same_contents(machine_->image()));
  }
  std::size_t topics_made() const { return topics_made_; }
  std::size_t fenced() const { return fenced_; }

 private:
  static ImageBuilder identity() {
    ImageBuilder builder;
    builder.set_identity("cluster", BrokerId(0));
    return builder;
  }

  void step(ControllerEvent event) {
    ControllerEffects out;
    machine_->step({std::move(event), Offset(static_cast<std::int64_t>(log_.size()))}, now_, out);
    for (VersionedRecord& record : out.records) {
      note(record.record);
      const auto applied =
          machine_->apply(record.record, Offset(static_cast<std::int64_t>(log_.size())));
      ASSERT_TRUE(applied) << applied.error().message;
      log_.push_back(std::move(record));
    }
    machine_->check_invariants();
    check_epochs();
    for (const ControllerReply& reply : out.replies) check_reply(reply);
  }
  void note(const MetadataRecord& record) {
    if (std::holds_alternative<TopicRecord>(record)) ++topics_made_;
    const auto* change = std::get_if<BrokerRegistrationChangeRecord>(&record);
    if (change != nullptr && change->fenced > 0) ++fenced_;
  }
  // A fenced broker leads nothing is checked by the machine; that epochs grow needs a memory.
  void check_epochs() {
    machine_->image().topics.for_each([&](const TopicImage& topic) {
      topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& partition) {
        auto& [leader_epoch, partition_epoch] = epochs_[{topic.id, index}];
        EXPECT_GE(partition.leader_epoch, leader_epoch);
        EXPECT_GE(partition.partition_epoch, partition_epoch);
        leader_epoch = partition.leader_epoch;
        partition_epoch = partition.partition_epoch;
      });
    });
  }
  void check_reply(const ControllerReply& reply) {
    if (const auto* block = std::get_if<ProducerIdBlock>(&reply);
        block != nullptr && block->count > 0) {
      EXPECT_GE(block->first, ids_end_) << "ids given twice";
      ids_end_ = block->first + block->count;
    }
    if (const auto* registered = std::get_if<RegisterBrokerResult>(&reply);
        registered != nullptr && registered->error == wire::ErrorCode::none) {
      brokers_[asked_].epoch = registered->epoch;
    }
  }

  void ask_something() {
    asked_ = BrokerId(static_cast<int>(prng_.below(5)));
    Broker& broker = brokers_[asked_];
    switch (prng_.below(10)) {
      case 0:
        return register_broker(broker);
      case 1:
        return create_topic();
      case 2:
        return delete_topic();
      case 3:
        return add_partitions();
      case 4:
        return step(AllocateProducerIds{asked_, broker.epoch});
      case 5:
        if (prng_.chance(6)) step(UnregisterBroker{asked_});
        return;
      case 6:
        return assign_directories(broker);
      default:
        return heartbeat(broker);
    }
  }
  struct Broker {
    std::uint64_t starts = 0;
    BrokerEpoch epoch{-1};
  };
  void register_broker(Broker& broker) {
    if (prng_.chance(2) || broker.starts == 0) ++broker.starts;
    const auto id = static_cast<std::uint64_t>(asked_.value());
    step(RegisterBroker{.id = asked_,
                        .cluster_id = "cluster",
                        .incarnation_id = Uuid::from_halves(id, broker.starts),
                        .listeners = {{"PLAINTEXT", "h", 9092, 0}},
                        .features = feature_ranges(),
                        .rack = "r" + std::to_string(id % 2),
                        .log_directories = {Uuid::from_halves(9, id), Uuid::from_halves(10, id)}});
  }
  void heartbeat(const Broker& broker) {
    BrokerHeartbeat beat{.id = asked_,
                         .epoch = broker.epoch,
                         .metadata_offset = Offset(static_cast<std::int64_t>(log_.size())),
                         .want_fence = prng_.chance(10),
                         .want_shutdown = prng_.chance(10)};
    if (prng_.chance(12))
      beat.offline_directories = {Uuid::from_halves(9, static_cast<std::uint64_t>(asked_.value()))};
    step(std::move(beat));
  }
  // Some that are its own, some that are not, some twice; now and then in a directory that nobody has.
  void assign_directories(const Broker& broker) {
    AssignDirectories question{.broker = asked_, .broker_epoch = broker.epoch, .replicas = {}};
    machine_->image().topics.for_each([&](const TopicImage& topic) {
      const PartitionIndex index(static_cast<std::int32_t>(prng_.below(4)));
      const auto directory = Uuid::from_halves(9 + prng_.below(2) + (prng_.chance(20) ? 5 : 0),
                                               static_cast<std::uint64_t>(asked_.value()));
      question.replicas.push_back({{topic.id, index}, directory});
      if (prng_.chance(10)) question.replicas.push_back({{topic.id, index}, kDirectoryLost});
    });
    step(std::move(question));
  }
  std::string some_topic() { return "t" + std::to_string(prng_.below(12)); }
  void create_topic() {
    const std::string name = some_topic();
    wire::CreateTopicsRequest request;
    request.topics.push_back({.name = name,
                              .num_partitions = static_cast<std::int32_t>(1 + prng_.below(4)),
                              .replication_factor = static_cast<std::int16_t>(1 + prng_.below(3))});
    if (prng_.chance(3))
      request.topics[0].configs.push_back({"unclean.leader.election.enable", "true"});
    step(&request);
  }
  void delete_topic() {
    const std::string name = some_topic();
    wire::DeleteTopicsRequest request;
    request.topics.push_back({.name = name, .topic_id = {}});
    step(&request);
  }
  void add_partitions() {
    const std::string name = some_topic();
    wire::CreatePartitionsRequest request;
    request.topics.push_back(
        {.name = name, .count = static_cast<std::int32_t>(1 + prng_.below(8)), .assignments = {}});
    step(&request);
  }

  ControllerOptions options_;
  std::unique_ptr<ControllerMachine> machine_;
  Prng prng_;
  Instant now_{};
  std::vector<VersionedRecord> log_;
  std::map<BrokerId, Broker> brokers_;
  BrokerId asked_;
  std::map<std::pair<TopicId, PartitionIndex>, std::pair<LeaderEpoch, PartitionEpoch>> epochs_;
  ProducerId ids_end_{0};
  std::size_t topics_made_ = 0;
  std::size_t fenced_ = 0;
};

TEST(ControllerRandom, invariants_hold_after_every_step_and_the_log_makes_the_same_state) {
  std::size_t topics = 0;
  std::size_t fenced = 0;
  // More seeds: MILLRACE_SEEDS=20000.
  const char* asked = std::getenv("MILLRACE_SEEDS");
  const std::uint64_t seeds = asked == nullptr ? 40 : std::strtoull(asked, nullptr, 10);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE(seed);
    RandomCluster cluster(seed);
    cluster.run(400);
    cluster.expect_log_makes_the_same();
    topics += cluster.topics_made();
    fenced += cluster.fenced();
    if (::testing::Test::HasFailure()) return;
  }
  // Or nothing of the above was tried.
  EXPECT_GT(topics, 400u);
  EXPECT_GT(fenced, 400u);
}

}  // namespace
}  // namespace millrace::engine
