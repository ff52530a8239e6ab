// BrokerNode: a whole broker on a simulated disk and network: the real Broker, its Servers and their RequestServices, on one or
// more simulated shards that take turns in one thread.
//
// Shard:      shard 0 starts and stops it, as in a real process.
// Lifetime:   start() once, then stop(); the World, the network and the disk outlive it. A crash is an image of the disk that
//             was taken meanwhile: this node is stopped in good order on a disk that nobody looks at any more.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/api/service.h"
#include "engine/broker.h"
#include "io/shard.h"
#include "net/transport/server.h"
#include "tests/sim/sim_proactor.h"
#include "tests/sim/sim_stack.h"

namespace millrace::sim {

inline constexpr std::uint16_t kNodePort = 9092;
inline constexpr std::int32_t kOffsetsPartitions = 3;  // of __consumer_offsets

struct BrokerNodeOptions {
  std::uint32_t shards = 1;
  std::uint32_t directories = 1;  // of log.dirs
  std::string host = "node";
  std::string name;  // tells its streams of random numbers from those of earlier starts
  std::uint64_t seed = 0;
  std::size_t request_bytes_max = std::size_t{1} << 20;
  engine::GroupOptions groups = {};
  std::function<void(const engine::ConfigLayers&)> on_config = {};
};

class BrokerNode {
 public:
  BrokerNode(World& world, SimNetwork& network, SimDisk& disk, BrokerNodeOptions options);
  ~BrokerNode();
  BrokerNode(const BrokerNode&) = delete;

  // Formats the disk when it is empty, starts the broker, listens.
  Result<void> start();
  // Also after a start() that failed.
  Result<void> stop();

  // On shard 0.
  template <class T>
  T run(io::Task<T> task) {
    return world_.run(parts_.front()->reactor, std::move(task));
  }

  bool clean_start() const { return broker_->clean_start(); }
  bool first_start() const { return broker_->first_start(); }
  // Why the metadata log has given up, when it has: a process would end then.
  const std::optional<Error>& failure() const { return failure_; }
  std::set<TopicPartition> offline_partitions();
  // Of all shards.
  std::size_t connections() const;
  engine::Broker& broker() { return *broker_; }

 private:
  struct Shard {
    Shard(World& world, SimNetwork& network, SimDisk& disk, const BrokerNodeOptions& options, ShardId id);
    SimProactor proactor;
    io::Reactor reactor;
    SimStack stack;
    std::unique_ptr<engine::RequestService> service;
    std::unique_ptr<net::Server> server;
  };

  engine::BrokerOptions broker_options() const;
  io::Task<Result<void>> start_all();
  io::Task<Result<void>> listen_on(ShardId id);
  io::Task<Result<void>> stop_all();
  io::Task<void> close_on(ShardId id);

  World& world_;
  BrokerNodeOptions options_;
  io::Shards shards_;
  std::vector<std::unique_ptr<Shard>> parts_;
  std::optional<engine::Broker> broker_;
  std::optional<Error> failure_;
};

}  // namespace millrace::sim
