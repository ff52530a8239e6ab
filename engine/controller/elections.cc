#include "engine/controller/elections.h"

#include <algorithm>

#include "engine/metadata/topic_config.h"

namespace millrace::engine {

struct Elections::Circumstances {
  BrokerId leaving = kNoBroker;
  BrokerId joining = kNoBroker;
  const std::vector<Uuid>* offline = nullptr;  // directories of `leaving` alone, when set
  std::optional<PlacedReplica> placed;         // the replica that is elsewhere than was known
};

bool directory_online(const BrokerImage& broker, const Uuid& directory) {
  if (directory == kDirectoryLost) return false;
  if (directory == kDirectoryMigrating || directory == kDirectoryUnassigned) return true;
  return std::ranges::find(broker.directories, directory) != broker.directories.end();
}

Uuid directory_for_new_replica(const BrokerImage* broker) {
  if (broker == nullptr || broker->directories.empty()) return kDirectoryMigrating;
  return broker->directories.size() == 1 ? broker->directories.front() : kDirectoryUnassigned;
}

Elections::Rules Elections::rules_of(const TopicImage& topic) const {
  const auto resolved =
      resolve_topic_config({.topic = &image_.config(ConfigResource::topic(topic.name)),
                            .dynamic_default = &image_.config(ConfigResource::cluster_default()),
                            .static_broker = &static_broker_config_});
  if (!resolved) return {};
  return {.election = resolved->unclean_leader_election ? Election::unclean : Election::online,
          .min_insync_replicas = static_cast<std::int32_t>(resolved->min_insync_replicas)};
}

std::optional<VersionedRecord> Elections::change(const TopicImage& topic, PartitionIndex index,
                                                 const PartitionImage& partition, const Rules& rules,
                                                 const Circumstances& circumstances) const {
  const auto gone = [&](BrokerId id, const Uuid& directory) {
    if (id != circumstances.leaving) return false;
    return circumstances.offline == nullptr ||
           std::ranges::find(*circumstances.offline, directory) != circumstances.offline->end();
  };
  const auto directory_of = [&](BrokerId id) {
    const auto& placed = circumstances.placed;
    return placed && placed->broker == id ? placed->directory : partition.directory_of(id);
  };
  std::vector<BrokerId> isr = partition.isr;
  std::erase_if(isr, [&](BrokerId id) { return gone(id, partition.directory_of(id)); });
  const auto live = [&](BrokerId id) {
    const BrokerImage* broker = image_.brokers.find(id);
    if (broker == nullptr || gone(id, partition.directory_of(id))) return false;
    if (id != circumstances.joining && !broker->active()) return false;
    return directory_online(*broker, directory_of(id));
  };
  return change_partition(
      {.topic_id = topic.id,
       .index = index,
       .current = partition,
       .election = rules.election,
       .live = live,
       .isr = std::move(isr),
       .directory_for =
           [&](BrokerId id) { return directory_for_new_replica(image_.brokers.find(id)); },
       .placed = circumstances.placed,
       .min_insync_replicas = rules.min_insync_replicas,
       .metadata_version = image_.metadata_version(),
       // Whoever was eligible when the last one left stays so, whatever became of the feature.
       .eligible_leader_replicas =
           image_.feature_level(kEligibleLeadersFeature) > 0 || partition.isr.empty()});
}

template <class Affected>
void Elections::change_all(const Circumstances& circumstances, const Affected& affected,
                           std::vector<VersionedRecord>& records) const {
  image_.topics.for_each([&](const TopicImage& topic) {
    std::optional<Rules> rules;  // asked once
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& partition) {
      if (!affected(partition)) return;
      if (!rules) rules = rules_of(topic);
      auto record = change(topic, index, partition, *rules, circumstances);
      if (record) records.push_back(std::move(*record));
    });
  });
}

void Elections::broker_leaves(BrokerId leaving, std::vector<VersionedRecord>& records) const {
  const auto affected = [&](const PartitionImage& partition) {
    return partition.leader == leaving || partition.in_isr(leaving);
  };
  change_all({.leaving = leaving}, affected, records);
}

void Elections::broker_joins(BrokerId joining, std::vector<VersionedRecord>& records) const {
  const auto affected = [&](const PartitionImage& partition) {
    return partition.leader == kNoBroker && partition.has_replica(joining);
  };
  change_all({.joining = joining}, affected, records);
}

void Elections::directories_fail(BrokerId broker, const std::vector<Uuid>& offline,
                                 std::vector<VersionedRecord>& records) const {
  const auto affected = [&](const PartitionImage& partition) {
    if (partition.leader != broker && !partition.in_isr(broker)) return false;
    return std::ranges::find(offline, partition.directory_of(broker)) != offline.end();
  };
  change_all({.leaving = broker, .offline = &offline}, affected, records);
}

void Elections::replica_is_in(BrokerId broker, const TopicPartition& id, const Uuid& directory,
                              std::vector<VersionedRecord>& records) const {
  const TopicImage* topic = image_.topics.find(id.topic_id);
  const PartitionImage* partition = topic == nullptr ? nullptr : topic->partition(id.partition);
  if (partition == nullptr || !partition->has_replica(broker)) return;
  if (partition->directory_of(broker) == directory) return;
  const Circumstances circumstances{.placed = PlacedReplica{broker, directory}};
  auto record = change(*topic, id.partition, *partition, rules_of(*topic), circumstances);
  if (record) records.push_back(std::move(*record));
}

bool Elections::leads_any(BrokerId broker) const {
  bool leads = false;
  image_.topics.for_each([&](const TopicImage& topic) {
    if (leads) return;
    topic.partitions.for_each([&](PartitionIndex, const PartitionImage& partition) {
      leads |= partition.leader == broker;
    });
  });
  return leads;
}

}  // namespace millrace::engine
