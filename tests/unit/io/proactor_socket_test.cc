// Sockets, on every real backend: pairs and listeners of the Unix domain, so that no port is used.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "io/gate.h"
#include "tests/unit/io/backends.h"

namespace millrace::io {
namespace {

class ProactorSocketTest : public ProactorTest {
 protected:
  void SetUp() override {
    ProactorTest::SetUp();
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    near_ = SocketHandle{pair[0]};
    far_ = SocketHandle{pair[1]};
  }
  void TearDown() override {
    if (near_ != kNoSocket) proactor().close_socket(near_);
    if (far_ != kNoSocket) proactor().close_socket(far_);
    ProactorTest::TearDown();
  }
  SocketHandle near_ = kNoSocket;
  SocketHandle far_ = kNoSocket;
};

Task<std::int64_t> receive(Proactor& proactor, SocketHandle socket, Bytes bytes) {
  co_return co_await Operation([&](Completion& done) { proactor.receive(socket, bytes, done); });
}

Task<std::int64_t> send_text(Proactor& proactor, SocketHandle socket, std::string text) {
  const ::iovec slices[2] = {{text.data(), text.size() / 2},
                             {text.data() + text.size() / 2, text.size() - text.size() / 2}};
  co_return co_await Operation([&](Completion& done) { proactor.send(socket, slices, false, done); });
}

Task<void> receive_into(Proactor& proactor, SocketHandle socket, Bytes bytes, std::int64_t& result) {
  result = co_await receive(proactor, socket, bytes);
}

Task<std::string> wait_then_send(Proactor& proactor, SocketHandle from, SocketHandle to) {
  Gate gate;
  std::string buffer(64, '?');
  std::int64_t got = 0;
  gate.spawn(receive_into(proactor, to, std::as_writable_bytes(std::span(buffer)), got));
  co_await yield();
  EXPECT_EQ(co_await send_text(proactor, from, "over the wire"), 13);
  co_await gate.close();
  co_return buffer.substr(0, static_cast<std::size_t>(got));
}

TEST_P(ProactorSocketTest, a_receive_that_waits_gets_what_is_sent_later) {
  EXPECT_EQ(run_task(proactor(), wait_then_send(proactor(), near_, far_)), "over the wire");
}

TEST_P(ProactorSocketTest, a_receive_at_the_end_of_the_stream_gives_zero) {
  proactor().close_socket(std::exchange(near_, kNoSocket));
  std::byte buffer[8];
  EXPECT_EQ(run_task(proactor(), receive(proactor(), far_, buffer)), 0);
  EXPECT_EQ(proactor().receive_inline(far_, buffer).value(), 0u);
}

TEST_P(ProactorSocketTest, a_send_to_a_peer_that_is_gone_is_an_error_and_no_signal) {
  proactor().close_socket(std::exchange(near_, kNoSocket));
  EXPECT_EQ(run_task(proactor(), send_text(proactor(), far_, "anybody there?")), -EPIPE);
  const ::iovec slice{const_cast<char*>("x"), 1};
  EXPECT_EQ(proactor().send_inline(far_, {&slice, 1}, false).error().code, Errc::closed);
  const auto file = proactor().open(path("f"), {.write = true, .create = true}).value();
  ASSERT_TRUE(proactor().write_inline(file, 0, {&slice, 1}));
  EXPECT_EQ(proactor().send_file_inline(far_, file, 0, 1).error().code, Errc::closed);
  proactor().close(file);
}

struct PendingReceive : Completion {
  PendingReceive() : Completion(&PendingReceive::on_done) {}
  static void on_done(Completion& self, std::int64_t result) {
    static_cast<PendingReceive&>(self).results.push_back(result);
  }
  std::vector<std::int64_t> results;
};

template <class Done>
void turn_until(Proactor& proactor, Done done) {
  Reactor reactor(ShardId{0}, proactor);
  for (int i = 0; i < 1000 && !done(); ++i) reactor.turn(true, std::chrono::milliseconds(10));
}

TEST_P(ProactorSocketTest, a_cancelled_receive_completes_once_and_leaves_the_bytes_to_the_next) {
  std::byte buffer[8];
  PendingReceive cancelled;
  proactor().receive(near_, buffer, cancelled);
  proactor().run_once(std::nullopt);
  EXPECT_TRUE(cancelled.results.empty());
  proactor().cancel(cancelled);
  EXPECT_TRUE(cancelled.results.empty()) << "nothing completes inside the call";
  turn_until(proactor(), [&] { return !cancelled.results.empty(); });
  EXPECT_EQ(cancelled.results, std::vector<std::int64_t>{-ECANCELED});
  proactor().cancel(cancelled);
  EXPECT_EQ(run_task(proactor(), send_text(proactor(), far_, "later")), 5);
  EXPECT_EQ(run_task(proactor(), receive(proactor(), near_, buffer)), 5);
  EXPECT_EQ(cancelled.results.size(), 1u);
}

TEST_P(ProactorSocketTest, nothing_completes_inside_the_call_that_queues_it) {
  ASSERT_EQ(::send(far_.value(), "ready", 5, 0), 5);
  std::byte buffer[8];
  PendingReceive pending;
  proactor().receive(near_, buffer, pending);
  EXPECT_TRUE(pending.results.empty());
  turn_until(proactor(), [&] { return !pending.results.empty(); });
  EXPECT_EQ(pending.results, std::vector<std::int64_t>{5});
}

TEST_P(ProactorSocketTest, poll_tells_readable_from_writable) {
  const auto poll_for = [this](short events) -> Task<std::int64_t> {
    return [](Proactor& proactor, SocketHandle socket, short wanted) -> Task<std::int64_t> {
      co_return co_await Operation([&](Completion& done) { proactor.poll(socket, wanted, done); });
    }(proactor(), near_, events);
  };
  EXPECT_EQ(run_task(proactor(), poll_for(POLLOUT)), POLLOUT);
  ASSERT_EQ(::send(far_.value(), "x", 1, 0), 1);
  EXPECT_EQ(run_task(proactor(), poll_for(POLLIN)) & POLLIN, POLLIN);
}

Task<void> wait_writable(Proactor& proactor, SocketHandle socket, std::int64_t& mask) {
  mask = co_await Operation([&](Completion& done) { proactor.poll(socket, POLLOUT, done); });
}

Task<std::int64_t> fill_then_drain(Proactor& proactor, SocketHandle near, SocketHandle far) {
  std::vector<std::byte> chunk(64 * 1024);
  const ::iovec slice{chunk.data(), chunk.size()};
  while (true) {
    const auto sent = proactor.send_inline(near, {&slice, 1}, false);
    if (!sent) {
      EXPECT_EQ(sent.error().code, Errc::would_block);
      break;
    }
  }
  Gate gate;
  std::int64_t mask = 0;
  gate.spawn(wait_writable(proactor, near, mask));
  co_await yield();
  EXPECT_EQ(mask, 0) << "the socket is full";
  while (proactor.receive_inline(far, chunk)) {
  }
  co_await gate.close();
  co_return mask;
}

TEST_P(ProactorSocketTest, a_poll_on_a_full_socket_ends_when_the_peer_has_read) {
  EXPECT_EQ(run_task(proactor(), fill_then_drain(proactor(), near_, far_)) & POLLOUT, POLLOUT);
}

TEST_P(ProactorSocketTest, send_file_sends_the_range) {
  const auto file = proactor().open(path("f"), {.write = true, .create = true}).value();
  std::string text = "0123456789";
  const ::iovec slice{text.data(), text.size()};
  ASSERT_TRUE(proactor().write_inline(file, 0, {&slice, 1}));
  EXPECT_EQ(proactor().send_file_inline(near_, file, 3, 4).value(), 4u);
  EXPECT_EQ(proactor().send_file_inline(near_, file, 100, 4).value(), 0u);
  std::string back(10, '?');
  EXPECT_EQ(proactor().receive_inline(far_, std::as_writable_bytes(std::span(back))).value(), 4u);
  EXPECT_EQ(back.substr(0, 4), "3456");
  proactor().close(file);
}

Task<void> accept_into(Proactor& proactor, SocketHandle listener, std::int64_t& accepted) {
  accepted = co_await Operation([&](Completion& done) { proactor.accept(listener, done); });
}

Task<std::int64_t> connect_to(Proactor& proactor, SocketHandle listener, SocketHandle client,
                              ::sockaddr_un address) {
  Gate gate;
  std::int64_t accepted = -1;
  gate.spawn(accept_into(proactor, listener, accepted));
  co_await yield();
  const std::int64_t connected = co_await Operation(
      [&](Completion& done) { proactor.connect(client, &address, sizeof address, done); });
  EXPECT_EQ(connected, 0);
  co_await gate.close();
  co_return accepted;
}

TEST_P(ProactorSocketTest, accept_gives_the_connection_that_connect_made) {
  ::sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path("listener").c_str(), sizeof address.sun_path - 1);
  const int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const SocketHandle listener{::socket(AF_UNIX, kind, 0)};
  const SocketHandle client{::socket(AF_UNIX, kind, 0)};
  ASSERT_EQ(::bind(listener.value(), reinterpret_cast<::sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.value(), 8), 0);
  const std::int64_t accepted = run_task(proactor(), connect_to(proactor(), listener, client, address));
  ASSERT_GE(accepted, 0);
  const SocketHandle server{static_cast<std::int32_t>(accepted)};
  EXPECT_EQ(run_task(proactor(), wait_then_send(proactor(), client, server)), "over the wire");
  EXPECT_EQ(run_task(proactor(), wait_then_send(proactor(), server, client)), "over the wire");
  for (const auto socket : {listener, client, server}) proactor().close_socket(socket);
}

TEST_P(ProactorSocketTest, wake_ends_a_sleep_even_when_it_came_before) {
  Reactor reactor(ShardId{0}, proactor());
  reactor.turn(false);
  const Instant before = proactor().now();
  for (int i = 0; i < 3; ++i) {
    proactor().wake();
    reactor.turn(true, std::chrono::seconds(60));
  }
  EXPECT_LT(proactor().now() - before, std::chrono::seconds(30));
}

INSTANTIATE_TEST_SUITE_P(Socket, ProactorSocketTest, every_backend());

}  // namespace
}  // namespace millrace::io
