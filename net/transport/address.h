// Addresses as text and as the kernel's structures. Numeric ones only, but for resolve(), which
// asks the system's resolver and blocks: for start-up and tools.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/transport/stack.h"

namespace millrace::net {

// "127.0.0.1:9092", "[::1]:9092".
std::string to_text(const Address& address);

// The reverse. The host need not be numeric. Errors: invalid_argument.
Result<Address> parse_address(std::string_view text);

// The kernel's form of an address.
struct SocketAddress {
  ::sockaddr_storage storage{};
  ::socklen_t length = 0;

  const ::sockaddr* get() const { return reinterpret_cast<const ::sockaddr*>(&storage); }
  ::sockaddr* get() { return reinterpret_cast<::sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// An empty host means every address of the machine. Errors: invalid_argument when the host is not
// numeric.
Result<SocketAddress> to_socket_address(const Address& address);
// An IPv4 address that came in through an IPv6 socket is given as IPv4.
Address from_socket_address(const SocketAddress& address);

// Every numeric address of a name, in the order in which to try them; the name itself when it is
// numeric. Errors: not_found.
Result<std::vector<Address>> resolve(const Address& address);

}  // namespace millrace::net
