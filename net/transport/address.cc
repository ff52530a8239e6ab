#include "net/transport/address.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>

namespace millrace::net {

std::string to_text(const Address& address) {
  const bool bracketed = address.host.find(':') != std::string::npos;
  return bracketed ? fmt::format("[{}]:{}", address.host, address.port)
                   : fmt::format("{}:{}", address.host, address.port);
}

Result<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is not HOST:PORT", text));
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fail(Errc::invalid_argument,
                fmt::format("'{}': an IPv6 address needs brackets, [::1]:9092", text));
  }
  Address address{.host = std::string(host)};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return fail(Errc::invalid_argument,
                fmt::format("'{}': the port is not a number up to 65535", text));
  }
  return address;
}

Result<SocketAddress> to_socket_address(const Address& address) {
  SocketAddress out;
  auto* v4 = reinterpret_cast<::sockaddr_in*>(&out.storage);
  auto* v6 = reinterpret_cast<::sockaddr_in6*>(&out.storage);
  // Both families by one socket where there is IPv6; tcp_stack falls back to IPv4.
  const std::string host = address.host.empty() ? "::" : address.host;
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    out.length = sizeof *v4;
    return out;
  }
  if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    out.length = sizeof *v6;
    return out;
  }
  return fail(Errc::invalid_argument, fmt::format("'{}' is not a numeric address", host));
}

Address from_socket_address(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const ::sockaddr_in*>(&address.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return {.host = text, .port = ntohs(v4->sin_port)};
  }
  const auto* v6 = reinterpret_cast<const ::sockaddr_in6*>(&address.storage);
  if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    ::inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  }
  return {.host = text, .port = ntohs(v6->sin6_port)};
}

Result<std::vector<Address>> resolve(const Address& address) {
  if (to_socket_address(address)) return std::vector{address};
  ::addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  ::addrinfo* found = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return fail(Errc::not_found, fmt::format("{}: {}", address.host, ::gai_strerror(error)));
  }
  std::vector<Address> out;
  for (const ::addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_addrlen > sizeof(::sockaddr_storage)) continue;
    SocketAddress socket_address;
    std::memcpy(&socket_address.storage, each->ai_addr, each->ai_addrlen);
    if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
    Address numeric = from_socket_address(socket_address);
    numeric.port = address.port;
    out.push_back(std::move(numeric));
  }
  ::freeaddrinfo(found);
  if (out.empty()) return fail(Errc::not_found, fmt::format("{}: no address", address.host));
  return out;
}

}  // namespace millrace::net
