#include "engine/controller/config_changes.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "engine/controller/new_partitions.h"
#include "engine/metadata/broker_config.h"
#include "engine/metadata/features.h"
#include "engine/metadata/group_config.h"
#include "engine/metadata/topic_config.h"
#include "net/wire/codec.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using Altered = wire::IncrementalAlterConfigsRequest::Resource;

enum Operation : std::int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

std::unexpected<Refusal> refuse(ErrorCode error, std::string why) {
  return std::unexpected(Refusal{error, std::move(why)});
}

std::expected<ConfigResource, Refusal> broker_resource(const MetadataImage& image,
                                                       const ControllerOptions& options,
                                                       std::string_view name) {
  if (name.empty()) return ConfigResource::cluster_default();
  std::int32_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc{} || end != name.data() + name.size()) {
    return refuse(ErrorCode::invalid_request,
                  fmt::format("Node id must be an integer, but it is: {}", name));
  }
  if (image.brokers.find(BrokerId(id)) == nullptr && BrokerId(id) != options.node_id) {
    return refuse(ErrorCode::broker_id_not_registered,
                  fmt::format("No node with id {} found.", id));
  }
  return ConfigResource::broker(name);
}

// The resource a request means, when it is one that has configurations here.
std::expected<ConfigResource, Refusal> find_resource(const MetadataImage& image,
                                                     const ControllerOptions& options,
                                                     std::int8_t type, std::string_view name) {
  switch (static_cast<ConfigResourceType>(type)) {
    case ConfigResourceType::topic:
      if (name.empty())
        return refuse(ErrorCode::invalid_request, "Default topic resources are not allowed.");
      if (image.topics.find(name) == nullptr) {
        return refuse(ErrorCode::unknown_topic_or_partition,
                      fmt::format("The topic '{}' does not exist.", name));
      }
      return ConfigResource::topic(name);
    case ConfigResourceType::broker:
      return broker_resource(image, options, name);
    case ConfigResourceType::group:
      if (name.empty())
        return refuse(ErrorCode::invalid_request, "Default group resources are not allowed.");
      return ConfigResource::group(name);
    case ConfigResourceType::broker_logger:
    case ConfigResourceType::client_metrics:
      return refuse(
          ErrorCode::invalid_request,
          fmt::format("Configurations of resource type {} are not served by this release.", type));
    case ConfigResourceType::unknown:
      break;
  }
  return refuse(ErrorCode::invalid_request, fmt::format("Unknown resource type {}.", type));
}

const ConfigDefinition* find_definition(const ControllerOptions& options,
                                        const ConfigResource& resource, std::string_view name) {
  if (resource.type == ConfigResourceType::broker)
    return find_broker_config(options.broker_configs, name);
  if (resource.type == ConfigResourceType::group) {
    const GroupConfigRow* row = find_group_config(name);
    return row == nullptr ? nullptr : &row->definition;
  }
  const TopicConfigRow* row = find_topic_config(name);
  return row == nullptr ? nullptr : &row->definition;
}

// What a request would do to what is set.
struct ConfigEdit {
  const ConfigValues& before;
  const ConfigValues& after;
  const std::set<std::string>& written;  // the keys that it sets
  const std::set<std::string>& removed;  // those that it takes back, whether they were set or not
};

// Who is eligible to lead hangs on min.insync.replicas: with that feature it is the cluster's or a topic's, and always there.
std::optional<Refusal> check_eligible_leaders(const MetadataImage& image, const ConfigResource& resource,
                                              const ConfigEdit& edit) {
  const std::string key = "min.insync.replicas";
  if (resource.type != ConfigResourceType::broker || image.feature_level(kEligibleLeadersFeature) == 0) return std::nullopt;
  const bool removes = edit.removed.contains(key);
  if (!resource.name.empty() && (removes || edit.written.contains(key))) {
    return Refusal{ErrorCode::invalid_config, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."};
  }
  if (!removes) return std::nullopt;
  return Refusal{ErrorCode::invalid_config, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."};
}

// What is set for this node and what is set for all brokers, one of them changed, must go together with the node's file.
std::optional<Refusal> check_together(const MetadataImage& image, const ControllerOptions& options,
                                      const ConfigResource& resource, const ConfigValues& before,
                                      const ConfigValues& after) {
  std::set<std::string> changed;
  for (const auto& [name, value] : before) {
    const auto now = after.find(name);
    if (now == after.end() || now->second != value) changed.insert(name);
  }
  for (const auto& [name, value] : after) {
    if (!before.contains(name)) changed.insert(name);
  }
  const bool for_all = resource.name.empty();
  ConfigLayers layers;
  layers.dynamic_broker =
      for_all ? &image.config(ConfigResource::broker(std::to_string(options.node_id.value()))) : &after;
  layers.dynamic_default = for_all ? &after : &image.config(ConfigResource::cluster_default());
  layers.static_broker = &options.static_broker_config;
  const auto valid = validate_broker_together(options.broker_configs, layers, changed);
  if (!valid) return Refusal{ErrorCode::invalid_request, valid.error().message};
  return std::nullopt;
}

std::optional<Refusal> check_values(const MetadataImage& image, const ControllerOptions& options,
                                    const ConfigResource& resource, const ConfigEdit& edit) {
  const auto& [before, values, written, removed] = edit;
  if (auto wrong = check_eligible_leaders(image, resource, edit)) return wrong;
  for (const std::string& name : written) {
    // What appending to a list may exceed; a record cannot hold more.
    if (values.at(name).size() <= wire::Reader::kTextBytesMax) continue;
    return Refusal{ErrorCode::invalid_config, fmt::format("The value of {} would be longer than {} bytes.", name,
                                                          wire::Reader::kTextBytesMax)};
  }
  if (resource.type == ConfigResourceType::topic) {
    const auto valid = validate_topic_configs(values);
    if (!valid) return Refusal{ErrorCode::invalid_config, valid.error().message};
    return std::nullopt;
  }
  if (resource.type == ConfigResourceType::group) {
    const auto valid = validate_group_configs({options.broker_configs, &options.static_broker_config}, before, values);
    if (!valid) return Refusal{ErrorCode::invalid_config, valid.error().message};
    return std::nullopt;
  }
  for (const std::string& name : written) {
    const auto valid = validate_broker_config(options.broker_configs, name, values.at(name),
                                              resource.name.empty());
    // As in Kafka, where INVALID_CONFIG is for topics alone (KAFKA-13609).
    if (!valid) return Refusal{ErrorCode::invalid_request, valid.error().message};
  }
  return check_together(image, options, resource, before, values);
}

// A record for each key that differs.
void add_records(const ConfigResource& resource, const ConfigValues& before,
                 const ConfigValues& after, std::vector<VersionedRecord>& records) {
  const auto add = [&](const std::string& name, std::optional<std::string> value) {
    records.push_back({ConfigRecord{static_cast<std::int8_t>(resource.type), resource.name, name,
                                    std::move(value)},
                       0});
  };
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) add(name, std::nullopt);
  }
  for (const auto& [name, value] : after) {
    const auto former = before.find(name);
    if (former == before.end() || former->second != value) add(name, value);
  }
}

std::string joined(const std::vector<std::string>& elements) {
  std::string text;
  for (const std::string& element : elements) text += (text.empty() ? "" : ",") + element;
  return text;
}

std::expected<std::string, Refusal> edited_list(const ControllerOptions& options,
                                                const ConfigResource& resource,
                                                const ConfigValues& values, std::string_view name,
                                                Operation operation, std::string_view operand) {
  const std::string_view word = operation == kAppend ? "APPEND" : "SUBTRACT";
  const ConfigDefinition* definition = find_definition(options, resource, name);
  if (definition == nullptr || definition->type != ConfigType::list) {
    return refuse(ErrorCode::invalid_config,
                  fmt::format("Can't {} to key {} because its type is not LIST.", word, name));
  }
  const auto present = values.find(name);
  std::vector<std::string> elements =
      split_list(present != values.end() ? std::string_view(present->second)
                                         : definition->default_value.value_or(std::string_view()));
  for (const std::string& element : split_list(operand)) {
    const auto at = std::ranges::find(elements, element);
    if (operation == kAppend && at == elements.end()) elements.push_back(element);
    if (operation == kSubtract && at != elements.end()) elements.erase(at);
  }
  return joined(elements);
}

std::optional<Refusal> check_keys(const Altered& asked) {
  std::set<std::string_view> seen;
  for (const auto& config : asked.configs) {
    if (!seen.insert(config.name).second) {
      return Refusal{ErrorCode::invalid_request, "Error due to duplicate config keys"};
    }
    if (!config.value && config.config_operation != kDelete) {
      return Refusal{ErrorCode::invalid_request,
                     fmt::format("Null value not supported for : {}", config.name)};
    }
    if (config.config_operation < kSet || config.config_operation > kSubtract) {
      return Refusal{ErrorCode::invalid_request, fmt::format("Unknown operation {} for key {}",
                                                             config.config_operation, config.name)};
    }
  }
  return std::nullopt;
}

std::optional<Refusal> alter_one(const MetadataImage& image, const ControllerOptions& options,
                                 const Altered& asked, std::vector<VersionedRecord>& records) {
  const auto resource = find_resource(image, options, asked.resource_type, asked.resource_name);
  if (!resource) return resource.error();
  if (auto wrong = check_keys(asked)) return wrong;
  const ConfigValues& before = image.config(*resource);
  ConfigValues after = before;
  std::set<std::string> written;
  std::set<std::string> removed;
  for (const auto& config : asked.configs) {
    const std::string name(config.name);
    const auto operation = static_cast<Operation>(config.config_operation);
    if (operation == kDelete) {
      after.erase(name);
      removed.insert(name);
      continue;
    }
    std::string value(*config.value);
    if (operation != kSet) {
      auto edited = edited_list(options, *resource, before, name, operation, value);
      if (!edited) return edited.error();
      value = std::move(*edited);
    }
    after.insert_or_assign(name, std::move(value));
    written.insert(name);
  }
  if (auto wrong = check_values(image, options, *resource, {before, after, written, removed})) return wrong;
  add_records(*resource, before, after, records);
  return std::nullopt;
}

std::optional<Refusal> replace_one(const MetadataImage& image, const ControllerOptions& options,
                                   const wire::AlterConfigsRequest::Resource& asked,
                                   std::vector<VersionedRecord>& records) {
  const auto resource = find_resource(image, options, asked.resource_type, asked.resource_name);
  if (!resource) return resource.error();
  ConfigValues after;
  std::set<std::string> written;
  for (const auto& config : asked.configs) {
    if (!config.value) {
      return Refusal{ErrorCode::invalid_request,
                     fmt::format("Null value not supported for : {}", config.name)};
    }
    if (!after.emplace(config.name, *config.value).second) {
      return Refusal{ErrorCode::invalid_request, "Error due to duplicate config keys"};
    }
    written.emplace(config.name);
  }
  const ConfigValues& before = image.config(*resource);
  std::set<std::string> removed;
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) removed.insert(name);
  }
  if (auto wrong = check_values(image, options, *resource, {before, after, written, removed})) return wrong;
  add_records(*resource, before, after, records);
  return std::nullopt;
}

// Both requests differ in what is done for one resource only.
template <class Response, class Request, class One>
Reply<Response> for_each_resource(const Request& request, std::vector<VersionedRecord>& records,
                                  const One& one) {
  Reply<Response> reply;
  std::map<std::pair<std::int8_t, std::string_view>, int> counts;
  for (const auto& asked : request.resources) ++counts[{asked.resource_type, asked.resource_name}];
  const std::size_t before_all = records.size();
  for (const auto& asked : request.resources) {
    auto& answer = reply.response.responses.emplace_back();
    answer.resource_type = asked.resource_type;
    answer.resource_name = reply.keep(asked.resource_name);
    answer.error_message.reset();
    const std::size_t before = records.size();
    std::optional<Refusal> refusal;
    if (counts[{asked.resource_type, asked.resource_name}] > 1) {
      refusal = Refusal{ErrorCode::invalid_request, "Each resource must appear at most once."};
    } else {
      refusal = one(asked);
    }
    if (!refusal) continue;
    records.resize(before);
    answer.error_code = refusal->error;
    answer.error_message = reply.keep(refusal->message);
  }
  if (request.validate_only) records.resize(before_all);
  return reply;
}

}  // namespace

Reply<wire::IncrementalAlterConfigsResponse> ConfigChanges::alter(
    const wire::IncrementalAlterConfigsRequest& request,
    std::vector<VersionedRecord>& records) const {
  return for_each_resource<wire::IncrementalAlterConfigsResponse>(
      request, records,
      [&](const auto& asked) { return alter_one(image_, options_, asked, records); });
}

Reply<wire::AlterConfigsResponse> ConfigChanges::replace(
    const wire::AlterConfigsRequest& request, std::vector<VersionedRecord>& records) const {
  return for_each_resource<wire::AlterConfigsResponse>(request, records, [&](const auto& asked) {
    return replace_one(image_, options_, asked, records);
  });
}

}  // namespace millrace::engine
