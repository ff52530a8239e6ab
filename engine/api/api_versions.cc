#include "net/wire/api_versions.h"

#include "engine/api/handlers.h"
#include "engine/api/router.h"
#include "engine/metadata/features.h"
#include "net/wire/api_versions_answer.h"

namespace millrace::engine {

io::Task<net::Response> handle_api_versions(Broker& broker, BrokerShard& here, Request& request) {
  using wire::ApiVersionsRequest;
  using wire::ApiVersionsResponse;
  const std::int16_t version = request.header.api_version;
  if (!ApiVersionsRequest::kVersions.contains(version)) {
    co_return net::Response(wire::encode_response_frame(wire::unsupported_api_versions_answer(), 0,
                                                request.header.correlation_id));
  }
  const auto wanted = wire::decode<ApiVersionsRequest>(request.body, version);
  if (!wanted) co_return close_connection(request, wanted.error().message);
  ApiVersionsResponse response;
  if (version >= 3 && !(is_software_name(wanted->client_software_name) &&
                        is_software_name(wanted->client_software_version))) {
    response.error_code = wire::ErrorCode::invalid_request;
    co_return answer(request, response);
  }
  for (const ServedApi& api : served_apis()) {
    // librdkafka compresses only for brokers that name version 0 of Produce; Kafka 4 names it for its sake and serves it as
    // little as we do (KAFKA-18659).
    const std::int16_t least = api.key == wire::ApiKey::produce ? std::int16_t{0} : api.versions.min;
    response.api_keys.push_back({static_cast<std::int16_t>(api.key), least, api.versions.max});
  }
  const SharedImage image = here.image();
  for (const auto& feature : supported_features()) {
    response.supported_features.push_back({feature.name, feature.min_level, feature.max_level});
  }
  response.supported_features.push_back({kKRaftVersionFeature, 0, kKRaftVersionMax});
  image->features.for_each([&](const std::string& name, std::int16_t level) {
    response.finalized_features.push_back({name, level, level});
  });
  if (const std::int16_t level = broker.kraft_version(); level > 0) {
    response.finalized_features.push_back({kKRaftVersionFeature, level, level});
  }
  response.finalized_features_epoch = image->position.offset.value();
  wire::omit_unsendable_features(response, version);
  co_return answer(request, response);
}

}  // namespace millrace::engine
