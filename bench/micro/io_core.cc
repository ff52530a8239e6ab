// What the loop itself costs: a coroutine and its frame, a timer, a turn with nothing to do, and a message to another shard
// and back, spinning and sleeping. Prints a checksum of what was computed.
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "io/epoll_proactor.h"
#include "io/mailbox.h"
#include "io/reactor.h"
#include "io/run.h"
#include "io/shard.h"
#include "io/task.h"
#include "io/uring_proactor.h"

namespace millrace::io {
namespace {

std::uint64_t checksum = 0;

std::unique_ptr<Proactor> proactor_for(benchmark::State& state, Backend backend) {
  auto made = make_proactor(backend);
  if (!made) {
    state.SkipWithError(made.error().message.c_str());
    return nullptr;
  }
  return std::move(*made);
}

void frame(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    void* const memory = allocate_frame(bytes);
    benchmark::DoNotOptimize(memory);
    free_frame(memory, bytes);
    ++checksum;
  }
}
BENCHMARK(frame)->Arg(128)->Arg(1024)->Arg(8192);

[[gnu::noinline]] Task<std::uint64_t> leaf(std::uint64_t value) { co_return value + 1; }
Task<std::uint64_t> chain(std::uint64_t count) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) sum += co_await leaf(i);
  co_return sum;
}

void await_child(benchmark::State& state) {
  const auto proactor = proactor_for(state, Backend::epoll);
  if (!proactor) return;
  Reactor reactor(ShardId{0}, *proactor);
  constexpr std::uint64_t kChildren = 1000;
  for (auto _ : state) checksum += run_task(reactor, chain(kChildren));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kChildren));
}
BENCHMARK(await_child);

void rearm_timer(benchmark::State& state) {
  const auto proactor = proactor_for(state, Backend::epoll);
  if (!proactor) return;
  Reactor reactor(ShardId{0}, *proactor);
  const Reactor::Enter enter(reactor);
  std::vector<std::unique_ptr<Timer>> timers;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    timers.push_back(std::make_unique<Timer>([] {}));
    timers.back()->arm(reactor.now() + std::chrono::seconds(30 + i % 300));
  }
  std::size_t next = 0;
  for (auto _ : state) {
    // As a connection does with its idle deadline at every request.
    timers[next]->arm(reactor.now() + std::chrono::seconds(600));
    next = (next + 7919) % timers.size();
    ++checksum;
  }
}
BENCHMARK(rearm_timer)->Arg(100)->Arg(10'000);

void idle_turn(benchmark::State& state, Backend backend) {
  const auto proactor = proactor_for(state, backend);
  if (!proactor) return;
  Reactor reactor(ShardId{0}, *proactor);
  for (auto _ : state) checksum += reactor.turn(false) ? 1 : 0;
}
BENCHMARK_CAPTURE(idle_turn, io_uring, Backend::io_uring);
BENCHMARK_CAPTURE(idle_turn, epoll, Backend::epoll);

// One shard answers; the other, the measuring thread, calls it as Shards::call would.
class Echo final : public Message {
 public:
  explicit Echo(Mailboxes& mailboxes) : mailboxes_(mailboxes) {}
  void run() override {
    if (homeward_) {
      back_ = true;
      return;
    }
    homeward_ = true;  // before it is sent: from then on the other shard may run it
    mailboxes_.send(*this, ShardId{1}, ShardId{0});
  }
  bool take_back() { return std::exchange(back_, false); }
  void go() {
    homeward_ = false;
    mailboxes_.send(*this, ShardId{0}, ShardId{1});
  }

 private:
  Mailboxes& mailboxes_;
  bool homeward_ = false;
  bool back_ = false;
};

void round_trip(benchmark::State& state, Backend backend, bool spins) {
  Mailboxes mailboxes(2);
  const auto here = proactor_for(state, backend);
  if (!here) return;
  std::atomic<bool> ready{false};
  std::atomic<bool> stop{false};
  std::atomic<Proactor*> far{nullptr};
  std::thread answering([&] {
    auto made = make_proactor(backend);
    if (!made) std::abort();
    Reactor reactor(ShardId{1}, **made, {.spin_always = spins});
    reactor.set_inbox(&mailboxes.of(ShardId{1}));
    mailboxes.set_proactor(ShardId{1}, made->get());
    far = made->get();
    ready = true;
    while (!stop) reactor.turn(true, std::chrono::milliseconds(50));
  });
  while (!ready) std::this_thread::yield();
  Reactor reactor(ShardId{0}, *here, {.spin_always = spins});
  reactor.set_inbox(&mailboxes.of(ShardId{0}));
  mailboxes.set_proactor(ShardId{0}, here.get());
  Echo echo(mailboxes);
  for (auto _ : state) {
    echo.go();
    while (!echo.take_back()) reactor.turn(true, std::chrono::milliseconds(50));
    ++checksum;
  }
  stop = true;
  answering.join();
}
BENCHMARK_CAPTURE(round_trip, spinning_io_uring, Backend::io_uring, true)->UseRealTime();
BENCHMARK_CAPTURE(round_trip, sleeping_io_uring, Backend::io_uring, false)->UseRealTime();
BENCHMARK_CAPTURE(round_trip, sleeping_epoll, Backend::epoll, false)->UseRealTime();

}  // namespace

std::uint64_t io_core_checksum() { return checksum; }

}  // namespace millrace::io

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  fmt::print("checksum {}\n", millrace::io::io_core_checksum());
  return millrace::io::io_core_checksum() > 0 ? 0 : 1;
}
