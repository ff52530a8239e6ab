// run_task: drives a reactor until one task is done. For tools, start-up and unit tests; a shard has its loop in io/shard.h.
//
//   const Result<Offset> end = io::run_task(proactor, recover(proactor, path));
#pragma once

#include <type_traits>
#include <utility>

#include "io/reactor.h"
#include "io/task.h"

namespace millrace::io {

template <class T>
T run_task(Reactor& reactor, Task<T> task) {
  reactor.schedule(task.handle());
  reactor.run([&] { return task.done(); });
  if constexpr (!std::is_void_v<T>) return std::move(*task.handle().promise().value);
}

template <class T>
T run_task(Proactor& proactor, Task<T> task) {
  Reactor reactor(ShardId{0}, proactor);
  // What the task leaves behind ends while its reactor is still there.
  const Reactor::Enter enter(reactor);
  Task<T> owned = std::move(task);
  return run_task(reactor, std::move(owned));
}

}  // namespace millrace::io
