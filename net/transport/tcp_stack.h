// TcpStack: connections over the kernel's TCP, through whichever real Proactor the shard has.
//
// Every operation is tried at once and without waiting; only when the socket is not ready does it
// wait, by a poll that the Proactor queues. So a waiting connection holds no buffer, and one that
// keeps the shard busy costs one system call per operation.
//
// Shard:     the one whose Proactor it was given.
#pragma once

#include "io/proactor.h"
#include "net/transport/address.h"
#include "net/transport/stack.h"

namespace millrace::net {

class TcpStack final : public Stack {
 public:
  explicit TcpStack(io::Proactor& proactor) : proactor_(proactor) {}

  Result<std::unique_ptr<Listener>> listen(const ListenOptions& options) override;
  io::Task<Result<std::unique_ptr<Stream>>> connect(const Address& address) override;

 private:
  io::Proactor& proactor_;
};

// Whether nobody listens there. With share_port set a second process of the same user could listen
// on the same port and get some of our connections, so whoever starts the first shard's listener
// asks this before. Errors: already_exists, invalid_argument, refused.
Result<void> check_port_free(const Address& address);

}  // namespace millrace::net
