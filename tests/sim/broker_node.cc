#include "tests/sim/broker_node.h"

#include <fmt/format.h>

#include <utility>

#include "engine/storage_format.h"
#include "server/settings_table.h"

namespace millrace::sim {
namespace {

constexpr Duration kStopGrace = std::chrono::seconds(5);

}  // namespace

BrokerNode::Shard::Shard(World& world, SimNetwork& network, SimDisk& disk,
                         const BrokerNodeOptions& options, ShardId id)
    : proactor(world, disk, fmt::format("{} shard {}", options.name, id.value())),
      reactor(id, proactor),
      stack(network, reactor, options.host) {
  world.add(reactor);
}

BrokerNode::BrokerNode(World& world, SimNetwork& network, SimDisk& disk, BrokerNodeOptions options)
    : world_(world), options_(std::move(options)), shards_(options_.shards) {
  for (std::uint32_t i = 0; i < options_.shards; ++i) {
    parts_.push_back(std::make_unique<Shard>(world, network, disk, options_, ShardId{i}));
    shards_.adopt(ShardId{i}, parts_.back()->reactor);
  }
}

BrokerNode::~BrokerNode() {
  for (const auto& part : parts_) world_.remove(part->reactor);
}

// Everything that has a limit gets a small one, so that segments roll, snapshots are written, sessions are evicted and the
// write-ahead log comes round.
engine::BrokerOptions BrokerNode::broker_options() const {
  engine::BrokerOptions options;
  for (std::uint32_t i = 0; i < options_.directories; ++i) {
    options.log_directories.push_back(i == 0 ? "/data" : fmt::format("/data{}", i));
  }
  options.metadata_directory = "/data";
  options.listeners.push_back({.name = "PLAINTEXT",
                               .host = options_.host,
                               .port = kNodePort,
                               .advertised_host = options_.host,
                               .advertised_port = kNodePort});
  options.controller_endpoints.push_back({.listener = "CONTROLLER", .host = options_.host, .port = kNodePort + 1});
  options.config_definitions = server::setting_definitions();
  options.static_configs = {{"log.roll.ms", "300"},
                            {"log.index.interval.bytes", "500"},
                            {"log.segment.delete.delay.ms", "30"},
                            {"log.cleaner.backoff.ms", "40"},
                            {"log.cleaner.min.cleanable.ratio", "0.2"},
                            {"log.cleaner.dedupe.buffer.size", "8192"}};
  options.default_partitions = 2;
  options.fetch_sessions_max = 6;
  options.write_ahead_bytes = 128 << 10;
  // Without a reserve every second time, so that a disk that is full to the last block is met as well.
  options.disk_reserve_percent = options_.seed % 2 == 0 ? 0 : 5;
  options.retention_check_ms = 700;
  options.checkpoint_ms = 400;
  options.metadata_segment_bytes = 8'000;
  options.metadata_snapshot_bytes = 3'000;
  options.offsets_topic_partitions = kOffsetsPartitions;
  options.groups = options_.groups;
  options.random_seed = options_.seed;
  return options;
}

Result<void> BrokerNode::start() { return world_.run(parts_.front()->reactor, start_all()); }

io::Task<Result<void>> BrokerNode::start_all() {
  io::Proactor& proactor = io::Reactor::current().proactor();
  engine::BrokerOptions options = broker_options();
  options.on_failure = [this](const Error& error) { failure_ = error; };
  options.on_config = options_.on_config;
  Prng prng(options_.seed);
  if (!proactor.list("/data")) {
    const engine::FormatOptions format{.log_dirs = options.log_directories,
                                       .metadata_log_dir = options.metadata_directory,
                                       .cluster_id = engine::random_cluster_id(prng),
                                       .node_id = options.node_id};
    CO_TRY_DONE(engine::format_storage(proactor, format, prng, proactor.wall_now()));
  }
  CO_TRY(identity, engine::claim_directories(proactor, options.log_directories, options.node_id, prng));
  options.cluster_id = identity.cluster_id;
  for (const auto& directory : identity.directories) {
    options.directory_ids.push_back(directory.properties->directory_id);
  }
  broker_.emplace(shards_, std::move(options));
  CO_TRY_DONE(co_await broker_->start());
  for (std::uint32_t i = 0; i < options_.shards; ++i) {
    const ShardId id{i};
    CO_TRY_DONE(co_await shards_.call(id, [&]() -> io::Task<Result<void>> { return listen_on(id); }));
  }
  co_return Result<void>{};
}

io::Task<Result<void>> BrokerNode::listen_on(ShardId id) {
  Shard& part = *parts_[id.value()];
  net::ServerOptions options;
  options.listeners.push_back(
      {.name = "PLAINTEXT", .listen = {.address = {.host = options_.host, .port = kNodePort}}});
  options.connection.request_bytes_max = options_.request_bytes_max;
  options.buffers.bytes_max = 4 * options_.request_bytes_max;
  part.service = std::make_unique<engine::RequestService>(*broker_, broker_->at(id));
  part.server = std::make_unique<net::Server>(part.stack, *part.service, net::AdmissionPort{}, std::move(options));
  CO_TRY_DONE(part.server->listen());
  part.server->start();
  co_return Result<void>{};
}

Result<void> BrokerNode::stop() { return world_.run(parts_.front()->reactor, stop_all()); }

io::Task<Result<void>> BrokerNode::stop_all() {
  for (std::uint32_t i = 0; i < options_.shards; ++i) {
    const ShardId id{i};
    co_await shards_.call(id, [&]() -> io::Task<void> { return close_on(id); });
  }
  co_return co_await broker_->stop();
}

io::Task<void> BrokerNode::close_on(ShardId id) {
  Shard& part = *parts_[id.value()];
  if (part.server == nullptr) co_return;
  broker_->at(id).end_waits();
  co_await part.server->stop(kStopGrace);
  part.server.reset();
  part.service.reset();
}

std::size_t BrokerNode::connections() const {
  std::size_t open = 0;
  for (const auto& part : parts_) open += part->server ? part->server->connections() : 0;
  return open;
}

std::set<TopicPartition> BrokerNode::offline_partitions() {
  std::set<TopicPartition> offline;
  for (std::uint32_t i = 0; i < options_.shards; ++i) {
    for (const auto& [id, partition] : broker_->at(ShardId{i}).partitions()) {
      if (partition->offline()) offline.insert(id);
    }
  }
  return offline;
}

}  // namespace millrace::sim
