// LogOnDiskTest: one partition's log, "t-0", of a node on the simulated disk.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "engine/log/log.h"
#include "engine/log/log_shard.h"
#include "io/reactor.h"
#include "tests/sim/log_node.h"
#include "tests/sim/sim_proactor.h"
#include "tests/sim/world.h"

namespace millrace::log {

class LogOnDiskTest : public testing::Test {
 protected:
  explicit LogOnDiskTest(std::uint64_t seed)
      : world_(seed), disk_(world_.stream("disk")), proactor_(world_, disk_, "proactor"),
        reactor_(ShardId{0}, proactor_), enter_(reactor_) {
    world_.add(reactor_);
    shard_options_.write_ahead_bytes_max = 1 << 20;
    shard_options_.write_ahead_bytes_first = 256 << 10;
  }
  ~LogOnDiskTest() override {
    kill();
    world_.remove(reactor_);
  }

  template <class T>
  T run(io::Task<T> task) {
    return world_.run(reactor_, std::move(task));
  }

  // Starts the node with what is on the disk, and makes the log where there is none.
  void boot() {
    node_ = std::make_unique<sim::LogNode>(proactor_, "/data", shard_options_);
    const auto booted = run(node_->boot(options_));
    ASSERT_TRUE(booted) << booted.error().message;
    log_ = node_->find("t", 0);
    if (log_ != nullptr) return;
    auto made = run(node_->create("t", 0, options_));
    ASSERT_TRUE(made) << made.error().message;
    log_ = *made;
  }
  void stop() {
    const auto stopped = run(node_->stop());
    ASSERT_TRUE(stopped) << stopped.error().message;
    node_.reset();
  }
  // Ends the node, if there is one, without a clean stop.
  void kill() {
    if (node_) run(node_->crash());
    node_.reset();
  }

  sim::World world_;
  sim::SimDisk disk_;
  sim::SimProactor proactor_;
  io::Reactor reactor_;
  io::Reactor::Enter enter_;
  LogShardOptions shard_options_;
  LogOptions options_;
  std::unique_ptr<sim::LogNode> node_;
  Log* log_ = nullptr;
};

}  // namespace millrace::log
