#include "net/wire/header.h"

#include <fmt/core.h>

namespace millrace::wire {
namespace {

bool is_flexible(ApiKey key, std::int16_t version) {
  const ApiInfo* api = find_api(key);
  CHECK(api != nullptr, "api key {}", static_cast<int>(key));
  return version >= api->flexible_since;
}

// The tags at the end of a flexible header. None is known, all are skipped.
void skip_tags(Reader& reader) {
  for (std::uint32_t left = reader.uvarint(); left > 0 && reader.ok(); --left) {
    reader.uvarint();
    reader.bytes(reader.uvarint());
  }
}

std::size_t client_id_size(const RequestHeader& header) {
  return sizeof(std::int16_t) + header.client_id.value_or("").size();
}

}  // namespace

std::int16_t request_header_version(ApiKey key, std::int16_t version) {
  return is_flexible(key, version) ? 2 : 1;
}

std::int16_t response_header_version(ApiKey key, std::int16_t version) {
  // A client that asks for its first versions cannot know yet which form the answer's header has.
  if (key == ApiKey::api_versions) return 0;
  return is_flexible(key, version) ? 1 : 0;
}

Result<RequestFrame> decode_request_frame(ConstBytes frame) {
  Reader reader(frame);
  RequestFrame request;
  RequestHeader& header = request.header;
  header.api_key = static_cast<ApiKey>(reader.integer<std::int16_t>());
  header.api_version = reader.integer<std::int16_t>();
  header.correlation_id = reader.integer<std::int32_t>();
  if (reader.ok() && find_api(header.api_key) == nullptr) {
    return fail(Errc::unsupported,
                fmt::format("api key {} ({}) is not served", static_cast<int>(header.api_key),
                            api_name(header.api_key)));
  }
  const std::int64_t length = reader.length16();
  if (length >= 0) header.client_id = reader.text(static_cast<std::size_t>(length));
  if (reader.ok() && is_flexible(header.api_key, header.api_version)) skip_tags(reader);
  if (!reader.ok()) return fail(Errc::malformed, fmt::format("request header: {}", reader.error()));
  request.body = reader.rest();
  return request;
}

Result<ResponseFrame> decode_response_frame(ConstBytes frame, ApiKey key, std::int16_t version) {
  Reader reader(frame);
  ResponseFrame response;
  response.correlation_id = reader.integer<std::int32_t>();
  if (response_header_version(key, version) == 1) skip_tags(reader);
  if (!reader.ok())
    return fail(Errc::malformed, fmt::format("response header: {}", reader.error()));
  response.body = reader.rest();
  return response;
}

std::size_t start_request_frame(std::vector<std::byte>& frame, const RequestHeader& header,
                                std::size_t body_size) {
  const bool flexible = request_header_version(header.api_key, header.api_version) == 2;
  const std::size_t header_size = 8 + client_id_size(header) + (flexible ? 1 : 0);
  frame.resize(kFrameLengthBytes + header_size + body_size);
  Writer out(frame);
  out.integer(static_cast<std::int32_t>(header_size + body_size));
  out.integer(static_cast<std::int16_t>(header.api_key));
  out.integer(header.api_version);
  out.integer(header.correlation_id);
  // Never in compact form, so that any broker can read it whatever version follows.
  const std::string_view client_id = header.client_id.value_or("");
  CHECK(client_id.size() <= Reader::kTextBytesMax, "client id of {} bytes", client_id.size());
  out.integer(
      static_cast<std::int16_t>(header.client_id ? static_cast<int>(client_id.size()) : -1));
  out.bytes(as_bytes(client_id));
  if (flexible) out.uvarint(0);
  return out.position();
}

std::size_t start_response_frame(std::vector<std::byte>& frame, ApiKey key, std::int16_t version,
                                 std::int32_t correlation_id, std::size_t body_size) {
  const bool flexible = response_header_version(key, version) == 1;
  const std::size_t header_size = sizeof correlation_id + (flexible ? 1 : 0);
  frame.resize(kFrameLengthBytes + header_size + body_size);
  Writer out(frame);
  out.integer(static_cast<std::int32_t>(header_size + body_size));
  out.integer(correlation_id);
  if (flexible) out.uvarint(0);
  return out.position();
}

}  // namespace millrace::wire
