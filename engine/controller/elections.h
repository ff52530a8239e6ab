// What a change of brokers means for partitions: who leads, and who is in the ISR.
#pragma once

#include <optional>
#include <vector>

#include "base/ids.h"
#include "engine/controller/partition_change.h"
#include "engine/metadata/configs.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

// Reads the image as it is before the change's own records, so `joining` and `leaving` are named.
class Elections {
 public:
  Elections(const MetadataImage& image, const ConfigValues& static_broker_config)
      : image_(image), static_broker_config_(static_broker_config) {}

  // `leaving` may not lead and drops out of every ISR it is not the last of. Appends a record for
  // each partition that changes.
  void broker_leaves(BrokerId leaving, std::vector<VersionedRecord>& records) const;
  // `joining` may lead again: partitions without a leader get one.
  void broker_joins(BrokerId joining, std::vector<VersionedRecord>& records) const;
  // Replicas in these directories of `broker` are out of service.
  void directories_fail(BrokerId broker, const std::vector<Uuid>& offline,
                        std::vector<VersionedRecord>& records) const;
  // `broker` has its replica in that directory of its own, which is in service.
  void replica_is_in(BrokerId broker, const TopicPartition& id, const Uuid& directory,
                     std::vector<VersionedRecord>& records) const;
  bool leads_any(BrokerId broker) const;

 private:
  struct Circumstances;
  // What a topic's configuration says about its elections.
  struct Rules {
    Election election = Election::online;
    std::int32_t min_insync_replicas = 1;
  };
  // Changes every partition that `affected` picks.
  template <class Affected>
  void change_all(const Circumstances& circumstances, const Affected& affected,
                  std::vector<VersionedRecord>& records) const;
  std::optional<VersionedRecord> change(const TopicImage& topic, PartitionIndex index,
                                        const PartitionImage& partition, const Rules& rules,
                                        const Circumstances& circumstances) const;
  Rules rules_of(const TopicImage& topic) const;

  const MetadataImage& image_;
  const ConfigValues& static_broker_config_;
};

// Whether the broker has said that this directory is in service. Reserved ids other than "lost"
// are: it has not said yet.
bool directory_online(const BrokerImage& broker, const Uuid& directory);
// Where a replica new to the broker will be kept, as far as the controller can say.
Uuid directory_for_new_replica(const BrokerImage* broker);

}  // namespace millrace::engine
