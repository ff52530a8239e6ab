#include "cli/broker_socket.h"

#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <utility>

#include "cli/clock.h"

namespace millrace::cli {
namespace {

constexpr std::string_view kDefaultPort = "9092";
constexpr std::size_t kFrameBytesMax = std::size_t{256} << 20;

struct HostPort {
  std::string host;
  std::string port;
};

HostPort split_address(std::string_view address) {
  if (address.starts_with('[')) {
    const auto close = std::min(address.find(']'), address.size() - 1);
    const std::string_view rest = address.substr(close + 1);
    return {std::string(address.substr(1, close - 1)),
            std::string(rest.starts_with(':') ? rest.substr(1) : kDefaultPort)};
  }
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) return {std::string(address), std::string(kDefaultPort)};
  return {std::string(address.substr(0, colon)), std::string(address.substr(colon + 1))};
}

struct AddressListDeleter {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, AddressListDeleter>;

Result<AddressList> resolve(std::string_view address) {
  const HostPort parts = split_address(address);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(parts.host.c_str(), parts.port.c_str(), &hints, &found);
  if (code != 0) return fail(Errc::refused, fmt::format("{}: {}", address, gai_strerror(code)));
  return AddressList(found);
}

// A descriptor that is connecting or connected. Errors as errno says.
Result<int> begin_connect(const addrinfo& target, std::string_view address) {
  const int descriptor = ::socket(
      target.ai_family, target.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, target.ai_protocol);
  if (descriptor < 0) return fail(error_from_errno(errno, address));
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(descriptor, target.ai_addr, target.ai_addrlen) == 0 || errno == EINPROGRESS)
    return descriptor;
  const int number = errno;
  ::close(descriptor);
  return fail(error_from_errno(number, address));
}

int socket_error(int descriptor) {
  int number = 0;
  socklen_t size = sizeof number;
  getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &size);
  return number;
}

}  // namespace

Result<BrokerSocket> BrokerSocket::connect(std::string_view address, Duration timeout) {
  TRY(addresses, resolve(address));
  Error last{Errc::refused, std::string(address)};
  for (const addrinfo* target = addresses.get(); target != nullptr; target = target->ai_next) {
    const auto descriptor = begin_connect(*target, address);
    if (!descriptor) {
      last = descriptor.error();
      continue;
    }
    BrokerSocket socket(*descriptor, std::string(address), timeout);
    const auto ready = socket.wait_for(POLLOUT, now() + timeout);
    const int number = socket_error(*descriptor);
    if (ready && number == 0) return socket;
    last = ready ? error_from_errno(number, address) : ready.error();
  }
  return fail(std::move(last));
}

BrokerSocket::BrokerSocket(BrokerSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      address_(std::move(other.address_)),
      timeout_(other.timeout_) {}

BrokerSocket::~BrokerSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::vector<std::byte>> BrokerSocket::exchange(ConstBytes frame) {
  const Instant deadline = now() + timeout_;
  TRY_DONE(send_all(frame, deadline));
  std::byte length_bytes[4];
  TRY_DONE(receive_all(length_bytes, deadline));
  const auto length = load_big_endian<std::int32_t>(length_bytes);
  if (length < 0 || static_cast<std::size_t>(length) > kFrameBytesMax) {
    return fail(Errc::too_large, fmt::format("{} sent a frame of {} bytes; is it a Kafka listener?",
                                             address_, length));
  }
  std::vector<std::byte> answer(static_cast<std::size_t>(length));
  TRY_DONE(receive_all(answer, deadline));
  return answer;
}

Result<void> BrokerSocket::wait_for(short events, Instant deadline) {
  const auto left = to_ms(deadline - now());
  pollfd waiting{.fd = descriptor_, .events = events, .revents = 0};
  const int ready = left <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left));
  if (ready > 0) return {};
  if (ready < 0 && errno != EINTR) return fail(error_from_errno(errno, address_));
  return fail(Errc::timed_out,
              fmt::format("{} did not answer within {} ms", address_, to_ms(timeout_)));
}

Result<void> BrokerSocket::send_all(ConstBytes bytes, Instant deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      TRY_DONE(wait_for(POLLOUT, deadline));
    } else if (errno != EINTR) {
      return fail(error_from_errno(errno, address_));
    }
  }
  return {};
}

Result<void> BrokerSocket::receive_all(Bytes bytes, Instant deadline) {
  while (!bytes.empty()) {
    const ssize_t received = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
    if (received > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(received));
    } else if (received == 0) {
      return fail(Errc::closed,
                  fmt::format("{} closed the connection; its log says why", address_));
    } else if (errno == EAGAIN) {
      TRY_DONE(wait_for(POLLIN, deadline));
    } else if (errno != EINTR) {
      return fail(error_from_errno(errno, address_));
    }
  }
  return {};
}

}  // namespace millrace::cli
