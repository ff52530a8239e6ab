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
#include <type_traits>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "io/background_reads.h"
#include "io/mailbox.h"
#include "io/reactor.h"
#include "io/task.h"

namespace millrace::io {

enum class Backend : std::uint8_t { automatic, io_uring, epoll };

struct ShardOptions {
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

// The backend that will be used, and why: io_uring where the probe finds it usable, else epoll. Errors: unsupported, when
// io_uring is asked for by name and cannot be had.
struct BackendChoice {
  Backend backend = Backend::epoll;
  std::string reason;
};
Result<BackendChoice> choose_backend(Backend wanted);
// `durable_writes`: shared by those of one process, whose writes wait behind each other's reads.
Result<std::unique_ptr<Proactor>> make_proactor(Backend backend, std::shared_ptr<DurableWrites> durable_writes = {});

// One shard per core this process may run on.
std::uint32_t default_shard_count();

// Shard:     made and destroyed by main(); call() is used on every shard.
// Stop:      a shard whose main task has returned goes on answering calls until all main tasks have returned; then no call can
//            be under way, and the threads end.
// Signals:   threads inherit the mask of the one that calls start(); main() blocks what it wants to wait for itself.
class Shards {
 public:
  // Makes the mailboxes. Threads are started by start(); the simulator instead adopts reactors of its own.
  explicit Shards(std::uint32_t count);
  ~Shards();
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  std::uint32_t count() const { return count_; }

  // Real process: starts the threads, each with a Proactor of the chosen backend and a Reactor. Errors: refused, unsupported.
  Result<ShardReport> start(const ShardOptions& options);
  // Runs `on_shard` as the main task of every shard and returns when all have returned. Called by main(), once.
  void run(const std::function<Task<void>(ShardId)>& on_shard);

  // Simulator: takes part in the turns of a reactor made elsewhere. All shards are adopted before the first call(), and
  // their reactors outlive this.
  void adopt(ShardId shard, Reactor& reactor);

  // Runs `function` (a callable returning Task<R>) on shard `target` and gives its result. Inline when the target is the
  // current shard.
  template <class Function>
  auto call(ShardId target, Function function) -> std::invoke_result_t<Function&> {
    if (target == Reactor::current().shard()) co_return co_await function();
    co_return co_await Call<Function>(mailboxes_, target, function);
  }

 private:
  // A call under way: there and back through the rings, inside the frame of the coroutine that waits for it.
  template <class Function>
  class Call final : public Message {
   public:
    using Value = typename std::invoke_result_t<Function&>::value_type;

    Call(Mailboxes& mailboxes, ShardId target, Function& function)
        : mailboxes_(mailboxes), target_(target), function_(function) {}

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
      awaiting_ = awaiting;
      home_ = Reactor::current().shard();
      mailboxes_.send(*this, home_, target_);
    }
    Value await_resume() {
      if constexpr (!std::is_void_v<Value>) return std::move(*value_);
    }

    void run() override {
      if (returning_) awaiting_.resume();
      else serve(*this);
    }

   private:
    static detail::Runner serve(Call& call) {
      if constexpr (std::is_void_v<Value>) co_await call.function_();
      else call.value_.emplace(co_await call.function_());
      call.returning_ = true;
      // From here on it is the home shard's again.
      call.mailboxes_.send(call, call.target_, call.home_);
    }

    Mailboxes& mailboxes_;
    ShardId target_;
    ShardId home_{};
    Function& function_;
    std::coroutine_handle<> awaiting_;
    bool returning_ = false;
    std::optional<std::conditional_t<std::is_void_v<Value>, bool, Value>> value_;
  };

  struct Thread;
  struct State;
  void run_thread(Thread& thread, const ShardOptions& options);
  void stop_threads();

  std::uint32_t count_;
  Mailboxes mailboxes_;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::io
