#include "io/shard.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/logging.h"
#include "io/epoll_proactor.h"
#include "io/scheduling.h"
#include "io/topology.h"
#include "io/uring_features.h"
#include "io/uring_proactor.h"

namespace millrace::io {

// What one thread says to start() and is told by run().
struct Shards::Thread {
  ShardId shard{};
  Place place;
  bool pinned = false;
  std::optional<Error> error;
  std::thread thread;
};

struct Shards::State {
  std::vector<std::unique_ptr<Thread>> threads;
  std::unique_ptr<Topology> topology;
  Backend backend = Backend::epoll;
  std::shared_ptr<DurableWrites> durable_writes = std::make_shared<DurableWrites>();

  // Start-up only; the data path knows no lock.
  std::mutex mutex;
  std::condition_variable changed;
  std::uint32_t ready = 0;
  std::uint32_t ended = 0;
  bool go = false;
  bool stop = false;
  const std::function<Task<void>(ShardId)>* on_shard = nullptr;

  std::vector<Proactor*> proactors;
  std::atomic<std::uint32_t> finished{0};
};

Result<BackendChoice> choose_backend(Backend wanted) {
  if (wanted == Backend::epoll) return BackendChoice{Backend::epoll, "asked for by the settings"};
  const UringFeatures features = probe_uring();
  if (features.usable) return BackendChoice{Backend::io_uring, features.reason};
  if (wanted == Backend::io_uring) return fail(Errc::unsupported, features.reason);
  return BackendChoice{Backend::epoll, features.reason};
}

Result<std::unique_ptr<Proactor>> make_proactor(Backend backend, std::shared_ptr<DurableWrites> durable_writes) {
  if (backend == Backend::automatic) {
    TRY(choice, choose_backend(backend));
    backend = choice.backend;
  }
  if (backend == Backend::io_uring) {
    TRY(proactor, UringProactor::create({.durable_writes = std::move(durable_writes)}));
    return std::unique_ptr<Proactor>(std::move(proactor));
  }
  TRY(proactor, EpollProactor::create({.durable_writes = std::move(durable_writes)}));
  return std::unique_ptr<Proactor>(std::move(proactor));
}

std::uint32_t default_shard_count() { return usable_cores(); }

Shards::Shards(std::uint32_t count)
    : count_(count), mailboxes_(count), state_(std::make_unique<State>()) {
  state_->proactors.resize(count, nullptr);
}

Shards::~Shards() { stop_threads(); }

void Shards::adopt(ShardId shard, Reactor& reactor) {
  CHECK(reactor.shard() == shard, "reactor of shard {} adopted as {}", reactor.shard().value(),
        shard.value());
  mailboxes_.set_proactor(shard, &reactor.proactor());
  reactor.set_inbox(&mailboxes_.of(shard));
}

Result<ShardReport> Shards::start(const ShardOptions& options) {
  CHECK(state_->threads.empty(), "started twice");
  TRY(choice, choose_backend(options.backend));
  state_->backend = choice.backend;
  std::vector<Place> places(count_);
  if (options.pin) {
    state_->topology = std::make_unique<Topology>();
    places = state_->topology->places(count_);
  }
  for (std::uint32_t i = 0; i < count_; ++i) {
    auto thread = std::make_unique<Thread>();
    thread->shard = ShardId{i};
    thread->place = places[i];
    state_->threads.push_back(std::move(thread));
  }
  for (const auto& thread : state_->threads) {
    thread->thread = std::thread([this, options, &mine = *thread] { run_thread(mine, options); });
  }
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->ready == count_; });
  lock.unlock();
  state_->topology.reset();
  ShardReport report;
  report.backend = choice.backend == Backend::io_uring ? "io_uring" : "epoll";
  report.backend_reason = choice.reason;
  for (const auto& thread : state_->threads) {
    if (thread->error) {
      const Error error = *thread->error;
      stop_threads();
      return fail(error);
    }
    report.cores.push_back(thread->pinned ? thread->place.core : -1);
  }
  return report;
}

void Shards::run(const std::function<Task<void>(ShardId)>& on_shard) {
  CHECK(!state_->threads.empty(), "run() before start()");
  {
    const std::lock_guard lock(state_->mutex);
    CHECK(!state_->go, "run() twice");
    state_->on_shard = &on_shard;
    state_->go = true;
  }
  state_->changed.notify_all();
  for (const auto& thread : state_->threads) thread->thread.join();
  state_->threads.clear();
}

void Shards::stop_threads() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->changed.notify_all();
  for (const auto& thread : state_->threads) {
    if (thread->thread.joinable()) thread->thread.join();
  }
  state_->threads.clear();
}

void Shards::run_thread(Thread& thread, const ShardOptions& options) {
  ::pthread_setname_np(::pthread_self(), ("shard-" + std::to_string(thread.shard.value())).c_str());
  if (options.pin) thread.pinned = state_->topology->settle(thread.place);
  (void)use_own_arena();
  // Before the proactor is made: its threads take after this one.
  (void)take_short_slices(kShardSlice);
  auto proactor = make_proactor(state_->backend, state_->durable_writes);
  if (!proactor) thread.error = proactor.error();
  {
    std::unique_lock lock(state_->mutex);
    if (proactor) state_->proactors[thread.shard.value()] = proactor->get();
    ++state_->ready;
    state_->changed.notify_all();
    state_->changed.wait(lock, [this] { return state_->go || state_->stop; });
    if (!state_->go || !proactor) return;
  }
  Reactor reactor(thread.shard, **proactor, options.reactor);
  adopt(thread.shard, reactor);
  const Reactor::Enter enter(reactor);
  Task<void> main = (*state_->on_shard)(thread.shard);
  reactor.schedule(main.handle());
  bool counted = false;
  reactor.run([&] {
    if (main.done() && !counted) {
      counted = true;
      // The last one calls the others, who sleep while they answer calls.
      if (state_->finished.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
        for (Proactor* const other : state_->proactors) other->wake();
      }
    }
    return state_->finished.load(std::memory_order_acquire) == count_;
  });
  // Another shard may still be about to wake this one: its proactor goes when all have left their loops.
  std::unique_lock lock(state_->mutex);
  ++state_->ended;
  state_->changed.notify_all();
  state_->changed.wait(lock, [this] { return state_->ended == count_; });
}

}  // namespace millrace::io
