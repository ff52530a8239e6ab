// Reactor: one shard's loop: run what is ready, end-of-turn hooks, submit and reap I/O, messages of other shards, timers, sleep.
//
// Shard:     one each; everything but its Proactor's wake() is called on its own thread.
// A turn:    (1) resume every coroutine that is ready, (2) expire timers, (3) drain mailboxes, (4) run the hooks that
//            were armed for the end of this turn, (5) Proactor::run_once, sleeping only when nothing is ready.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

#include <coroutine>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "io/proactor.h"

namespace millrace::io {

class Reactor;

// A deadline. Its function is called once, from the loop, at or after `when`. Destroying it cancels it.
class Timer : public boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
 public:
  explicit Timer(std::function<void()> function) : function_(std::move(function)) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Arms or re-arms on the current shard's reactor.
  void arm(Instant when);
  void cancel();
  bool armed() const { return is_linked(); }
  Instant when() const { return when_; }
  bool operator<(const Timer& other) const { return when_ < other.when_; }

 private:
  friend class Reactor;
  std::function<void()> function_;
  Instant when_{};
  Reactor* reactor_ = nullptr;
};

// Work gathered during a turn and done once at its end: a partition's waiting batches become one write. Destroying an armed hook
// disarms it.
class TurnHook : public boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~TurnHook() = default;
  virtual void at_turn_end() = 0;
};

// Polled once per turn, and asked before the shard sleeps: mailboxes of other shards.
class Inbox {
 public:
  virtual ~Inbox() = default;
  // Handles what has arrived; returns how many messages.
  virtual std::size_t drain() = 0;
  // Says that this shard is about to sleep; false when something has arrived meanwhile.
  virtual bool prepare_sleep() = 0;
  virtual void finish_sleep() = 0;
};

struct ReactorOptions {
  // How long to spin before sleeping: waking a sleeping thread costs 65 us and more in a virtual machine. Zero: never spin.
  // A shard that keeps spinning for nothing spins only now and then, and none spins while its own worker threads have work:
  // they share its core.
  Duration spin{};
  bool spin_always = false;
};

class Reactor {
 public:
  Reactor(ShardId shard, Proactor& proactor, ReactorOptions options = {});
  ~Reactor();
  Reactor(const Reactor&) = delete;

  // The reactor whose turn is running on this thread. CHECKs that there is one.
  static Reactor& current();
  static bool has_current();
  // Makes `reactor` the current one for a while: turns do it, and so does whoever builds or ends objects of a shard that does
  // not run yet or any more. They nest.
  class Enter {
   public:
    explicit Enter(Reactor& reactor);
    ~Enter();
    Enter(const Enter&) = delete;
    Enter& operator=(const Enter&) = delete;

   private:
    Reactor* outer_;
  };

  ShardId shard() const { return shard_; }
  Proactor& proactor() { return proactor_; }
  // The clock, read once per turn and again after a sleep: cheap, and constant in between.
  Instant now() {
    if (!now_fresh_) read_clock();
    return now_;
  }
  WallTime wall_now() { return proactor_.wall_now(); }

  // Resumes `ready` in this or the next turn, in the order of the calls.
  void schedule(std::coroutine_handle<> ready) { ready_.push_back(ready); }
  // Arms `hook` for the end of this turn; twice is once.
  void arm_turn_end(TurnHook& hook);
  void set_inbox(Inbox* inbox) { inbox_ = inbox; }

  // One turn. Sleeps (bounded by timers and `sleep_max`) only when `may_sleep` and nothing is ready. Returns whether anything
  // was done. The simulator calls turn(false) on each shard in an order it draws.
  bool turn(bool may_sleep, Duration sleep_max = std::chrono::seconds(1));
  // Turns until `stop` says so; it is asked at the start of each turn and before a sleep.
  void run(const std::function<bool()>& stop);
  // When the earliest timer is due.
  std::optional<Instant> next_deadline() const;

 private:
  friend class Timer;
  bool turn_unless(bool may_sleep, Duration sleep_max, const std::function<bool()>* stop);
  std::size_t run_ready();
  std::size_t run_timers();
  std::size_t run_hooks();
  std::size_t run_io(bool may_sleep, Duration sleep_max);
  bool spins(Instant now);
  void read_clock();

  using Hooks = boost::intrusive::list<TurnHook, boost::intrusive::constant_time_size<false>>;

  ShardId shard_;
  Proactor& proactor_;
  ReactorOptions options_;
  Instant now_{};
  bool now_fresh_ = false;
  Instant spin_until_{};
  int spin_score_;           // how much spinning has been worth lately; at 0 it is tried now and then
  unsigned spins_skipped_ = 0;
  bool spun_ = false;        // since the last work
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> resuming_;
  Hooks hooks_;
  boost::intrusive::multiset<Timer> timers_;
  Inbox* inbox_ = nullptr;
};

// co_await sleep_until(when) / sleep_for(duration).
class SleepAwaiter {
 public:
  explicit SleepAwaiter(Instant when) : when_(when), timer_([this] { awaiting_.resume(); }) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    awaiting_ = awaiting;
    timer_.arm(when_);
  }
  void await_resume() const noexcept {}

 private:
  Instant when_;
  std::coroutine_handle<> awaiting_;
  Timer timer_;
};
inline SleepAwaiter sleep_until(Instant when) { return SleepAwaiter(when); }
inline SleepAwaiter sleep_for(Duration duration) {
  return SleepAwaiter(Reactor::current().now() + duration);
}

// Gives others a turn: co_await yield().
struct YieldAwaiter {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) { Reactor::current().schedule(awaiting); }
  void await_resume() const noexcept {}
};
inline YieldAwaiter yield() { return {}; }

}  // namespace millrace::io
