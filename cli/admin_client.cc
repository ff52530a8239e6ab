#include "cli/admin_client.h"

#include "net/wire/api_versions.h"

namespace millrace::cli {
namespace {

using wire::ApiVersionsRequest;
using wire::ApiVersionsResponse;

// The version every broker since 2.4 reads; an older one, or a newer one that dropped it, answers
// with version 0.
constexpr std::int16_t kFirstAsked = 3;

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    if (comma > at) parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

Errc errc_of(wire::ErrorCode code) {
  switch (code) {
    case wire::ErrorCode::unknown_topic_or_partition:
      return Errc::not_found;
    case wire::ErrorCode::topic_already_exists:
      return Errc::already_exists;
    default:
      return Errc::io_error;
  }
}

}  // namespace

Result<AdminClient> AdminClient::connect(const ConnectionOptions& options) {
  Error last{Errc::invalid_argument, "--bootstrap-server names no broker"};
  for (const std::string& address : split_list(options.bootstrap)) {
    auto socket = BrokerSocket::connect(address, from_ms(options.timeout_ms));
    if (!socket) {
      last = socket.error();
      continue;
    }
    AdminClient client(std::move(*socket), options.timeout_ms);
    TRY_DONE(client.negotiate());
    return client;
  }
  return fail(last.code,
              fmt::format("no broker answered: {}. Is it running? `make run` starts one; "
                          "--bootstrap-server names another",
                          last.message));
}

Result<void> AdminClient::negotiate() {
  std::int16_t version = kFirstAsked;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const ApiVersionsRequest request{.client_software_name = "millrace",
                                     .client_software_version = "0.1"};
    const auto frame = wire::encode_request_frame(
        {.api_version = version, .correlation_id = next_id_, .client_id = kClientId}, request);
    TRY(bytes, socket_.exchange(frame));
    TRY(body, body_of(bytes, ApiVersionsRequest::kKey, version));
    auto answer = wire::decode<ApiVersionsResponse>(body, version);
    if (!answer) answer = wire::decode<ApiVersionsResponse>(body, 0);
    if (!answer) return fail(std::move(answer).error());
    if (answer->error_code == wire::ErrorCode::unsupported_version && version != 0) {
      version = 0;
      continue;
    }
    TRY_DONE(check_answer("ApiVersions", answer->error_code));
    for (const auto& api : answer->api_keys) {
      served_[static_cast<wire::ApiKey>(api.api_key)] = {api.min_version, api.max_version};
    }
    return {};
  }
  return fail(Errc::unsupported,
              fmt::format("{} answers no version of ApiVersions", socket_.address()));
}

Result<std::int16_t> AdminClient::version_of(wire::ApiKey key, wire::VersionRange ours) const {
  const auto theirs = served_.find(key);
  if (theirs == served_.end()) {
    return fail(Errc::unsupported,
                fmt::format("{} does not serve {}", socket_.address(), wire::api_name(key)));
  }
  const std::int16_t version = std::min(ours.max, theirs->second.max);
  if (version < ours.min || version < theirs->second.min) {
    return fail(Errc::unsupported,
                fmt::format("{} serves {} in versions {} to {}, this program in {} to {}",
                            socket_.address(), wire::api_name(key), theirs->second.min,
                            theirs->second.max, ours.min, ours.max));
  }
  return version;
}

Result<ConstBytes> AdminClient::body_of(ConstBytes frame, wire::ApiKey key, std::int16_t version) {
  TRY(response, wire::decode_response_frame(frame, key, version));
  if (response.correlation_id != next_id_) {
    return fail(Errc::malformed, fmt::format("{} answered request {} instead of {}",
                                             socket_.address(), response.correlation_id, next_id_));
  }
  ++next_id_;
  return response.body;
}

Result<void> check_answer(std::string_view what, wire::ErrorCode code, std::string_view message) {
  if (code == wire::ErrorCode::none) return {};
  const std::string_view text = message.empty() ? wire::error_text(code) : message;
  return fail(errc_of(code), fmt::format("{}: {} ({})", what, text, wire::error_name(code)));
}

}  // namespace millrace::cli
