// What a Server does with connections as a whole: limits, accepting, stopping; and the asking end.
#include "net/transport/server.h"

#include <gtest/gtest.h>

#include "tests/unit/net/transport/sim_server.h"

namespace millrace::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Whether a new connection is served.
io::Task<bool> is_served(SimServer& s, std::string from, std::uint16_t port = 9092) {
  auto stream = co_await s.connect(std::move(from), port);
  co_await send_bytes(*stream, script::frame(1, script::echo("anybody?")));
  co_return co_await next_answer(*stream) == 1;
}

TEST(Server, refuses_connections_over_max_connections_and_takes_one_when_one_has_ended) {
  SimServer sim(1, {}, {.connections_max = 3});
  sim.run([](SimServer& s) -> io::Task<void> {
    std::vector<std::unique_ptr<Stream>> open;
    for (int i = 0; i < 3; ++i) open.push_back(co_await s.connect());
    EXPECT_FALSE(co_await is_served(s, "client"));
    EXPECT_EQ(s.server->counts().refused, 1);
    open.pop_back();
    co_await io::sleep_for(seconds(1));
    EXPECT_TRUE(co_await is_served(s, "client"));
  }(sim));
}

TEST(Server, counts_each_address_for_itself_and_lets_an_override_have_more) {
  SimServer sim(2, {}, {.connections_per_ip_max = 1, .per_ip_overrides = {{"favoured", 2}}});
  sim.run([](SimServer& s) -> io::Task<void> {
    auto one = co_await s.connect("a");
    auto two = co_await s.connect("favoured");
    co_await io::sleep_for(seconds(1));
    EXPECT_FALSE(co_await is_served(s, "a"));
    EXPECT_TRUE(co_await is_served(s, "b"));
    EXPECT_TRUE(co_await is_served(s, "favoured"));
    co_await io::sleep_for(seconds(1));
    auto three = co_await s.connect("favoured");
    co_await io::sleep_for(seconds(1));
    EXPECT_FALSE(co_await is_served(s, "favoured"));
  }(sim));
}

TEST(Server, limits_may_change_and_count_those_who_came_before_they_were_there) {
  SimServer sim(10);
  sim.run([](SimServer& s) -> io::Task<void> {
    std::vector<std::unique_ptr<Stream>> open;
    for (int i = 0; i < 3; ++i) open.push_back(co_await s.connect("a"));
    co_await io::sleep_for(seconds(1));
    s.limit({.connections_per_ip_max = 3});
    EXPECT_FALSE(co_await is_served(s, "a"));
    EXPECT_TRUE(co_await is_served(s, "b"));
    s.limit({.connections_max = 2});
    EXPECT_FALSE(co_await is_served(s, "b"));
    co_await send_bytes(*open.front(), script::frame(1, script::echo("those that are open stay")));
    EXPECT_EQ(co_await next_answer(*open.front()), 1);
    s.limit({});
    EXPECT_TRUE(co_await is_served(s, "a"));
  }(sim));
}

TEST(Server, a_listener_s_limit_leaves_the_other_listener_open) {
  SimServer sim(3, {}, {.per_listener = {{"PLAINTEXT", 1}}});
  sim.run([](SimServer& s) -> io::Task<void> {
    auto one = co_await s.connect("a", 9092);
    co_await io::sleep_for(seconds(1));
    EXPECT_FALSE(co_await is_served(s, "a", 9092));
    EXPECT_TRUE(co_await is_served(s, "a", 9093));
  }(sim));
}

TEST(Server, goes_on_accepting_after_it_had_no_handles_left) {
  SimServer sim(4);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto before = co_await s.client();
    EXPECT_TRUE(co_await ask(*before, script::echo("x")));
    s.stack.fail_accepts(20);
    auto waiting = co_await s.connect();
    co_await send_bytes(*waiting, script::frame(1, script::echo("x")));
    co_await io::sleep_for(seconds(1));
    EXPECT_TRUE(co_await ask(*before, script::echo("those that are open are served")));
    EXPECT_EQ(co_await next_answer(*waiting), 1);
    EXPECT_EQ(s.server->counts().accept_failures, 20);
    co_await before->close();
  }(sim));
}

TEST(Server, stop_answers_what_is_in_flight_and_takes_nothing_new) {
  SimServer sim(5);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto stream = co_await s.connect();
    co_await send_bytes(*stream, script::frame(1, script::hold(1)));
    while (s.handler.running == 0) co_await io::sleep_for(milliseconds(1));
    io::Gate gate;
    gate.spawn(s.server->stop(seconds(60)));
    co_await io::sleep_for(seconds(1));
    co_await send_bytes(*stream, script::frame(2, script::echo("too late")));
    co_await io::sleep_for(seconds(1));
    s.handler.release(1);
    EXPECT_EQ(co_await next_answer(*stream), 1);
    EXPECT_EQ(co_await next_answer(*stream), -1);
    co_await gate.close();
  }(sim));
}

TEST(Server, stop_gives_up_a_peer_that_does_not_read_once_the_grace_is_over) {
  SimServer sim(6);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto stream = co_await s.connect();
    co_await send_bytes(*stream, script::frame(1, script::big(5'000'000)));
    co_await io::sleep_for(seconds(1));
    const Instant before = s.world.now();
    co_await s.server->stop(seconds(10));
    EXPECT_EQ(s.server->connections(), 0);
    EXPECT_LT(s.world.now() - before, seconds(11));
    EXPECT_GE(s.world.now() - before, seconds(10));
  }(sim));
}

TEST(Server, listens_everywhere_or_nowhere) {
  SimServer sim(7);
  ServerOptions options;
  options.listeners = {{.name = "A", .listen = {.address = {.host = "server", .port = 1}}},
                       {.name = "B", .listen = {.address = {.host = "elsewhere", .port = 1}}}};
  Server server(sim.stack, sim.handler, {}, options);
  const auto result = server.listen();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "listener B: elsewhere is not ours");
  sim.run([](SimServer&) -> io::Task<void> { co_return; }(sim));
}

TEST(ClientConnection, gives_up_a_broker_that_does_not_answer_and_fails_every_call) {
  SimServer sim(8);
  sim.run([](SimServer& s) -> io::Task<void> {
    ClientConnection client(co_await s.connect(),
                            {.client_id = "", .request_timeout = seconds(30)});
    const Instant before = s.world.now();
    const auto answer = co_await ask(client, script::hold(1));
    EXPECT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::timed_out);
    EXPECT_GE(s.world.now() - before, seconds(30));
    EXPECT_FALSE(co_await ask(client, script::echo("x")));
    co_await client.close();
  }(sim));
}

TEST(ClientConnection, fails_calls_that_wait_when_the_broker_closes) {
  SimServer sim(9);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto client = co_await s.client();
    const auto answer = co_await ask(*client, script::close());
    EXPECT_FALSE(answer);
    EXPECT_TRUE(client->failed());
    co_await client->close();
  }(sim));
}

}  // namespace
}  // namespace millrace::net
