// Gate: counts what runs so that stop() can wait for it. Nothing is detached: whoever starts a task without awaiting it gives
// it to a gate of theirs, and closes the gate before they go.
#pragma once

#include "base/check.h"
#include "io/task.h"
#include "io/wait.h"

namespace millrace::io {

class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  ~Gate() { CHECK(running_ == 0, "{} tasks run beyond their gate", running_); }

  // Starts `task` now, inline until it first waits. After close() was called the task is dropped unstarted.
  void spawn(Task<void> task);
  bool closing() const { return closing_; }
  std::uint64_t running() const { return running_; }
  // No new tasks; completes when those that run have ended.
  Task<void> close() {
    closing_ = true;
    while (running_ > 0) co_await empty_.wait();
  }

 private:
  static detail::Runner run(Gate& gate, Task<void> task);

  std::uint64_t running_ = 0;
  bool closing_ = false;
  Event empty_;
};

inline detail::Runner Gate::run(Gate& gate, Task<void> task) {
  ++gate.running_;
  co_await task;
  // The frame goes before the gate is told, so that what it held is gone when close() returns.
  task = Task<void>();
  if (--gate.running_ == 0) gate.empty_.notify_all();
}

inline void Gate::spawn(Task<void> task) {
  if (closing_) return;
  run(*this, std::move(task));
}

}  // namespace millrace::io
