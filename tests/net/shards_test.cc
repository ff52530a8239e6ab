// Two shards listen on one port, with limits that hold for both: what crosses threads, for
// ThreadSanitizer to look at.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "io/gate.h"
#include "io/shard.h"
#include "net/transport/client_connection.h"
#include "net/transport/server.h"
#include "net/transport/tcp_stack.h"
#include "tests/support/scripted_handler.h"

namespace millrace::net {
namespace {

namespace script = testing_support::script;

// Lives on shard 0. Whoever arrives goes on once all have arrived.
struct Barrier {
  io::Task<void> arrive() {
    if (++arrived % 2 == 0) {
      ++passed;
      event.notify_all();
      co_return;
    }
    const int waiting_for = passed + 1;
    while (passed < waiting_for) co_await event.wait();
  }
  int arrived = 0;
  int passed = 0;
  io::Event event;
};

struct Results {
  std::vector<std::uint64_t> accepted{0, 0};
  std::vector<std::uint64_t> refused{0, 0};
  std::vector<int> answered{0, 0};
  std::vector<int> held{0, 0};
};

constexpr int kClientsPerShard = 40;
constexpr std::uint32_t kConnectionsMax = 50;

io::Task<bool> ask_once(ClientConnection& client) {
  const std::int32_t id = client.next_correlation_id();
  co_return (co_await client.call_frame(id, script::frame(id, script::bulk(20'000, 3))))
      .has_value();
}

class TwoShards : public testing::TestWithParam<io::Backend> {
 public:
  io::Task<void> arrive() {
    co_await shards_.call(ShardId{0}, [this] { return barrier_.arrive(); });
  }

  // Each shard serves, and asks at the address that both serve.
  io::Task<void> on_shard(ShardId shard) {
    const std::size_t me = shard.value();
    if (me == 1) co_await arrive();  // until shard 0 knows the port
    TcpStack stack(io::Reactor::current().proactor());
    testing_support::ScriptedHandler handler;
    ServerOptions options;
    options.listeners = {
        {.name = "L", .listen = {.address = {.host = "127.0.0.1", .port = port_}}}};
    Server server(stack, handler, shared_admission(shards_, ShardId{0}, limits_), options);
    CHECK(server.listen().has_value());
    server.start();
    if (me == 0) {
      port_ = server.address(0).port;
      co_await arrive();
    }
    co_await arrive();
    std::vector<std::unique_ptr<ClientConnection>> clients;
    for (int i = 0; i < kClientsPerShard; ++i) {
      auto stream = co_await stack.connect({.host = "127.0.0.1", .port = port_});
      CHECK(stream.has_value(), "{}", stream.error().message);
      clients.push_back(std::make_unique<ClientConnection>(std::move(*stream), ClientOptions{}));
      if (co_await ask_once(*clients.back())) ++results_.held[me];
    }
    co_await arrive();
    for (auto& client : clients) {
      for (int i = 0; i < 5; ++i) {
        if (co_await ask_once(*client)) ++results_.answered[me];
      }
    }
    for (auto& client : clients) co_await client->close();
    co_await arrive();
    results_.accepted[me] = server.counts().accepted;
    results_.refused[me] = server.counts().refused;
    co_await server.stop(std::chrono::seconds(5));
  }

  io::Shards shards_{2};
  ConnectionLimits limits_{{.connections_max = kConnectionsMax}};
  Barrier barrier_;
  std::uint16_t port_ = 0;
  Results results_;
};

INSTANTIATE_TEST_SUITE_P(Backends, TwoShards,
                         testing::Values(io::Backend::io_uring, io::Backend::epoll),
                         [](const auto& info) {
                           return info.param == io::Backend::epoll ? "epoll" : "io_uring";
                         });

TEST_P(TwoShards, share_a_port_and_an_exact_limit_of_connections) {
  const auto started = shards_.start({.backend = GetParam(), .pin = false});
  ASSERT_TRUE(started) << started.error().message;
  shards_.run([this](ShardId shard) { return on_shard(shard); });
  EXPECT_EQ(results_.accepted[0] + results_.accepted[1], 2 * kClientsPerShard);
  EXPECT_EQ(results_.held[0] + results_.held[1], kConnectionsMax);
  EXPECT_EQ(results_.answered[0] + results_.answered[1], 5 * kConnectionsMax);
  EXPECT_EQ(results_.refused[0] + results_.refused[1], 2 * kClientsPerShard - kConnectionsMax);
  EXPECT_EQ(limits_.connections(), 0);
}

}  // namespace
}  // namespace millrace::net
