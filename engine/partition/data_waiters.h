// Fetches that wait until there is more to read.
//
// Shard:     one; the partition's. A fetch over partitions of several shards has one DataWaiter on each.
// Lifetime:  a DataWaiter lives in the frame of the coroutine that waits and leaves every list when it goes.
#pragma once

#include <boost/intrusive/list.hpp>

#include <coroutine>
#include <deque>
#include <optional>

#include "base/time.h"
#include "io/reactor.h"

namespace millrace::engine {

class DataWaiter;

namespace detail {
struct DataWaiterLink
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  explicit DataWaiterLink(DataWaiter& owner) : waiter(owner) {}
  DataWaiter& waiter;
};
using DataWaiterList =
    boost::intrusive::list<DataWaiterLink, boost::intrusive::constant_time_size<false>>;
}  // namespace detail

// Waits for the first of: news from one of the partitions it was added to, a call of wake(), the deadline.
class DataWaiter {
 public:
  DataWaiter() : timer_([this] { wake(); }) {}
  DataWaiter(const DataWaiter&) = delete;

  // Listens to one more partition.
  void listen(detail::DataWaiterList& partition_waiters) {
    links_.emplace_back(*this);
    partition_waiters.push_back(links_.back());
  }
  // Ends the wait; one that has not begun ends at once.
  void wake() {
    woken_ = true;
    timer_.cancel();
    if (awaiting_) io::Reactor::current().schedule(std::exchange(awaiting_, {}));
  }
  bool woken() const { return woken_; }

  // co_await waiter.until(deadline)
  struct Awaiter {
    DataWaiter& waiter;
    Instant deadline;
    bool await_ready() const { return waiter.woken_; }
    void await_suspend(std::coroutine_handle<> awaiting) {
      waiter.awaiting_ = awaiting;
      waiter.timer_.arm(deadline);
    }
    // May be waited for again afterwards.
    void await_resume() const { waiter.woken_ = false; }
  };
  Awaiter until(Instant deadline) { return Awaiter{*this, deadline}; }

 private:
  bool woken_ = false;
  std::coroutine_handle<> awaiting_;
  io::Timer timer_;
  std::deque<detail::DataWaiterLink> links_;
};

// A partition's side: those who wait for it.
class DataWaiters {
 public:
  ~DataWaiters() { wake_all(); }
  void add(DataWaiter& waiter) { waiter.listen(list_); }
  // Each is woken once and stays in the list until it goes.
  void wake_all() {
    for (auto& link : list_) link.waiter.wake();
  }
  bool empty() const { return list_.empty(); }

 private:
  detail::DataWaiterList list_;
};

}  // namespace millrace::engine
