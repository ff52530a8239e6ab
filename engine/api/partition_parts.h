// The shape of every request that asks something of partitions, by topic: for each partition named, one part that travels to
// the owner and writes its piece of the answer there.
#pragma once

#include <vector>

#include "engine/api/shard_route.h"
#include "net/wire/error_code.h"

namespace millrace::engine {

template <class Wanted, class Answered>
struct PartitionPart {
  TopicPartition partition;
  const Wanted* wanted = nullptr;
  Answered* answer = nullptr;
};

// Adds a part for `wanted` if the image has that partition; else writes UNKNOWN_TOPIC_OR_PARTITION into the answer.
// `answer` must stay where it is.
template <class Wanted, class Answered>
void plan_part(const TopicImage* topic, std::int32_t index, const Wanted& wanted, Answered& answer,
               std::vector<PartitionPart<Wanted, Answered>>& parts) {
  if (topic == nullptr || topic->partition(PartitionIndex{index}) == nullptr) {
    answer.error_code = wire::ErrorCode::unknown_topic_or_partition;
    return;
  }
  parts.push_back({{topic->id, PartitionIndex{index}}, &wanted, &answer});
}

namespace detail {
template <class Part, class Function>
io::Task<void> on_partitions_here(BrokerShard& owner, std::span<Part* const> parts, Function& function) {
  for (Part* part : parts) {
    const auto partition = owner.find(part->partition);
    if (partition == nullptr) {
      part->answer->error_code = wire::ErrorCode::not_leader_or_follower;
      continue;
    }
    co_await function(*partition, *part);
  }
}
}  // namespace detail

// Runs `function(Partition&, Part&) -> Task<void>` for every part on its owner.
template <class Part, class Function>
io::Task<void> on_partitions(Broker& broker, std::vector<Part>& parts, Function function) {
  if (parts.empty()) co_return;
  std::vector<Part*> pointers;
  pointers.reserve(parts.size());
  for (auto& part : parts) pointers.push_back(&part);
  co_await on_owners<Part>(
      broker, pointers, [&](BrokerShard& owner, std::span<Part* const> mine) -> io::Task<void> {
        return detail::on_partitions_here(owner, mine, function);
      });
}

}  // namespace millrace::engine
