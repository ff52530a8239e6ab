// Completion: a pending operation of a Proactor. It lives in the awaiter, hence in the coroutine's frame, so that nothing is
// allocated per operation. It must stay where it is until its function has been called.
#pragma once

#include <coroutine>
#include <cstdint>

namespace millrace::io {

class Completion {
 public:
  // `result` is the operation's count of bytes or handle, or a negative errno.
  using Function = void (*)(Completion& self, std::int64_t result);

  explicit Completion(Function function) : function_(function) {}
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  // Called by the backend only.
  void complete(std::int64_t result) { function_(*this, result); }

  // The backend's own record of the operation while it is pending, else null. Nobody else's business.
  void* pending = nullptr;

 private:
  Function function_;
};

// Awaits one operation: `start` is called with the completion once the coroutine is suspended.
//
//   const std::int64_t result = co_await Operation([&](Completion& c) { proactor.read(file, position, bytes, c); });
template <class Start>
class Operation : private Completion {
 public:
  explicit Operation(Start start) : Completion(&Operation::on_complete), start_(start) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    awaiting_ = awaiting;
    start_(static_cast<Completion&>(*this));
  }
  std::int64_t await_resume() const noexcept { return result_; }

 private:
  static void on_complete(Completion& completion, std::int64_t result) {
    auto& self = static_cast<Operation&>(completion);
    self.result_ = result;
    self.awaiting_.resume();
  }

  Start start_;
  std::coroutine_handle<> awaiting_;
  std::int64_t result_ = 0;
};

}  // namespace millrace::io
