// ScriptedHandler: a RequestHandler that does what the body of each request says, so that a test of
// connections writes its broker as it goes. The requests are made by the functions of `script`;
// their bodies are no messages of Kafka's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/wait.h"
#include "net/transport/request.h"

namespace millrace::testing_support {

namespace script {

using Bytes = std::vector<std::byte>;

// Answers what is sent.
Bytes echo(std::string_view text);
// Answers what is sent, but only after release(key) was called on the handler.
Bytes hold(std::uint64_t key);
// No answer.
Bytes none();
// Closes the connection.
Bytes close();
// Answers `size` bytes of a pattern that position tells.
Bytes big(std::uint64_t size);
// Answers 8 bytes, then a range of the handler's file, then 8 bytes.
Bytes file(std::uint64_t position, std::uint64_t length);
// A request of `size` bytes; answers its checksum.
Bytes bulk(std::uint64_t size, std::uint64_t seed);
std::uint64_t bulk_checksum(std::uint64_t size, std::uint64_t seed);

// A frame with its length, as a request with that correlation id.
Bytes frame(std::int32_t correlation_id, const Bytes& body);
// What `big` answers at a position.
std::byte pattern(std::uint64_t position);

}  // namespace script

class ScriptedHandler final : public net::RequestHandler {
 public:
  io::Task<net::Response> handle(net::Request request) override;

  void release(std::uint64_t key);
  // Releases everything, now and later: handlers must end when the server stops.
  void release_all();

  // Correlation ids in the order in which requests were begun.
  std::vector<std::int32_t> begun;
  std::size_t running = 0;
  std::size_t running_most = 0;
  std::size_t answer_bytes_made = 0;
  // What script::file reads from.
  io::FileHandle file = io::kNoFile;

 private:
  std::map<std::uint64_t, bool> released_;
  bool all_released_ = false;
  io::Event released_event_;
};

}  // namespace millrace::testing_support
