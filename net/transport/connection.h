// Connection: one client. It reads frames, has each request answered by the RequestHandler, and
// sends the answers in the order of the requests.
//
// Shard:      its listener's.
// Lifetime:   run() is started once and must have ended before destruction.
// Bounds:     requests in flight, their bytes, and the bytes of answers that wait for the peer to
//             read. When one is reached it stops reading: TCP then tells the peer. While nothing is
//             in flight and nothing half received it holds no buffer.
// Invariant:  exchanges_ are the requests begun and not yet answered on the wire, in the order they
//             came. Only its front is sent; at most one write_answers() runs.
#pragma once

#include <boost/intrusive/list.hpp>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string_view>

#include "io/gate.h"
#include "io/task.h"
#include "io/wait.h"
#include "net/transport/log_limit.h"
#include "net/transport/receive_buffer.h"
#include "net/transport/request.h"
#include "net/transport/response.h"
#include "net/transport/stack.h"
#include "net/wire/frame.h"

namespace millrace::net {

struct ConnectionOptions {
  std::size_t request_bytes_max = 104857600;  // socket.request.max.bytes
  std::uint32_t requests_in_flight_max = 64;
  std::size_t request_bytes_in_flight_max = std::size_t{16} << 20;
  // Answers in memory that the peer has not taken, those expected of requests that run included.
  std::size_t answer_bytes_max = std::size_t{256} << 10;
  Duration idle_max = std::chrono::minutes(10);  // connections.max.idle.ms; negative: for ever
  Duration write_stall_max =
      std::chrono::seconds(60);  // a peer that takes nothing for so long is given up
};

// Counted per shard, never reset.
struct ConnectionCounts {
  std::uint64_t requests = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t receive_calls = 0;
  std::uint64_t bytes_moved = 0;  // copied because a frame did not fit where it began
  std::uint64_t malformed = 0;
  std::uint64_t idle_closed = 0;
  std::uint64_t stalled_closed = 0;
};

// What the connections of one shard share.
struct ConnectionShare {
  RequestHandler& handler;
  ReceiveBuffers& buffers;
  const ConnectionOptions& options;
  ConnectionCounts counts;
  LogLimit complaints{10};
};

class Connection : public boost::intrusive::list_base_hook<> {
 public:
  Connection(ConnectionShare& share, std::unique_ptr<Stream> stream, ConnectionInfo info);
  ~Connection();

  // Ends when the peer or we have ended the connection and every request has been answered or
  // dropped.
  io::Task<void> run();

  // Takes no further requests; run() ends once those in flight have been answered.
  void stop();
  // Gives the connection up: answers not yet sent are dropped. run() ends once the handlers have
  // ended.
  void abort();
  // Called every second or so: gives the connection up when it is idle, or its peer does not read,
  // or holds scarce memory without using it.
  void sweep(Instant now);

  const ConnectionInfo& info() const { return info_; }

 private:
  // A request from its start until its answer is sent. It lives in the frame of serve().
  struct Exchange : boost::intrusive::list_base_hook<> {
    explicit Exchange(std::size_t bytes) : frame_bytes(bytes) {}

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) { waiting = awaiting; }
    void await_resume() const noexcept {}

    std::size_t frame_bytes;
    std::size_t answer_bytes = 0;
    bool ready = false;
    Response response;
    Response::Cursor cursor;
    std::coroutine_handle<> waiting;
  };
  using Exchanges = boost::intrusive::list<Exchange, boost::intrusive::constant_time_size<true>>;

  io::Task<void> read_requests();
  io::Task<bool> receive_more(std::size_t frame_bytes);
  void hold_little();
  io::Task<void> make_room(std::size_t frame_bytes);
  void move_to(ReceiveBuffer buffer);
  std::size_t receive_end(std::size_t frame_bytes) const;
  void adapt(std::size_t received, std::size_t room);
  bool may_start(std::size_t frame_bytes) const;
  bool start_request(const wire::FrameScan& scan);
  void refuse(std::string_view reason);

  io::Task<void> serve(Request request, std::size_t frame_bytes);
  void answered(Exchange& exchange);
  // Begins to write what the requests that have just been started have answered.
  void write_soon();
  void begin_writing(bool at_once);
  io::Task<void> write_answers(bool at_once);
  io::Task<void> send_ready();
  void finish_front();
  void lost(const Error& error);
  void note_end();
  bool is_idle(Instant now) const;

  ConnectionShare& share_;
  std::unique_ptr<Stream> stream_;
  ConnectionInfo info_;

  // Receiving. Bytes [begin_, end_) of buffer_ are received and not yet part of a request.
  ReceiveBuffer buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t burst_bytes_;  // how much tends to arrive at once
  std::size_t last_frame_bytes_ = 0;
  bool drained_ = true;  // the last receive took all there was
  bool waits_for_memory_ = false;
  bool scarce_ = false;  // buffer_ had to be waited for
  std::size_t bytes_since_yield_ = 0;
  std::uint32_t requests_since_yield_ = 0;

  // Answering.
  Exchanges exchanges_;
  std::size_t executing_ = 0;          // of exchanges_, those not ready
  std::size_t request_bytes_ = 0;      // of exchanges_
  std::size_t answer_bytes_ = 0;       // of exchanges_ that are ready
  std::size_t answer_bytes_expected_;  // of one request
  bool writing_ = false;
  bool starting_ = false;  // a request runs from within start_request()
  bool wants_to_write_ = false;
  bool stopping_ = false;

  // For sweep().
  Instant last_active_;
  Instant last_taken_;  // when the peer last took bytes we were waiting to send, or we began to wait
  std::uint64_t bytes_sent_seen_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_received_seen_ = 0;
  std::uint32_t slow_sweeps_ = 0;

  io::Event changed_;  // an exchange became ready or ended, or stopping_
  io::Gate gate_;
};

}  // namespace millrace::net
