// A whole broker on the simulated disk, from start to stop to start: what it keeps, what it forgets, what it sets aside.
#include "engine/broker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>

#include "engine/metadata/broker_config.h"
#include "io/file.h"
#include "server/settings_table.h"
#include "tests/sim/broker_node.h"
#include "tests/sim/log_node.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/world.h"

namespace millrace::engine {
namespace {

class BrokerTest : public testing::Test {
 protected:
  BrokerTest() : world_(3), network_(world_), disk_(std::make_unique<sim::SimDisk>(world_.stream("disk"))), random_(5) {}
  ~BrokerTest() override {
    if (node_) (void)node_->stop();
  }

  Result<void> start() {
    node_ = std::make_unique<sim::BrokerNode>(
        world_, network_, *disk_,
        sim::BrokerNodeOptions{.directories = directories_,
                               .name = "start " + std::to_string(++starts_),
                               .seed = starts_,
                               .on_config = [this](const ConfigLayers& layers) {
                                 connections_max_ = broker_number(server::setting_definitions(), layers, "max.connections");
                               }});
    return node_->start();
  }
  void stop() {
    const auto stopped = node_->stop();
    ASSERT_TRUE(stopped) << stopped.error().message;
    node_.reset();
  }
  // The process is gone: the next start is on what its disk and page cache were like.
  void kill() {
    auto image = disk_->process_kill(random_);
    (void)node_->stop();
    node_.reset();
    disk_ = std::move(image);
  }

  wire::ErrorCode create(const std::string& name, std::int32_t partitions = 1) {
    wire::CreateTopicsRequest request;
    request.topics.push_back({.name = name, .num_partitions = partitions, .replication_factor = 1});
    const auto reply = node_->run(node_->broker().controller().ask(&request));
    return std::get<Reply<wire::CreateTopicsResponse>>(reply).response.topics.front().error_code;
  }
  wire::ErrorCode remove(const std::string& name) {
    wire::DeleteTopicsRequest request;
    request.topics.push_back({.name = name, .topic_id = {}});
    const auto reply = node_->run(node_->broker().controller().ask(&request));
    return std::get<Reply<wire::DeleteTopicsResponse>>(reply).response.responses.front().error_code;
  }
  // For all brokers; nothing: what was set goes.
  wire::ErrorCode alter_brokers(const std::string& key, const std::optional<std::string>& value) {
    wire::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = static_cast<std::int8_t>(ConfigResourceType::broker);
    auto& config = resource.configs.emplace_back();
    config.name = key;
    config.config_operation = value ? 0 : 1;
    if (value) config.value = *value;
    const auto reply = node_->run(node_->broker().controller().ask(&request));
    return std::get<Reply<wire::IncrementalAlterConfigsResponse>>(reply).response.responses.front().error_code;
  }
  std::shared_ptr<Partition> partition(const std::string& name) {
    const TopicImage* topic = node_->broker().image()->topics.find(name);
    return topic == nullptr ? nullptr : node_->broker().at(ShardId{0}).find({topic->id, PartitionIndex(0)});
  }
  // As a request asks for it: made if it was not before.
  std::shared_ptr<Partition> made(const std::string& name) {
    const TopicImage* topic = node_->broker().image()->topics.find(name);
    CHECK(topic != nullptr, "{}", name);
    return node_->run(node_->broker().at(ShardId{0}).find_or_make({topic->id, PartitionIndex(0)}));
  }
  void pass(Duration time) {
    node_->run([](Duration slept) -> io::Task<void> { co_await io::sleep_for(slept); }(time));
  }
  Result<log::AppendedBatches> append(const std::string& name, int number) {
    // Of now: older ones would be retention's.
    auto batch = sim::make_batch({.values = {name + std::to_string(number)}, .timestamp = world_.wall_now().ms});
    const auto at = partition(name);
    if (at == nullptr) return fail(Errc::not_found, name);
    return node_->run(at->append(batch, world_.wall_now(), true));
  }
  void append_some(const std::string& name, int first, int end) {
    for (int i = first; i < end; ++i) {
      const auto appended = append(name, i);
      ASSERT_TRUE(appended) << appended.error().message;
      ASSERT_EQ(appended->first_offset, Offset(i));
    }
  }
  void expect_some(const std::string& name, int first, int end) {
    const auto at = partition(name);
    ASSERT_NE(at, nullptr);
    ASSERT_NE(at->log(), nullptr) << at->state().log_end_offset.value();
    EXPECT_EQ(at->log()->log_start_offset(), Offset(first));
    ASSERT_EQ(at->log()->end_offset(), Offset(end));
    const auto records = node_->run(sim::read_records(*at->log(), Offset(first), Offset(end)));
    ASSERT_TRUE(records) << records.error().message;
    ASSERT_EQ(records->size(), static_cast<std::size_t>(end - first));
    for (const auto& record : *records) EXPECT_EQ(record.value, name + std::to_string(record.offset.value()));
  }
  // Of each partition of the topic, whether the metadata says the directory in which its log is.
  void expect_recorded(const std::string& name, std::int32_t partitions) {
    const auto image = node_->broker().image();
    const auto& options = node_->broker().options();
    const TopicImage* topic = image->topics.find(name);
    ASSERT_NE(topic, nullptr);
    for (std::int32_t number = 0; number < partitions; ++number) {
      SCOPED_TRACE(number);
      const PartitionIndex index(number);
      const auto open = node_->broker().at(ShardId{0}).find({topic->id, index});
      ASSERT_NE(open, nullptr);
      const std::string directory = io::directory_of(open->log()->directory());
      const auto at = std::ranges::find(options.log_directories, directory) - options.log_directories.begin();
      EXPECT_EQ(topic->partition(index)->directory_of(options.node_id),
                options.directory_ids[static_cast<std::size_t>(at)]);
      EXPECT_EQ(topic->partition(index)->leader, options.node_id);
    }
  }
  std::vector<std::string> entries(const std::string& directory = "/data") {
    std::vector<std::string> names;
    const auto listed = disk_->list(directory);
    for (const auto& entry : *listed) names.push_back(entry.name);
    return names;
  }
  void write(const std::string& path, ConstBytes bytes) {
    const auto handle = disk_->open(path, {.write = true, .create = true, .truncate = true});
    ASSERT_TRUE(handle) << path;
    ASSERT_TRUE(disk_->write(*handle, 0, bytes));
    disk_->close(*handle);
  }

  sim::World world_;
  sim::SimNetwork network_;
  std::unique_ptr<sim::SimDisk> disk_;
  Prng random_;
  std::uint64_t starts_ = 0;
  std::uint32_t directories_ = 1;
  std::unique_ptr<sim::BrokerNode> node_;
  std::optional<std::int64_t> connections_max_;  // as it was last told
};

TEST_F(BrokerTest, deleted_records_stay_deleted_over_a_clean_stop) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 10);
  ASSERT_EQ(partition("t")->delete_records(Offset(4)), Offset(4));
  stop();
  ASSERT_TRUE(start());
  EXPECT_TRUE(node_->clean_start());
  expect_some("t", 4, 10);
}

TEST_F(BrokerTest, only_the_start_that_nothing_came_before_is_the_first) {
  ASSERT_TRUE(start());
  EXPECT_TRUE(node_->first_start());
  EXPECT_FALSE(node_->clean_start());
  kill();
  ASSERT_TRUE(start());
  EXPECT_FALSE(node_->first_start());
  EXPECT_FALSE(node_->clean_start());
  stop();
  ASSERT_TRUE(start());
  EXPECT_FALSE(node_->first_start());
  EXPECT_TRUE(node_->clean_start());
}

TEST_F(BrokerTest, a_topic_made_again_has_nothing_of_the_one_before_after_a_kill) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 7);
  ASSERT_EQ(partition("t")->delete_records(Offset(5)), Offset(5));
  ASSERT_EQ(remove("t"), wire::ErrorCode::none);
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 2);
  kill();
  ASSERT_TRUE(start());
  EXPECT_FALSE(node_->clean_start());
  expect_some("t", 0, 2);
}

TEST_F(BrokerTest, a_topic_made_again_while_checkpoints_cannot_be_written_waits_for_them) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 7);
  ASSERT_EQ(partition("t")->delete_records(Offset(5)), Offset(5));
  stop();
  // The files speak of it now.
  ASSERT_TRUE(start());
  disk_->faults.only = "offset-checkpoint";
  disk_->faults.open_error_one_in = 1;
  ASSERT_EQ(remove("t"), wire::ErrorCode::none);
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  ASSERT_NE(partition("t"), nullptr);
  EXPECT_EQ(made("t")->log(), nullptr);
  pass(std::chrono::seconds(3));
  EXPECT_EQ(made("t")->log(), nullptr);
  disk_->faults = {};
  pass(std::chrono::seconds(2));
  ASSERT_NE(made("t")->log(), nullptr);
  append_some("t", 0, 2);
  kill();
  ASSERT_TRUE(start());
  expect_some("t", 0, 2);
}

TEST_F(BrokerTest, a_topic_made_again_after_a_kill_while_checkpoints_could_not_be_written_starts_empty) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 7);
  ASSERT_EQ(partition("t")->delete_records(Offset(5)), Offset(5));
  stop();
  ASSERT_TRUE(start());
  disk_->faults.only = "offset-checkpoint";
  disk_->faults.open_error_one_in = 1;
  ASSERT_EQ(remove("t"), wire::ErrorCode::none);
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  EXPECT_EQ(made("t")->log(), nullptr);
  kill();
  disk_->faults = {};
  ASSERT_TRUE(start());
  expect_some("t", 0, 0);
  append_some("t", 0, 2);
  kill();
  ASSERT_TRUE(start());
  expect_some("t", 0, 2);
}

// Neither question waits for the other's answer.
TEST_F(BrokerTest, a_topic_deleted_and_made_at_once_is_the_new_one) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 3);
  const TopicId before = node_->broker().image()->topics.find("t")->id;
  wire::DeleteTopicsRequest removal;
  removal.topics.push_back({.name = "t", .topic_id = {}});
  wire::CreateTopicsRequest creation;
  creation.topics.push_back({.name = "t", .num_partitions = 1, .replication_factor = 1});
  const auto ask = [](Broker& broker, ControllerEvent event) -> io::Task<void> {
    (void)co_await broker.controller().ask(std::move(event));
  };
  const auto both = [&](Broker& broker) -> io::Task<void> {
    io::Gate gate;
    gate.spawn(ask(broker, &removal));
    gate.spawn(ask(broker, &creation));
    co_await gate.close();
  };
  node_->run(both(node_->broker()));
  ASSERT_NE(node_->broker().image()->topics.find("t"), nullptr);
  EXPECT_NE(node_->broker().image()->topics.find("t")->id, before);
  append_some("t", 0, 1);
  stop();
  ASSERT_TRUE(start());
  expect_some("t", 0, 1);
}

TEST_F(BrokerTest, a_topic_made_without_a_handle_for_its_files_is_made_when_there_is_one) {
  ASSERT_TRUE(start());
  disk_->faults.only = "/t-0";
  disk_->faults.open_error_one_in = 1;
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  EXPECT_EQ(made("t")->log(), nullptr);
  disk_->faults = {};
  ASSERT_NE(made("t")->log(), nullptr);
  append_some("t", 0, 2);
}

// The directory can be made, its first segment cannot: each try takes it away again, and the name is held meanwhile.
TEST_F(BrokerTest, a_topic_made_again_while_its_deleted_namesake_is_tried_on_a_full_disk_is_made_once_there_is_room) {
  ASSERT_TRUE(start());
  disk_->set_capacity(disk_->used_bytes() + 4096);
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  const TopicId before = node_->broker().image()->topics.find("t")->id;
  ASSERT_EQ(made("t")->log(), nullptr);
  bool ended = false;
  const auto ask_for_it = [&](BrokerShard& shard) -> io::Task<void> {
    while (!ended) {
      (void)co_await shard.find_or_make({before, PartitionIndex(0)});
      co_await io::yield();
    }
  };
  wire::DeleteTopicsRequest removal;
  removal.topics.push_back({.name = "t", .topic_id = {}});
  wire::CreateTopicsRequest creation;
  creation.topics.push_back({.name = "t", .num_partitions = 1, .replication_factor = 1});
  const auto make_again = [&](Broker& broker) -> io::Task<void> {
    io::Gate gate;
    gate.spawn(ask_for_it(broker.at(ShardId{0})));
    (void)co_await broker.controller().ask(&removal);
    (void)co_await broker.controller().ask(&creation);
    ended = true;
    co_await gate.close();
  };
  node_->run(make_again(node_->broker()));
  ASSERT_NE(node_->broker().image()->topics.find("t"), nullptr);
  ASSERT_NE(node_->broker().image()->topics.find("t")->id, before);
  disk_->set_capacity(std::uint64_t{1} << 40);
  ASSERT_NE(made("t")->log(), nullptr);
  append_some("t", 0, 2);
}

TEST_F(BrokerTest, with_several_directories_the_metadata_soon_says_in_which_a_new_log_is) {
  directories_ = 2;
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t", 4), wire::ErrorCode::none);
  pass(std::chrono::milliseconds(200));
  expect_recorded("t", 4);
  const auto there = entries("/data1");
  EXPECT_EQ(std::ranges::count_if(there, [](const std::string& name) { return name.starts_with("t-"); }), 2);
}

TEST_F(BrokerTest, a_stop_right_after_a_topic_was_made_still_says_where_its_logs_are) {
  directories_ = 3;
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t", 6), wire::ErrorCode::none);
  stop();
  ASSERT_TRUE(start());
  // As the metadata log says it: nothing has been written since.
  expect_recorded("t", 6);
  const auto topic = node_->broker().image()->topics.find("t");
  const auto before = topic->partition(PartitionIndex(5))->partition_epoch;
  pass(std::chrono::seconds(10));
  EXPECT_EQ(node_->broker().image()->topics.find("t")->partition(PartitionIndex(5))->partition_epoch, before);
}

TEST_F(BrokerTest, a_log_that_was_moved_to_another_directory_is_led_from_there) {
  directories_ = 2;
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 5);
  const std::string from = partition("t")->log()->directory();
  const std::string to = from.starts_with("/data1/") ? "/data/t-0" : "/data1/t-0";
  stop();
  ASSERT_TRUE(disk_->rename(from, to));
  ASSERT_TRUE(start());
  EXPECT_EQ(partition("t")->log()->directory(), to);
  expect_recorded("t", 1);
  expect_some("t", 0, 5);
  append_some("t", 5, 6);
}

TEST_F(BrokerTest, a_log_whose_directory_is_gone_is_not_led_as_an_empty_one_and_is_led_when_it_is_back) {
  directories_ = 2;
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t", 2), wire::ErrorCode::none);
  const BrokerOptions options = node_->broker().options();
  const auto properties = [&](const Uuid& directory) {
    return "version=1\ncluster.id=" + options.cluster_id + "\nnode.id=" + std::to_string(options.node_id.value()) +
           "\ndirectory.id=" + directory.to_string() + "\n";
  };
  const auto leaders = [&] {
    const TopicImage* topic = node_->broker().image()->topics.find("t");
    return std::ranges::count_if(std::array{0, 1}, [&](int index) {
      return topic->partition(PartitionIndex(index))->leader == options.node_id;
    });
  };
  stop();
  // Another disk in its place.
  const std::string log = disk_->list("/data1/t-0") ? "/t-0" : "/t-1";
  ASSERT_TRUE(disk_->make_directory("/old"));
  ASSERT_TRUE(disk_->rename("/data1" + log, "/old" + log));
  write("/data1/meta.properties", as_bytes(properties(Uuid::from_halves(77, 77))));
  // A later start finds what the one before had there.
  for (int life = 0; life < 3; ++life) {
    SCOPED_TRACE(life);
    ASSERT_TRUE(start());
    pass(std::chrono::seconds(1));
    EXPECT_EQ(leaders(), 1);
    if (life == 1) kill();
    else stop();
  }
  write("/data1/meta.properties", as_bytes(properties(options.directory_ids[1])));
  ASSERT_TRUE(disk_->rename("/old" + log, "/data1" + log));
  ASSERT_TRUE(start());
  EXPECT_EQ(leaders(), 2);
}

TEST_F(BrokerTest, a_directory_of_no_topic_is_set_aside_and_its_name_is_free) {
  ASSERT_TRUE(start());
  stop();
  ASSERT_TRUE(disk_->make_directory("/data/stranger-0"));
  write("/data/stranger-0/00000000000000000000.log", as_bytes("who knows"));
  ASSERT_TRUE(start());
  const auto names = entries();
  EXPECT_TRUE(std::ranges::any_of(names, [](const std::string& name) {
    return name.starts_with("stranger-0.") && name.ends_with("-stray");
  }));
  ASSERT_EQ(create("stranger"), wire::ErrorCode::none);
  append_some("stranger", 0, 2);
  stop();
  ASSERT_TRUE(start());
  expect_some("stranger", 0, 2);
}

TEST_F(BrokerTest, what_is_set_for_brokers_is_told_when_it_changes_and_at_every_start) {
  ASSERT_TRUE(start());
  ASSERT_EQ(alter_brokers("max.connections", "7"), wire::ErrorCode::none);
  EXPECT_EQ(connections_max_, 7);
  connections_max_.reset();
  kill();
  ASSERT_TRUE(start());
  EXPECT_EQ(connections_max_, 7);
  ASSERT_EQ(alter_brokers("max.connections", std::nullopt), wire::ErrorCode::none);
  EXPECT_EQ(connections_max_, 2147483647);
  stop();
}

TEST_F(BrokerTest, an_idle_producer_is_forgotten_after_what_is_set_while_it_runs) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  const auto at = partition("t");
  auto batch = sim::make_batch({.values = {"v"},
                                      .timestamp = world_.wall_now().ms,
                                      .producer_id = ProducerId(5),
                                      .producer_epoch = 0,
                                      .base_sequence = 0});
  ASSERT_TRUE(node_->run(at->append(batch, world_.wall_now(), true)));
  pass(std::chrono::seconds(2));
  EXPECT_EQ(at->log()->active_producers().size(), 1U);
  ASSERT_EQ(alter_brokers("producer.id.expiration.ms", "1000"), wire::ErrorCode::none);
  pass(std::chrono::seconds(2));
  EXPECT_EQ(at->log()->active_producers().size(), 0U);
}

TEST_F(BrokerTest, records_without_a_topics_id_are_nobodys_after_a_crash) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 3);
  kill();
  // As a power cut may leave it that came before the first sync.
  write("/data/t-0/partition.metadata", as_bytes("version: 0\nto"));
  ASSERT_TRUE(start());
  const auto names = entries();
  EXPECT_TRUE(std::ranges::any_of(names, [](const std::string& name) {
    return name.starts_with("t-0.") && name.ends_with("-stray");
  }));
  ASSERT_NE(partition("t"), nullptr);
  EXPECT_NE(partition("t")->log(), nullptr);
}

TEST_F(BrokerTest, a_directory_without_a_topics_id_is_its_names_after_a_clean_stop) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 3);
  stop();
  ASSERT_TRUE(disk_->remove("/data/t-0/partition.metadata"));
  ASSERT_TRUE(start());
  expect_some("t", 0, 3);
  // And keeps it over a power cut.
  auto image = disk_->power_cut(random_);
  (void)node_->stop();
  node_.reset();
  disk_ = std::move(image);
  ASSERT_TRUE(start());
  expect_some("t", 0, 3);
}

TEST_F(BrokerTest, a_start_that_fails_leaves_everything_for_the_next_one) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 5);
  kill();
  write("/data/recovery-point-offset-checkpoint", as_bytes("not a checkpoint"));
  const auto failed = start();
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("recovery-point-offset-checkpoint"), std::string::npos);
  EXPECT_TRUE(node_->stop());
  node_.reset();
  ASSERT_TRUE(disk_->remove("/data/recovery-point-offset-checkpoint"));
  ASSERT_TRUE(start());
  expect_some("t", 0, 5);
}

// Acknowledged records were in the write-ahead log alone, and the stop was as good as a stop can be with a failing disk.
TEST_F(BrokerTest, what_an_offline_partition_had_acknowledged_is_back_after_a_stop) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  ASSERT_EQ(create("u"), wire::ErrorCode::none);
  append_some("u", 0, 3);
  disk_->faults.only = "/t-0";
  disk_->faults.sync_error_one_in = 1;
  append_some("t", 0, 5);
  ASSERT_FALSE(node_->run(partition("t")->log()->flush()));
  EXPECT_FALSE(append("t", 5));
  // The write-ahead log comes round many times meanwhile.
  append_some("u", 3, 2000);
  (void)node_->stop();
  node_.reset();
  // The disk is mended, and what the page cache had of the segment is gone.
  disk_->faults = {};
  disk_ = disk_->power_cut(random_);
  ASSERT_TRUE(start());
  expect_some("t", 0, 5);
  expect_some("u", 0, 2000);
}

// The page cache still has what the sync has lost, and no later sync would write it by itself.
TEST_F(BrokerTest, what_a_failed_sync_has_lost_is_written_again_by_the_next_start) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 20);
  disk_->faults.only = "/t-0";
  disk_->faults.sync_error_one_in = 1;
  ASSERT_FALSE(node_->run(partition("t")->log()->flush()));
  kill();
  disk_->faults = {};
  ASSERT_TRUE(start());
  expect_some("t", 0, 20);
  auto image = disk_->power_cut(random_);
  (void)node_->stop();
  node_.reset();
  disk_ = std::move(image);
  ASSERT_TRUE(start());
  expect_some("t", 0, 20);
}

// Twice in a row, and a stop in between: the records wait for the start that can take them in.
TEST_F(BrokerTest, what_a_start_could_not_replay_is_replayed_by_a_later_one) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  ASSERT_EQ(create("u"), wire::ErrorCode::none);
  append_some("t", 0, 5);
  append_some("u", 0, 2);
  auto image = disk_->power_cut(random_);
  (void)node_->stop();
  node_.reset();
  disk_ = std::move(image);
  for (int i = 0; i < 2; ++i) {
    disk_->faults.only = "/t-0/0000";
    disk_->faults.sync_error_one_in = 1;
    ASSERT_TRUE(start());
    ASSERT_NE(partition("t"), nullptr);
    ASSERT_EQ(partition("t")->log(), nullptr);
    append_some("u", 2 + 500 * i, 502 + 500 * i);
    disk_->faults = {};
    (void)node_->stop();
    node_.reset();
  }
  ASSERT_TRUE(start());
  expect_some("t", 0, 5);
  expect_some("u", 0, 1002);
  EXPECT_TRUE(std::ranges::none_of(entries(), [](const std::string& name) { return name.starts_with(".millrace-wal-2"); }));
}

TEST_F(BrokerTest, a_topic_that_could_not_be_opened_leaves_its_name_to_the_next_one) {
  ASSERT_TRUE(start());
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 5);
  kill();
  disk_->faults.only = "/t-0/0000";
  disk_->faults.read_error_one_in = 1;
  ASSERT_TRUE(start());
  ASSERT_NE(partition("t"), nullptr);
  ASSERT_EQ(partition("t")->log(), nullptr);
  disk_->faults = {};
  ASSERT_EQ(remove("t"), wire::ErrorCode::none);
  ASSERT_EQ(create("t"), wire::ErrorCode::none);
  append_some("t", 0, 2);
  kill();
  ASSERT_TRUE(start());
  expect_some("t", 0, 2);
  EXPECT_TRUE(std::ranges::none_of(entries(), [](const std::string& name) { return name.ends_with("-delete"); }));
}

}  // namespace
}  // namespace millrace::engine
