#include "io/reactor.h"

#include <algorithm>

#include "base/check.h"

namespace millrace::io {
namespace {

constinit thread_local Reactor* current_reactor = nullptr;

// More timers than this wait for the next turn, so that a timer that keeps re-arming itself cannot starve I/O.
constexpr std::size_t kTimersPerTurn = 1024;
constexpr std::size_t kReadyReserved = 256;
// A spin that found work counts for more than one that did not: the first saves a wake of 65 us and more.
constexpr int kSpinScoreMax = 64;
constexpr int kSpinGain = 4;
// With the score at 0, one sleep in this many is preceded by a spin, to see whether it pays again.
constexpr unsigned kSpinProbe = 32;

}  // namespace

void Timer::arm(Instant when) {
  cancel();
  reactor_ = &Reactor::current();
  when_ = when;
  reactor_->timers_.insert(*this);
}

void Timer::cancel() {
  if (!armed()) return;
  reactor_->timers_.erase(reactor_->timers_.iterator_to(*this));
}

Reactor::Reactor(ShardId shard, Proactor& proactor, ReactorOptions options)
    : shard_(shard), proactor_(proactor), options_(options), spin_score_(kSpinScoreMax) {
  ready_.reserve(kReadyReserved);
  resuming_.reserve(kReadyReserved);
}

Reactor::~Reactor() { timers_.clear(); }

Reactor& Reactor::current() {
  CHECK(current_reactor != nullptr, "no reactor runs on this thread");
  return *current_reactor;
}

bool Reactor::has_current() { return current_reactor != nullptr; }

Reactor::Enter::Enter(Reactor& reactor) : outer_(std::exchange(current_reactor, &reactor)) {}

Reactor::Enter::~Enter() { current_reactor = outer_; }

void Reactor::arm_turn_end(TurnHook& hook) {
  if (!hook.is_linked()) hooks_.push_back(hook);
}

void Reactor::read_clock() {
  now_ = std::max(now_, proactor_.now());
  now_fresh_ = true;
}

std::optional<Instant> Reactor::next_deadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->when();
}

bool Reactor::turn(bool may_sleep, Duration sleep_max) {
  return turn_unless(may_sleep, sleep_max, nullptr);
}

void Reactor::run(const std::function<bool()>& stop) {
  while (!stop()) turn_unless(true, std::chrono::seconds(1), &stop);
}

bool Reactor::turn_unless(bool may_sleep, Duration sleep_max, const std::function<bool()>* stop) {
  const Enter enter(*this);
  read_clock();
  std::size_t done = run_ready();
  done += run_timers();
  if (inbox_ != nullptr) done += inbox_->drain();
  done += run_hooks();
  const bool idle = done == 0 && ready_.empty() && hooks_.empty();
  const bool sleep = may_sleep && idle && (stop == nullptr || !(*stop)());
  done += run_io(sleep, sleep_max);
  if (done > 0) {
    if (spun_) spin_score_ = std::min(spin_score_ + kSpinGain, kSpinScoreMax);
    spun_ = false;
    spin_until_ = Instant::max();  // the next idle turn starts a spin
  }
  return done > 0;
}

std::size_t Reactor::run_ready() {
  // What becomes ready meanwhile waits for the next turn, so that I/O gets its share.
  resuming_.swap(ready_);
  for (const auto handle : resuming_) handle.resume();
  const std::size_t resumed = resuming_.size();
  resuming_.clear();
  return resumed;
}

std::size_t Reactor::run_timers() {
  std::size_t expired = 0;
  while (expired < kTimersPerTurn && !timers_.empty() && timers_.begin()->when() <= now_) {
    Timer& timer = *timers_.begin();
    timers_.erase(timers_.begin());
    ++expired;
    timer.function_();
  }
  return expired;
}

std::size_t Reactor::run_hooks() {
  Hooks due;
  due.swap(hooks_);
  std::size_t count = 0;
  while (!due.empty()) {
    TurnHook& hook = due.front();
    due.pop_front();
    ++count;
    hook.at_turn_end();
  }
  return count;
}

std::size_t Reactor::run_io(bool may_sleep, Duration sleep_max) {
  if (!may_sleep || spins(now_)) {
    now_fresh_ = false;
    return proactor_.run_once(std::nullopt);
  }
  if (inbox_ != nullptr && !inbox_->prepare_sleep()) return proactor_.run_once(std::nullopt);
  const Instant latest = now_ + sleep_max;
  const Instant sleep_until = timers_.empty() ? latest : std::min(latest, timers_.begin()->when());
  now_fresh_ = false;  // what run_once completes after the sleep asks the clock anew
  const std::size_t completed = proactor_.run_once(sleep_until);
  if (inbox_ != nullptr) inbox_->finish_sleep();
  return completed;
}

bool Reactor::spins(Instant now) {
  if (options_.spin_always) return true;
  if (options_.spin == Duration::zero() || proactor_.workers_busy()) return false;
  if (spin_until_ == Instant::max()) {
    if (spin_score_ == 0 && ++spins_skipped_ % kSpinProbe != 0) return false;
    spin_until_ = now + options_.spin;
    spun_ = true;
  }
  if (now < spin_until_) return true;
  if (spun_) {
    // The spin ended without work; the sleep that follows may be ended by any of it.
    spun_ = false;
    spin_score_ = std::max(spin_score_ - 1, 0);
  }
  return false;
}

}  // namespace millrace::io
