// What the load generators on raw sockets share: the clock, Kafka's bytes in both directions, and a connection.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

namespace millrace::bench {

inline constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;

// Ends the process; compare reports the last lines of what it said.
[[noreturn]] inline void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

inline std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNanosPerSecond +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// Appends big-endian numbers and Kafka's strings to a byte vector.
class Writer {
 public:
  template <class T>
  void number(T value) {
    for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> shift));
    }
  }
  void unsigned_varint(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<std::byte>(value | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<std::byte>(value));
  }
  void varint(std::int64_t value) {
    unsigned_varint(static_cast<std::uint64_t>((value << 1) ^ (value >> 63)));
  }
  void text(const std::string& value) {
    number<std::int16_t>(static_cast<std::int16_t>(value.size()));
    raw(value);
  }
  void compact_text(const std::string& value) {
    unsigned_varint(value.size() + 1);
    raw(value);
  }
  void raw(const std::string& value) {
    for (const char c : value) bytes_.push_back(static_cast<std::byte>(c));
  }
  void append(std::span<const std::byte> part) {
    bytes_.insert(bytes_.end(), part.begin(), part.end());
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

// The head of a request; a flexible one is followed by no tagged fields.
inline Writer begin_request(std::int16_t api, std::int16_t version, bool flexible = false) {
  Writer writer;
  writer.number<std::int16_t>(api);
  writer.number<std::int16_t>(version);
  writer.number<std::int32_t>(1);
  writer.text("bench");
  if (flexible) writer.number<std::int8_t>(0);
  return writer;
}

// The request with its length in front.
inline std::vector<std::byte> frame_of(const Writer& body) {
  Writer frame;
  frame.number<std::int32_t>(static_cast<std::int32_t>(body.bytes().size()));
  frame.append(body.bytes());
  return frame.bytes();
}

// Walks over one answer; what reads past its end ends the process.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class T>
  T number() {
    std::uint64_t value = 0;
    for (const std::byte part : take(sizeof(T)))
      value = value << 8 | static_cast<std::uint64_t>(part);
    return static_cast<T>(value);
  }
  std::uint64_t unsigned_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto part = static_cast<std::uint64_t>(take(1)[0]);
      value |= (part & 0x7F) << shift;
      if (part < 0x80) return value;
    }
    give_up("a number in an answer is too long");
  }
  // Null is read as empty.
  std::string text() {
    const auto length = number<std::int16_t>();
    return length < 0 ? std::string() : to_string(take(static_cast<std::size_t>(length)));
  }
  std::string compact_text() {
    const std::uint64_t length = unsigned_varint();
    return length == 0 ? std::string() : to_string(take(length - 1));
  }
  std::span<const std::byte> take(std::size_t count) {
    if (count > bytes_.size()) give_up("an answer is too short");
    const auto part = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return part;
  }

 private:
  static std::string to_string(std::span<const std::byte> part) {
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  std::span<const std::byte> bytes_;
};

// A blocking connection to a port of this machine.
inline int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    give_up("cannot connect");
  }
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

inline void send_all(int socket, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) give_up("the connection broke while sending");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

// Gathers answers from a connection.
class Answers {
 public:
  // Reads once, blocking if nothing has come.
  void receive(int socket) {
    if (begin_ > 0)
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
    const std::size_t had = bytes_.size();
    bytes_.resize(had + kReadBytes);
    const ssize_t count = recv(socket, bytes_.data() + had, kReadBytes, 0);
    if (count <= 0) give_up("the connection broke while waiting for an answer");
    bytes_.resize(had + static_cast<std::size_t>(count));
  }
  // The next whole answer after its correlation id, valid until the next receive(). Empty when there is none yet.
  std::span<const std::byte> next() {
    const std::span<const std::byte> rest = std::span(bytes_).subspan(begin_);
    if (rest.size() < 4) return {};
    const auto length = Reader(rest).number<std::uint32_t>();
    if (length < 4 || length > kAnswerBytesMax) give_up("an answer has a wrong length");
    if (rest.size() < 4 + length) return {};
    begin_ += 4 + length;
    return rest.subspan(8, length - 4);
  }

 private:
  static constexpr std::size_t kReadBytes = 64 * 1024;
  static constexpr std::size_t kAnswerBytesMax = std::size_t{16} << 20;

  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;
};

// Sends one request and waits for its answer.
inline std::vector<std::byte> ask(int socket, const Writer& body) {
  send_all(socket, frame_of(body));
  Answers answers;
  std::span<const std::byte> answer;
  while ((answer = answers.next()).empty()) answers.receive(socket);
  return {answer.begin(), answer.end()};
}

// True when the broker has made the topic of committed offsets, knows the group's coordinator, and that one has loaded it.
inline bool has_coordinator(int socket, const std::string& group) {
  Writer find = begin_request(10, 1);
  find.text(group);
  find.number<std::int8_t>(0);
  const auto found = ask(socket, find);
  Reader finding(found);
  finding.number<std::int32_t>();
  if (finding.number<std::int16_t>() != 0) return false;
  Writer fetch = begin_request(9, 5);
  fetch.text(group);
  fetch.number<std::int32_t>(0);
  const auto fetched = ask(socket, fetch);
  Reader fetching(fetched);
  fetching.number<std::int32_t>();
  fetching.number<std::int32_t>();
  return fetching.number<std::int16_t>() == 0;
}

inline void await_coordinator(int socket, const std::string& group) {
  const std::uint64_t end = now_ns() + 60 * kNanosPerSecond;
  while (!has_coordinator(socket, group)) {
    if (now_ns() > end) give_up("the group has no coordinator after 60 seconds");
    timespec pause{.tv_sec = 0, .tv_nsec = 20'000'000};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace millrace::bench
