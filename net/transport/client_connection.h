// ClientConnection: the asking end of a connection: requests are sent as they come and their
// answers are awaited, many at once.
//
// Shard:      its stream's.
// Lifetime:   close() must have been awaited before destruction.
// Errors:     one failure ends it for good: every call that waits, and every later one, gets
// `closed` with the reason.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "io/gate.h"
#include "io/reactor.h"
#include "io/task.h"
#include "io/wait.h"
#include "net/transport/stack.h"
#include "net/wire/header.h"

namespace millrace::net {

struct ClientOptions {
  std::string client_id;
  std::size_t response_bytes_max = std::size_t{128} << 20;
  // A broker that does not answer for so long is given up. Zero: wait for ever.
  Duration request_timeout{};
};

// An answer and the bytes its texts and payloads point into.
template <class T>
struct Answer {
  std::vector<std::byte> bytes;
  T message;
};

class ClientConnection {
 public:
  ClientConnection(std::unique_ptr<Stream> stream, ClientOptions options);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;

  // Sends a request and waits for its answer. Errors: closed, timed_out, malformed, too_large,
  // unsupported. Requires: T::kVersions contains `version`.
  template <class T>
  io::Task<Result<Answer<typename T::Response>>> call(const T& request, std::int16_t version);

  // The same with the bytes: `frame` is a whole request with its length and the correlation id
  // given. The answer comes without its length. `answered` false: the broker will not answer
  // (Produce with acks=0); the result is empty.
  io::Task<Result<std::vector<std::byte>>> call_frame(std::int32_t correlation_id,
                                                      std::vector<std::byte> frame,
                                                      bool answered = true);
  std::int32_t next_correlation_id() { return next_correlation_id_++; }

  const Address& peer() const { return stream_->peer(); }
  bool failed() const { return failure_.has_value(); }
  // Ends what waits, with `closed`.
  void shutdown();
  io::Task<void> close();

 private:
  // A request that waits for its answer. It lives in the frame of call_frame().
  struct Call : boost::intrusive::list_base_hook<
                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
    std::int32_t correlation_id = 0;
    bool done = false;
    std::vector<std::byte> answer;
    io::Event ended;

    void end() {
      done = true;
      ended.notify_all();
    }
  };
  using Calls = boost::intrusive::list<Call, boost::intrusive::constant_time_size<false>>;

  io::Task<void> read_answers();
  io::Task<Result<std::vector<std::byte>>> read_frame();
  io::Task<Result<void>> fill(Bytes bytes);
  void fail_all(Error error);

  std::unique_ptr<Stream> stream_;
  ClientOptions options_;
  std::int32_t next_correlation_id_ = 0;
  Calls calls_;  // sent or about to be, in that order, and not answered
  std::optional<Error> failure_;
  bool reading_ = false;
  // Received beyond the last answer.
  std::vector<std::byte> ahead_;
  std::size_t ahead_begin_ = 0;
  std::size_t ahead_end_ = 0;
  io::Semaphore send_turn_{1};
  io::Gate gate_;
};

template <class T>
io::Task<Result<Answer<typename T::Response>>> ClientConnection::call(const T& request,
                                                                      std::int16_t version) {
  wire::RequestHeader header;
  header.api_version = version;
  header.correlation_id = next_correlation_id();
  header.client_id = options_.client_id;
  const std::int32_t correlation_id = header.correlation_id;
  CO_TRY(bytes, co_await call_frame(correlation_id, wire::encode_request_frame(header, request)));
  Answer<typename T::Response> answer{.bytes = std::move(bytes), .message = {}};
  CO_TRY(frame, wire::decode_response_frame(answer.bytes, T::kKey, version));
  CO_TRY(message, wire::decode<typename T::Response>(frame.body, version));
  answer.message = std::move(message);
  co_return answer;
}

}  // namespace millrace::net
