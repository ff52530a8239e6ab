// Stack: SEAM 2. Connections. Backends: TCP through io/ (tcp_stack), and the simulator's
// (tests/sim/sim_stack).
//
// Shard:     each shard has its own Stack; a Stream and a Listener belong to the shard that made
// them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "io/proactor.h"
#include "io/task.h"

namespace millrace::net {

inline constexpr std::size_t kSlicesMax = 256;

// A numeric address ("127.0.0.1", "::1") and a port.
struct Address {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const Address&) const = default;
};

// One connection, reliable and in order. At most one receive and one send may wait at a time.
class Stream {
 public:
  virtual ~Stream() = default;  // closes

  virtual const Address& peer() const = 0;
  // Waits until at least one byte or the end of the stream can be received, without holding a
  // buffer.
  virtual io::Task<Result<void>> readable() = 0;
  // Receives 1 to bytes.size() bytes; 0 at the end of the stream. Errors: closed, timed_out,
  // io_error.
  virtual io::Task<Result<std::size_t>> receive(Bytes bytes) = 0;
  // The same without waiting. Errors: would_block as well.
  virtual Result<std::size_t> try_receive(Bytes bytes) = 0;
  // Sends all slices, at most kSlicesMax. `more`: further bytes follow at once, so the kernel may
  // wait for them. Errors: closed, timed_out, io_error.
  virtual io::Task<Result<void>> send(std::span<const ::iovec> slices, bool more) = 0;
  // Sends a range of a file without copying it. The range must stay as it is until the peer has
  // acknowledged it or the stream is closed. Errors: as send; io_error also when the file ends
  // early.
  virtual io::Task<Result<void>> send_file(io::FileHandle file, std::uint64_t position,
                                           std::uint64_t length, bool more) = 0;
  // Whether the peer has ended its sending or the connection, also while bytes that it sent before
  // are still to be received.
  virtual bool peer_ended() const = 0;
  // How many bytes of all sends the transport has taken so far: a waiting sender whose count stands
  // still has a peer that does not read.
  virtual std::uint64_t bytes_sent() const = 0;
  // From now on receiving gives what has arrived, then the end of the stream; sending goes on. May
  // be called at any time.
  virtual void shutdown_receive() = 0;
  // Ends whatever waits on the stream with `closed`, or as the end of the stream. May be called at
  // any time.
  virtual void shutdown() = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;  // closes

  virtual const Address& local() const = 0;
  // Errors: closed after shutdown(); refused when the process has no handles left (back off, then
  // go on).
  virtual io::Task<Result<std::unique_ptr<Stream>>> accept() = 0;
  virtual void shutdown() = 0;
};

struct ListenOptions {
  Address address;
  bool share_port = true;  // SO_REUSEPORT: every shard listens on the same port
  int backlog = 1024;
  std::string congestion_control;  // TCP_CONGESTION; empty: the system's
  bool congestion_control_required = true;  // false: the system's if this one may not be chosen
  int send_buffer_bytes = 0;       // 0: the system's
  int receive_buffer_bytes = 0;
};

class Stack {
 public:
  virtual ~Stack() = default;
  // Errors: already_exists when the port is taken, invalid_argument for an address that is not
  // ours.
  virtual Result<std::unique_ptr<Listener>> listen(const ListenOptions& options) = 0;
  virtual io::Task<Result<std::unique_ptr<Stream>>> connect(const Address& address) = 0;
};

}  // namespace millrace::net
