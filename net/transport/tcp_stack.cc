#include "net/transport/tcp_stack.h"

#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "io/reactor.h"
#include "net/transport/tcp_stream.h"

namespace millrace::net {
namespace {

// A socket until somebody else owns it.
class OwnedSocket {
 public:
  explicit OwnedSocket(int descriptor) : descriptor_(descriptor) {}
  ~OwnedSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OwnedSocket(OwnedSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  OwnedSocket& operator=(OwnedSocket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  int get() const { return descriptor_; }
  io::SocketHandle release() { return io::SocketHandle{std::exchange(descriptor_, -1)}; }

 private:
  int descriptor_;
};

Result<OwnedSocket> make_socket(int family) {
  OwnedSocket socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return fail(error_from_errno(errno, "socket"));
  return socket;
}

bool set_flag(int socket, int level, int option, int value) {
  return ::setsockopt(socket, level, option, &value, sizeof value) == 0;
}

Error bind_error(int error_number, const Address& address) {
  const std::string where = to_text(address);
  switch (error_number) {
    case EADDRINUSE:
      return {Errc::already_exists, fmt::format("{} is in use by another process", where)};
    case EADDRNOTAVAIL:
      return {Errc::invalid_argument, fmt::format("{} is not an address of this machine", where)};
    case EACCES:
      return {Errc::invalid_argument, fmt::format("{}: ports below 1024 need a privilege", where)};
    default:
      return error_from_errno(error_number, where);
  }
}

Result<OwnedSocket> bound_socket(const Address& address, bool share_port) {
  TRY(where, to_socket_address(address));
  auto made = make_socket(where.family());
  // A machine without IPv6.
  if (!made && address.host.empty()) return bound_socket({.host = "0.0.0.0", .port = address.port}, share_port);
  TRY(socket, std::move(made));
  // `::` is both families, whatever the system's default is.
  if (where.family() == AF_INET6) set_flag(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  set_flag(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (share_port && !set_flag(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1)) {
    return fail(error_from_errno(errno, "SO_REUSEPORT"));
  }
  if (::bind(socket.get(), where.get(), where.length) != 0) {
    const bool without_v6 = errno == EADDRNOTAVAIL && address.host.empty();
    if (without_v6) return bound_socket({.host = "0.0.0.0", .port = address.port}, share_port);
    return fail(bind_error(errno, address));
  }
  return std::move(socket);
}

// Accepted sockets inherit all of these, so that accepting costs no further system call.
Result<void> set_options(int socket, const ListenOptions& options) {
  set_flag(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_flag(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (options.send_buffer_bytes > 0) {
    set_flag(socket, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
  }
  if (options.receive_buffer_bytes > 0) {
    set_flag(socket, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
  }
  const std::string& control = options.congestion_control;
  if (!control.empty() &&
      ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, control.c_str(),
                   static_cast<::socklen_t>(control.size())) != 0 &&
      options.congestion_control_required) {
    return fail(Errc::invalid_argument,
                fmt::format("congestion control '{}': {}", control, std::strerror(errno)));
  }
  return {};
}

Result<Address> local_address(int socket) {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (::getsockname(socket, address.get(), &address.length) != 0) {
    return fail(error_from_errno(errno, "getsockname"));
  }
  return from_socket_address(address);
}

class TcpListener final : public Listener {
 public:
  TcpListener(io::Proactor& proactor, io::SocketHandle socket, Address local)
      : proactor_(proactor), socket_(socket), local_(std::move(local)) {}
  ~TcpListener() override { proactor_.close_socket(socket_); }

  const Address& local() const override { return local_; }
  io::Task<Result<std::unique_ptr<Stream>>> accept() override;
  void shutdown() override {
    if (std::exchange(ended_, true)) return;
    // Wakes the poll of accept() as well.
    ::shutdown(socket_.value(), SHUT_RD);
  }

 private:
  io::Proactor& proactor_;
  io::SocketHandle socket_;
  Address local_;
  bool ended_ = false;
};

// Errors of one connection that was lost before we accepted it; the next may be whole.
bool concerns_one_connection(int error_number) {
  switch (error_number) {
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EINTR:
      return true;
    default:
      return false;
  }
}

io::Task<Result<std::unique_ptr<Stream>>> TcpListener::accept() {
  while (!ended_) {
    SocketAddress peer;
    peer.length = sizeof peer.storage;
    const int accepted =
        ::accept4(socket_.value(), peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      co_return std::make_unique<TcpStream>(proactor_, io::SocketHandle{accepted},
                                            from_socket_address(peer));
    }
    const int error_number = errno;
    if (concerns_one_connection(error_number)) continue;
    if (error_number != EAGAIN) {
      if (ended_) break;
      switch (error_number) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
          co_return fail(Errc::refused, std::strerror(error_number));
        default:
          co_return fail(error_from_errno(error_number, "accept"));
      }
    }
    co_await io::Operation([&](io::Completion& done) { proactor_.poll(socket_, POLLIN, done); });
  }
  co_return fail(Errc::closed, "the listener is shut down");
}

}  // namespace

Result<std::unique_ptr<Listener>> TcpStack::listen(const ListenOptions& options) {
  TRY(socket, bound_socket(options.address, options.share_port));
  TRY_DONE(set_options(socket.get(), options));
  if (::listen(socket.get(), options.backlog) != 0) {
    return fail(bind_error(errno, options.address));
  }
  TRY(local, local_address(socket.get()));
  return std::make_unique<TcpListener>(proactor_, socket.release(), std::move(local));
}

Result<void> check_port_free(const Address& address) {
  if (address.port == 0) return {};
  TRY(socket, bound_socket(address, /*share_port=*/false));
  if (::listen(socket.get(), 1) != 0) return fail(bind_error(errno, address));
  return {};
}

io::Task<Result<std::unique_ptr<Stream>>> TcpStack::connect(const Address& address) {
  CO_TRY(target, to_socket_address(address));
  CO_TRY(socket, make_socket(target.family()));
  set_flag(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  set_flag(socket.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  const bool connected = ::connect(socket.get(), target.get(), target.length) == 0;
  const int refusal = connected ? 0 : errno;
  if (!connected && refusal != EINPROGRESS) {
    co_return fail(error_from_errno(refusal, to_text(address)));
  }
  // From here on the Proactor may know the socket, so it has to be the one that closes it.
  const io::SocketHandle handle = socket.release();
  auto stream = std::make_unique<TcpStream>(proactor_, handle, address);
  if (!connected) {
    co_await io::Operation([&](io::Completion& done) { proactor_.poll(handle, POLLOUT, done); });
    int error_number = 0;
    ::socklen_t length = sizeof error_number;
    ::getsockopt(handle.value(), SOL_SOCKET, SO_ERROR, &error_number, &length);
    if (error_number != 0) {
      co_return fail(error_from_errno(error_number, to_text(stream->peer())));
    }
  }
  co_return std::move(stream);
}

}  // namespace millrace::net
