// AdminClient: one connection to a broker, over which commands ask in the newest version that both
// sides know.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/broker_socket.h"
#include "cli/connection_options.h"
#include "net/wire/api_key.h"
#include "net/wire/error_code.h"
#include "net/wire/header.h"
#include "net/wire/message.h"

namespace millrace::cli {

// An answer and the bytes its texts point into.
template <class T>
struct Answered {
  std::vector<std::byte> bytes;
  T message;
};

class AdminClient {
 public:
  // Connects to the first broker of the list that answers, and asks which versions it serves.
  //
  // Errors: those of BrokerSocket, with what to check.
  static Result<AdminClient> connect(const ConnectionOptions& options);

  // Asks in the newest version within `ours` that the broker serves.
  //
  // Errors: unsupported (the broker does not serve the API in a version we know), and those of the
  // connection.
  template <class T>
  Result<Answered<typename T::Response>> call(const T& request,
                                              wire::VersionRange ours = T::kVersions) {
    TRY(version, version_of(T::kKey, ours));
    const auto frame = wire::encode_request_frame(
        {.api_version = version, .correlation_id = next_id_, .client_id = kClientId}, request);
    TRY(bytes, socket_.exchange(frame));
    TRY(body, body_of(bytes, T::kKey, version));
    auto message = wire::decode<typename T::Response>(body, version);
    if (!message) return fail(std::move(message).error());
    return Answered<typename T::Response>{std::move(bytes), std::move(*message)};
  }

  // Whether the broker serves an API at all.
  bool serves(wire::ApiKey key) const { return served_.contains(key); }
  std::int32_t timeout_ms() const { return timeout_ms_; }

 private:
  static constexpr std::string_view kClientId = "millrace";

  AdminClient(BrokerSocket socket, std::int32_t timeout_ms)
      : socket_(std::move(socket)), timeout_ms_(timeout_ms) {}
  Result<void> negotiate();
  Result<std::int16_t> version_of(wire::ApiKey key, wire::VersionRange ours) const;
  // Checks that the frame answers the request just sent, and counts on to the next.
  Result<ConstBytes> body_of(ConstBytes frame, wire::ApiKey key, std::int16_t version);

  BrokerSocket socket_;
  std::int32_t timeout_ms_;
  std::int32_t next_id_ = 1;
  std::map<wire::ApiKey, wire::VersionRange> served_;
};

// What the broker said about `what`: nothing when the code is none, else its own message or Kafka's
// text for the code.
Result<void> check_answer(std::string_view what, wire::ErrorCode code,
                          std::string_view message = {});

}  // namespace millrace::cli
