// Event, Semaphore: waiting between coroutines of one shard. Waiters are resumed by the reactor, in the order they came, never
// from inside the call that woke them.
#pragma once

#include <boost/intrusive/list.hpp>

#include <coroutine>
#include <cstdint>

#include "base/check.h"
#include "io/reactor.h"

namespace millrace::io {

namespace detail {
struct Waiter : boost::intrusive::list_base_hook<
                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  std::coroutine_handle<> handle;
  std::uint64_t units = 0;
};
using WaiterList = boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>>;
}  // namespace detail

// A condition that others wait for. notify_all() wakes those who wait now.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  ~Event() { CHECK(waiters_.empty()); }

  void notify_all() {
    while (!waiters_.empty()) {
      auto& waiter = waiters_.front();
      waiters_.pop_front();
      Reactor::current().schedule(waiter.handle);
    }
  }
  bool has_waiters() const { return !waiters_.empty(); }

  struct Awaiter : detail::Waiter {
    explicit Awaiter(Event& event) : event_(event) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
      handle = awaiting;
      event_.waiters_.push_back(*this);
    }
    void await_resume() const noexcept {}
    Event& event_;
  };
  Awaiter wait() { return Awaiter(*this); }

 private:
  detail::WaiterList waiters_;
};

// Counts units of something bounded: bytes of memory, requests in flight. First come, first served, so that a large
// request is not starved by small ones.
class Semaphore {
 public:
  explicit Semaphore(std::uint64_t units) : available_(units) {}
  Semaphore(const Semaphore&) = delete;
  ~Semaphore() { CHECK(waiters_.empty()); }

  std::uint64_t available() const { return available_; }
  bool try_acquire(std::uint64_t units) {
    if (!waiters_.empty() || available_ < units) return false;
    available_ -= units;
    return true;
  }
  void release(std::uint64_t units) {
    available_ += units;
    while (!waiters_.empty() && waiters_.front().units <= available_) {
      auto& waiter = waiters_.front();
      waiters_.pop_front();
      available_ -= waiter.units;
      Reactor::current().schedule(waiter.handle);
    }
  }

  struct Awaiter : detail::Waiter {
    Awaiter(Semaphore& semaphore, std::uint64_t wanted) : semaphore_(semaphore) { units = wanted; }
    bool await_ready() { return semaphore_.try_acquire(units); }
    void await_suspend(std::coroutine_handle<> awaiting) {
      handle = awaiting;
      semaphore_.waiters_.push_back(*this);
    }
    void await_resume() const noexcept {}
    Semaphore& semaphore_;
  };
  // `units` must not exceed what the semaphore was made with, or the waiter waits for ever.
  Awaiter acquire(std::uint64_t units) { return Awaiter(*this, units); }

 private:
  std::uint64_t available_;
  detail::WaiterList waiters_;
};

}  // namespace millrace::io
