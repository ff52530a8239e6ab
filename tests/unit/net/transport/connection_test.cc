// Connections over the simulated Stack: what they promise to a client, however bytes come and
// whoever is ready first.
#include "net/transport/connection.h"

#include <gtest/gtest.h>

#include "tests/unit/net/transport/sim_server.h"

namespace millrace::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Connection, answers_in_the_order_of_the_requests_although_the_last_is_ready_first) {
  SimServer sim(1);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto stream = co_await s.connect();
    co_await send_bytes(*stream, script::frame(1, script::hold(1)));
    co_await send_bytes(*stream, script::frame(2, script::hold(2)));
    co_await send_bytes(*stream, script::frame(3, script::echo("at once")));
    while (s.handler.begun.size() < 3) co_await io::sleep_for(milliseconds(1));
    s.handler.release(2);
    co_await io::sleep_for(seconds(1));
    s.handler.release(1);
    for (std::int32_t id = 1; id <= 3; ++id) EXPECT_EQ(co_await next_answer(*stream), id);
  }(sim));
}

io::Task<void> release_in_some_order(SimServer& s, Prng prng, int count) {
  std::vector<std::uint64_t> keys;
  for (int key = 0; key < count; ++key) keys.push_back(static_cast<std::uint64_t>(key));
  while (!keys.empty()) {
    const std::size_t at = prng.below(keys.size());
    s.handler.release(keys[at]);
    keys.erase(keys.begin() + static_cast<std::ptrdiff_t>(at));
    if (prng.below(3) == 0) co_await io::sleep_for(Duration(prng.below(1'000'000)));
  }
}

io::Task<void> order_of_answers(SimServer& s, std::uint64_t seed) {
  constexpr int kRequests = 60;
  Prng prng = s.world.stream("requests");
  auto stream = co_await s.connect();
  std::vector<std::int32_t> expected;
  std::vector<std::byte> bytes;
  std::vector<std::int32_t> asked;
  for (std::int32_t id = 0; id < kRequests; ++id) {
    std::vector<std::byte> body;
    switch (prng.below(6)) {
      case 0:
        body = script::echo("short");
        break;
      case 1:
        body = script::none();
        break;
      case 2:
        body = script::big(prng.below(20000));
        break;
      case 3:
        body = script::bulk(17 + prng.below(100'000), seed);
        break;
      default:
        body = script::hold(static_cast<std::uint64_t>(id));
        break;
    }
    if (body != script::none()) expected.push_back(id);
    asked.push_back(id);
    const auto frame = script::frame(id, body);
    bytes.insert(bytes.end(), frame.begin(), frame.end());
  }
  io::Gate gate;
  gate.spawn(release_in_some_order(s, s.world.stream("releases"), kRequests));
  gate.spawn([](Stream& to, std::vector<std::byte> all) -> io::Task<void> {
    co_await send_bytes(to, std::move(all));
  }(*stream, std::move(bytes)));
  for (const std::int32_t id : expected) EXPECT_EQ(co_await next_answer(*stream), id) << seed;
  co_await gate.close();
  // The last may have had no answer to wait for.
  while (s.handler.begun.size() < asked.size()) co_await io::sleep_for(milliseconds(1));
  EXPECT_EQ(s.handler.begun, asked) << "begun in the order they came, seed " << seed;
}

TEST(Connection, begins_and_answers_in_order_whatever_the_requests_and_the_network) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SimServer sim(seed);
    sim.run(order_of_answers(sim, seed));
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Connection, serves_a_sender_of_one_byte_a_second_and_others_meanwhile) {
  SimServer sim(2);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto slow = co_await s.connect();
    auto quick = co_await s.client();
    const auto frame = script::frame(5, script::echo("patience"));
    for (const std::byte byte : frame) {
      co_await send_bytes(*slow, {byte});
      EXPECT_TRUE(co_await ask(*quick, script::echo("now")));
      co_await io::sleep_for(seconds(1));
    }
    EXPECT_EQ(co_await next_answer(*slow), 5);
    co_await quick->close();
  }(sim));
}

TEST(Connection, runs_no_more_requests_at_once_than_its_limit_and_loses_none) {
  ServerOptions options;
  options.connection.requests_in_flight_max = 7;
  SimServer sim(3, options);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto stream = co_await s.connect();
    std::vector<std::byte> bytes;
    for (std::int32_t id = 0; id < 500; ++id) {
      const auto frame = script::frame(id, script::hold(0));
      bytes.insert(bytes.end(), frame.begin(), frame.end());
    }
    io::Gate gate;
    gate.spawn([](Stream& to, std::vector<std::byte> all) -> io::Task<void> {
      co_await send_bytes(to, std::move(all));
    }(*stream, std::move(bytes)));
    co_await io::sleep_for(seconds(5));
    EXPECT_EQ(s.handler.begun.size(), 7) << "the rest waits in the sender and in the network";
    s.handler.release(0);
    for (std::int32_t id = 0; id < 500; ++id) EXPECT_EQ(co_await next_answer(*stream), id);
    EXPECT_EQ(s.handler.running_most, 7);
    co_await gate.close();
  }(sim));
}

TEST(Connection, holds_no_more_request_bytes_than_its_limit) {
  ServerOptions options;
  options.connection.request_bytes_in_flight_max = 1'000'000;
  SimServer sim(4, options);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto stream = co_await s.connect();
    io::Gate gate;
    gate.spawn([](Stream& to) -> io::Task<void> {
      for (std::int32_t id = 0; id < 40; ++id) {
        auto body = script::hold(0);
        body.resize(150'000);
        co_await send_bytes(to, script::frame(id, body));
      }
    }(*stream));
    co_await io::sleep_for(seconds(5));
    EXPECT_EQ(s.handler.begun.size(), 6);
    EXPECT_LT(s.server->buffers().bytes_lent(), 1'500'000);
    s.handler.release(0);
    for (std::int32_t id = 0; id < 40; ++id) EXPECT_EQ(co_await next_answer(*stream), id);
    co_await gate.close();
  }(sim));
}

TEST(Connection, makes_few_answers_for_a_peer_that_never_reads_and_gives_it_up) {
  constexpr std::uint64_t kAnswer = 50'000;
  ServerOptions options;
  options.connection.answer_bytes_max = 256 * 1024;
  options.connection.write_stall_max = seconds(60);
  SimServer sim(5, options);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto greedy = co_await s.connect();
    auto other = co_await s.client("elsewhere");
    io::Gate gate;
    gate.spawn([](Stream& to) -> io::Task<void> {
      for (std::int32_t id = 0; id < 5000; ++id) {
        if (!co_await send_bytes(to, script::frame(id, script::big(kAnswer)))) break;
      }
    }(*greedy));
    co_await io::sleep_for(seconds(50));
    const std::size_t window = s.network.faults.window_bytes;
    EXPECT_LE(s.handler.answer_bytes_made, window + 256 * 1024 + 2 * kAnswer);
    EXPECT_TRUE(co_await ask(*other, script::echo("unhurt")));
    co_await io::sleep_for(seconds(15));
    EXPECT_EQ(s.server->connection_counts().stalled_closed, 1);
    EXPECT_EQ(s.server->connections(), 1) << "the other one";
    co_await gate.close();
    co_await other->close();
  }(sim));
}

TEST(Connection, is_not_given_up_when_its_first_answer_after_a_long_rest_is_ready_as_the_sweep_comes) {
  ServerOptions options;
  options.connection.write_stall_max = seconds(60);
  SimServer sim(7, options);
  // The sweep is in the same turn as the answer, which is sent in the next.
  const Instant sweep = sim.world.now() + 90 * options.sweep_interval;
  sim.world.at(sweep, [&] { sim.handler.release(1); });
  sim.run([](SimServer& s) -> io::Task<void> {
    auto stream = co_await s.connect();
    co_await send_bytes(*stream, script::frame(1, script::hold(1)));
    EXPECT_EQ(co_await next_answer(*stream), 1);
    EXPECT_EQ(s.server->connection_counts().stalled_closed, 0);
  }(sim));
}

io::Task<void> answer_64_at_once(SimServer& s) {
  auto stream = co_await s.connect();
  // Before answers of this size are expected, fewer requests run at once.
  for (std::int32_t id = 0; id < 100; ++id) {
    co_await send_bytes(*stream, script::frame(id, script::echo("short")));
    EXPECT_EQ(co_await next_answer(*stream), id);
  }
  s.handler.begun.clear();
  for (std::int32_t id = 0; id < 64; ++id) {
    co_await send_bytes(*stream, script::frame(id, script::hold(0)));
  }
  while (s.handler.begun.size() < 64) co_await io::sleep_for(milliseconds(1));
  s.handler.release(0);
  for (std::int32_t id = 0; id < 64; ++id) EXPECT_EQ(co_await next_answer(*stream), id);
  co_await io::sleep_for(seconds(1));
}

TEST(Connection, the_last_bytes_of_as_many_answers_as_one_send_takes_are_not_kept_back) {
  SimServer sim(19);
  sim.run(answer_64_at_once(sim));
  EXPECT_EQ(sim.network.sends_left_open, 0U);
}

TEST(Connection, a_negative_time_to_be_idle_is_for_ever) {
  ServerOptions options;
  options.connection.idle_max = milliseconds(-1);
  SimServer sim(20, options);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto stream = co_await s.connect();
    co_await io::sleep_for(minutes(2));
    co_await send_bytes(*stream, script::frame(1, script::echo("still there")));
    EXPECT_EQ(co_await next_answer(*stream), 1);
  }(sim));
  EXPECT_EQ(sim.server->connection_counts().idle_closed, 0U);
}

TEST(Connection, is_closed_when_idle_but_not_while_a_request_runs) {
  ServerOptions options;
  options.connection.idle_max = minutes(10);
  SimServer sim(6, options);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto idle = co_await s.connect();
    auto half = co_await s.connect();
    auto polling = co_await s.connect();
    co_await send_bytes(*half, {std::byte{0}, std::byte{0}});
    co_await send_bytes(*polling, script::frame(1, script::hold(1)));
    co_await io::sleep_for(minutes(9));
    EXPECT_EQ(s.server->connections(), 3);
    co_await io::sleep_for(minutes(2));
    EXPECT_EQ(s.server->connections(), 1);
    EXPECT_EQ(s.server->connection_counts().idle_closed, 2);
    EXPECT_EQ(co_await next_answer(*idle), -1);
    s.handler.release(1);
    EXPECT_EQ(co_await next_answer(*polling), 1);
  }(sim));
}

TEST(Connection, answers_what_came_before_rubbish_and_closes) {
  SimServer sim(7);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto stream = co_await s.connect();
    auto bytes = script::frame(1, script::hold(1));
    const auto second = script::frame(2, script::echo("two"));
    bytes.insert(bytes.end(), second.begin(), second.end());
    for (const char letter : std::string_view("GET / HTTP/1.1\r\n\r\n")) {
      bytes.push_back(static_cast<std::byte>(letter));
    }
    co_await send_bytes(*stream, bytes);
    co_await io::sleep_for(seconds(1));
    s.handler.release(1);
    EXPECT_EQ(co_await next_answer(*stream), 1);
    EXPECT_EQ(co_await next_answer(*stream), 2);
    EXPECT_EQ(co_await next_answer(*stream), -1);
    EXPECT_EQ(s.server->connection_counts().malformed, 1);
  }(sim));
}

TEST(Connection, refuses_a_frame_over_the_limit_and_takes_one_of_exactly_it) {
  ServerOptions options;
  options.connection.request_bytes_max = 100'000;
  SimServer sim(8, options);
  sim.run([](SimServer& s) -> io::Task<void> {
    const std::size_t header = script::frame(0, {}).size() - 4;
    auto stream = co_await s.connect();
    co_await send_bytes(*stream, script::frame(1, script::bulk(100'000 - header, 1)));
    EXPECT_EQ(co_await next_answer(*stream), 1);
    co_await send_bytes(*stream, script::frame(2, script::bulk(100'001 - header, 1)));
    EXPECT_EQ(co_await next_answer(*stream), -1);
  }(sim));
}

TEST(Connection, closes_after_the_answers_that_come_before_when_the_handler_says_so) {
  SimServer sim(9);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto stream = co_await s.connect();
    co_await send_bytes(*stream, script::frame(1, script::hold(1)));
    co_await send_bytes(*stream, script::frame(2, script::close()));
    co_await send_bytes(*stream, script::frame(3, script::echo("too late")));
    co_await io::sleep_for(seconds(1));
    EXPECT_EQ(s.server->connections(), 1);
    s.handler.release(1);
    EXPECT_EQ(co_await next_answer(*stream), 1);
    EXPECT_EQ(co_await next_answer(*stream), -1);
  }(sim));
}

TEST(Connection, a_connection_that_waits_holds_no_buffer) {
  SimServer sim(10);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto client = co_await s.client();
    for (const std::uint64_t size : {100, 20'000, 300'000}) {
      EXPECT_TRUE(co_await ask(*client, script::bulk(size, size)));
      co_await io::sleep_for(seconds(1));
      EXPECT_EQ(s.server->buffers().bytes_lent(), 0) << size;
    }
    co_await io::sleep_for(seconds(5));
    EXPECT_EQ(s.server->buffers().bytes_kept(), 0)
        << "what is kept for reuse goes when nobody uses it";
    co_await client->close();
  }(sim));
}

io::Task<void> ask_bulk(ClientConnection& client, std::uint64_t size, int& good) {
  const auto answer = co_await ask(client, script::bulk(size, size));
  if (answer &&
      load_big_endian<std::uint64_t>(answer->data() + 4) == script::bulk_checksum(size, size)) {
    ++good;
  }
}

io::Task<void> many_large_requests(SimServer& s) {
  constexpr int kClients = 30;
  std::vector<std::unique_ptr<ClientConnection>> clients;
  int good = 0;
  io::Gate gate;
  Prng prng = s.world.stream("sizes");
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(co_await s.client());
    for (int request = 0; request < 4; ++request) {
      gate.spawn(ask_bulk(*clients.back(), 1000 + prng.below(400'000), good));
    }
  }
  co_await gate.close();
  EXPECT_EQ(good, kClients * 4);
  for (auto& client : clients) co_await client->close();
}

TEST(Connection, more_requests_than_there_is_memory_for_are_all_answered_in_the_end) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    ServerOptions options;
    options.connection.request_bytes_max = 500'000;
    options.buffers.bytes_max = 1'000'000;
    SimServer sim(seed, options);
    sim.run(many_large_requests(sim));
  }
}

TEST(Connection, who_holds_scarce_memory_without_filling_it_is_given_up) {
  ServerOptions options;
  options.connection.request_bytes_max = 500'000;
  options.buffers.bytes_max = 600'000;
  SimServer sim(11, options);
  sim.run([](SimServer& s) -> io::Task<void> {
    // Each announces a large request and sends a part of it.
    std::vector<std::unique_ptr<Stream>> stuck;
    auto frame = script::frame(1, script::bulk(490'000, 1));
    frame.resize(10'000);
    for (int i = 0; i < 3; ++i) {
      stuck.push_back(co_await s.connect("stuck"));
      co_await send_bytes(*stuck.back(), frame);
    }
    co_await io::sleep_for(seconds(1));
    auto client = co_await s.client();
    int good = 0;
    co_await ask_bulk(*client, 450'000, good);
    EXPECT_EQ(good, 1);
    EXPECT_GE(s.server->connection_counts().stalled_closed, 1);
    co_await client->close();
  }(sim));
}

io::Task<void> ask_until_it_fails(SimServer& s, Prng prng, int& answered) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    auto client = co_await s.client();
    for (int request = 0; request < 20; ++request) {
      const bool large = prng.below(4) == 0;
      auto answer = co_await ask(
          *client, large ? script::big(prng.below(100'000)) : script::bulk(prng.below(50'000), 1));
      if (!answer) break;
      ++answered;
    }
    co_await client->close();
  }
}

TEST(Connection, resets_at_any_time_leave_nothing_behind) {
  int answered = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimServer sim(seed);
    sim.network.faults.reset_one_in = 30;
    sim.run([](SimServer& s, int& count) -> io::Task<void> {
      io::Gate gate;
      for (int i = 0; i < 5; ++i) {
        gate.spawn(ask_until_it_fails(s, s.world.stream("client" + std::to_string(i)), count));
      }
      co_await gate.close();
    }(sim, answered));
  }
  EXPECT_GT(answered, 1000);
}

TEST(Connection, a_peer_cut_off_is_given_up_and_its_handler_ends) {
  SimServer sim(12);
  sim.run([](SimServer& s) -> io::Task<void> {
    auto stream = co_await s.connect();
    co_await send_bytes(*stream, script::frame(1, script::big(1'000'000)));
    co_await io::sleep_for(milliseconds(1));
    s.network.cut("server", "client");
    co_await io::sleep_for(seconds(90));
    EXPECT_EQ(s.server->connections(), 0);
    EXPECT_EQ(s.handler.running, 0);
    s.network.heal("server", "client");
  }(sim));
}

}  // namespace
}  // namespace millrace::net
