// BrokerTest: a whole broker of two shards on a simulated disk and network, and clients of it, in virtual time: for what is
// promised of an answer and not of the machine that decides it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "net/transport/client_connection.h"
#include "net/wire/metadata.h"
#include "tests/sim/broker_node.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/world.h"

namespace millrace::engine {

class BrokerTest : public testing::Test {
 protected:
  static sim::BrokerNodeOptions two_shards() { return {.shards = 2, .name = "broker", .seed = 1}; }

  explicit BrokerTest(sim::BrokerNodeOptions options = two_shards())
      : node_(world_, network_, disk_, std::move(options)) {
    world_.add(clients_);
    const auto started = node_.start();
    CHECK(started.has_value(), "{}", started.error().message);
  }
  ~BrokerTest() override {
    (void)node_.stop();
    world_.remove(clients_);
  }

  // Runs a client's coroutine while the broker turns.
  template <class T>
  T run(io::Task<T> client) {
    return world_.run(clients_, std::move(client));
  }

  io::Task<std::unique_ptr<net::ClientConnection>> connect() {
    auto stream = co_await stack_.connect({.host = "node", .port = sim::kNodePort});
    CHECK(stream.has_value(), "{}", stream.error().message);
    co_return std::make_unique<net::ClientConnection>(std::move(*stream), net::ClientOptions{});
  }

  // The answer to one request on a connection of its own; fails the process when there is none.
  template <class T>
  net::Answer<typename T::Response> ask(const T& request, std::int16_t version) {
    return run(ask_once(request, version));
  }

  // Makes a topic with as many partitions as the broker gives by default.
  void make_topic(std::string_view name) {
    wire::MetadataRequest request;
    request.topics.emplace().push_back({.name = name});
    request.allow_auto_topic_creation = true;
    const auto answer = ask(request, 12);
    CHECK(answer.message.topics.at(0).error_code == wire::ErrorCode::none);
  }

  sim::World world_{1};
  sim::SimNetwork network_{world_};
  sim::SimDisk disk_{world_.stream("disk")};
  sim::BrokerNode node_;
  sim::SimDisk client_disk_{world_.stream("client disk")};
  sim::SimProactor client_proactor_{world_, client_disk_, "clients"};
  io::Reactor clients_{ShardId{0}, client_proactor_};
  sim::SimStack stack_{network_, clients_, "client"};

 private:
  template <class T>
  io::Task<net::Answer<typename T::Response>> ask_once(const T& request, std::int16_t version) {
    auto connection = co_await connect();
    auto answer = co_await connection->call(request, version);
    CHECK(answer.has_value(), "{}", answer.error().message);
    co_await connection->close();
    co_return std::move(*answer);
  }
};

}  // namespace millrace::engine
