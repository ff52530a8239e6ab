// A Server and its clients in one thread, over TCP on loopback. What depends on time or on the size
// of the kernel's buffers is tested in tests/unit/net/transport over the simulated Stack; here is
// what only real sockets can show.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "io/gate.h"
#include "io/reactor.h"
#include "io/run.h"
#include "io/shard.h"
#include "net/transport/address.h"
#include "net/transport/client_connection.h"
#include "net/transport/server.h"
#include "net/transport/tcp_stack.h"
#include "tests/support/scripted_handler.h"

namespace millrace::net {
namespace {

namespace script = testing_support::script;
using testing_support::ScriptedHandler;

std::unique_ptr<io::Proactor> make_proactor(const std::string& name) {
  auto made = io::make_proactor(name == "epoll" ? io::Backend::epoll : io::Backend::io_uring);
  CHECK(made.has_value(), "{}", made.error().message);
  return std::move(*made);
}

std::uint64_t number_at(ConstBytes bytes, std::size_t at) {
  return load_big_endian<std::uint64_t>(bytes.data() + at);
}

// A server with one listener on loopback, and what a test needs to talk to it.
class Sockets : public testing::TestWithParam<std::string> {
 public:
  void start(ServerOptions options = {}, const std::string& host = "127.0.0.1") {
    options.listeners = {{.name = "PLAINTEXT", .listen = {.address = {.host = host}}}};
    server_ = std::make_unique<Server>(stack_, handler_, AdmissionPort{}, options);
    const auto listening = server_->listen();
    ASSERT_TRUE(listening) << listening.error().message;
    server_->start();
  }
  // Runs a test's coroutine, then stops the server.
  void run(io::Task<void> test) { io::run_task(reactor_, run_and_stop(std::move(test))); }
  io::Task<void> run_and_stop(io::Task<void> test) {
    co_await test;
    handler_.release_all();
    co_await server_->stop(std::chrono::seconds(5));
  }
  io::Task<std::unique_ptr<Stream>> raw() {
    auto stream = co_await stack_.connect(server_->address(0));
    CHECK(stream.has_value(), "{}", stream.error().message);
    co_return std::move(*stream);
  }
  io::Task<std::unique_ptr<ClientConnection>> client() {
    co_return std::make_unique<ClientConnection>(co_await raw(), ClientOptions{});
  }

  std::unique_ptr<io::Proactor> proactor_ = make_proactor(GetParam());
  io::Reactor reactor_{ShardId{0}, *proactor_};
  io::Reactor::Enter enter_{reactor_};
  TcpStack stack_{*proactor_};
  ScriptedHandler handler_;
  std::unique_ptr<Server> server_;
};

INSTANTIATE_TEST_SUITE_P(Backends, Sockets, testing::Values("io_uring", "epoll"),
                         [](const auto& info) { return info.param; });

io::Task<Result<std::vector<std::byte>>> ask(ClientConnection& client,
                                             std::vector<std::byte> body) {
  const std::int32_t id = client.next_correlation_id();
  co_return co_await client.call_frame(id, script::frame(id, body));
}

io::Task<void> send_all(Stream& stream, std::vector<std::byte> bytes) {
  const ::iovec slice{bytes.data(), bytes.size()};
  (void)co_await stream.send({&slice, 1}, false);
}

// Bytes until the end of the stream.
io::Task<std::vector<std::byte>> drain(Stream& stream) {
  std::vector<std::byte> all;
  std::vector<std::byte> part(65536);
  while (true) {
    const auto received = co_await stream.receive(part);
    if (!received || *received == 0) co_return all;
    all.insert(all.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(*received));
  }
}

TEST_P(Sockets, a_request_is_answered) {
  start();
  run([](Sockets& t) -> io::Task<void> {
    auto client = co_await t.client();
    const auto answer = co_await ask(*client, script::echo("hello"));
    EXPECT_TRUE(answer);
    EXPECT_EQ(as_text(ConstBytes(*answer).subspan(4)), "hello");
    co_await client->close();
  }(*this));
}

TEST_P(Sockets, answers_over_ipv6_and_says_who_asked) {
  start({}, "::1");
  run([](Sockets& t) -> io::Task<void> {
    auto client = co_await t.client();
    EXPECT_TRUE(co_await ask(*client, script::echo("six")));
    EXPECT_EQ(client->peer().host, "::1");
    co_await client->close();
  }(*this));
}

TEST_P(Sockets, a_peer_over_a_dual_stack_listener_has_its_ipv4_address) {
  start({}, "");
  io::run_task(reactor_, [](Sockets& t) -> io::Task<void> {
    auto listener = t.stack_.listen({.address = {.host = "", .port = 0}});
    CHECK(listener.has_value());
    auto stream =
        co_await t.stack_.connect({.host = "127.0.0.1", .port = (*listener)->local().port});
    EXPECT_TRUE(stream);
    auto accepted = co_await (*listener)->accept();
    EXPECT_TRUE(accepted);
    EXPECT_EQ((*accepted)->peer().host, "127.0.0.1");
    co_await t.server_->stop(std::chrono::seconds(1));
  }(*this));
}

TEST_P(Sockets, a_port_in_use_is_reported_and_a_free_one_is_not) {
  auto listener = stack_.listen({.address = {.host = "127.0.0.1"}});
  ASSERT_TRUE(listener);
  const Address address = (*listener)->local();
  const auto taken = check_port_free(address);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::already_exists);
  EXPECT_TRUE(stack_.listen({.address = address})) << "shards share a port";
  listener->reset();
  EXPECT_TRUE(check_port_free(address));
}

TEST_P(Sockets, an_unknown_congestion_control_is_an_error_and_cubic_is_none) {
  const auto wrong =
      stack_.listen({.address = {.host = "127.0.0.1"}, .congestion_control = "no_such_thing"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::invalid_argument);
  EXPECT_TRUE(stack_.listen({.address = {.host = "127.0.0.1"}, .congestion_control = "cubic"}));
}

TEST_P(Sockets, a_congestion_control_that_is_only_wished_for_leaves_the_systems) {
  EXPECT_TRUE(stack_.listen({.address = {.host = "127.0.0.1"},
                             .congestion_control = "no_such_thing",
                             .congestion_control_required = false}));
}

TEST_P(Sockets, connecting_to_nobody_is_an_error) {
  io::run_task(reactor_, [](Sockets& t) -> io::Task<void> {
    auto listener = t.stack_.listen({.address = {.host = "127.0.0.1"}});
    const Address address = (*listener)->local();
    listener->reset();
    const auto stream = co_await t.stack_.connect(address);
    EXPECT_FALSE(stream);
    // What was refused leaves nothing behind that the next socket of that number could stumble
    // over.
    auto open = t.stack_.listen({.address = {.host = "127.0.0.1"}});
    auto next = co_await t.stack_.connect((*open)->local());
    EXPECT_TRUE(next);
    auto accepted = co_await (*open)->accept();
    EXPECT_TRUE(accepted);
  }(*this));
}

TEST_P(Sockets, requests_of_every_size_arrive_whole) {
  start();
  run([](Sockets& t) -> io::Task<void> {
    auto client = co_await t.client();
    for (const std::uint64_t size : {17ULL, 100ULL, 1000ULL, 1024ULL, 4096ULL, 16384ULL, 40000ULL,
                                     131072ULL, 131073ULL, 1048576ULL, 5000000ULL, 300ULL}) {
      const auto answer = co_await ask(*client, script::bulk(size, size));
      EXPECT_TRUE(answer);
      EXPECT_EQ(number_at(*answer, 4), script::bulk_checksum(size, size)) << size;
    }
    co_await client->close();
  }(*this));
}

io::Task<void> ask_bulk(ClientConnection& client, std::uint64_t size, std::uint64_t seed,
                        int& good) {
  const auto answer = co_await ask(client, script::bulk(size, seed));
  if (answer && number_at(*answer, 4) == script::bulk_checksum(size, seed)) ++good;
}

TEST_P(Sockets, pipelined_requests_of_mixed_sizes_arrive_whole) {
  start();
  run([](Sockets& t) -> io::Task<void> {
    auto client = co_await t.client();
    int good = 0;
    io::Gate gate;
    for (std::uint64_t i = 0; i < 300; ++i) {
      gate.spawn(ask_bulk(*client, 17 + i * i * 7 % 200000, i, good));
    }
    co_await gate.close();
    EXPECT_EQ(good, 300);
    co_await client->close();
  }(*this));
}

TEST_P(Sockets, large_requests_in_a_row_cost_about_one_receive_each_and_are_not_moved) {
  constexpr std::uint64_t kSize = 131072;
  start();
  run([](Sockets& t) -> io::Task<void> {
    auto client = co_await t.client();
    int good = 0;
    for (int round = 0; round < 20; ++round) {
      io::Gate gate;
      for (std::uint64_t i = 0; i < 5; ++i) gate.spawn(ask_bulk(*client, kSize, i, good));
      co_await gate.close();
    }
    EXPECT_EQ(good, 100);
    const ConnectionCounts& counts = t.server_->connection_counts();
    EXPECT_EQ(counts.requests, 100);
    EXPECT_LT(counts.bytes_moved, counts.bytes_received / 50);
    co_await client->close();
  }(*this));
}

// A file of a pattern in the temporary directory; its cached pages can be dropped.
class PatternFile {
 public:
  PatternFile(io::Proactor& proactor, std::uint64_t size) : proactor_(proactor) {
    path_ = testing::TempDir() + "millrace_sockets_" + std::to_string(::getpid());
    file_ = *proactor_.open(path_, {.write = true, .create = true, .truncate = true});
    std::vector<std::byte> bytes(size);
    for (std::uint64_t at = 0; at < size; ++at) bytes[at] = script::pattern(at);
    const ::iovec slice{bytes.data(), bytes.size()};
    CHECK(proactor_.write_inline(file_, 0, {&slice, 1}).has_value());
    CHECK(proactor_.sync_inline(file_).has_value());
  }
  ~PatternFile() {
    proactor_.close(file_);
    (void)proactor_.remove(path_);
  }
  io::FileHandle handle() const { return file_; }
  void drop_cache() { ::posix_fadvise(file_.value(), 0, 0, POSIX_FADV_DONTNEED); }

 private:
  io::Proactor& proactor_;
  std::string path_;
  io::FileHandle file_;
};

void expect_file_answer(ConstBytes answer, std::uint64_t position, std::uint64_t length) {
  ASSERT_EQ(answer.size(), 4 + 16 + length);
  EXPECT_EQ(as_text(answer.subspan(4, 8)), "<before>");
  EXPECT_EQ(as_text(answer.last(8)), "<after.>");
  for (std::uint64_t at = 0; at < length; ++at) {
    ASSERT_EQ(answer[12 + at], script::pattern(position + at)) << at;
  }
}

TEST_P(Sockets, ranges_of_a_file_arrive_as_they_are_hot_and_cold) {
  constexpr std::uint64_t kSize = 9'000'001;
  start();
  PatternFile file(*proactor_, kSize);
  handler_.file = file.handle();
  run([](Sockets& t, PatternFile& pattern) -> io::Task<void> {
    auto client = co_await t.client();
    for (const bool cold : {false, true}) {
      for (const auto& [position, length] :
           {std::pair{0UL, 1UL}, {4095UL, 4098UL}, {12345UL, 3'000'000UL}, {0UL, 9'000'001UL}}) {
        if (cold) pattern.drop_cache();
        const auto answer = co_await ask(*client, script::file(position, length));
        EXPECT_TRUE(answer);
        if (answer) expect_file_answer(*answer, position, length);
      }
    }
    co_await client->close();
  }(*this, file));
}

TEST_P(Sockets, a_file_that_ends_early_ends_the_connection) {
  start();
  PatternFile file(*proactor_, 1000);
  handler_.file = file.handle();
  run([](Sockets& t) -> io::Task<void> {
    auto client = co_await t.client();
    EXPECT_FALSE(co_await ask(*client, script::file(500, 1000)));
    co_await client->close();
  }(*this));
}

TEST_P(Sockets, a_half_closed_client_still_gets_its_answers) {
  start();
  run([](Sockets& t) -> io::Task<void> {
    const auto target = to_socket_address(t.server_->address(0));
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(socket, target->get(), target->length), 0);
    const auto frame = script::frame(8, script::big(100000));
    EXPECT_EQ(::send(socket, frame.data(), frame.size(), 0), std::ssize(frame));
    ::shutdown(socket, SHUT_WR);
    std::vector<std::byte> part(65536);
    std::size_t total = 0;
    while (true) {
      const ssize_t received = ::recv(socket, part.data(), part.size(), MSG_DONTWAIT);
      if (received == 0) break;
      if (received > 0) total += static_cast<std::size_t>(received);
      co_await io::yield();
    }
    EXPECT_EQ(total, 8 + 100000);
    ::close(socket);
  }(*this));
}

TEST_P(Sockets, rubbish_closes_the_connection_and_nothing_else) {
  start();
  run([](Sockets& t) -> io::Task<void> {
    auto good = co_await t.client();
    const auto bytes = [](std::string_view text) {
      const ConstBytes span = as_bytes(text);
      return std::vector<std::byte>(span.begin(), span.end());
    };
    const std::string_view rubbish[] = {
        std::string_view("\0\0\0\0", 4),                                 // an empty frame
        std::string_view("\xff\xff\xff\xff", 4),                         // a negative length
        std::string_view("\x7f\xff\xff\xff", 4),                         // a huge one
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",                     // another protocol
        std::string_view("\x16\x03\x01\x02\x00\x01\x00", 7),             // and another
        std::string_view("\0\0\0\x0a\x7f\xff\0\0\0\0\0\1\xff\xff", 14),  // an unknown API
        std::string_view("\0\0\0\x0a\0\0\0\3\0\0\0\1\0\x7f", 14),  // a client id beyond the frame
    };
    for (const std::string_view each : rubbish) {
      auto stream = co_await t.raw();
      co_await send_all(*stream, bytes(each));
      EXPECT_TRUE((co_await drain(*stream)).empty());
    }
    EXPECT_EQ(t.server_->connection_counts().malformed, std::size(rubbish));
    EXPECT_TRUE(co_await ask(*good, script::echo("still here")));
    co_await good->close();
  }(*this));
}

TEST_P(Sockets, stopping_answers_what_was_asked) {
  start();
  run([](Sockets& t) -> io::Task<void> {
    auto client = co_await t.client();
    auto held = [](ClientConnection& c, bool& answered) -> io::Task<void> {
      answered = (co_await ask(c, script::hold(1))).has_value();
    };
    bool answered = false;
    io::Gate gate;
    gate.spawn(held(*client, answered));
    while (t.handler_.running == 0) co_await io::yield();
    io::Gate stopping;
    stopping.spawn(t.server_->stop(std::chrono::seconds(5)));
    co_await io::yield();
    t.handler_.release(1);
    co_await gate.close();
    EXPECT_TRUE(answered);
    co_await stopping.close();
    EXPECT_EQ(t.server_->connections(), 0);
    co_await client->close();
  }(*this));
}

}  // namespace
}  // namespace millrace::net
