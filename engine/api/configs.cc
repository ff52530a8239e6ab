// DescribeConfigs and ListConfigResources. Changes of configurations are the controller's: engine/api/topics.cc.
#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "engine/api/decode.h"
#include "engine/api/handlers.h"
#include "engine/metadata/broker_config.h"
#include "engine/metadata/group_config.h"
#include "engine/metadata/topic_config.h"
#include "engine/metadata/topic_name.h"
#include "net/wire/describe_configs.h"
#include "net/wire/list_config_resources.h"

namespace millrace::engine {
namespace {

using wire::DescribeConfigsRequest;
using wire::DescribeConfigsResponse;
using wire::ErrorCode;

constexpr auto kTopic = static_cast<std::int8_t>(ConfigResourceType::topic);
constexpr auto kBroker = static_cast<std::int8_t>(ConfigResourceType::broker);
constexpr auto kClientMetrics = static_cast<std::int8_t>(ConfigResourceType::client_metrics);
constexpr auto kGroup = static_cast<std::int8_t>(ConfigResourceType::group);

void refuse(DescribeConfigsResponse::Resource& said, ErrorCode code, std::string_view message) {
  said.error_code = code;
  if (!message.empty()) said.error_message = message;
}

// No list and an empty one ask for all.
bool is_asked(const std::optional<std::vector<std::string_view>>& keys, std::string_view name) {
  return !keys || keys->empty() || std::ranges::find(*keys, name) != keys->end();
}

// `described` is kept by the caller until the answer is encoded: the answer borrows its texts.
void say(const DescribeConfigsRequest& wanted, const DescribeConfigsRequest::Resource& asked,
         const std::vector<DescribedConfig>& described, DescribeConfigsResponse::Resource& said) {
  for (const DescribedConfig& config : described) {
    if (!is_asked(asked.configuration_keys, config.name)) continue;
    auto& entry = said.configs.emplace_back();
    entry.name = config.name;
    entry.value = std::nullopt;
    if (config.value) entry.value = *config.value;
    entry.read_only = config.read_only;
    entry.config_source = static_cast<std::int8_t>(config.source);
    entry.is_sensitive = config.sensitive;
    entry.config_type = static_cast<std::int8_t>(config.type);
    entry.documentation = std::nullopt;
    if (wanted.include_documentation) entry.documentation = config.documentation;
    if (!wanted.include_synonyms) continue;
    for (const ConfigSynonym& synonym : config.synonyms) {
      auto& listed = entry.synonyms.emplace_back();
      listed.name = synonym.name;
      listed.value = std::nullopt;
      if (synonym.value) listed.value = *synonym.value;
      listed.source = static_cast<std::int8_t>(synonym.source);
    }
  }
}

struct Described {
  std::vector<DescribedConfig> configs;
  ErrorCode error = ErrorCode::none;
  std::string message;
};

Described describe_topic(const MetadataImage& image, const BrokerOptions& options, std::string_view name) {
  if (auto valid = validate_topic_name(name); !valid) {
    return {.error = ErrorCode::invalid_topic_exception, .message = std::move(valid.error().message)};
  }
  if (image.topics.find(name) == nullptr) return {.error = ErrorCode::unknown_topic_or_partition};
  const auto& topic = image.config(ConfigResource::topic(name));
  const auto& dynamic_broker = image.config(ConfigResource::broker(std::to_string(options.node_id.value())));
  const auto& dynamic_default = image.config(ConfigResource::cluster_default());
  return {.configs = describe_topic_config({.topic = &topic,
                                            .dynamic_broker = &dynamic_broker,
                                            .dynamic_default = &dynamic_default,
                                            .static_broker = &options.static_configs})};
}

Described describe_broker(const MetadataImage& image, const BrokerOptions& options, std::string_view name) {
  const auto& dynamic_default = image.config(ConfigResource::cluster_default());
  if (name.empty()) {
    return {.configs = describe_cluster_config(options.config_definitions, dynamic_default)};
  }
  if (name != std::to_string(options.node_id.value())) {
    return {.error = ErrorCode::invalid_request,
            .message = "a broker's configurations are described by that broker; ask it"};
  }
  const auto& dynamic_broker = image.config(ConfigResource::broker(name));
  return {.configs = describe_broker_config(options.config_definitions,
                                            {.dynamic_broker = &dynamic_broker,
                                             .dynamic_default = &dynamic_default,
                                             .static_broker = &options.static_configs})};
}

// Whether there is a group of that name is of no matter: what is set for it holds from its first member on.
Described describe_group(const MetadataImage& image, const BrokerOptions& options, std::string_view name) {
  if (name.empty()) return {.error = ErrorCode::invalid_request, .message = "Group name must not be empty"};
  return {.configs = describe_group_config({options.config_definitions, &options.static_configs},
                                           image.config(ConfigResource::group(name)))};
}

}  // namespace

io::Task<net::Response> handle_describe_configs(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, DescribeConfigsRequest);
  const SharedImage image = here.image();
  DescribeConfigsResponse response;
  std::deque<Described> keep;
  std::set<std::pair<std::int8_t, std::string_view>> seen;
  for (const auto& asked : wanted.resources) {
    // Once each: all of its configurations for some bytes of request, and an answer of any size could be asked for.
    if (!seen.emplace(asked.resource_type, asked.resource_name).second) continue;
    auto& said = response.results.emplace_back();
    said.resource_type = asked.resource_type;
    said.resource_name = asked.resource_name;
    said.error_message = std::nullopt;
    if (asked.resource_type == kTopic) {
      keep.push_back(describe_topic(*image, broker.options(), asked.resource_name));
    } else if (asked.resource_type == kBroker) {
      keep.push_back(describe_broker(*image, broker.options(), asked.resource_name));
    } else if (asked.resource_type == kGroup) {
      keep.push_back(describe_group(*image, broker.options(), asked.resource_name));
    } else {
      refuse(said, ErrorCode::invalid_request, "only topics, brokers and groups have configurations here");
      continue;
    }
    const Described& described = keep.back();
    if (described.error != ErrorCode::none) refuse(said, described.error, described.message);
    say(wanted, asked, described.configs, said);
  }
  co_return answer(request, response);
}

io::Task<net::Response> handle_list_config_resources(Broker&, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::ListConfigResourcesRequest);
  const SharedImage image = here.image();
  wire::ListConfigResourcesResponse response;
  std::set<std::int8_t> types(wanted.resource_types.begin(), wanted.resource_types.end());
  if (request.header.api_version == 0) types = {kClientMetrics};
  static constexpr std::int8_t kKnown[] = {2, 4, 8, 16, 32};  // topic, broker, broker logger, client metrics, group
  const auto known = [](std::int8_t type) { return std::ranges::find(kKnown, type) != std::end(kKnown); };
  if (!std::ranges::all_of(types, known)) {
    response.error_code = ErrorCode::unsupported_version;
    co_return answer(request, response);
  }
  const bool all = types.empty();
  const auto add = [&](std::int8_t type, std::string_view name) {
    auto& said = response.config_resources.emplace_back();
    said.resource_type = type;
    said.resource_name = name;
  };
  TextArena texts;
  if (all || types.contains(kTopic)) {
    image->topics.for_each([&](const TopicImage& topic) { add(kTopic, topic.name); });
  }
  // No broker loggers, which Kafka lists for each broker: what is listed can be described, and loggers with levels of their own
  // are not here.
  if (all || types.contains(kBroker)) {
    image->brokers.for_each([&](BrokerId id, const BrokerImage&) {
      add(kBroker, texts.keep(std::to_string(id.value())));
    });
  }
  if (all || types.contains(kGroup)) {
    image->configs.for_each([&](const ConfigResource& resource, const ConfigValues&) {
      if (resource.type == ConfigResourceType::group) add(kGroup, resource.name);
    });
  }
  co_return answer(request, response);
}

}  // namespace millrace::engine
