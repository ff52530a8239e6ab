// LogRun: a LogNode that runs on a simulated disk, from its start to whatever end.
//
// Lifetime:   `world` and `disk` outlive it; the world turns its reactor until it goes.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "io/reactor.h"
#include "tests/sim/log_node.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_proactor.h"
#include "tests/sim/world.h"

namespace millrace::sim {

struct LogRun {
  // `name` tells its streams of random numbers from those of other runs. `more`: log directories besides /data.
  LogRun(World& in, SimDisk& disk, std::string name, log::LogShardOptions options, std::vector<std::string> more = {})
      : world(in), proactor(world, disk, std::move(name)), reactor(ShardId{0}, proactor),
        node(std::make_unique<LogNode>(proactor, "/data", std::move(options), std::move(more))) {
    world.add(reactor);
  }
  ~LogRun() { world.remove(reactor); }
  LogRun(const LogRun&) = delete;
  // What the disk looked like was copied before.
  void crash() {
    world.run(reactor, node->crash());
    node.reset();
  }

  World& world;
  SimProactor proactor;
  io::Reactor reactor;
  std::unique_ptr<LogNode> node;
};

}  // namespace millrace::sim
