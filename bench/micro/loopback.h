// What the benches of connections share: a client and a measure of CPU, both as bare as can be.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "net/transport/address.h"

namespace millrace::bench {

inline double thread_cpu_seconds() {
  ::rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const ::timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Page-aligned, and touched before it is used: both matter more than anything measured here.
inline std::byte* make_buffer(std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096));
  CHECK(memory != nullptr);
  std::memset(memory, 7, bytes);
  return memory;
}

inline int connect_to(const net::Address& address) {
  const auto target = net::to_socket_address(address);
  const int socket = ::socket(target->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(::connect(socket, target->get(), target->length) == 0);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
  return socket;
}

inline bool send_whole(int socket, const std::byte* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = ::send(socket, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

inline bool receive_whole(int socket, std::byte* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t received = ::recv(socket, bytes, size, 0);
    if (received <= 0) return false;
    bytes += received;
    size -= static_cast<std::size_t>(received);
  }
  return true;
}

// A listening socket on loopback, and where.
inline int listen_somewhere(net::Address& address) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto any = net::to_socket_address({.host = "127.0.0.1"});
  CHECK(::bind(listener, any->get(), any->length) == 0);
  CHECK(::listen(listener, 1) == 0);
  CHECK(::getsockname(listener, any->get(), &any->length) == 0);
  address = net::from_socket_address(*any);
  return listener;
}

inline int accept_one(int listener) {
  const int socket = ::accept(listener, nullptr, nullptr);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

}  // namespace millrace::bench
