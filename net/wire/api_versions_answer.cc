#include "net/wire/api_versions_answer.h"

#include "net/wire/api_key.h"

namespace millrace::wire {

ApiVersionsResponse unsupported_api_versions_answer() {
  ApiVersionsResponse response;
  response.error_code = ErrorCode::unsupported_version;
  response.api_keys.push_back({
      .api_key = static_cast<std::int16_t>(ApiKey::api_versions),
      .min_version = ApiVersionsRequest::kVersions.min,
      .max_version = ApiVersionsRequest::kVersions.max,
  });
  return response;
}

void omit_unsendable_features(ApiVersionsResponse& response, std::int16_t version) {
  constexpr std::int16_t kFirstWithZero = 4;
  if (version >= kFirstWithZero) return;
  std::erase_if(response.supported_features, [](const auto& f) { return f.min_version == 0; });
}

}  // namespace millrace::wire
