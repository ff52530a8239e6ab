#include "net/transport/connection.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/logging.h"
#include "io/reactor.h"
#include "net/transport/address.h"

namespace millrace::net {
namespace {

// The first receive of a connection, and every one of those whose requests are small.
constexpr std::size_t kBurstBytesMin = 1024;
// Many requests are received at once up to this; larger ones get a buffer each.
constexpr std::size_t kBurstBytesMax = 128 * 1024;
constexpr std::size_t kSharedFrameBytesMax = 32 * 1024;
// Received beyond a large frame: enough to learn the length of the next, so that no receive is
// spent on that, and little enough that moving it costs nothing.
constexpr std::size_t kLookAheadBytes = 64;
// After so much the shard's other work gets a turn.
constexpr std::size_t kTurnBytes = 256 * 1024;
constexpr std::uint32_t kTurnRequests = 64;
constexpr std::size_t kSlicesPerSend = 64;
// A connection that holds memory others wait for has to fill it at this pace or is given up.
constexpr std::uint64_t kSlowBytesPerSweep = 4096;
constexpr std::uint32_t kSlowSweepsMax = 10;

static_assert(kBurstBytesMin <= ReceiveBuffers::kSmallBytes);
static_assert(kSharedFrameBytesMax <= kBurstBytesMax);
static_assert(kSlicesPerSend <= kSlicesMax);

// What the start of a frame that is none reminds of, for whoever reads the log.
std::string_view other_protocol(ConstBytes received) {
  const std::string_view start = as_text(received.first(std::min<std::size_t>(received.size(), 4)));
  for (const std::string_view method : {"GET ", "POST", "PUT ", "HEAD", "OPTI", "DELE", "CONN"}) {
    if (start == method) return ": HTTP on a port that speaks Kafka's protocol";
  }
  if (start.starts_with("\x16\x03")) {
    return ": TLS on a plaintext port; set security.protocol=PLAINTEXT at the client";
  }
  return "";
}

}  // namespace

Connection::Connection(ConnectionShare& share, std::unique_ptr<Stream> stream, ConnectionInfo info)
    : share_(share),
      stream_(std::move(stream)),
      info_(std::move(info)),
      burst_bytes_(kBurstBytesMin),
      answer_bytes_expected_(share.options.answer_bytes_max / 8),
      last_active_(io::Reactor::current().now()),
      last_taken_(last_active_) {
  info_.complaints = &share.complaints;
}

Connection::~Connection() {
  CHECK(exchanges_.empty(), "destroyed while {} run", exchanges_.size());
}

io::Task<void> Connection::run() {
  co_await read_requests();
  note_end();
  buffer_.reset();
  begin_ = end_ = 0;
  while (!exchanges_.empty() || writing_) co_await changed_.wait();
  co_await gate_.close();
  info_.closing = true;
  stream_->shutdown();
}

// ---- Receiving

io::Task<void> Connection::read_requests() {
  while (!stopping_) {
    const ConstBytes received =
        buffer_ ? ConstBytes(buffer_.data() + begin_, end_ - begin_) : ConstBytes();
    const wire::FrameScan scan = wire::scan_frame(received, share_.options.request_bytes_max);
    switch (scan.state) {
      case wire::FrameScan::State::refused:
        write_soon();
        refuse(wire::refusal_text(scan, share_.options.request_bytes_max) +
               std::string(other_protocol(received)));
        co_return;
      case wire::FrameScan::State::need_more:
        write_soon();
        if (!co_await receive_more(scan.bytes_wanted)) co_return;
        break;
      case wire::FrameScan::State::frame:
        if (!may_start(scan.bytes_used)) {
          write_soon();
          // Which may have been all it took.
          if (!may_start(scan.bytes_used)) co_await changed_.wait();
        } else if (!start_request(scan)) {
          write_soon();
          co_return;
        }
        break;
    }
    if (bytes_since_yield_ >= kTurnBytes || requests_since_yield_ >= kTurnRequests) {
      bytes_since_yield_ = 0;
      requests_since_yield_ = 0;
      write_soon();
      co_await io::yield();
    }
  }
  write_soon();
}

// Receives what there is towards a frame of `frame_bytes` (or at least so much of one whose length
// is not known yet). False at the end of the stream.
io::Task<bool> Connection::receive_more(std::size_t frame_bytes) {
  if (drained_) {
    hold_little();
    const auto readable = co_await stream_->readable();
    if (!readable) {
      lost(readable.error());
      co_return false;
    }
    drained_ = false;
    if (stopping_) co_return false;
  }
  co_await make_room(frame_bytes);
  const std::size_t room = receive_end(frame_bytes) - end_;
  CHECK(room > 0);
  const auto received = stream_->try_receive(Bytes(buffer_.data() + end_, room));
  ++share_.counts.receive_calls;
  if (!received && received.error().code == Errc::would_block) {
    drained_ = true;
    co_return true;
  }
  if (!received) {
    lost(received.error());
    co_return false;
  }
  if (*received == 0) {
    if (begin_ != end_) {
      LOG(debug, "connection.cut", "peer={} bytes_of_a_request={}", to_text(info_.peer),
          end_ - begin_);
    }
    co_return false;
  }
  end_ += *received;
  drained_ = *received < room;
  adapt(*received, room);
  co_return true;
}

// Before a wait of unknown length: keeps no more than what has been received.
void Connection::hold_little() {
  if (!buffer_) return;
  const std::size_t have = end_ - begin_;
  if (have == 0) {
    buffer_.reset();
    begin_ = end_ = 0;
  } else if (have <= kBurstBytesMin && buffer_.capacity() > ReceiveBuffers::kSmallBytes) {
    move_to(share_.buffers.try_take(kBurstBytesMin));
    scarce_ = false;
  }
}

void Connection::adapt(std::size_t received, std::size_t room) {
  share_.counts.bytes_received += received;
  bytes_received_ += received;
  bytes_since_yield_ += received;
  last_active_ = io::Reactor::current().now();
  if (received == room) {
    burst_bytes_ = std::min(burst_bytes_ * 2, kBurstBytesMax);
  } else if (received < burst_bytes_ / 4) {
    burst_bytes_ = std::max(burst_bytes_ - burst_bytes_ / 8, kBurstBytesMin);
  }
}

// Where receiving stops: behind a large frame and a look at the next, or at the end of the buffer.
std::size_t Connection::receive_end(std::size_t frame_bytes) const {
  const bool known = frame_bytes > wire::kFrameLengthBytes;
  const std::size_t expected = known ? frame_bytes : last_frame_bytes_;
  if (expected <= kSharedFrameBytesMax && !scarce_) return buffer_.capacity();
  return std::min(buffer_.capacity(), begin_ + expected + kLookAheadBytes);
}

// Sees to it that the frame which begins at begin_ fits into buffer_ as far as its length is known,
// and that there is room for what is likely to come.
io::Task<void> Connection::make_room(std::size_t frame_bytes) {
  const std::size_t have = end_ - begin_;
  const bool known = frame_bytes > wire::kFrameLengthBytes;
  const std::size_t expected = known ? frame_bytes : last_frame_bytes_;
  const std::size_t wanted = expected > kSharedFrameBytesMax ? expected + kLookAheadBytes
                                                             : std::max(burst_bytes_, expected);
  if (buffer_) {
    if (have == 0 && buffer_.unique()) begin_ = end_ = 0;
    const std::size_t needed = std::max(frame_bytes, have + 1);
    // What is left of a buffer that many requests share is used as long as it is worth a system
    // call.
    const std::size_t worth = known ? needed - have : std::min(burst_bytes_, wanted) / 2;
    const bool fits = begin_ + needed <= buffer_.capacity() && buffer_.capacity() - end_ >= worth;
    if (fits && (known || !scarce_)) co_return;
    if (!scarce_ && buffer_.unique() && std::max(needed, wanted) <= buffer_.capacity()) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, have);
      share_.counts.bytes_moved += have;
      begin_ = 0;
      end_ = have;
      co_return;
    }
  }
  ReceiveBuffer larger = share_.buffers.try_take(wanted);
  if (larger) {
    scarce_ = false;
  } else {
    const std::size_t least = std::max(frame_bytes, kBurstBytesMin);
    // Nobody waits with a buffer that he was given beyond the bound: from one that had to be waited
    // for no more than one frame is received and a look at the next, which is little enough to be
    // put aside here.
    hold_little();
    scarce_ = true;
    waits_for_memory_ = true;
    larger = co_await share_.buffers.take(least);
    waits_for_memory_ = false;
  }
  move_to(std::move(larger));
}

void Connection::move_to(ReceiveBuffer buffer) {
  const std::size_t have = end_ - begin_;
  if (have > 0) std::memcpy(buffer.data(), buffer_.data() + begin_, have);
  share_.counts.bytes_moved += have;
  buffer_ = std::move(buffer);
  begin_ = 0;
  end_ = have;
}

bool Connection::may_start(std::size_t frame_bytes) const {
  if (exchanges_.empty()) return true;
  const ConnectionOptions& options = share_.options;
  return exchanges_.size() < options.requests_in_flight_max &&
         request_bytes_ + frame_bytes <= options.request_bytes_in_flight_max &&
         answer_bytes_ + (executing_ + 1) * answer_bytes_expected_ <= options.answer_bytes_max;
}

bool Connection::start_request(const wire::FrameScan& scan) {
  auto decoded = wire::decode_request_frame(scan.body);
  if (!decoded) {
    refuse(decoded.error().message);
    return false;
  }
  Request request;
  request.header = decoded->header;
  // The buffer is ours, so what was parsed as constant may be given away as changeable.
  const auto body_at = static_cast<std::size_t>(decoded->body.data() - buffer_.data());
  request.body = Bytes(buffer_.data() + body_at, decoded->body.size());
  request.connection = &info_;
  request.received = io::Reactor::current().now();
  request.buffer = buffer_;
  begin_ += scan.bytes_used;
  last_frame_bytes_ = scan.bytes_used;
  ++requests_since_yield_;
  ++share_.counts.requests;
  // A large frame's buffer holds nothing else worth keeping it for; the look-ahead is moved out of
  // it by make_room.
  starting_ = true;
  gate_.spawn(serve(std::move(request), scan.bytes_used));
  starting_ = false;
  return true;
}

void Connection::refuse(std::string_view reason) {
  ++share_.counts.malformed;
  stopping_ = true;
  if (share_.complaints.allow(io::Reactor::current().now())) {
    LOG(warn, "connection.malformed", "peer={} listener={} reason=\"{}\" suppressed={}",
        to_text(info_.peer), info_.listener, reason, share_.complaints.take_suppressed());
  }
}

// ---- Answering

io::Task<void> Connection::serve(Request request, std::size_t frame_bytes) {
  Exchange exchange(frame_bytes);
  exchanges_.push_back(exchange);
  ++executing_;
  request_bytes_ += frame_bytes;
  exchange.response = co_await share_.handler.handle(std::move(request));
  answered(exchange);
  co_await exchange;  // until it is sent or dropped: finish_front()
}

void Connection::answered(Exchange& exchange) {
  exchange.ready = true;
  exchange.answer_bytes = exchange.response.bytes_owned();
  --executing_;
  answer_bytes_ += exchange.answer_bytes;
  const std::size_t expected = answer_bytes_expected_;
  answer_bytes_expected_ = exchange.answer_bytes >= expected
                               ? exchange.answer_bytes
                               : expected - (expected - exchange.answer_bytes + 7) / 8;
  if (&exchanges_.front() != &exchange || writing_) return;
  // Either way, what else becomes ready meanwhile leaves in the same send: the other requests that
  // were received with this one, or whatever the same event made ready.
  if (starting_) {
    wants_to_write_ = true;
  } else {
    begin_writing(/*at_once=*/false);
  }
}

void Connection::write_soon() {
  if (!std::exchange(wants_to_write_, false) || writing_) return;
  begin_writing(/*at_once=*/true);
}

void Connection::begin_writing(bool at_once) {
  writing_ = true;
  // The peer has had nothing to take until now: a sweep may come before the first send.
  last_taken_ = io::Reactor::current().now();
  gate_.spawn(write_answers(at_once));
}

io::Task<void> Connection::write_answers(bool at_once) {
  if (!at_once) co_await io::yield();
  while (!exchanges_.empty() && exchanges_.front().ready) {
    if (info_.closing) {
      finish_front();
    } else {
      co_await send_ready();
    }
    changed_.notify_all();
  }
  writing_ = false;
  changed_.notify_all();
}

// Sends from the front what is ready in memory, up to a file's range; then that.
io::Task<void> Connection::send_ready() {
  std::array<::iovec, kSlicesPerSend> slices;
  std::size_t count = 0;
  std::size_t complete = 0;
  const FileRange* file = nullptr;
  bool whole = true;  // the last answer that was looked at
  bool close = false;
  for (Exchange& exchange : exchanges_) {
    if (!exchange.ready || count == slices.size() || file != nullptr || close) break;
    while (file == nullptr) {
      Response::Cursor behind = exchange.cursor;
      const auto piece = exchange.response.next_piece(behind);
      whole = !piece;
      if (whole || count == slices.size()) break;
      exchange.cursor = behind;
      if (piece->file != nullptr) file = piece->file;
      else slices[count++] = {const_cast<std::byte*>(piece->memory.data()), piece->memory.size()};
    }
    if (whole) {
      ++complete;
      close = exchange.response.kind() == Response::Kind::close;
    }
  }
  if (count > 0) {
    // Said only where something does follow: the kernel keeps the last bytes back for it.
    const bool more = file != nullptr || !whole;
    const auto sent = co_await stream_->send({slices.data(), count}, more);
    if (!sent) co_return lost(sent.error());
  }
  for (; complete > 0; --complete) finish_front();
  if (close) co_return abort();
  if (file == nullptr) co_return;
  const auto sent = co_await stream_->send_file(file->file, file->position, file->length, false);
  if (!sent) lost(sent.error());
}

void Connection::finish_front() {
  Exchange& exchange = exchanges_.front();
  exchanges_.pop_front();
  request_bytes_ -= exchange.frame_bytes;
  answer_bytes_ -= exchange.answer_bytes;
  last_active_ = last_taken_ = io::Reactor::current().now();
  // Ends serve() and with it the exchange.
  exchange.waiting.resume();
}

void Connection::lost(const Error& error) {
  if (error.code == Errc::closed || error.code == Errc::timed_out) {
    LOG(debug, "connection.lost", "peer={} reason=\"{}\"", to_text(info_.peer), error.message);
  } else if (share_.complaints.allow(io::Reactor::current().now())) {
    LOG(warn, "connection.failed", "peer={} reason=\"{}\" suppressed={}", to_text(info_.peer),
        error.message, share_.complaints.take_suppressed());
  }
  abort();
}

// ---- Ending

void Connection::stop() {
  if (std::exchange(stopping_, true)) return;
  stream_->shutdown_receive();
  changed_.notify_all();
}

void Connection::abort() {
  if (std::exchange(info_.closing, true)) return;
  stopping_ = true;
  stream_->shutdown();
  note_end();
  changed_.notify_all();
}

void Connection::note_end() {
  if (std::exchange(info_.ended, true)) return;
  while (!info_.watches.empty()) {
    EndWatch& watch = info_.watches.front();
    info_.watches.pop_front();
    watch.on_end();
  }
}

bool Connection::is_idle(Instant now) const {
  const Duration most = share_.options.idle_max;
  return most >= Duration::zero() && now - last_active_ > most;
}

void Connection::sweep(Instant now) {
  if (info_.closing) return;
  // While nothing is received, because enough requests run, the end of the stream is not met.
  if (!exchanges_.empty() && !info_.ended && stream_->peer_ended()) note_end();
  const std::uint64_t sent = stream_->bytes_sent();
  if (std::exchange(bytes_sent_seen_, sent) != sent) last_taken_ = now;
  const std::uint64_t received =
      bytes_received_ - std::exchange(bytes_received_seen_, bytes_received_);
  const bool holds_memory = begin_ != end_ && buffer_.capacity() > ReceiveBuffers::kSmallBytes;
  const bool slow = holds_memory && !waits_for_memory_ && exchanges_.empty() &&
                    received < kSlowBytesPerSweep && share_.buffers.has_waiters();
  slow_sweeps_ = slow ? slow_sweeps_ + 1 : 0;

  const char* reason = nullptr;
  if (writing_ && now - last_taken_ > share_.options.write_stall_max) {
    ++share_.counts.stalled_closed;
    reason = "the peer does not read its answers";
  } else if (slow_sweeps_ > kSlowSweepsMax) {
    ++share_.counts.stalled_closed;
    reason = "memory is short and the peer sends its request too slowly";
  }
  if (reason != nullptr) {
    if (share_.complaints.allow(now)) {
      LOG(warn, "connection.stalled", "peer={} listener={} reason=\"{}\" suppressed={}",
          to_text(info_.peer), info_.listener, reason, share_.complaints.take_suppressed());
    }
    abort();
  } else if (exchanges_.empty() && !waits_for_memory_ && is_idle(now)) {
    ++share_.counts.idle_closed;
    LOG(debug, "connection.idle", "peer={} listener={}", to_text(info_.peer), info_.listener);
    abort();
  }
}

}  // namespace millrace::net
