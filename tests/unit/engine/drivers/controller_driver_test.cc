// The controller over its log on the simulated disk: what it writes, what a restart makes of it,
// and that no answer is lost wherever the power goes.
#include "engine/drivers/controller_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "engine/log/format/record_batch.h"
#include "engine/storage_format.h"
#include "io/file.h"
#include "io/gate.h"
#include "io/wait.h"
#include "tests/sim/sim_proactor.h"
#include "tests/support/golden.h"

namespace millrace::engine {
namespace {

using ::testing::HasSubstr;

// One node: a disk and, between start() and stop(), a controller on it.
class Node {
 public:
  Node(sim::World& world, sim::SimDisk& disk, std::string name)
      : world_(world),
        proactor_(world, disk, name),
        reactor_(ShardId(0), proactor_),
        prng_(world.stream(name)) {
    world_.add(reactor_);
  }
  ~Node() { world_.remove(reactor_); }

  void format(std::int16_t version = kMetadataVersionMax) {
    const auto done = format_storage(proactor_,
                                     {.log_dirs = {"/data"},
                                      .metadata_log_dir = "/data",
                                      .cluster_id = "cluster",
                                      .node_id = BrokerId(1),
                                      .metadata_version = version},
                                     prng_, world_.wall_now());
    ASSERT_TRUE(done) << done.error().message;
  }
  Result<void> start(std::size_t snapshot_bytes = std::size_t{20} << 20) {
    ControllerDriver::Options options{.cluster_id = "cluster",
                                      .metadata_directory = "/data",
                                      .seed = prng_.next(),
                                      .snapshot_bytes = snapshot_bytes,
                                      .on_failure = [this](const Error&) { ++failures; }};
    options.controller.node_id = BrokerId(1);
    driver = std::make_unique<ControllerDriver>(
        proactor_, std::move(options),
        [this](SharedImage image, std::shared_ptr<const MetadataDelta> delta) -> io::Task<void> {
          return published(std::move(image), std::move(delta));
        });
    return world_.run(reactor_, driver->start());
  }
  // Registers, unfences.
  void join() {
    const auto epoch = world_.run(reactor_, driver->join(registration()));
    ASSERT_TRUE(epoch) << epoch.error().message;
    broker_epoch = *epoch;
    const auto unfenced = world_.run(reactor_, driver->unfence(*epoch));
    ASSERT_TRUE(unfenced) << unfenced.error().message;
  }
  void wait(Duration duration) {
    const Instant until = world_.now() + duration;
    world_.run_until([&] { return world_.now() >= until; }, duration * 2);
  }
  void stop() {
    (void)world_.run(reactor_, driver->stop());
    driver.reset();
  }
  wire::ErrorCode create(const std::string& name, std::int32_t partitions = 1) {
    wire::CreateTopicsRequest request;
    request.topics.push_back({.name = name, .num_partitions = partitions, .replication_factor = 1});
    const auto reply = world_.run(reactor_, driver->ask(&request));
    return std::get<Reply<wire::CreateTopicsResponse>>(reply).response.topics.at(0).error_code;
  }
  RegisterBroker registration() {
    return {.id = BrokerId(1),
            .cluster_id = "cluster",
            .incarnation_id = Uuid::from_random(prng_.next(), prng_.next()),
            .listeners = {{"PLAINTEXT", "localhost", 9092, 0}},
            .features = feature_ranges(),
            .rack = std::nullopt,
            .log_directories = {Uuid::from_halves(5, 5)}};
  }
  const MetadataImage& image() const { return *driver->image(); }
  io::Proactor& proactor() { return proactor_; }
  io::Reactor& reactor() { return reactor_; }

  // Shards take their time to follow an image.
  void hold_images() { holding_ = true; }
  void release_images() {
    holding_ = false;
    released_.notify_all();
  }

  std::unique_ptr<ControllerDriver> driver;
  BrokerEpoch broker_epoch;
  int failures = 0;
  int images = 0;
  std::set<std::string> created;  // as the deltas told

 private:
  io::Task<void> published(SharedImage image, std::shared_ptr<const MetadataDelta> delta) {
    ++images;
    for (const auto& [id, topic] : delta->topics) {
      if (topic.created) created.insert(topic.name);
      if (topic.removed) created.erase(topic.name);
    }
    EXPECT_EQ(image->cluster_id, "cluster");
    while (holding_) co_await released_.wait();
  }

  sim::World& world_;
  sim::SimProactor proactor_;
  io::Reactor reactor_;
  Prng prng_;
  bool holding_ = false;
  io::Event released_;
};

class ControllerDriverTest : public ::testing::Test {
 protected:
  sim::World world_{5};
  sim::SimDisk disk_{world_.stream("disk")};
};

std::vector<std::string> topic_names(const MetadataImage& image) {
  std::vector<std::string> names;
  image.topics.for_each([&](const TopicImage& topic) { names.push_back(topic.name); });
  return names;
}

TEST_F(ControllerDriverTest, the_first_batches_of_a_new_cluster_are_kafkas) {
  {
    Node node(world_, disk_, "a");
    node.format(21);
    ASSERT_TRUE(node.start());
    EXPECT_EQ(node.image().metadata_version(), 21);
    EXPECT_EQ(node.image().controller_id, BrokerId(1));
    EXPECT_EQ(node.image().position.offset, Offset(4));
    node.stop();
  }
  Node reader(world_, disk_, "b");
  const auto bytes =
      io::read_small_file(reader.proactor(), "/data/__cluster_metadata-0/00000000000000000000.log");
  ASSERT_TRUE(bytes);
  log::BatchWalk walk(as_bytes(*bytes));
  const auto first = walk.next();
  ASSERT_TRUE(first);
  // But for its time, and so its checksum.
  auto golden = tests::golden("LeaderChange batch at offset 0, epoch 1");
  store_big_endian(golden.data() + log::batch_field::kBaseTimestamp, first->base_timestamp());
  store_big_endian(golden.data() + log::batch_field::kMaxTimestamp, first->max_timestamp());
  log::set_crc(golden);
  EXPECT_EQ(tests::to_hex(first->bytes()), tests::to_hex(golden));
  const auto second = walk.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->base_offset(), Offset(1));
  EXPECT_EQ(second->record_count(), 4);
  EXPECT_TRUE(walk.at_end());
  const auto state =
      io::read_small_file(reader.proactor(), "/data/__cluster_metadata-0/quorum-state");
  ASSERT_TRUE(state);
  EXPECT_THAT(*state, HasSubstr("\"leaderEpoch\":1"));
}

TEST_F(ControllerDriverTest, a_topic_is_in_the_published_image_when_its_answer_comes) {
  Node node(world_, disk_, "a");
  node.format();
  ASSERT_TRUE(node.start());
  node.join();
  EXPECT_EQ(node.create("foo", 3), wire::ErrorCode::none);
  EXPECT_TRUE(node.created.contains("foo"));
  ASSERT_NE(node.image().topics.find("foo"), nullptr);
  EXPECT_EQ(node.image().topics.find("foo")->partitions.size(), 3u);
  EXPECT_EQ(node.create("foo"), wire::ErrorCode::topic_already_exists);
  node.stop();
}

// Asks for a topic, and notes when the answer has come.
io::Task<void> create_and_note(ControllerDriver& driver, std::string name, std::optional<wire::ErrorCode>& answer) {
  wire::CreateTopicsRequest request;
  request.topics.push_back({.name = name, .num_partitions = 1, .replication_factor = 1});
  const auto reply = co_await driver.ask(&request);
  answer = std::get<Reply<wire::CreateTopicsResponse>>(reply).response.topics.at(0).error_code;
}

TEST_F(ControllerDriverTest, nobody_is_told_of_a_topic_before_every_shard_has_it) {
  Node node(world_, disk_, "a");
  node.format();
  ASSERT_TRUE(node.start());
  node.join();
  std::optional<wire::ErrorCode> first;
  std::optional<wire::ErrorCode> second;
  world_.run(node.reactor(), [&]() -> io::Task<void> {
    io::Gate gate;
    node.hold_images();
    gate.spawn(create_and_note(*node.driver, "foo", first));
    co_await io::sleep_for(std::chrono::seconds(1));
    EXPECT_TRUE(node.created.contains("foo")) << "its image is on its way";
    gate.spawn(create_and_note(*node.driver, "foo", second));
    co_await io::sleep_for(std::chrono::seconds(1));
    EXPECT_FALSE(first) << "the shards do not know it";
    EXPECT_FALSE(second) << "nor do they when somebody else asks";
    node.release_images();
    co_await gate.close();
  }());
  EXPECT_EQ(first, wire::ErrorCode::none);
  EXPECT_EQ(second, wire::ErrorCode::topic_already_exists);
  node.stop();
}

TEST_F(ControllerDriverTest, a_restart_finds_everything_and_raises_the_epochs) {
  SharedImage before;
  BrokerEpoch first_epoch;
  {
    Node node(world_, disk_, "a");
    node.format();
    ASSERT_TRUE(node.start());
    node.join();
    first_epoch = node.broker_epoch;
    EXPECT_EQ(node.create("foo", 2), wire::ErrorCode::none);
    before = node.driver->image();
    node.stop();
  }
  Node node(world_, disk_, "b");
  ASSERT_TRUE(node.start());
  EXPECT_TRUE(node.image().topics == before->topics);
  EXPECT_TRUE(node.image().features == before->features);
  EXPECT_GT(node.image().position.epoch, before->position.epoch);
  node.join();
  EXPECT_GT(node.broker_epoch, first_epoch);
  const PartitionImage* partition = node.image().topics.find("foo")->partition(PartitionIndex(1));
  EXPECT_EQ(partition->leader, BrokerId(1));
  EXPECT_GT(partition->leader_epoch, LeaderEpoch(0));
  node.stop();
}

TEST_F(ControllerDriverTest, snapshots_replace_the_beginning_of_the_log) {
  SharedImage before;
  {
    Node node(world_, disk_, "a");
    node.format();
    ASSERT_TRUE(node.start(2000));
    node.join();
    for (int i = 0; i < 60; ++i)
      ASSERT_EQ(node.create("t" + std::to_string(i)), wire::ErrorCode::none);
    before = node.driver->image();
    node.stop();
  }
  Node node(world_, disk_, "b");
  const auto entries = node.proactor().list("/data/__cluster_metadata-0");
  ASSERT_TRUE(entries);
  int snapshots = 0;
  for (const auto& entry : *entries)
    snapshots += parse_snapshot_file_name(entry.name).has_value() ? 1 : 0;
  EXPECT_EQ(snapshots, 1);
  ASSERT_TRUE(node.start());
  EXPECT_TRUE(node.image().topics == before->topics);
  EXPECT_TRUE(node.image().brokers == before->brokers);
  EXPECT_EQ(node.create("t7"), wire::ErrorCode::topic_already_exists);
  node.stop();
}

TEST_F(ControllerDriverTest, the_broker_of_this_node_is_not_fenced_for_being_paused) {
  Node node(world_, disk_, "a");
  node.format();
  ASSERT_TRUE(node.start());
  node.join();
  const Instant later = world_.now() + std::chrono::minutes(5);
  world_.run_until([&] { return world_.now() >= later; }, std::chrono::minutes(6));
  EXPECT_TRUE(node.image().brokers.find(BrokerId(1))->active());
  node.stop();
}

TEST_F(ControllerDriverTest, a_broker_that_leaves_leads_nothing_and_comes_back) {
  Node node(world_, disk_, "a");
  node.format();
  ASSERT_TRUE(node.start());
  node.join();
  ASSERT_EQ(node.create("foo"), wire::ErrorCode::none);
  const auto left = world_.run(node.reactor(), node.driver->leave(node.broker_epoch));
  ASSERT_TRUE(left) << left.error().message;
  EXPECT_TRUE(node.image().brokers.find(BrokerId(1))->fenced);
  EXPECT_EQ(node.image().topics.find("foo")->partition(PartitionIndex(0))->leader, kNoBroker);
  node.join();
  EXPECT_EQ(node.image().topics.find("foo")->partition(PartitionIndex(0))->leader, BrokerId(1));
  node.stop();
}

TEST_F(ControllerDriverTest, many_partitions_are_several_batches_and_survive) {
  {
    Node node(world_, disk_, "a");
    node.format();
    ASSERT_TRUE(node.start());
    node.join();
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(node.create("wide" + std::to_string(i), 9000), wire::ErrorCode::none);
    }
    node.stop();
  }
  Node node(world_, disk_, "b");
  ASSERT_TRUE(node.start());
  EXPECT_EQ(node.image().topics.partition_count(), 27000u);
  node.join();
  EXPECT_EQ(node.image().topics.find("wide2")->partition(PartitionIndex(8999))->leader,
            BrokerId(1));
  node.stop();
}

TEST_F(ControllerDriverTest, a_failed_sync_grants_nothing_and_stops_the_controller) {
  Node node(world_, disk_, "a");
  node.format();
  ASSERT_TRUE(node.start());
  node.join();
  disk_.faults.sync_error_one_in = 1;
  EXPECT_EQ(node.create("foo"), wire::ErrorCode::kafka_storage_error);
  EXPECT_EQ(node.failures, 1);
  EXPECT_EQ(node.create("bar"), wire::ErrorCode::kafka_storage_error);
  disk_.faults.sync_error_one_in = 0;
  node.stop();
}

TEST_F(ControllerDriverTest, a_full_disk_refuses_and_once_there_is_room_topics_are_made_again) {
  Node node(world_, disk_, "a");
  node.format();
  ASSERT_TRUE(node.start());
  node.join();
  ASSERT_EQ(node.create("before"), wire::ErrorCode::none);
  disk_.set_capacity(disk_.used_bytes());
  EXPECT_NE(node.create("full", 2000), wire::ErrorCode::none);
  disk_.set_capacity(std::uint64_t{1} << 40);
  wire::ErrorCode after{};
  for (int attempt = 0; attempt < 50; ++attempt) {
    after = node.create("after");
    if (after == wire::ErrorCode::none) break;
    node.wait(from_ms(100));
  }
  EXPECT_EQ(after, wire::ErrorCode::none);
  EXPECT_EQ(node.failures, 0);
  EXPECT_EQ(node.image().topics.find("full"), nullptr);
  node.stop();
}

TEST_F(ControllerDriverTest, a_snapshot_for_which_there_is_no_room_leaves_nothing_behind) {
  Node node(world_, disk_, "a");
  node.format();
  world_.run(node.reactor(), [&]() -> io::Task<void> {
    auto log = co_await MetadataLog::open(node.proactor(), {.parent_directory = "/data"});
    EXPECT_TRUE(log);
    disk_.set_capacity(disk_.used_bytes() + 10'000);
    const raft::SnapshotId id{.epoch = LeaderEpoch(1), .end_offset = Offset(1)};
    const auto written = co_await (*log)->write_snapshot(id, std::vector<std::byte>(100'000));
    EXPECT_FALSE(written);
    disk_.set_capacity(std::uint64_t{1} << 40);
    (void)co_await (*log)->close();
  }());
  const auto entries = node.proactor().list("/data/__cluster_metadata-0");
  ASSERT_TRUE(entries);
  for (const auto& entry : *entries) EXPECT_THAT(entry.name, ::testing::Not(::testing::EndsWith(".part"))) << "it takes room";
}

TEST_F(ControllerDriverTest, a_log_that_was_tampered_with_is_not_started_from) {
  {
    Node node(world_, disk_, "a");
    node.format();
    ASSERT_TRUE(node.start(2000));
    node.join();
    for (int i = 0; i < 30; ++i)
      ASSERT_EQ(node.create("t" + std::to_string(i)), wire::ErrorCode::none);
    node.stop();
  }
  Node node(world_, disk_, "b");
  const auto entries = node.proactor().list("/data/__cluster_metadata-0");
  ASSERT_TRUE(entries);
  for (const auto& entry : *entries) {
    if (parse_snapshot_file_name(entry.name)) {
      disk_.flip_bit("/data/__cluster_metadata-0/" + entry.name, 300, 3);
    }
  }
  const auto started = node.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::corrupt);
  node.stop();
}

// The power goes before a change of the disk that the seed draws, while topics are made and
// snapshots written. Whatever was answered by then is there after the restart.
void cut_somewhere(std::uint64_t seed) {
  SCOPED_TRACE(seed);
  sim::World world(seed);
  sim::SimDisk disk(world.stream("disk"));
  Prng prng = world.stream("test");
  const std::uint64_t cut = prng.below(600);
  std::unique_ptr<sim::SimDisk> image;
  std::set<std::string> answered;
  std::set<std::string> answered_at_cut;
  std::uint64_t changes = 0;
  {
    Node node(world, disk, "a");
    node.format();
    disk.set_observer([&] {
      if (changes++ != cut) return;
      image = disk.power_cut(prng);
      answered_at_cut = answered;
    });
    ASSERT_TRUE(node.start(1500));
    node.join();
    for (int i = 0; i < 40; ++i) {
      const std::string name = "t" + std::to_string(i);
      if (node.create(name) == wire::ErrorCode::none) answered.insert(name);
    }
    disk.set_observer({});
    node.stop();
  }
  if (image == nullptr) return;
  Node node(world, *image, "b");
  const auto started = node.start(1500);
  ASSERT_TRUE(started) << started.error().message;
  const auto names = topic_names(node.image());
  const std::set<std::string> found(names.begin(), names.end());
  for (const std::string& name : answered_at_cut)
    EXPECT_TRUE(found.contains(name)) << name << " is lost";
  node.join();
  EXPECT_EQ(node.create("after"), wire::ErrorCode::none);
  node.stop();
}

TEST(ControllerDriverCrash, no_answered_topic_is_lost_wherever_the_power_goes) {
  // More seeds: MILLRACE_SEEDS=20000.
  const char* asked = std::getenv("MILLRACE_SEEDS");
  const std::uint64_t seeds = asked == nullptr ? 60 : std::strtoull(asked, nullptr, 10);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) cut_somewhere(seed);
}

}  // namespace
}  // namespace millrace::engine
