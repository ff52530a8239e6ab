#include "net/transport/tcp_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "io/reactor.h"

namespace millrace::net {
namespace {

// A file goes out in pieces of this size: as much as one residency probe and one system call
// handle. After each the shard's other work gets a turn, so that one reader of a long range does
// not hold it.
constexpr std::uint64_t kFilePieceBytes = std::uint64_t{1} << 20;

std::size_t total_bytes(std::span<const ::iovec> slices) {
  std::size_t total = 0;
  for (const ::iovec& slice : slices) total += slice.iov_len;
  return total;
}

// The slices without their first `bytes` bytes.
std::vector<::iovec> without_front(std::span<const ::iovec> slices, std::size_t bytes) {
  std::vector<::iovec> rest;
  for (const ::iovec& slice : slices) {
    const std::size_t skipped = std::min(bytes, slice.iov_len);
    bytes -= skipped;
    if (skipped == slice.iov_len) continue;
    rest.push_back({static_cast<std::byte*>(slice.iov_base) + skipped, slice.iov_len - skipped});
  }
  return rest;
}

// A read of a file's range into the page cache that runs while something else is sent. Its owner
// waits for it before it goes.
class ReadAhead : private io::Completion {
 public:
  ReadAhead() : io::Completion(&ReadAhead::on_complete) {}

  void start(io::Proactor& proactor, io::FileHandle file, std::uint64_t position,
             std::uint64_t length) {
    CHECK(!running_);
    running_ = true;
    proactor.read_ahead(file, position, length, *this);
  }
  bool await_ready() const noexcept { return !running_; }
  void await_suspend(std::coroutine_handle<> awaiting) { awaiting_ = awaiting; }
  // The operation's result; 0 when none was started.
  std::int64_t await_resume() noexcept { return std::exchange(result_, 0); }

 private:
  static void on_complete(io::Completion& completion, std::int64_t result) {
    auto& self = static_cast<ReadAhead&>(completion);
    self.running_ = false;
    self.result_ = result;
    if (const auto awaiting = std::exchange(self.awaiting_, {})) awaiting.resume();
  }

  bool running_ = false;
  std::int64_t result_ = 0;
  std::coroutine_handle<> awaiting_;
};

}  // namespace

io::Task<Result<void>> TcpStream::poll(short events) {
  if (ended_) co_return fail(Errc::closed, "the connection is shut down");
  const std::int64_t result =
      co_await io::Operation([&](io::Completion& done) { proactor_.poll(socket_, events, done); });
  if (result < 0) co_return fail(error_from_errno(static_cast<int>(-result), "poll"));
  co_return Result<void>{};
}

io::Task<Result<void>> TcpStream::readable() {
  return poll(POLLIN);
}

Result<std::size_t> TcpStream::try_receive(Bytes bytes) {
  return proactor_.receive_inline(socket_, bytes);
}

io::Task<Result<std::size_t>> TcpStream::receive(Bytes bytes) {
  while (true) {
    auto received = proactor_.receive_inline(socket_, bytes);
    if (received || received.error().code != Errc::would_block) co_return received;
    CO_TRY_DONE(co_await poll(POLLIN));
  }
}

io::Task<Result<void>> TcpStream::send(std::span<const ::iovec> slices, bool more) {
  CHECK(slices.size() <= kSlicesMax);
  const auto sent = proactor_.send_inline(socket_, slices, more);
  if (!sent && sent.error().code != Errc::would_block) co_return fail(sent.error());
  bytes_sent_ += sent.value_or(0);
  if (sent && *sent == total_bytes(slices)) co_return Result<void>{};
  co_return co_await send_rest(slices, sent.value_or(0), more);
}

io::Task<Result<void>> TcpStream::send_rest(std::span<const ::iovec> slices, std::size_t sent,
                                            bool more) {
  std::vector<::iovec> rest = without_front(slices, sent);
  while (!rest.empty()) {
    CO_TRY_DONE(co_await poll(POLLOUT));
    const auto now = proactor_.send_inline(socket_, rest, more);
    if (!now && now.error().code != Errc::would_block) co_return fail(now.error());
    bytes_sent_ += now.value_or(0);
    rest = without_front(rest, now.value_or(0));
  }
  co_return Result<void>{};
}

io::Task<Result<void>> TcpStream::send_file(io::FileHandle file, std::uint64_t position,
                                            std::uint64_t length, bool /*more*/) {
  ReadAhead ahead;
  const std::uint64_t end = position + length;
  while (position < end) {
    const std::uint64_t piece = std::min(kFilePieceBytes, end - position);
    if (!proactor_.resident(file, position, piece)) {
      // The one that was started while the last piece was sent is this one's.
      co_await ahead;
      if (!proactor_.resident(file, position, piece)) {
        ahead.start(proactor_, file, position, piece);
        const std::int64_t result = co_await ahead;
        if (result < 0) co_return fail(error_from_errno(static_cast<int>(-result), "read ahead"));
      }
      const std::uint64_t next = position + piece;
      if (next < end) {
        ahead.start(proactor_, file, next, std::min(kFilePieceBytes, end - next));
      }
    }
    const auto sent = co_await send_resident(file, position, piece);
    if (!sent) {
      co_await ahead;
      co_return fail(sent.error());
    }
    position += piece;
    if (position < end) co_await io::yield();
  }
  co_await ahead;
  co_return Result<void>{};
}

io::Task<Result<void>> TcpStream::send_resident(io::FileHandle file, std::uint64_t position,
                                                std::uint64_t length) {
  while (length > 0) {
    const auto sent = proactor_.send_file_inline(socket_, file, position, length);
    if (sent && *sent == 0) co_return fail(Errc::io_error, "the file ends before its range");
    if (!sent && sent.error().code != Errc::would_block) co_return fail(sent.error());
    if (sent) {
      bytes_sent_ += *sent;
      position += *sent;
      length -= *sent;
      continue;
    }
    CO_TRY_DONE(co_await poll(POLLOUT));
  }
  co_return Result<void>{};
}

bool TcpStream::peer_ended() const {
  ::pollfd asked{.fd = socket_.value(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&asked, 1, 0) == 1;
}

void TcpStream::shutdown_receive() {
  ::shutdown(socket_.value(), SHUT_RD);
}

void TcpStream::shutdown() {
  if (std::exchange(ended_, true)) return;
  // Every poll that waits on the socket ends by this.
  ::shutdown(socket_.value(), SHUT_RDWR);
}

}  // namespace millrace::net
