#include "tests/sim/sim_stack.h"

#include <algorithm>

#include "base/check.h"

namespace millrace::sim {
namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(30);
constexpr std::size_t kFilePieceBytes = 64 * 1024;
// So long Linux keeps the last bytes back after a send with MSG_MORE.
constexpr Duration kLeftOpenMax = std::chrono::milliseconds(200);

// Suspends until somebody takes the handle out of `slot` and schedules it.
struct WaitIn {
  std::coroutine_handle<>& slot;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    CHECK(!slot, "two wait for one direction of a stream");
    slot = awaiting;
  }
  void await_resume() const noexcept {}
};

void wake(io::Reactor& reactor, std::coroutine_handle<>& slot) {
  if (const auto waiting = std::exchange(slot, {})) reactor.schedule(waiting);
}

}  // namespace

namespace detail {

void Pipe::wake_sender() {
  wake(sender, waiting_sender);
}
void Pipe::wake_receiver() {
  wake(receiver, waiting_receiver);
}

void Pipe::reset() {
  broken = true;
  arrived.clear();
  wake_sender();
  wake_receiver();
}

class SimListener final : public net::Listener {
 public:
  SimListener(SimStack& stack, net::Address local) : stack_(stack), local_(std::move(local)) {
    stack_.network_.listeners_.push_back(this);
  }
  ~SimListener() override { std::erase(stack_.network_.listeners_, this); }

  const net::Address& local() const override { return local_; }
  io::Task<Result<std::unique_ptr<net::Stream>>> accept() override;
  void shutdown() override {
    ended_ = true;
    wake(stack_.reactor_, waiting_);
  }

  bool open() const { return !ended_; }
  io::Reactor& reactor() { return stack_.reactor_; }
  void offer(std::unique_ptr<net::Stream> stream) {
    backlog_.push_back(std::move(stream));
    wake(stack_.reactor_, waiting_);
  }

 private:
  SimStack& stack_;
  net::Address local_;
  bool ended_ = false;
  std::deque<std::unique_ptr<net::Stream>> backlog_;
  std::coroutine_handle<> waiting_;
};

io::Task<Result<std::unique_ptr<net::Stream>>> SimListener::accept() {
  while (!ended_) {
    if (backlog_.empty()) {
      co_await WaitIn{waiting_};
      continue;
    }
    if (stack_.failing_accepts_ > 0) {
      --stack_.failing_accepts_;
      co_return fail(Errc::refused, "no handles left");
    }
    auto stream = std::move(backlog_.front());
    backlog_.pop_front();
    co_return stream;
  }
  co_return fail(Errc::closed, "the listener is shut down");
}

}  // namespace detail

// ---- SimNetwork

Duration SimNetwork::draw_delay() {
  const auto range = static_cast<std::uint64_t>((faults.delay_max - faults.delay_min).count());
  return faults.delay_min + Duration(static_cast<std::int64_t>(prng_.below(range + 1)));
}

void SimNetwork::send(const std::shared_ptr<Pipe>& pipe, ConstBytes bytes) {
  if (bytes.empty()) return queue(pipe, {});
  while (!bytes.empty()) {
    std::size_t size = bytes.size();
    // Sometimes a few bytes, sometimes a part, often all.
    if (faults.split && prng_.below(2) == 0) {
      size = 1 + prng_.below(prng_.below(2) == 0 ? std::min<std::size_t>(size, 8) : size);
    }
    queue(pipe, {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    bytes = bytes.subspan(size);
  }
}

void SimNetwork::queue(const std::shared_ptr<Pipe>& pipe, std::vector<std::byte> piece) {
  pipe->bytes_underway += piece.size();
  pipe->underway.push_back(std::move(piece));
  pipe->last_due = std::max(pipe->last_due, world_.now() + draw_delay());
  world_.at_in_order(pipe->last_due, [this, pipe] {
    if (is_cut(pipe->from, pipe->to)) {
      ++pipe->held;
    } else {
      deliver(*pipe);
    }
  });
}

void SimNetwork::deliver(Pipe& pipe) {
  const std::vector<std::byte> piece = std::move(pipe.underway.front());
  pipe.underway.pop_front();
  pipe.bytes_underway -= piece.size();
  if (pipe.broken || pipe.receiver_gone) return pipe.wake_sender();
  if (piece.empty()) pipe.end_arrived = true;
  pipe.arrived.insert(pipe.arrived.end(), piece.begin(), piece.end());
  pipe.wake_receiver();
}

void SimNetwork::heal(const std::string& from, const std::string& to) {
  cuts_.erase({from, to});
  for (const auto& weak : pipes_) {
    const auto pipe = weak.lock();
    if (!pipe || pipe->from != from || pipe->to != to) continue;
    for (; pipe->held > 0; --pipe->held) deliver(*pipe);
  }
}

void SimNetwork::reset_host(const std::string& host) {
  std::erase_if(pipes_, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : pipes_) {
    const auto pipe = weak.lock();
    if (pipe && (pipe->from == host || pipe->to == host)) pipe->reset();
  }
}

detail::SimListener* SimNetwork::find(const net::Address& address) {
  std::vector<detail::SimListener*> fitting;
  for (detail::SimListener* listener : listeners_) {
    if (listener->open() && listener->local() == address) fitting.push_back(listener);
  }
  return fitting.empty() ? nullptr : fitting[prng_.below(fitting.size())];
}

// ---- SimStack

Result<std::unique_ptr<net::Listener>> SimStack::listen(const net::ListenOptions& options) {
  net::Address local = options.address;
  if (local.host.empty()) local.host = host_;
  if (local.host != host_) return fail(Errc::invalid_argument, local.host + " is not ours");
  if (local.port == 0) local.port = network_.next_port_++;
  if (!options.share_port && network_.find(local) != nullptr) {
    return fail(Errc::already_exists, "the port is in use");
  }
  return std::make_unique<detail::SimListener>(*this, std::move(local));
}

io::Task<Result<std::unique_ptr<net::Stream>>> SimStack::connect(const net::Address& address) {
  const net::Address remote = address;
  co_await io::sleep_for(network_.draw_delay());
  if (network_.is_cut(host_, remote.host) || network_.is_cut(remote.host, host_)) {
    co_await io::sleep_for(kConnectTimeout);
    co_return fail(Errc::timed_out, remote.host + " does not answer");
  }
  const std::uint64_t refuse = network_.faults.refuse_one_in;
  detail::SimListener* listener = network_.find(remote);
  if (listener == nullptr || (refuse > 0 && network_.prng_.below(refuse) == 0)) {
    co_return fail(Errc::closed, "nobody listens there");
  }
  const net::Address local{.host = host_, .port = network_.next_port_++};
  auto there = std::make_shared<detail::Pipe>(reactor_, listener->reactor(), host_, remote.host);
  auto back = std::make_shared<detail::Pipe>(listener->reactor(), reactor_, remote.host, host_);
  network_.pipes_.push_back(there);
  network_.pipes_.push_back(back);
  listener->offer(std::make_unique<SimStream>(network_, there, back, local));
  co_return std::make_unique<SimStream>(network_, back, there, remote);
}

// ---- SimStream

Result<std::size_t> SimStream::try_receive(Bytes bytes) {
  if (in_->broken) return fail(Errc::closed, "the connection was reset");
  if (ended_) return fail(Errc::closed, "the connection is shut down");
  if (in_->arrived.empty()) {
    if (in_->end_arrived || receive_ended_) return std::size_t{0};
    return fail(Errc::would_block);
  }
  std::size_t size = std::min(bytes.size(), in_->arrived.size());
  if (network_.faults.split && network_.prng_.below(4) == 0) size = 1 + network_.prng_.below(size);
  std::copy_n(in_->arrived.begin(), size, bytes.begin());
  in_->arrived.erase(in_->arrived.begin(),
                     in_->arrived.begin() + static_cast<std::ptrdiff_t>(size));
  in_->wake_sender();
  return size;
}

io::Task<Result<void>> SimStream::readable() {
  while (!ended_ && !receive_ended_ && !in_->broken && !in_->end_arrived && in_->arrived.empty()) {
    co_await WaitIn{in_->waiting_receiver};
  }
  if (ended_) co_return fail(Errc::closed, "the connection is shut down");
  co_return Result<void>{};
}

io::Task<Result<std::size_t>> SimStream::receive(Bytes bytes) {
  while (true) {
    auto received = try_receive(bytes);
    if (received || received.error().code != Errc::would_block) co_return received;
    co_await WaitIn{in_->waiting_receiver};
  }
}

io::Task<Result<void>> SimStream::send(std::span<const ::iovec> slices, bool more) {
  CHECK(slices.size() <= net::kSlicesMax);
  left_open_.cancel();
  for (const ::iovec& slice : slices) {
    const ConstBytes bytes(static_cast<const std::byte*>(slice.iov_base), slice.iov_len);
    CO_TRY_DONE(co_await send_bytes(bytes));
  }
  if (more) left_open_.arm(io::Reactor::current().now() + kLeftOpenMax);
  co_return Result<void>{};
}

io::Task<Result<void>> SimStream::send_bytes(ConstBytes bytes) {
  const std::uint64_t reset = network_.faults.reset_one_in;
  if (reset > 0 && network_.prng_.below(reset) == 0) {
    in_->reset();
    out_->reset();
  }
  while (!bytes.empty()) {
    if (ended_) co_return fail(Errc::closed, "the connection is shut down");
    if (out_->broken || out_->receiver_gone) co_return fail(Errc::closed, "the peer has gone");
    const std::size_t used = out_->bytes_underway + out_->arrived.size();
    const std::size_t window = network_.faults.window_bytes;
    if (used >= window) {
      co_await WaitIn{out_->waiting_sender};
      continue;
    }
    const std::size_t size = std::min(bytes.size(), window - used);
    network_.send(out_, bytes.first(size));
    bytes_sent_ += size;
    bytes = bytes.subspan(size);
  }
  co_return Result<void>{};
}

io::Task<Result<void>> SimStream::send_file(io::FileHandle file, std::uint64_t position,
                                            std::uint64_t length, bool /*more*/) {
  left_open_.cancel();
  std::vector<std::byte> piece;
  io::Proactor& proactor = io::Reactor::current().proactor();
  while (length > 0) {
    piece.resize(std::min<std::uint64_t>(length, kFilePieceBytes));
    if (!proactor.resident(file, position, piece.size())) {
      co_await io::Operation(
          [&](io::Completion& done) { proactor.read_ahead(file, position, piece.size(), done); });
    }
    CO_TRY(read, proactor.read_inline(file, position, piece));
    if (read < piece.size()) co_return fail(Errc::io_error, "the file ends before its range");
    CO_TRY_DONE(co_await send_bytes(piece));
    position += piece.size();
    length -= piece.size();
  }
  co_return Result<void>{};
}

void SimStream::shutdown_receive() {
  receive_ended_ = true;
  in_->wake_receiver();
}

void SimStream::shutdown() {
  if (std::exchange(ended_, true)) return;
  left_open_.cancel();
  in_->receiver_gone = true;
  in_->arrived.clear();
  in_->wake_receiver();
  in_->wake_sender();
  if (!out_->broken && !std::exchange(out_->end_sent, true)) network_.send(out_, {});
  out_->wake_sender();
}

}  // namespace millrace::sim
