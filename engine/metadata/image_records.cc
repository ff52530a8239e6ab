// An image as the records that make it: what a snapshot holds.
#include <type_traits>
#include <utility>

#include "engine/metadata/image.h"

namespace millrace::engine {
namespace {

template <class Record>
void add(std::vector<VersionedRecord>& out, Record record, std::int16_t version = 0) {
  out.push_back({std::move(record), version});
}

void add_features(const MetadataImage& image, std::vector<VersionedRecord>& out) {
  // metadata.version first: the versions of what follows depend on it.
  if (const std::int16_t* level = image.features.find(kMetadataVersionFeature)) {
    add(out, FeatureLevelRecord{std::string(kMetadataVersionFeature), *level});
  }
  image.features.for_each([&](const std::string& name, std::int16_t level) {
    if (name != kMetadataVersionFeature) add(out, FeatureLevelRecord{name, level});
  });
}

void add_nodes(const MetadataImage& image, std::vector<VersionedRecord>& out) {
  const std::int16_t version = register_broker_record_version(image.metadata_version());
  image.brokers.for_each(
      [&](BrokerId, const BrokerImage& broker) { add(out, to_record(broker), version); });
  image.controllers.for_each([&](BrokerId id, const ControllerImage& controller) {
    add(out, RegisterControllerRecord{.controller_id = id.value(),
                                      .incarnation_id = controller.incarnation_id,
                                      .zk_migration_ready = controller.zk_migration_ready,
                                      .end_points = controller.endpoints,
                                      .features = controller.features});
  });
}

void add_topics(const MetadataImage& image, std::vector<VersionedRecord>& out) {
  const std::int16_t level = image.metadata_version();
  const std::int16_t version = partition_record_version(level);
  image.topics.for_each([&](const TopicImage& topic) {
    add(out, TopicRecord{topic.name, topic.id});
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& partition) {
      add(out, to_record(topic.id, index, partition, level), version);
    });
  });
}

}  // namespace

std::vector<std::int32_t> to_raw_ids(const std::vector<BrokerId>& ids) {
  std::vector<std::int32_t> raw;
  raw.reserve(ids.size());
  for (const BrokerId id : ids) raw.push_back(id.value());
  return raw;
}

PartitionRecord to_record(const TopicId& topic_id, PartitionIndex index,
                          const PartitionImage& partition, std::int16_t metadata_version) {
  const std::int16_t version = partition_record_version(metadata_version);
  PartitionRecord record{
      .partition_id = index.value(),
      .topic_id = topic_id,
      .replicas = to_raw_ids(partition.replicas),
      .isr = to_raw_ids(partition.isr),
      .removing_replicas = to_raw_ids(partition.removing_replicas),
      .adding_replicas = to_raw_ids(partition.adding_replicas),
      .leader = partition.leader.value(),
      .leader_recovery_state = static_cast<std::int8_t>(partition.recovery),
      .leader_epoch = partition.leader_epoch.value(),
      .partition_epoch = partition.partition_epoch.value(),
  };
  if (version >= 1) {
    // Written before directories were known of: every replica is where it is found.
    record.directories = partition.directories;
    record.directories.resize(partition.replicas.size(), kDirectoryMigrating);
  }
  if (version >= 2 && !partition.eligible_leader_replicas.empty()) {
    record.eligible_leader_replicas = to_raw_ids(partition.eligible_leader_replicas);
  }
  if (version >= 2 && !partition.last_known_elr.empty()) {
    record.last_known_elr = to_raw_ids(partition.last_known_elr);
  }
  return record;
}

RegisterBrokerRecord to_record(const BrokerImage& broker) {
  return {.broker_id = broker.id.value(),
          .incarnation_id = broker.incarnation_id,
          .broker_epoch = broker.epoch.value(),
          .end_points = broker.endpoints,
          .features = broker.features,
          .rack = broker.rack,
          .fenced = broker.fenced,
          .in_controlled_shutdown = broker.in_controlled_shutdown,
          .log_dirs = broker.directories,
          .cordoned_log_dirs = broker.cordoned_directories};
}

std::vector<VersionedRecord> to_records(const MetadataImage& image) {
  std::vector<VersionedRecord> out;
  add_features(image, out);
  add_nodes(image, out);
  add_topics(image, out);
  image.configs.for_each([&](const ConfigResource& resource, const ConfigValues& values) {
    for (const auto& [name, value] : values) {
      add(out, ConfigRecord{static_cast<std::int8_t>(resource.type), resource.name, name, value});
    }
  });
  image.quotas.for_each([&](const QuotaKey& key, double value) {
    add(out, ClientQuotaRecord{key.entity, key.key, value, false});
  });
  if (image.next_producer_id > ProducerId(0)) {
    add(out,
        ProducerIdsRecord{image.producer_ids_broker.value(),
                          image.producer_ids_broker_epoch.value(), image.next_producer_id.value()});
  }
  image.access_control.for_each(
      [&](const Uuid&, const AccessControlEntryRecord& entry) { add(out, entry); });
  image.scram_credentials.for_each(
      [&](const ScramKey&, const UserScramCredentialRecord& credential) { add(out, credential); });
  image.delegation_tokens.for_each(
      [&](const std::string&, const DelegationTokenRecord& token) { add(out, token); });
  return out;
}

}  // namespace millrace::engine
