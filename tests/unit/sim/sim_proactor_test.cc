#include "tests/sim/sim_proactor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "io/file.h"
#include "io/gate.h"
#include "io/run.h"
#include "io/shard.h"

namespace millrace::sim {
namespace {

using io::Gate;
using io::Reactor;
using io::Task;

Task<Result<std::string>> write_sync_read(io::Proactor& proactor) {
  CO_TRY(file, io::OpenFile::open(proactor, "f", {.write = true, .create = true}));
  const std::string text = "through the seam";
  CO_TRY_DONE(co_await io::write_all(proactor, file->handle(), 0, as_bytes(text)));
  CO_TRY_DONE(co_await io::sync(proactor, file->handle()));
  std::string back(text.size(), '?');
  CO_TRY(got, co_await io::read_all(proactor, file->handle(), 0,
                                    std::as_writable_bytes(std::span(back))));
  back.resize(got);
  co_return back;
}

Task<std::int64_t> sleep_a_day(io::Proactor& proactor) {
  const WallTime start = proactor.wall_now();
  co_await io::sleep_for(std::chrono::hours(24));
  co_return proactor.wall_now().ms - start.ms;
}

TEST(SimProactor, run_task_moves_virtual_time_and_waits_for_nothing_else) {
  World world(1);
  SimDisk disk(world.stream("disk"));
  SimProactor proactor(world, disk, "proactor");
  const Instant before = world.now();
  EXPECT_EQ(io::run_task(proactor, write_sync_read(proactor)).value(), "through the seam");
  EXPECT_GT(world.now(), before);
  EXPECT_EQ(io::run_task(proactor, sleep_a_day(proactor)), 24 * 3600 * 1000);
}

TEST(SimProactor, whole_reads_and_writes_continue_short_ones) {
  World world(2);
  SimDisk disk(world.stream("disk"));
  disk.faults.short_transfer_one_in = 2;
  SimProactor proactor(world, disk, "proactor");
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(io::run_task(proactor, write_sync_read(proactor)).value(), "through the seam");
  }
}

TEST(SimProactor, small_files_are_replaced_whole_or_not_at_all) {
  World world(3);
  SimDisk disk(world.stream("disk"));
  SimProactor proactor(world, disk, "proactor");
  ASSERT_TRUE(io::replace_small_file(proactor, "checkpoint", as_bytes(std::string(2000, 'a'))));
  std::vector<std::unique_ptr<SimDisk>> images;
  Prng prng = world.stream("cuts");
  disk.set_observer([&] { images.push_back(disk.power_cut(prng)); });
  ASSERT_TRUE(io::replace_small_file(proactor, "checkpoint", as_bytes(std::string(3000, 'b'))));
  disk.set_observer({});
  images.push_back(disk.power_cut(prng));
  EXPECT_GE(images.size(), 5u);
  for (std::size_t i = 0; i < images.size(); ++i) {
    SimProactor after(world, *images[i], "after");
    const std::string found = io::read_small_file(after, "checkpoint").value();
    const bool is_new = found == std::string(3000, 'b');
    EXPECT_TRUE(is_new || found == std::string(2000, 'a')) << "after change " << i;
    if (i + 1 == images.size()) EXPECT_TRUE(is_new) << "it had been reported done";
  }
}

Task<void> write_one(io::Proactor& proactor, io::FileHandle file, int number,
                     std::vector<int>& order) {
  const std::byte byte{static_cast<unsigned char>(number)};
  const auto position = static_cast<std::uint64_t>(number);
  const auto written = co_await io::write_all(proactor, file, position, {&byte, 1});
  EXPECT_TRUE(written);
  order.push_back(number);
}

Task<std::vector<int>> write_ten(io::Proactor& proactor) {
  const auto file = proactor.open("f", {.write = true, .create = true}).value();
  std::vector<int> order;
  Gate gate;
  for (int i = 0; i < 10; ++i) gate.spawn(write_one(proactor, file, i, order));
  co_await gate.close();
  proactor.close(file);
  co_return order;
}

std::vector<int> completion_order(std::uint64_t seed) {
  World world(seed);
  SimDisk disk(world.stream("disk"));
  SimProactor proactor(world, disk, "proactor");
  return io::run_task(proactor, write_ten(proactor));
}

TEST(SimProactor, completions_come_in_an_order_of_the_seed) {
  std::set<std::vector<int>> orders;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(completion_order(seed), completion_order(seed));
    orders.insert(completion_order(seed));
  }
  EXPECT_GT(orders.size(), 15u);
}

constexpr std::uint64_t kRange = std::uint64_t{1} << 20;

struct Brought : io::Completion {
  Brought() : io::Completion(&Brought::on_done) {}
  static void on_done(io::Completion& self, std::int64_t result) { static_cast<Brought&>(self).result = result; }
  std::int64_t result = 0;
};

Task<void> write_durably(io::Proactor& proactor, io::FileHandle file, int times) {
  alignas(4096) static constexpr std::array<std::byte, 4096> block{};
  for (int i = 0; i < times; ++i) EXPECT_TRUE(co_await io::write_all(proactor, file, 0, block));
}

Task<void> wait_for(io::Proactor& proactor, const Brought& brought, std::size_t& most_at_once) {
  while (brought.result == 0) {
    most_at_once = std::max(most_at_once, static_cast<SimProactor&>(proactor).background_reads());
    co_await io::sleep_for(std::chrono::microseconds(10));
  }
}

// Three ranges at once, the second of which is cancelled; gives how many were at the disk at the same time.
Task<std::size_t> bring_in(io::Proactor& proactor, bool durable_writes, std::array<std::int64_t, 3>& results) {
  const auto cold = proactor.open("cold", {.write = true, .create = true}).value();
  const std::vector<std::byte> bytes(kRange, std::byte{'c'});
  EXPECT_TRUE(co_await io::write_all(proactor, cold, 0, bytes));
  const auto wal = proactor.open("wal", {.write = true, .create = true, .direct_sync = true}).value();
  co_await write_durably(proactor, wal, durable_writes ? 1 : 0);
  std::array<Brought, 3> brought;
  for (Brought& one : brought) proactor.read_ahead(cold, 0, kRange, one);
  proactor.cancel(brought[1]);
  std::size_t most_at_once = 0;
  for (std::size_t i = 0; i < brought.size(); ++i) {
    co_await wait_for(proactor, brought[i], most_at_once);
    results[i] = brought[i].result;
  }
  proactor.close(wal);
  proactor.close(cold);
  co_return most_at_once;
}

TEST(SimProactor, ranges_are_brought_in_one_at_a_time_beside_durable_writes_and_two_without) {
  for (const bool durable_writes : {false, true}) {
    World world(10);
    SimDisk disk(world.stream("disk"));
    SimProactor proactor(world, disk, "proactor", {.stall_one_in = 0});
    std::array<std::int64_t, 3> results{};
    const auto at_once = io::run_task(proactor, bring_in(proactor, durable_writes, results));
    EXPECT_EQ(at_once, durable_writes ? 1U : 2U);
    const auto whole = static_cast<std::int64_t>(kRange);
    EXPECT_EQ(results, (std::array<std::int64_t, 3>{whole, -ECANCELED, whole}));
  }
}

Task<std::int64_t> try_to_accept(io::Proactor& proactor) {
  co_return co_await io::Operation(
      [&](io::Completion& done) { proactor.accept(io::kNoSocket, done); });
}

TEST(SimProactor, sockets_are_refused) {
  World world(4);
  SimDisk disk(world.stream("disk"));
  SimProactor proactor(world, disk, "proactor");
  EXPECT_EQ(io::run_task(proactor, try_to_accept(proactor)), -EOPNOTSUPP);
}

Task<std::string> nap_and_tell(Duration nap) {
  co_await io::sleep_for(nap);
  co_return std::to_string(Reactor::current().shard().value());
}

Task<std::string> ask(io::Shards& shards, std::uint32_t from, std::uint32_t to, Duration nap) {
  co_await io::sleep_for(nap);
  const std::string answer = co_await shards.call(ShardId{to}, [nap] { return nap_and_tell(nap); });
  co_return std::to_string(from) + ">" + answer;
}

TEST(World, shards_of_one_node_call_each_other_under_virtual_time) {
  World world(5);
  SimDisk disk(world.stream("disk"));
  SimProactor zero(world, disk, "shard 0");
  SimProactor one(world, disk, "shard 1");
  io::Shards shards(2);
  Reactor first(ShardId{0}, zero);
  Reactor second(ShardId{1}, one);
  shards.adopt(ShardId{0}, first);
  shards.adopt(ShardId{1}, second);
  world.add(first);
  world.add(second);
  const Instant before = world.now();
  EXPECT_EQ(world.run(first, ask(shards, 0, 1, std::chrono::seconds(3))), "0>1");
  EXPECT_EQ(world.now() - before, std::chrono::seconds(6));
  EXPECT_EQ(world.run(second, ask(shards, 1, 0, std::chrono::seconds(1))), "1>0");
}

TEST(World, streams_depend_on_seed_and_name_alone) {
  EXPECT_EQ(World(6).stream("a").next(), World(6).stream("a").next());
  EXPECT_NE(World(6).stream("a").next(), World(6).stream("b").next());
  EXPECT_NE(World(6).stream("a").next(), World(7).stream("a").next());
}

TEST(World, events_in_order_keep_it_and_others_are_shuffled) {
  World world(8);
  std::string ordered;
  std::string shuffled;
  const Instant then = world.now() + std::chrono::seconds(1);
  for (char letter = 'a'; letter <= 'j'; ++letter) {
    world.at_in_order(then, [&ordered, letter] { ordered += letter; });
    world.at(then, [&shuffled, letter] { shuffled += letter; });
  }
  const auto cancelled = world.at(then, [&] { shuffled += '!'; });
  world.cancel(cancelled);
  EXPECT_TRUE(world.step());
  EXPECT_EQ(ordered, "abcdefghij");
  EXPECT_NE(shuffled, "abcdefghij");
  EXPECT_EQ(shuffled.size(), 10u);
  EXPECT_FALSE(world.step());
}

Task<void> spin_until(io::Proactor& proactor, Instant when) {
  while (proactor.now() < when) co_await io::yield();
}

TEST(World, a_coroutine_that_only_yields_does_not_stop_time) {
  World world(9);
  SimDisk disk(world.stream("disk"));
  SimProactor proactor(world, disk, "proactor");
  Reactor reactor(ShardId{0}, proactor);
  world.add(reactor);
  world.run(reactor, spin_until(proactor, world.now() + std::chrono::microseconds(5)));
}

}  // namespace
}  // namespace millrace::sim
