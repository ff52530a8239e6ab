// MetadataImage: what the cluster looks like after one record of the metadata log. It is what every
// shard answers from.
//
// Shard:     immutable once published, so it may be read on any shard; held by shared_ptr<const
// MetadataImage>. Sharing:   its parts are PersistentMaps: the next image has all that did not
// change in common with this one.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "engine/metadata/brokers.h"
#include "engine/metadata/configs.h"
#include "engine/metadata/features.h"
#include "engine/metadata/persistent_map.h"
#include "engine/metadata/records.h"
#include "engine/metadata/topics.h"

namespace millrace::engine {

struct QuotaKey {
  std::vector<QuotaEntityData> entity;  // sorted by type
  std::string key;
  auto operator<=>(const QuotaKey&) const = default;
};
struct ScramKey {
  std::string user;
  std::int8_t mechanism = 0;
  auto operator<=>(const ScramKey&) const = default;
};

}  // namespace millrace::engine

template <>
struct std::hash<millrace::engine::QuotaKey> {
  std::size_t operator()(const millrace::engine::QuotaKey& key) const noexcept {
    std::size_t hash = std::hash<std::string>{}(key.key);
    for (const auto& part : key.entity) {
      hash = hash * 31 + std::hash<std::string>{}(part.entity_type);
      hash = hash * 31 + std::hash<std::string>{}(part.entity_name.value_or(std::string()));
    }
    return hash;
  }
};
template <>
struct std::hash<millrace::engine::ScramKey> {
  std::size_t operator()(const millrace::engine::ScramKey& key) const noexcept {
    return std::hash<std::string>{}(key.user) * 31 + static_cast<std::size_t>(key.mechanism);
  }
};

namespace millrace::engine {

// Up to where an image has seen the metadata log.
struct ImagePosition {
  Offset offset = kNoOffset;  // of the last record it contains
  LeaderEpoch epoch = kNoLeaderEpoch;
  bool operator==(const ImagePosition&) const = default;
};

struct MetadataImage {
  // Not in records: told by who publishes.
  ImagePosition position;
  std::string cluster_id;
  BrokerId controller_id = kNoBroker;  // the active controller, when one is known

  FeatureLevels features;
  Brokers brokers;
  Controllers controllers;
  Topics topics;
  Configs configs;
  ProducerId next_producer_id{0};
  BrokerId producer_ids_broker = kNoBroker;  // who got the last block, and in which epoch
  BrokerEpoch producer_ids_broker_epoch{-1};
  PersistentMap<QuotaKey, double> quotas;
  PersistentMap<Uuid, AccessControlEntryRecord> access_control;
  PersistentMap<ScramKey, UserScramCredentialRecord> scram_credentials;
  PersistentMap<std::string, DelegationTokenRecord> delegation_tokens;

  bool operator==(const MetadataImage&) const = default;
  // Equal but for what is not in records.
  bool same_contents(const MetadataImage& other) const;

  // The finalized level; 0 for a feature that has none.
  std::int16_t feature_level(std::string_view name) const {
    const std::int16_t* level = features.find(name);
    return level == nullptr ? std::int16_t{0} : *level;
  }
  // kMetadataVersionMin as long as none was finalized.
  std::int16_t metadata_version() const {
    const std::int16_t level = feature_level(kMetadataVersionFeature);
    return level == 0 ? kMetadataVersionMin : level;
  }
  // What was set for the resource itself; empty when nothing was.
  const ConfigValues& config(const ConfigResource& resource) const;
};
using SharedImage = std::shared_ptr<const MetadataImage>;

// What became of one topic between two images.
struct TopicDelta {
  std::string name;
  bool created = false;
  bool removed = false;
  std::set<PartitionIndex> changed;  // created or changed; of a removed topic none
  bool operator==(const TopicDelta&) const = default;
};

// What changed from one published image to the next, for those who act on changes.
struct MetadataDelta {
  // By id: a topic removed and made again under its name is two entries.
  std::map<TopicId, TopicDelta> topics;
  std::set<ConfigResource> configs;
  std::set<BrokerId> brokers;  // registered, changed or gone
  std::set<BrokerId> controllers;
  bool features = false;
  bool producer_ids = false;
  bool access_control = false;
  bool scram_credentials = false;
  bool quotas = false;
  bool delegation_tokens = false;
  bool operator==(const MetadataDelta&) const = default;

  bool empty() const { return *this == MetadataDelta{}; }
};

// What changed between any two images; used where there are no records to tell: after a snapshot
// was loaded. O(size).
MetadataDelta difference(const MetadataImage& before, const MetadataImage& after);

// The records that make this image out of nothing, in the order a snapshot has them and in the
// versions its metadata.version prescribes.
std::vector<VersionedRecord> to_records(const MetadataImage& image);

// ImageBuilder applies records to an image, one after the other, and gives the images in between.
//
// Lifetime:   one replay of the log; the images it gives live on their own.
// Invariant:  image() never shows part of a transaction.
class ImageBuilder {
 public:
  explicit ImageBuilder(SharedImage base = std::make_shared<const MetadataImage>());

  // Applies one record.
  //
  // Errors:  corrupt: it contradicts what is there (a second topic of that name, a change to a
  // partition nobody knows, an older
  //          broker epoch). The log or this code is wrong: whoever replays must stop.
  Result<void> apply(const MetadataRecord& record);

  bool in_transaction() const { return visible_.has_value(); }
  // The state with everything applied, also what stands in an open transaction: for the machine
  // that wrote it.
  const MetadataImage& uncommitted() const { return current_.image; }

  struct Published {
    SharedImage image;
    MetadataDelta delta;  // since the last publish(), or since the base
  };
  // The image up to `position`. Inside a transaction: as it was before that began.
  Published publish(ImagePosition position);
  // What images say of the cluster that records do not.
  void set_identity(std::string cluster_id, BrokerId controller_id);

 private:
  struct State {
    MetadataImage image;
    MetadataDelta delta;
  };

  Result<void> on(const RegisterBrokerRecord& record);
  Result<void> on(const UnregisterBrokerRecord& record);
  Result<void> on(const TopicRecord& record);
  Result<void> on(const PartitionRecord& record);
  Result<void> on(const ConfigRecord& record);
  Result<void> on(const PartitionChangeRecord& record);
  Result<void> on(const FenceBrokerRecord& record);
  Result<void> on(const UnfenceBrokerRecord& record);
  Result<void> on(const RemoveTopicRecord& record);
  Result<void> on(const DelegationTokenRecord& record);
  Result<void> on(const UserScramCredentialRecord& record);
  Result<void> on(const FeatureLevelRecord& record);
  Result<void> on(const ClientQuotaRecord& record);
  Result<void> on(const ProducerIdsRecord& record);
  Result<void> on(const BrokerRegistrationChangeRecord& record);
  Result<void> on(const AccessControlEntryRecord& record);
  Result<void> on(const RemoveAccessControlEntryRecord& record);
  Result<void> on(const NoOpRecord&) { return {}; }
  Result<void> on(const ZkMigrationStateRecord&) { return {}; }
  Result<void> on(const RemoveUserScramCredentialRecord& record);
  Result<void> on(const BeginTransactionRecord& record);
  Result<void> on(const EndTransactionRecord& record);
  Result<void> on(const AbortTransactionRecord& record);
  Result<void> on(const RemoveDelegationTokenRecord& record);
  Result<void> on(const RegisterControllerRecord& record);
  Result<void> on(const ClearElrRecord& record);
  Result<void> on(const UnregisterControllerRecord& record);

  Result<const BrokerImage*> broker_of(std::int32_t id, std::int64_t epoch,
                                       std::string_view what) const;
  void set_broker(BrokerImage broker);
  void set_partition(const TopicImage& topic, PartitionIndex index, PartitionImage partition);
  void clear_elr(const TopicImage& topic);

  State current_;
  std::optional<State>
      visible_;  // inside a transaction: the state before it, and what of it was not published yet
};

// The change a PartitionChangeRecord makes. partition_epoch grows with each, leader_epoch with each
// that names a leader.
PartitionImage apply_change(PartitionImage partition, const PartitionChangeRecord& change);

// Records hold broker ids as integers.
std::vector<BrokerId> to_broker_ids(const std::vector<std::int32_t>& raw);
std::vector<std::int32_t> to_raw_ids(const std::vector<BrokerId>& ids);

// The record that describes a partition or a broker as it is.
PartitionRecord to_record(const TopicId& topic_id, PartitionIndex index,
                          const PartitionImage& partition, std::int16_t metadata_version);
RegisterBrokerRecord to_record(const BrokerImage& broker);

}  // namespace millrace::engine
