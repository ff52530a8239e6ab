// A Server on one simulated host and clients on another, in virtual time, from one seed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/gate.h"
#include "net/transport/client_connection.h"
#include "net/transport/server.h"
#include "tests/sim/sim_proactor.h"
#include "tests/sim/sim_stack.h"
#include "tests/sim/world.h"
#include "tests/support/scripted_handler.h"

namespace millrace::net {

namespace script = testing_support::script;

class SimServer {
 public:
  explicit SimServer(std::uint64_t seed, ServerOptions options = {},
                     ConnectionLimitOptions limits = {})
      : world(seed), limits_(std::move(limits)) {
    world.add(reactor);
    options.listeners = {
        {.name = "PLAINTEXT", .listen = {.address = {.host = "server", .port = 9092}}},
        {.name = "INTERNAL", .listen = {.address = {.host = "server", .port = 9093}}}};
    server = std::make_unique<Server>(stack, handler, local_admission(limits_), options);
    CHECK(server->listen().has_value());
    server->start();
  }
  ~SimServer() { world.remove(reactor); }

  // Runs a test's coroutine, then stops the server, which must leave nothing behind.
  void run(io::Task<void> test) {
    world.run(reactor, run_and_stop(std::move(test)));
    CHECK(server->connections() == 0);
    CHECK(server->buffers().bytes_lent() == 0, "{} lent", server->buffers().bytes_lent());
  }

  io::Task<std::unique_ptr<Stream>> connect(std::string from = "client",
                                            std::uint16_t port = 9092) {
    auto made = stacks_.try_emplace(from);
    if (made.second) made.first->second = std::make_unique<sim::SimStack>(network, reactor, from);
    auto stream = co_await made.first->second->connect({.host = "server", .port = port});
    CHECK(stream.has_value(), "{}", stream.error().message);
    co_return std::move(*stream);
  }
  io::Task<std::unique_ptr<ClientConnection>> client(std::string from = "client") {
    co_return std::make_unique<ClientConnection>(co_await connect(std::move(from)),
                                                 ClientOptions{});
  }

  void limit(ConnectionLimitOptions limits) { limits_.set(std::move(limits)); }

  sim::World world;
  sim::SimDisk disk{world.stream("disk")};
  sim::SimProactor proactor{world, disk, "server"};
  io::Reactor reactor{ShardId{0}, proactor};
  io::Reactor::Enter enter{reactor};
  sim::SimNetwork network{world};
  sim::SimStack stack{network, reactor, "server"};
  testing_support::ScriptedHandler handler;
  std::unique_ptr<Server> server;

 private:
  io::Task<void> run_and_stop(io::Task<void> test) {
    co_await test;
    handler.release_all();
    co_await server->stop(std::chrono::seconds(5));
  }

  ConnectionLimits limits_;
  std::map<std::string, std::unique_ptr<sim::SimStack>> stacks_;
};

inline io::Task<bool> send_bytes(Stream& stream, std::vector<std::byte> bytes) {
  const ::iovec slice{bytes.data(), bytes.size()};
  co_return (co_await stream.send({&slice, 1}, false)).has_value();
}

// Fills `bytes`, or says that the stream ended.
inline io::Task<bool> receive_whole(Stream& stream, Bytes bytes) {
  while (!bytes.empty()) {
    const auto received = co_await stream.receive(bytes);
    if (!received || *received == 0) co_return false;
    bytes = bytes.subspan(*received);
  }
  co_return true;
}

// The correlation id of the next answer; -1 at the end of the stream.
inline io::Task<std::int32_t> next_answer(Stream& stream) {
  std::vector<std::byte> head(4);
  if (!co_await receive_whole(stream, head)) co_return -1;
  std::vector<std::byte> frame(
      static_cast<std::size_t>(load_big_endian<std::int32_t>(head.data())));
  if (!co_await receive_whole(stream, frame)) co_return -1;
  co_return load_big_endian<std::int32_t>(frame.data());
}

inline io::Task<Result<std::vector<std::byte>>> ask(ClientConnection& client,
                                                    std::vector<std::byte> body) {
  const std::int32_t id = client.next_correlation_id();
  co_return co_await client.call_frame(id, script::frame(id, body));
}

}  // namespace millrace::net
