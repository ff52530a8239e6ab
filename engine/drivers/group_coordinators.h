// GroupCoordinators: the coordinators of one shard, one for each partition of __consumer_offsets that is here.
//
// Shard:      its BrokerShard's.
// Lifetime:   of the BrokerShard; stop() must have completed before destruction.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "engine/drivers/coordinator_driver.h"

namespace millrace::engine {

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";

class GroupCoordinators {
 public:
  GroupCoordinators(GroupOptions options, ImageSource image, std::uint64_t seed)
      : options_(options), image_(std::move(image)), prng_(seed) {
    use_.bytes_max = options_.memory_bytes_max;
  }

  // Makes a coordinator for each of `partitions` that has none, and ends those whose partition is not among them.
  io::Task<void> follow(std::vector<std::shared_ptr<Partition>> partitions);
  // Null when that partition is not here.
  std::shared_ptr<CoordinatorDriver> find(const TopicPartition& id) const;
  std::vector<std::shared_ptr<CoordinatorDriver>> all() const;
  // These topics have gone.
  void drop_topics(const GoneTopics& topics);
  // Completes when what was committed for them is gone for good, or cannot be dropped now.
  io::Task<void> topics_dropped();
  // The image has changed in these topics.
  void topics_changed(const std::vector<std::string>& names, bool any_came_or_went);

  void end_waits();
  io::Task<void> stop();

 private:
  const GroupOptions options_;
  const ImageSource image_;
  Prng prng_;
  GroupUse use_;
  std::map<TopicPartition, std::shared_ptr<CoordinatorDriver>> drivers_;
};

}  // namespace millrace::engine
