// What each record does to an image (ImageBuilder::on).
#include <fmt/core.h>

#include <utility>

#include "engine/metadata/image.h"

namespace millrace::engine {
namespace {

std::unexpected<Error> contradiction(std::string what) {
  return fail(Errc::corrupt, "metadata log: " + std::move(what));
}

QuotaKey quota_key(const ClientQuotaRecord& record) {
  QuotaKey key{record.entity, record.key};
  std::ranges::sort(key.entity);
  return key;
}

}  // namespace

std::vector<BrokerId> to_broker_ids(const std::vector<std::int32_t>& raw) {
  std::vector<BrokerId> ids;
  ids.reserve(raw.size());
  for (const std::int32_t id : raw) ids.emplace_back(id);
  return ids;
}

PartitionImage apply_change(PartitionImage partition, const PartitionChangeRecord& change) {
  if (change.isr) partition.isr = to_broker_ids(*change.isr);
  if (change.replicas) partition.replicas = to_broker_ids(*change.replicas);
  if (change.removing_replicas)
    partition.removing_replicas = to_broker_ids(*change.removing_replicas);
  if (change.adding_replicas) partition.adding_replicas = to_broker_ids(*change.adding_replicas);
  if (change.eligible_leader_replicas) {
    partition.eligible_leader_replicas = to_broker_ids(*change.eligible_leader_replicas);
  }
  if (change.last_known_elr) partition.last_known_elr = to_broker_ids(*change.last_known_elr);
  if (change.directories) partition.directories = *change.directories;
  if (change.leader_recovery_state >= 0) {
    partition.recovery = static_cast<LeaderRecoveryState>(change.leader_recovery_state);
  }
  if (change.leader != kLeaderUnchanged) {
    partition.leader = BrokerId(change.leader);
    ++partition.leader_epoch;
  }
  ++partition.partition_epoch;
  return partition;
}

// ---- Brokers and controllers

Result<const BrokerImage*> ImageBuilder::broker_of(std::int32_t id, std::int64_t epoch,
                                                   std::string_view what) const {
  const BrokerImage* broker = current_.image.brokers.find(BrokerId(id));
  if (broker == nullptr)
    return contradiction(fmt::format("{} of broker {}, which is not registered", what, id));
  if (broker->epoch.value() != epoch) {
    return contradiction(fmt::format("{} of broker {} in epoch {}, it has {}", what, id, epoch,
                                     broker->epoch.value()));
  }
  return broker;
}

void ImageBuilder::set_broker(BrokerImage broker) {
  const BrokerId id = broker.id;
  current_.delta.brokers.insert(id);
  current_.image.brokers.set(id, std::move(broker));
}

Result<void> ImageBuilder::on(const RegisterBrokerRecord& record) {
  const BrokerImage* former = current_.image.brokers.find(BrokerId(record.broker_id));
  if (former != nullptr && former->epoch.value() > record.broker_epoch) {
    return contradiction(fmt::format("registration of broker {} in epoch {} after {}",
                                     record.broker_id, record.broker_epoch, former->epoch.value()));
  }
  set_broker({.id = BrokerId(record.broker_id),
              .epoch = BrokerEpoch(record.broker_epoch),
              .incarnation_id = record.incarnation_id,
              .endpoints = record.end_points,
              .features = record.features,
              .rack = record.rack,
              .fenced = record.fenced,
              .in_controlled_shutdown = record.in_controlled_shutdown,
              .directories = record.log_dirs,
              .cordoned_directories = record.cordoned_log_dirs});
  return {};
}

Result<void> ImageBuilder::on(const UnregisterBrokerRecord& record) {
  TRY_DONE(broker_of(record.broker_id, record.broker_epoch, "removal"));
  current_.delta.brokers.insert(BrokerId(record.broker_id));
  current_.image.brokers.erase(BrokerId(record.broker_id));
  return {};
}

Result<void> ImageBuilder::on(const FenceBrokerRecord& record) {
  TRY(broker, broker_of(record.id, record.epoch, "fencing"));
  BrokerImage changed = *broker;
  changed.fenced = true;
  set_broker(std::move(changed));
  return {};
}

Result<void> ImageBuilder::on(const UnfenceBrokerRecord& record) {
  TRY(broker, broker_of(record.id, record.epoch, "unfencing"));
  BrokerImage changed = *broker;
  changed.fenced = false;
  set_broker(std::move(changed));
  return {};
}

Result<void> ImageBuilder::on(const BrokerRegistrationChangeRecord& record) {
  TRY(broker, broker_of(record.broker_id, record.broker_epoch, "change"));
  if (record.fenced < -1 || record.fenced > 1) {
    return contradiction(fmt::format("broker {} with fenced {}", record.broker_id, record.fenced));
  }
  BrokerImage changed = *broker;
  if (record.fenced != 0) changed.fenced = record.fenced > 0;
  if (record.in_controlled_shutdown != 0)
    changed.in_controlled_shutdown = record.in_controlled_shutdown > 0;
  if (!record.log_dirs.empty()) changed.directories = record.log_dirs;
  if (record.cordoned_log_dirs) changed.cordoned_directories = record.cordoned_log_dirs;
  set_broker(std::move(changed));
  return {};
}

Result<void> ImageBuilder::on(const RegisterControllerRecord& record) {
  const BrokerId id(record.controller_id);
  current_.delta.controllers.insert(id);
  current_.image.controllers.set(id,
                                 ControllerImage{.id = id,
                                                 .incarnation_id = record.incarnation_id,
                                                 .zk_migration_ready = record.zk_migration_ready,
                                                 .endpoints = record.end_points,
                                                 .features = record.features});
  return {};
}

Result<void> ImageBuilder::on(const UnregisterControllerRecord& record) {
  const BrokerId id(record.controller_id);
  if (!current_.image.controllers.erase(id)) {
    return contradiction(
        fmt::format("removal of controller {}, which is not registered", id.value()));
  }
  current_.delta.controllers.insert(id);
  return {};
}

// ---- Topics

void ImageBuilder::set_partition(const TopicImage& topic, PartitionIndex index,
                                 PartitionImage partition) {
  TopicDelta& delta = current_.delta.topics[topic.id];
  delta.name = topic.name;
  delta.changed.insert(index);
  TopicImage changed = topic;
  changed.partitions.set(index, std::move(partition));
  current_.image.topics.set(std::move(changed));
}

Result<void> ImageBuilder::on(const TopicRecord& record) {
  if (current_.image.topics.find(record.name) != nullptr) {
    return contradiction(fmt::format("a second topic {}", record.name));
  }
  if (record.topic_id.is_zero() || current_.image.topics.find(record.topic_id) != nullptr) {
    return contradiction(fmt::format("topic {} with the id {} of another", record.name,
                                     record.topic_id.to_string()));
  }
  current_.delta.topics[record.topic_id] = {.name = record.name, .created = true};
  current_.image.topics.set({.name = record.name, .id = record.topic_id, .partitions = {}});
  return {};
}

Result<void> ImageBuilder::on(const PartitionRecord& record) {
  const TopicImage* topic = current_.image.topics.find(record.topic_id);
  if (topic == nullptr || record.partition_id < 0) {
    return contradiction(fmt::format("partition {} of topic id {}, which is not known",
                                     record.partition_id, record.topic_id.to_string()));
  }
  PartitionImage partition{
      .replicas = to_broker_ids(record.replicas),
      .directories = record.directories,
      .isr = to_broker_ids(record.isr),
      .removing_replicas = to_broker_ids(record.removing_replicas),
      .adding_replicas = to_broker_ids(record.adding_replicas),
      .leader = BrokerId(record.leader),
      .recovery = static_cast<LeaderRecoveryState>(record.leader_recovery_state),
      .leader_epoch = LeaderEpoch(record.leader_epoch),
      .partition_epoch = PartitionEpoch(record.partition_epoch),
  };
  if (record.eligible_leader_replicas) {
    partition.eligible_leader_replicas = to_broker_ids(*record.eligible_leader_replicas);
  }
  if (record.last_known_elr) partition.last_known_elr = to_broker_ids(*record.last_known_elr);
  if (!partition.directories.empty() && partition.directories.size() != partition.replicas.size()) {
    return contradiction(fmt::format("partition {}-{} with {} directories for {} replicas",
                                     topic->name, record.partition_id, partition.directories.size(),
                                     partition.replicas.size()));
  }
  set_partition(*topic, PartitionIndex(record.partition_id), std::move(partition));
  return {};
}

Result<void> ImageBuilder::on(const PartitionChangeRecord& record) {
  const TopicImage* topic = current_.image.topics.find(record.topic_id);
  const PartitionIndex index(record.partition_id);
  const PartitionImage* partition = topic == nullptr ? nullptr : topic->partition(index);
  if (partition == nullptr) {
    return contradiction(fmt::format("change of partition {} of topic id {}, which is not known",
                                     record.partition_id, record.topic_id.to_string()));
  }
  PartitionImage changed = apply_change(*partition, record);
  if (!changed.directories.empty() && changed.directories.size() != changed.replicas.size()) {
    return contradiction(fmt::format("partition {}-{} changed to {} directories for {} replicas",
                                     topic->name, record.partition_id, changed.directories.size(),
                                     changed.replicas.size()));
  }
  set_partition(*topic, index, std::move(changed));
  return {};
}

Result<void> ImageBuilder::on(const RemoveTopicRecord& record) {
  const TopicImage* topic = current_.image.topics.find(record.topic_id);
  if (topic == nullptr) {
    return contradiction(
        fmt::format("removal of topic id {}, which is not known", record.topic_id.to_string()));
  }
  const ConfigResource resource = ConfigResource::topic(topic->name);
  if (current_.image.configs.erase(resource)) current_.delta.configs.insert(resource);
  const auto [at, added] = current_.delta.topics.try_emplace(topic->id);
  if (at->second.created) {
    current_.delta.topics.erase(at);  // nobody was told that it ever was
  } else {
    at->second = {.name = topic->name, .removed = true};
  }
  current_.image.topics.erase(record.topic_id);
  return {};
}

void ImageBuilder::clear_elr(const TopicImage& topic) {
  std::vector<std::pair<PartitionIndex, PartitionImage>> changed;
  topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& partition) {
    if (partition.eligible_leader_replicas.empty() && partition.last_known_elr.empty()) return;
    changed.emplace_back(index, partition);
  });
  for (auto& [index, partition] : changed) {
    partition.eligible_leader_replicas.clear();
    partition.last_known_elr.clear();
    set_partition(*current_.image.topics.find(topic.id), index, std::move(partition));
  }
}

Result<void> ImageBuilder::on(const ClearElrRecord& record) {
  const Topics before = current_.image.topics;
  if (record.topic_name.empty()) {
    before.for_each([&](const TopicImage& topic) { clear_elr(topic); });
    return {};
  }
  const TopicImage* topic = before.find(record.topic_name);
  if (topic == nullptr)
    return contradiction(fmt::format("change of topic {}, which is not known", record.topic_name));
  clear_elr(*topic);
  return {};
}

// ---- Everything else

Result<void> ImageBuilder::on(const ConfigRecord& record) {
  const ConfigResource resource{static_cast<ConfigResourceType>(record.resource_type),
                                record.resource_name};
  current_.delta.configs.insert(resource);
  ConfigValues values = current_.image.config(resource);
  if (record.value)
    values.insert_or_assign(record.name, *record.value);
  else
    values.erase(record.name);
  if (values.empty())
    current_.image.configs.erase(resource);
  else
    current_.image.configs.set(resource, std::move(values));
  return {};
}

Result<void> ImageBuilder::on(const FeatureLevelRecord& record) {
  if (record.name == kMetadataVersionFeature && metadata_version(record.feature_level) == nullptr) {
    return fail(
        Errc::unsupported,
        fmt::format("metadata.version {} is outside of {} to {}, which this release works at",
                    record.feature_level, kMetadataVersionMin, kMetadataVersionMax));
  }
  current_.delta.features = true;
  if (record.feature_level == 0)
    current_.image.features.erase(record.name);
  else
    current_.image.features.set(record.name, record.feature_level);
  return {};
}

Result<void> ImageBuilder::on(const ProducerIdsRecord& record) {
  if (record.next_producer_id < current_.image.next_producer_id.value()) {
    return contradiction(fmt::format("producer ids go back from {} to {}",
                                     current_.image.next_producer_id.value(),
                                     record.next_producer_id));
  }
  current_.delta.producer_ids = true;
  current_.image.next_producer_id = ProducerId(record.next_producer_id);
  current_.image.producer_ids_broker = BrokerId(record.broker_id);
  current_.image.producer_ids_broker_epoch = BrokerEpoch(record.broker_epoch);
  return {};
}

Result<void> ImageBuilder::on(const ClientQuotaRecord& record) {
  current_.delta.quotas = true;
  if (record.remove)
    current_.image.quotas.erase(quota_key(record));
  else
    current_.image.quotas.set(quota_key(record), record.value);
  return {};
}

Result<void> ImageBuilder::on(const AccessControlEntryRecord& record) {
  if (current_.image.access_control.find(record.id) != nullptr) {
    return contradiction(fmt::format("a second access control entry {}", record.id.to_string()));
  }
  current_.delta.access_control = true;
  current_.image.access_control.set(record.id, record);
  return {};
}

Result<void> ImageBuilder::on(const RemoveAccessControlEntryRecord& record) {
  current_.delta.access_control = true;
  if (current_.image.access_control.erase(record.id)) return {};
  return contradiction(
      fmt::format("removal of access control entry {}, which is not known", record.id.to_string()));
}

Result<void> ImageBuilder::on(const UserScramCredentialRecord& record) {
  current_.delta.scram_credentials = true;
  current_.image.scram_credentials.set({record.name, record.mechanism}, record);
  return {};
}

Result<void> ImageBuilder::on(const RemoveUserScramCredentialRecord& record) {
  current_.delta.scram_credentials = true;
  if (current_.image.scram_credentials.erase(ScramKey{record.name, record.mechanism})) return {};
  return contradiction(
      fmt::format("removal of a credential of user {}, which is not known", record.name));
}

Result<void> ImageBuilder::on(const DelegationTokenRecord& record) {
  current_.delta.delegation_tokens = true;
  current_.image.delegation_tokens.set(record.token_id, record);
  return {};
}

Result<void> ImageBuilder::on(const RemoveDelegationTokenRecord& record) {
  current_.delta.delegation_tokens = true;
  current_.image.delegation_tokens.erase(record.token_id);
  return {};
}

}  // namespace millrace::engine
