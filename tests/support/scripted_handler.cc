#include "tests/support/scripted_handler.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "net/wire/frame.h"

namespace millrace::testing_support {
namespace script {
namespace {

constexpr std::size_t kPrefixBytes = 17;

Bytes body(char operation, std::uint64_t first = 0, std::uint64_t second = 0) {
  Bytes out(kPrefixBytes);
  out[0] = static_cast<std::byte>(operation);
  store_big_endian(out.data() + 1, first);
  store_big_endian(out.data() + 9, second);
  return out;
}

}  // namespace

Bytes echo(std::string_view text) {
  Bytes out = body('E');
  const ConstBytes bytes = as_bytes(text);
  out.insert(out.end(), bytes.begin(), bytes.end());
  return out;
}
Bytes hold(std::uint64_t key) {
  return body('H', key);
}
Bytes none() {
  return body('N');
}
Bytes close() {
  return body('C');
}
Bytes big(std::uint64_t size) {
  return body('B', size);
}
Bytes file(std::uint64_t position, std::uint64_t length) {
  return body('F', position, length);
}

std::byte pattern(std::uint64_t position) {
  return static_cast<std::byte>((position * 0x9e3779b97f4a7c15ULL) >> 56);
}

Bytes bulk(std::uint64_t size, std::uint64_t seed) {
  Bytes out = body('K', seed);
  out.resize(std::max<std::size_t>(size, kPrefixBytes));
  for (std::size_t at = kPrefixBytes; at < out.size(); ++at) out[at] = pattern(at + seed);
  return out;
}

std::uint64_t bulk_checksum(std::uint64_t size, std::uint64_t seed) {
  std::uint64_t sum = 0;
  for (std::size_t at = kPrefixBytes; at < std::max<std::size_t>(size, kPrefixBytes); ++at) {
    sum = sum * 31 + static_cast<std::uint64_t>(pattern(at + seed));
  }
  return sum;
}

Bytes frame(std::int32_t correlation_id, const Bytes& body) {
  wire::RequestHeader header{.api_key = wire::ApiKey::produce,
                             .api_version = 3,
                             .correlation_id = correlation_id,
                             .client_id = "script"};
  Bytes out;
  const std::size_t at = wire::start_request_frame(out, header, body.size());
  if (!body.empty()) std::memcpy(out.data() + at, body.data(), body.size());
  return out;
}

}  // namespace script

namespace {

net::Response answer(std::int32_t correlation_id, ConstBytes payload) {
  std::vector<std::byte> frame;
  const std::size_t at =
      wire::start_response_frame(frame, wire::ApiKey::produce, 3, correlation_id, payload.size());
  if (!payload.empty()) std::memcpy(frame.data() + at, payload.data(), payload.size());
  return net::Response(std::move(frame));
}

net::Response file_answer(std::int32_t correlation_id, net::FileRange range) {
  std::vector<std::byte> frame(8 + 16);
  store_big_endian(frame.data(), static_cast<std::int32_t>(4 + 16 + range.length));
  store_big_endian(frame.data() + 4, correlation_id);
  std::memcpy(frame.data() + 8, "<before><after.>", 16);
  net::Response response(std::move(frame));
  response.insert(16, range, nullptr);
  return response;
}

}  // namespace

io::Task<net::Response> ScriptedHandler::handle(net::Request request) {
  const std::int32_t id = request.header.correlation_id;
  begun.push_back(id);
  running_most = std::max(running_most, ++running);
  CHECK(request.body.size() >= script::none().size());
  const char operation = static_cast<char>(request.body[0]);
  const auto first = load_big_endian<std::uint64_t>(request.body.data() + 1);
  const auto second = load_big_endian<std::uint64_t>(request.body.data() + 9);
  const ConstBytes payload = ConstBytes(request.body).subspan(17);
  net::Response response;
  switch (operation) {
    case 'E':
      response = answer(id, payload);
      break;
    case 'H':
      while (!all_released_ && !released_[first]) co_await released_event_.wait();
      response = answer(id, {});
      break;
    case 'N':
      response = net::Response::none();
      break;
    case 'C':
      response = net::Response::close();
      break;
    case 'B': {
      std::vector<std::byte> bytes(first);
      for (std::size_t at = 0; at < bytes.size(); ++at) bytes[at] = script::pattern(at);
      response = answer(id, bytes);
      break;
    }
    case 'F':
      response = file_answer(id, {file, first, second});
      break;
    case 'K': {
      std::uint64_t sum = 0;
      for (const std::byte byte : payload) sum = sum * 31 + static_cast<std::uint64_t>(byte);
      std::byte bytes[8];
      store_big_endian(bytes, sum);
      response = answer(id, bytes);
      break;
    }
    default:
      CHECK(false, "operation {}", operation);
  }
  answer_bytes_made += response.bytes_owned();
  --running;
  co_return response;
}

void ScriptedHandler::release(std::uint64_t key) {
  released_[key] = true;
  released_event_.notify_all();
}

void ScriptedHandler::release_all() {
  all_released_ = true;
  released_event_.notify_all();
}

}  // namespace millrace::testing_support
