// TcpStream: one connected TCP socket. See tcp_stack.h for how it waits.
//
// Shard:     its stack's.
// Lifetime:  must not be destroyed while a call waits: shutdown() first, then await the call.
#pragma once

#include "io/proactor.h"
#include "net/transport/stack.h"

namespace millrace::net {

class TcpStream final : public Stream {
 public:
  // Takes a connected, non-blocking socket.
  TcpStream(io::Proactor& proactor, io::SocketHandle socket, Address peer)
      : proactor_(proactor), socket_(socket), peer_(std::move(peer)) {}
  ~TcpStream() override { proactor_.close_socket(socket_); }

  const Address& peer() const override { return peer_; }
  io::Task<Result<void>> readable() override;
  io::Task<Result<std::size_t>> receive(Bytes bytes) override;
  Result<std::size_t> try_receive(Bytes bytes) override;
  io::Task<Result<void>> send(std::span<const ::iovec> slices, bool more) override;
  io::Task<Result<void>> send_file(io::FileHandle file, std::uint64_t position,
                                   std::uint64_t length, bool more) override;
  bool peer_ended() const override;
  std::uint64_t bytes_sent() const override { return bytes_sent_; }
  void shutdown_receive() override;
  void shutdown() override;

 private:
  io::Task<Result<void>> send_rest(std::span<const ::iovec> slices, std::size_t sent, bool more);
  // Sends what it can of a piece that is in memory.
  io::Task<Result<void>> send_resident(io::FileHandle file, std::uint64_t position,
                                       std::uint64_t length);
  io::Task<Result<void>> poll(short events);

  io::Proactor& proactor_;
  io::SocketHandle socket_;
  Address peer_;
  std::uint64_t bytes_sent_ = 0;
  bool ended_ = false;
};

}  // namespace millrace::net
