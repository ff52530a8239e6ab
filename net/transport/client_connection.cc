#include "net/transport/client_connection.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "net/transport/address.h"

namespace millrace::net {
namespace {

constexpr std::size_t kAheadBytes = 16 * 1024;

}  // namespace

ClientConnection::ClientConnection(std::unique_ptr<Stream> stream, ClientOptions options)
    : stream_(std::move(stream)), options_(std::move(options)) {}

ClientConnection::~ClientConnection() {
  CHECK(calls_.empty());
}

io::Task<Result<std::vector<std::byte>>> ClientConnection::call_frame(std::int32_t correlation_id,
                                                                      std::vector<std::byte> frame,
                                                                      bool answered) {
  co_await send_turn_.acquire(1);
  if (failure_) {
    send_turn_.release(1);
    co_return fail(*failure_);
  }
  Call call;
  call.correlation_id = correlation_id;
  if (answered) calls_.push_back(call);
  io::Timer timeout([this] {
    fail_all({Errc::timed_out, fmt::format("{} did not answer in {} ms", to_text(peer()),
                                           to_ms(options_.request_timeout))});
  });
  if (options_.request_timeout > Duration{}) {
    timeout.arm(io::Reactor::current().now() + options_.request_timeout);
  }
  if (!std::exchange(reading_, true)) gate_.spawn(read_answers());
  const ::iovec slice{frame.data(), frame.size()};
  const auto sent = co_await stream_->send({&slice, 1}, false);
  send_turn_.release(1);
  if (!sent) fail_all({Errc::closed, sent.error().message});
  while (answered && !call.done) co_await call.ended.wait();
  if (failure_ && (!answered || call.answer.empty())) co_return fail(*failure_);
  co_return std::move(call.answer);
}

io::Task<void> ClientConnection::read_answers() {
  while (!failure_) {
    auto frame = co_await read_frame();
    if (!frame) {
      fail_all(frame.error());
      break;
    }
    if (frame->size() < sizeof(std::int32_t)) {
      fail_all({Errc::malformed, "an answer without a correlation id"});
      break;
    }
    const auto correlation_id = load_big_endian<std::int32_t>(frame->data());
    if (calls_.empty() || calls_.front().correlation_id != correlation_id) {
      fail_all({Errc::malformed, fmt::format("an answer nobody waits for: {}", correlation_id)});
      break;
    }
    Call& call = calls_.front();
    calls_.pop_front();
    call.answer = std::move(*frame);
    call.end();
  }
}

io::Task<Result<std::vector<std::byte>>> ClientConnection::read_frame() {
  std::byte prefix[wire::kFrameLengthBytes];
  CO_TRY_DONE(co_await fill(prefix));
  const auto length = load_big_endian<std::int32_t>(prefix);
  if (length < 0 || static_cast<std::size_t>(length) > options_.response_bytes_max) {
    co_return fail(Errc::too_large, fmt::format("an answer of {} bytes", length));
  }
  std::vector<std::byte> frame(static_cast<std::size_t>(length));
  CO_TRY_DONE(co_await fill(frame));
  co_return frame;
}

// Fills `bytes` from what was received before and then from the stream: straight into place when
// much is missing.
io::Task<Result<void>> ClientConnection::fill(Bytes bytes) {
  while (!bytes.empty()) {
    if (ahead_begin_ < ahead_end_) {
      const std::size_t taken = std::min(bytes.size(), ahead_end_ - ahead_begin_);
      std::memcpy(bytes.data(), ahead_.data() + ahead_begin_, taken);
      ahead_begin_ += taken;
      bytes = bytes.subspan(taken);
      continue;
    }
    const bool straight = bytes.size() >= kAheadBytes;
    if (!straight && ahead_.empty()) ahead_.resize(kAheadBytes);
    const auto received = co_await stream_->receive(straight ? bytes : Bytes(ahead_));
    if (!received) co_return fail(Errc::closed, received.error().message);
    if (*received == 0) {
      co_return fail(Errc::closed, fmt::format("{} closed the connection", to_text(peer())));
    }
    if (straight) {
      bytes = bytes.subspan(*received);
    } else {
      ahead_begin_ = 0;
      ahead_end_ = *received;
    }
  }
  co_return Result<void>{};
}

void ClientConnection::fail_all(Error error) {
  if (!failure_) failure_ = std::move(error);
  stream_->shutdown();
  while (!calls_.empty()) {
    Call& call = calls_.front();
    calls_.pop_front();
    call.end();
  }
}

void ClientConnection::shutdown() {
  fail_all({Errc::closed, "the connection was shut down"});
}

io::Task<void> ClientConnection::close() {
  shutdown();
  co_await gate_.close();
}

}  // namespace millrace::net
