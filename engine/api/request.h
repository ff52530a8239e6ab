// What the handlers take and give: a request of net/transport, and its answer.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "base/logging.h"
#include "io/reactor.h"
#include "net/transport/request.h"
#include "net/wire/api_key.h"
#include "net/wire/header.h"

namespace millrace::engine {

using Request = net::Request;

// The answer to `request` as one frame.
template <class T>
net::Response answer(const Request& request, const T& response) {
  return net::Response(wire::encode_response_frame(response, request.header.api_version,
                                           request.header.correlation_id));
}

// For a request that makes no sense: what was asked before it is answered, then the connection ends, as Kafka does it.
inline net::Response close_connection(const Request& request, std::string_view reason) {
  net::LogLimit& complaints = *request.connection->complaints;
  if (complaints.allow(io::Reactor::current().now())) {
    LOG(warn, "request.refused", "api={} version={} peer={}:{} reason=\"{}\" suppressed={}",
        wire::api_name(request.header.api_key), request.header.api_version,
        request.connection->peer.host, request.connection->peer.port, reason, complaints.take_suppressed());
  }
  return net::Response::close();
}

// Texts that a response borrows until it is encoded.
class TextArena {
 public:
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

 private:
  std::deque<std::string> texts_;
};

}  // namespace millrace::engine
