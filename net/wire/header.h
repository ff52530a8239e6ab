// What stands before every body: the headers of requests (versions 1 and 2) and responses (0 and
// 1), and whole frames made of header and body.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/wire/api_key.h"
#include "net/wire/frame.h"
#include "net/wire/message.h"

namespace millrace::wire {

struct RequestHeader {
  ApiKey api_key{};
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::optional<std::string_view> client_id;  // borrowed

  friend bool operator==(const RequestHeader&, const RequestHeader&) = default;
};

// A request's frame taken apart. `body` is what decode<T>() gets.
struct RequestFrame {
  RequestHeader header;
  ConstBytes body;
};

// Reads the header of a request. The version need not be one we serve: an unknown one of a known
// API is read as that API's newest form, because ApiVersions has to be answered to whatever version
// was asked (with version 0 of its answer and UNSUPPORTED_VERSION).
//
// Errors: unsupported (an API that is not in the table), malformed. Both mean: close the
// connection.
Result<RequestFrame> decode_request_frame(ConstBytes frame);

// A response's frame taken apart, for the client's side.
struct ResponseFrame {
  std::int32_t correlation_id = 0;
  ConstBytes body;
};
// key and version: those of the request with that correlation id.
Result<ResponseFrame> decode_response_frame(ConstBytes frame, ApiKey key, std::int16_t version);

// 1 or 2, and 0 or 1: which header goes with a version of an API in the table.
std::int16_t request_header_version(ApiKey key, std::int16_t version);
std::int16_t response_header_version(ApiKey key, std::int16_t version);

// Writes length and header of a frame whose body takes `body_size` bytes, into the front of a
// vector that is made as long as the whole frame. Returns where the body starts.
std::size_t start_request_frame(std::vector<std::byte>& frame, const RequestHeader& header,
                                std::size_t body_size);
std::size_t start_response_frame(std::vector<std::byte>& frame, ApiKey key, std::int16_t version,
                                 std::int32_t correlation_id, std::size_t body_size);

// A whole request with its length, in one allocation. `header.api_key` is set by this.
template <class T>
std::vector<std::byte> encode_request_frame(RequestHeader header, const T& request) {
  header.api_key = T::kKey;
  std::vector<std::byte> frame;
  const std::size_t at =
      start_request_frame(frame, header, encoded_size(request, header.api_version));
  Writer out(Bytes(frame).subspan(at));
  encode(request, header.api_version, out);
  return frame;
}

// A whole response with its length, in one allocation.
template <class T>
std::vector<std::byte> encode_response_frame(const T& response, std::int16_t version,
                                             std::int32_t correlation_id) {
  std::vector<std::byte> frame;
  const std::size_t at = start_response_frame(frame, T::kKey, version, correlation_id,
                                              encoded_size(response, version));
  Writer out(Bytes(frame).subspan(at));
  encode(response, version, out);
  return frame;
}

}  // namespace millrace::wire
