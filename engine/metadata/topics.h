// Topics and their partitions, as the cluster has agreed on them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "engine/metadata/persistent_map.h"

namespace millrace::engine {

enum class LeaderRecoveryState : std::int8_t {
  recovered = 0,
  recovering =
      1,  // elected from outside of the ISR; clears once the leader has told the controller
};

struct PartitionImage {
  std::vector<BrokerId> replicas;  // the first is the preferred leader
  std::vector<Uuid> directories;   // by replica; empty below metadata.version 17
  std::vector<BrokerId> isr;
  std::vector<BrokerId> removing_replicas;
  std::vector<BrokerId> adding_replicas;
  std::vector<BrokerId> eligible_leader_replicas;
  std::vector<BrokerId> last_known_elr;
  BrokerId leader = kNoBroker;
  LeaderRecoveryState recovery = LeaderRecoveryState::recovered;
  LeaderEpoch leader_epoch;
  PartitionEpoch partition_epoch;
  bool operator==(const PartitionImage&) const = default;

  bool has_replica(BrokerId broker) const {
    return std::ranges::find(replicas, broker) != replicas.end();
  }
  bool in_isr(BrokerId broker) const { return std::ranges::find(isr, broker) != isr.end(); }
  // Where `broker` keeps its replica; kDirectoryMigrating when it was never said.
  Uuid directory_of(BrokerId broker) const {
    const auto at =
        static_cast<std::size_t>(std::ranges::find(replicas, broker) - replicas.begin());
    return at < directories.size() ? directories[at] : kDirectoryMigrating;
  }
};
using Partitions = PersistentMap<PartitionIndex, PartitionImage>;

struct TopicImage {
  std::string name;
  TopicId id;
  Partitions partitions;
  bool operator==(const TopicImage&) const = default;

  // Null when there is none.
  const PartitionImage* partition(PartitionIndex index) const { return partitions.find(index); }
};

// All topics, by name and by id.
class Topics {
 public:
  std::size_t size() const { return by_name_.size(); }
  std::size_t partition_count() const { return partition_count_; }

  // Null when there is none.
  const TopicImage* find(std::string_view name) const { return by_name_.find(name); }
  const TopicImage* find(const TopicId& id) const { return by_id_.find(id); }
  const PartitionImage* find(const TopicPartition& key) const {
    const TopicImage* topic = find(key.topic_id);
    return topic == nullptr ? nullptr : topic->partition(key.partition);
  }

  // Calls visit(const TopicImage&) in order of the names.
  template <class Visit>
  void for_each(Visit&& visit) const {
    by_name_.for_each([&](const std::string&, const TopicImage& topic) { visit(topic); });
  }
  // From the first name that is not less than `name`, for as long as visit(const TopicImage&)
  // returns true.
  template <class Visit>
  void for_each_from(std::string_view name, Visit&& visit) const {
    by_name_.for_each_from(
        name, [&](const std::string&, const TopicImage& topic) { return visit(topic); });
  }

  // Adds or replaces the topic of that name, whose id must be the same as before.
  void set(TopicImage topic);
  void erase(const TopicId& id);

  bool operator==(const Topics& other) const { return by_name_ == other.by_name_; }
  bool shares_all_with(const Topics& other) const {
    return by_name_.shares_all_with(other.by_name_);
  }

 private:
  PersistentMap<std::string, TopicImage> by_name_;
  PersistentMap<TopicId, TopicImage> by_id_;
  std::size_t partition_count_ = 0;
};

}  // namespace millrace::engine
