// World: virtual time, and whatever happens in it, from one seed.
//
// Several reactors (shards of one node or of several) take turns in one thread, in an order the seed decides. When none of them
// has anything to do, time jumps to the next event or timer. Two runs of one seed are the same run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/prng.h"
#include "base/time.h"
#include "io/reactor.h"
#include "io/task.h"

namespace millrace::sim {

class World {
 public:
  explicit World(std::uint64_t seed);
  World(const World&) = delete;

  std::uint64_t seed() const { return seed_; }
  // A stream of its own for each name, whatever other streams drew: adding a draw in one place does not change the others.
  Prng stream(std::string_view name) const;

  Instant now() const { return now_; }
  // The wall clock began at the start of 2025 and runs with virtual time; jump_wall_clock() moves it.
  WallTime wall_now() const;
  void jump_wall_clock(Duration by) { wall_offset_ += by; }

  // ---- Events
  using Event = std::tuple<Instant, std::uint64_t, std::uint64_t>;
  // Calls `function` at `when`. Events of one instant happen in an order the seed decides.
  Event at(Instant when, std::function<void()> function);
  // The same, but events of one instant that were queued this way happen in the order of queueing.
  Event at_in_order(Instant when, std::function<void()> function);
  void cancel(const Event& event) { events_.erase(event); }
  std::optional<Instant> next_event() const;

  // ---- Reactors
  void add(io::Reactor& reactor) { reactors_.push_back(&reactor); }
  void remove(io::Reactor& reactor);

  // Turns every reactor until none has anything to do, then moves time to what comes next and lets that happen. False when
  // nothing is left to happen.
  bool step();
  // Steps until `done` or until `limit` of virtual time has gone by; gives done().
  bool run_until(const std::function<bool()>& done, Duration limit = std::chrono::hours(1));
  // Runs a task on one of the reactors, all of them turning. CHECKs that it ends within `limit`.
  template <class T>
  T run(io::Reactor& reactor, io::Task<T> task, Duration limit = std::chrono::hours(1)) {
    reactor.schedule(task.handle());
    const bool done = run_until([&] { return task.done(); }, limit);
    CHECK(done, "seed {}: a task does not end", seed_);
    if constexpr (!std::is_void_v<T>) return std::move(*task.handle().promise().value);
  }
  // Moves time to the next event, at most to `latest`, and lets all events of that instant happen. For a proactor whose
  // reactor turns alone.
  void advance(Instant latest);

 private:
  Event insert(Instant when, std::uint64_t tie, std::function<void()> function);
  bool turn_all();
  std::optional<Instant> next_deadline() const;

  std::uint64_t seed_;
  Prng order_;
  Instant now_;
  Duration wall_offset_{};
  std::uint64_t sequence_ = 0;
  std::map<Event, std::function<void()>> events_;
  std::vector<io::Reactor*> reactors_;
};

}  // namespace millrace::sim
