// Shards: the process's threads, one pinned to each core, and the only way from one to another.
//
//   const auto sum = co_await shards.call(owner, [&]() -> Task<Result<Offset>> { return partition.append(...); });
//
// The function runs on the owner's shard while the caller's coroutine waits, so references into the caller's frame stay valid;
// what it reads there must not be changed meanwhile. Calls are one deep: a function that runs at the far end makes no call of
// its own. Nothing is allocated per message: it lives in the caller's frame and travels by pointer through the rings of
// io/mailbox.h, there and back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "io/mailbox.h"
#include "io/reactor.h"
#include "io/task.h"

namespace millrace::io {

enum class Backend : std::uint8_t { automatic, io_uring, epoll };

struct ShardOptions {
  std::uint32_t count = 0;  // 0: one per core this process may run on
  Backend backend = Backend::automatic;
  ReactorOptions reactor;
  bool pin = true;
};

// What was found and chosen at start, for the ready line and `millrace doctor`.
struct ShardReport {
  std::string backend;         // "io_uring" or "epoll"
  std::string backend_reason;  // why: what the probe said
  std::vector<int> cores;      // by shard; -1 when not pinned
};

class Shards {
 public:
  // Makes the mailboxes. Threads are started by start(); the simulator instead adopts reactors of its own.
  explicit Shards(std::uint32_t count);
  ~Shards();
  Shards(const Shards&) = delete;

  std::uint32_t count() const { return count_; }

  // Real process: starts the threads, each with a Proactor of the chosen backend and a Reactor. Errors: refused.
  Result<ShardReport> start(const ShardOptions& options);
  // Runs `on_shard` as the main task of every shard and returns when all have returned. Called by main().
  void run(const std::function<Task<void>(ShardId)>& on_shard);

  // Simulator: takes part in the turns of a reactor made elsewhere. All shards are adopted before the first call().
  void adopt(ShardId shard, Reactor& reactor);

  // Runs `function` (a callable returning Task<R>) on shard `target` and gives its result. Inline when the target is the
  // current shard.
  template <class Function>
  auto call(ShardId target, Function function);

 private:
  template <class Function>
  struct CallAwaiter;
  void send(Message& message, ShardId target);

  struct State;
  std::uint32_t count_;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::io
