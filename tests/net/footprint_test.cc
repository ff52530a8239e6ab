// What a connection and a request cost in memory. Not for sanitizers, which have an allocator of
// their own and do not pool coroutine frames.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "io/run.h"
#include "io/shard.h"
#include "net/transport/address.h"
#include "net/transport/server.h"
#include "net/transport/tcp_stack.h"
#include "tests/support/alloc_counter.h"
#include "tests/support/scripted_handler.h"

namespace millrace::net {
namespace {

namespace script = testing_support::script;

constexpr std::size_t kConnections = 1000;
constexpr int kRequests = 500;

// A client that allocates nothing: a bare socket, asked again and again until it has something.
class BareClient {
 public:
  explicit BareClient(const Address& address) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const auto target = to_socket_address(address);
    CHECK(::connect(socket_, target->get(), target->length) == 0);
    ::fcntl(socket_, F_SETFL, O_NONBLOCK);
  }
  ~BareClient() { ::close(socket_); }
  BareClient(const BareClient&) = delete;

  io::Task<void> ask(const std::vector<std::byte>& frame, std::size_t answer_bytes) {
    std::size_t sent = 0;
    while (sent < frame.size()) {
      const ssize_t now = ::send(socket_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
      if (now > 0) sent += static_cast<std::size_t>(now);
      if (now < 0) co_await io::yield();
    }
    std::byte answer[256];
    std::size_t received = 0;
    while (received < answer_bytes) {
      const ssize_t now = ::recv(socket_, answer, sizeof answer, 0);
      CHECK(now != 0);
      if (now > 0) received += static_cast<std::size_t>(now);
      if (now < 0) co_await io::yield();
    }
  }

 private:
  int socket_;
};

class Footprint : public testing::Test {
 public:
  Footprint() {
    if (!counts_allocations()) return;
    CHECK(proactor_.has_value(), "{}", proactor_.error().message);
    ServerOptions options;
    options.listeners = {{.name = "L", .listen = {.address = {.host = "127.0.0.1"}}}};
    server_ = std::make_unique<Server>(stack_, handler_, AdmissionPort{}, options);
    CHECK(server_->listen().has_value());
    server_->start();
  }
  void run(io::Task<void> test) { io::run_task(reactor_, run_and_stop(std::move(test))); }
  io::Task<void> run_and_stop(io::Task<void> test) {
    co_await test;
    co_await server_->stop(std::chrono::seconds(5));
  }

  Result<std::unique_ptr<io::Proactor>> proactor_ = io::make_proactor(io::Backend::automatic);
  io::Reactor reactor_{ShardId{0}, **proactor_};
  io::Reactor::Enter enter_{reactor_};
  TcpStack stack_{**proactor_};
  testing_support::ScriptedHandler handler_;
  std::unique_ptr<Server> server_;
};

TEST_F(Footprint, an_idle_connection_takes_less_than_8_kib) {
  if (!counts_allocations()) GTEST_SKIP() << "another allocator";
  run([](Footprint& t) -> io::Task<void> {
    const auto frame = script::frame(1, script::bulk(30'000, 1));
    std::vector<std::unique_ptr<BareClient>> clients;
    clients.reserve(kConnections);
    for (int i = 0; i < 8; ++i) {  // what is allocated once
      clients.push_back(std::make_unique<BareClient>(t.server_->address(0)));
      co_await clients.back()->ask(frame, 16);
    }
    const std::size_t before = ::mallinfo2().uordblks;
    while (clients.size() < kConnections) {
      clients.push_back(std::make_unique<BareClient>(t.server_->address(0)));
      co_await clients.back()->ask(frame, 16);
    }
    EXPECT_EQ(t.server_->connections(), kConnections);
    EXPECT_EQ(t.server_->buffers().bytes_lent(), 0);
    const std::size_t each = (::mallinfo2().uordblks - before) / (kConnections - 8);
    std::printf("an idle connection takes %zu bytes\n", each);
    EXPECT_LT(each, 8192);
  }(*this));
}

TEST_F(Footprint, a_request_allocates_nothing_but_its_answer) {
  if (!counts_allocations()) GTEST_SKIP() << "frames are not pooled";
  handler_.begun.reserve(10'000);
  run([](Footprint& t) -> io::Task<void> {
    BareClient client(t.server_->address(0));
    for (const std::uint64_t size : {100, 20'000, 200'000}) {
      const auto frame = script::frame(1, script::bulk(size, 1));
      for (int i = 0; i < 50; ++i) co_await client.ask(frame, 16);  // until the pools are filled
      const std::uint64_t before = allocations();
      for (int i = 0; i < kRequests; ++i) co_await client.ask(frame, 16);
      EXPECT_LE(allocations() - before, kRequests + 20) << size;
    }
  }(*this));
}

}  // namespace
}  // namespace millrace::net
