#include "engine/controller/topic_changes.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/controller/new_partitions.h"
#include "engine/metadata/topic_config.h"
#include "engine/metadata/topic_name.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using CreateRequest = wire::CreateTopicsRequest;
using CreateReply = Reply<wire::CreateTopicsResponse>;

constexpr std::string_view kTooManyRecords = "Excessively large number of partitions per request.";

// A topic that will be, before it is written.
struct NewTopic {
  TopicImage topic;
  ConfigValues configs;
};

TopicId draw_topic_id(const MetadataImage& image, Prng& prng) {
  while (true) {
    const std::uint64_t most = prng.next();
    const TopicId id = Uuid::from_random(most, prng.next());
    // Names of files begin with it where a leading dash would be read as an option.
    if (id.to_string().front() != '-' && image.topics.find(id) == nullptr) return id;
  }
}

std::optional<Refusal> check_name(const MetadataImage& image, std::string_view name,
                                  const FindCollision& find_collision) {
  if (name == kMetadataTopicName) {
    return Refusal{ErrorCode::invalid_request,
                   fmt::format("{} is the cluster's own log and cannot be made.", name)};
  }
  if (image.topics.find(name) != nullptr) {
    return Refusal{ErrorCode::topic_already_exists,
                   fmt::format("Topic '{}' already exists.", name)};
  }
  if (const auto valid = validate_topic_name(name); !valid) {
    return Refusal{ErrorCode::invalid_topic_exception, valid.error().message};
  }
  const std::string colliding = find_collision(name);
  if (!colliding.empty()) {
    return Refusal{ErrorCode::invalid_topic_exception,
                   fmt::format("Topic '{}' collides with existing topic: {}", name, colliding)};
  }
  return std::nullopt;
}

std::expected<ConfigValues, Refusal> check_configs(const CreateRequest::Topic& asked) {
  ConfigValues configs;
  std::string nulls;
  for (const auto& config : asked.configs) {
    if (config.value)
      configs.insert_or_assign(std::string(config.name), *config.value);
    else
      nulls += (nulls.empty() ? "" : ",") + std::string(config.name);
  }
  if (!nulls.empty()) {
    return std::unexpected(
        Refusal{ErrorCode::invalid_config, "Null value not supported for topic configs: " + nulls});
  }
  if (const auto valid = validate_topic_configs(configs); !valid) {
    return std::unexpected(Refusal{ErrorCode::invalid_config, valid.error().message});
  }
  return configs;
}

// The replicas of each partition, as somebody chose them.
std::expected<std::vector<std::vector<BrokerId>>, Refusal> assigned_by_hand(
    const MetadataImage& image, const CreateRequest::Topic& asked) {
  const auto refuse = [](ErrorCode error, std::string why) {
    return std::unexpected(Refusal{error, std::move(why)});
  };
  if (asked.replication_factor != -1) {
    return refuse(
        ErrorCode::invalid_request,
        "A manual partition assignment was specified, but replication factor was not set to -1.");
  }
  if (asked.num_partitions != -1) {
    return refuse(
        ErrorCode::invalid_request,
        "A manual partition assignment was specified, but numPartitions was not set to -1.");
  }
  std::map<std::int32_t, std::vector<BrokerId>> by_index;
  std::optional<std::size_t> replication_factor;
  for (const auto& assignment : asked.assignments) {
    if (by_index.contains(assignment.partition_index)) {
      return refuse(ErrorCode::invalid_replica_assignment,
                    fmt::format("Found multiple manual partition assignments for partition {}",
                                assignment.partition_index));
    }
    if (auto wrong = check_assignment(image, assignment.broker_ids, replication_factor)) {
      return std::unexpected(std::move(*wrong));
    }
    replication_factor = assignment.broker_ids.size();
    by_index[assignment.partition_index] = to_broker_ids(assignment.broker_ids);
  }
  std::vector<std::vector<BrokerId>> replicas;
  for (auto& [index, chosen] : by_index) {
    if (index != static_cast<std::int32_t>(replicas.size())) {
      return refuse(ErrorCode::invalid_replica_assignment,
                    "partitions should be a consecutive 0-based integer sequence");
    }
    replicas.push_back(std::move(chosen));
  }
  return replicas;
}

std::expected<std::vector<std::vector<BrokerId>>, Refusal> placed(const MetadataImage& image,
                                                                  const ControllerOptions& options,
                                                                  const CreateRequest::Topic& asked,
                                                                  Prng& prng) {
  if (asked.replication_factor < -1 || asked.replication_factor == 0) {
    return std::unexpected(
        Refusal{ErrorCode::invalid_replication_factor,
                "Replication factor must be larger than 0, or -1 to use the default value."});
  }
  if (asked.num_partitions < -1 || asked.num_partitions == 0) {
    return std::unexpected(
        Refusal{ErrorCode::invalid_partitions,
                "Number of partitions was set to an invalid non-positive value."});
  }
  const std::int32_t count =
      asked.num_partitions == -1 ? options.default_partitions : asked.num_partitions;
  const std::int16_t factor = asked.replication_factor == -1 ? options.default_replication_factor
                                                             : asked.replication_factor;
  return place(image, count, factor, prng);
}

std::expected<NewTopic, Refusal> new_topic(const MetadataImage& image,
                                           const ControllerOptions& options,
                                           const CreateRequest::Topic& asked, Prng& prng) {
  auto configs = check_configs(asked);
  if (!configs) return std::unexpected(std::move(configs).error());
  auto replicas = asked.assignments.empty() ? placed(image, options, asked, prng)
                                            : assigned_by_hand(image, asked);
  if (!replicas) return std::unexpected(std::move(replicas).error());
  NewTopic created{.topic = {.name = std::string(asked.name),
                             .id = draw_topic_id(image, prng),
                             .partitions = {}},
                   .configs = std::move(*configs)};
  for (std::size_t i = 0; i < replicas->size(); ++i) {
    const auto index = static_cast<std::int32_t>(i);
    auto partition = new_partition(image, (*replicas)[i], index);
    if (!partition) return std::unexpected(std::move(partition).error());
    created.topic.partitions.set(PartitionIndex(index), std::move(*partition));
  }
  return created;
}

void add_partition_records(const MetadataImage& image, const TopicImage& topic,
                           std::vector<VersionedRecord>& records) {
  const std::int16_t level = image.metadata_version();
  topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& partition) {
    records.push_back(
        {to_record(topic.id, index, partition, level), partition_record_version(level)});
  });
}

void add_records(const MetadataImage& image, const NewTopic& created,
                 std::vector<VersionedRecord>& records) {
  records.push_back({TopicRecord{created.topic.name, created.topic.id}, 0});
  for (const auto& [name, value] : created.configs) {
    records.push_back({ConfigRecord{static_cast<std::int8_t>(ConfigResourceType::topic),
                                    created.topic.name, name, value},
                       0});
  }
  add_partition_records(image, created.topic, records);
}

void describe_created(const MetadataImage& image, const ControllerOptions& options,
                      const NewTopic& created, CreateReply& reply,
                      wire::CreateTopicsResponse::Topic& answer) {
  answer.error_message.reset();
  answer.topic_id = created.topic.id;
  answer.num_partitions = static_cast<std::int32_t>(created.topic.partitions.size());
  answer.replication_factor =
      static_cast<std::int16_t>(created.topic.partition(PartitionIndex(0))->replicas.size());
  const ConfigLayers layers{.topic = &created.configs,
                            .dynamic_broker = &image.config(
                                ConfigResource::broker(std::to_string(options.node_id.value()))),
                            .dynamic_default = &image.config(ConfigResource::cluster_default()),
                            .static_broker = &options.static_broker_config};
  // Never null: Java's admin client takes null for a broken answer.
  auto& configs = answer.configs.emplace();
  for (const DescribedConfig& config : describe_topic_config(layers)) {
    std::optional<std::string_view> value;
    if (config.value) value = reply.keep(*config.value);
    configs.push_back({.name = reply.keep(config.name),
                       .value = value,
                       .read_only = config.read_only,
                       .config_source = static_cast<std::int8_t>(config.source),
                       .is_sensitive = config.sensitive});
  }
}

void refuse_all(CreateReply& reply, ErrorCode error, std::string_view message) {
  for (auto& topic : reply.response.topics) {
    const std::string_view name = topic.name;
    topic = {.name = name, .error_code = error, .error_message = reply.keep(message)};
  }
}

template <class Request>
std::map<std::string_view, int> count_names(const Request& request) {
  std::map<std::string_view, int> counts;
  for (const auto& topic : request.topics) ++counts[topic.name];
  return counts;
}

// Of all topics that are named once together. Asked before any of them is laid out, which takes
// memory for each of its partitions.
bool asks_for_too_many(const CreateRequest& request, const ControllerOptions& options,
                       const std::map<std::string_view, int>& counts) {
  std::size_t total = 0;
  for (const auto& topic : request.topics) {
    if (counts.at(topic.name) > 1) continue;
    const std::int32_t asked =
        topic.num_partitions == -1 ? options.default_partitions : topic.num_partitions;
    total += topic.assignments.empty() ? static_cast<std::size_t>(std::max(asked, 0))
                                       : topic.assignments.size();
  }
  return total > kRecordsPerOperationMax;
}

}  // namespace

CreateReply TopicChanges::create(const CreateRequest& request, const FindCollision& find_collision,
                                 std::vector<VersionedRecord>& records) {
  CreateReply reply;
  std::vector<NewTopic> all_created;
  std::map<std::string, std::string> new_names;  // in the form in which colliding names are equal
  const auto find_any_collision = [&](std::string_view name) {
    if (!has_colliding_characters(name)) return std::string();
    const auto among_new = new_names.find(without_collisions(name));
    return among_new != new_names.end() ? among_new->second : find_collision(name);
  };
  const auto counts = count_names(request);
  const bool too_many = asks_for_too_many(request, options_, counts);
  std::set<std::string_view> refused_twice;
  for (const auto& asked : request.topics) {
    const bool twice = counts.at(asked.name) > 1;
    if (twice && !refused_twice.insert(asked.name).second) continue;
    auto& answer = reply.response.topics.emplace_back();
    answer.name = reply.keep(asked.name);
    std::optional<Refusal> refusal;
    if (twice)
      refusal = Refusal{ErrorCode::invalid_request, "Duplicate topic name."};
    else if (too_many)
      refusal = Refusal{ErrorCode::policy_violation, std::string(kTooManyRecords)};
    else
      refusal = check_name(image_, asked.name, find_any_collision);
    if (!refusal) {
      auto created = new_topic(image_, options_, asked, prng_);
      if (created) {
        describe_created(image_, options_, *created, reply, answer);
        if (has_colliding_characters(asked.name))
          new_names[without_collisions(asked.name)] = asked.name;
        all_created.push_back(std::move(*created));
        continue;
      }
      refusal = std::move(created).error();
    }
    answer.error_code = refusal->error;
    answer.error_message = reply.keep(refusal->message);
  }
  const std::size_t before = records.size();
  for (const NewTopic& created : all_created) add_records(image_, created, records);
  if (records.size() - before > kRecordsPerOperationMax) {
    records.resize(before);
    refuse_all(reply, ErrorCode::policy_violation, kTooManyRecords);
  }
  if (request.validate_only) {
    records.resize(before);
    for (auto& answer : reply.response.topics) answer.topic_id = {};
  }
  return reply;
}

// ---- Deletion

namespace {

struct Deletion {
  const TopicImage* topic = nullptr;
  std::optional<Refusal> refusal;
};

Deletion find_deleted(const MetadataImage& image, const std::optional<std::string_view>& name,
                      const TopicId& id) {
  const auto refuse = [](ErrorCode error, std::string why) {
    return Deletion{nullptr, Refusal{error, why}};
  };
  if (name && !id.is_zero()) {
    return refuse(ErrorCode::invalid_request, "You may not specify both topic name and topic id.");
  }
  if (!name && id.is_zero()) {
    return refuse(ErrorCode::invalid_request, "Neither topic name nor id were specified.");
  }
  const TopicImage* topic = name ? image.topics.find(*name) : image.topics.find(id);
  if (topic != nullptr) return {topic, std::nullopt};
  if (name)
    return refuse(ErrorCode::unknown_topic_or_partition,
                  "This server does not host this topic-partition.");
  return refuse(ErrorCode::unknown_topic_id, "This server does not host this topic ID.");
}

}  // namespace

Reply<wire::DeleteTopicsResponse> TopicChanges::remove(const wire::DeleteTopicsRequest& request,
                                                       std::vector<VersionedRecord>& records) {
  Reply<wire::DeleteTopicsResponse> reply;
  // Up to version 5 topics are named in a list of their own.
  std::vector<wire::DeleteTopicsRequest::Topic> asked = request.topics;
  for (const std::string_view name : request.topic_names)
    asked.push_back({.name = name, .topic_id = {}});
  std::map<TopicId, int> times_named;
  for (const auto& topic : asked) {
    if (const auto found = find_deleted(image_, topic.name, topic.topic_id);
        found.topic != nullptr) {
      ++times_named[found.topic->id];
    }
  }
  std::set<TopicId> refused_twice;
  for (const auto& topic : asked) {
    Deletion deletion = find_deleted(image_, topic.name, topic.topic_id);
    const bool twice = deletion.topic != nullptr && times_named[deletion.topic->id] > 1;
    if (twice && !refused_twice.insert(deletion.topic->id).second) continue;
    auto& answer = reply.response.responses.emplace_back();
    if (topic.name)
      answer.name = reply.keep(*topic.name);
    else
      answer.name.reset();
    answer.topic_id = topic.topic_id;
    if (!options_.delete_topics_enabled) {
      deletion.refusal = Refusal{ErrorCode::topic_deletion_disabled, "Topic deletion is disabled."};
    } else if (twice) {
      deletion.refusal = Refusal{ErrorCode::invalid_request,
                                 topic.name ? "Duplicate topic name." : "Duplicate topic id."};
    }
    if (deletion.refusal) {
      answer.error_code = deletion.refusal->error;
      answer.error_message = reply.keep(deletion.refusal->message);
      continue;
    }
    answer.name = reply.keep(deletion.topic->name);
    answer.topic_id = deletion.topic->id;
    records.push_back({RemoveTopicRecord{deletion.topic->id}, 0});
  }
  return reply;
}

// ---- More partitions

namespace {

using PartitionsRequest = wire::CreatePartitionsRequest;

std::expected<TopicImage, Refusal> added_partitions(const MetadataImage& image,
                                                    const PartitionsRequest::Topic& asked,
                                                    Prng& prng) {
  const auto refuse = [](ErrorCode error, std::string why) {
    return std::unexpected(Refusal{error, std::move(why)});
  };
  const TopicImage* topic = image.topics.find(asked.name);
  if (topic == nullptr) {
    return refuse(ErrorCode::unknown_topic_or_partition,
                  "This server does not host this topic-partition.");
  }
  const auto present = static_cast<std::int32_t>(topic->partitions.size());
  if (asked.count == present) {
    return refuse(ErrorCode::invalid_partitions,
                  fmt::format("Topic already has {} partition(s).", present));
  }
  if (asked.count < present) {
    return refuse(
        ErrorCode::invalid_partitions,
        fmt::format("The topic {} currently has {} partition(s); {} would not be an increase.",
                    asked.name, present, asked.count));
  }
  const std::int32_t more = asked.count - present;
  if (more > static_cast<std::int32_t>(kRecordsPerOperationMax)) {
    return refuse(ErrorCode::policy_violation, std::string(kTooManyRecords));
  }
  const PartitionImage* first = topic->partition(PartitionIndex(0));
  const auto factor = static_cast<std::int16_t>(first == nullptr ? 1 : first->replicas.size());
  std::vector<std::vector<BrokerId>> replicas;
  if (asked.assignments && !asked.assignments->empty()) {
    if (static_cast<std::int32_t>(asked.assignments->size()) != more) {
      return refuse(
          ErrorCode::invalid_replica_assignment,
          fmt::format("Attempted to add {} additional partition(s), but only {} assignment(s) were "
                      "specified.",
                      more, asked.assignments->size()));
    }
    for (const auto& assignment : *asked.assignments) {
      if (auto wrong =
              check_assignment(image, assignment.broker_ids, static_cast<std::size_t>(factor))) {
        return std::unexpected(std::move(*wrong));
      }
      replicas.push_back(to_broker_ids(assignment.broker_ids));
    }
  } else {
    auto chosen = place(image, more, factor, prng);
    if (!chosen) return std::unexpected(std::move(chosen).error());
    replicas = std::move(*chosen);
  }
  TopicImage added{.name = topic->name, .id = topic->id, .partitions = {}};
  for (std::int32_t i = 0; i < more; ++i) {
    auto partition = new_partition(image, replicas[static_cast<std::size_t>(i)], present + i);
    if (!partition) return std::unexpected(std::move(partition).error());
    added.partitions.set(PartitionIndex(present + i), std::move(*partition));
  }
  return added;
}

}  // namespace

Reply<wire::CreatePartitionsResponse> TopicChanges::create_partitions(
    const PartitionsRequest& request, std::vector<VersionedRecord>& records) {
  Reply<wire::CreatePartitionsResponse> reply;
  const auto counts = count_names(request);
  std::set<std::string_view> refused_twice;
  const std::size_t before = records.size();
  for (const auto& asked : request.topics) {
    const bool twice = counts.at(asked.name) > 1;
    if (twice && !refused_twice.insert(asked.name).second) continue;
    auto& answer = reply.response.results.emplace_back();
    answer.name = reply.keep(asked.name);
    // Refused as a whole below: no more of it need be laid out.
    if (records.size() - before > kRecordsPerOperationMax) continue;
    auto added = twice
                     ? std::unexpected(Refusal{ErrorCode::invalid_request, "Duplicate topic name."})
                     : added_partitions(image_, asked, prng_);
    if (added) {
      add_partition_records(image_, *added, records);
    } else {
      answer.error_code = added.error().error;
      answer.error_message = reply.keep(added.error().message);
    }
  }
  if (records.size() - before > kRecordsPerOperationMax) {
    records.resize(before);
    for (auto& answer : reply.response.results) {
      answer.error_code = ErrorCode::policy_violation;
      answer.error_message = reply.keep(kTooManyRecords);
    }
  }
  if (request.validate_only) records.resize(before);
  return reply;
}

}  // namespace millrace::engine
