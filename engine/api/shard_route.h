// Takes the parts of a request to the shards that own their partitions, and brings the answers back.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "engine/broker.h"
#include "engine/partition/placement.h"
#include "io/gate.h"

namespace millrace::engine {

// Parts of one request that one shard answers. A Part has a member `partition` (TopicPartition) and holds its answer.
template <class Part>
struct ShardParts {
  ShardId shard;
  std::vector<Part*> parts;
};

// In order of first appearance; parts keep their order within a shard.
template <class Part>
std::vector<ShardParts<Part>> group_by_shard(std::span<Part* const> parts, std::uint32_t shard_count) {
  std::vector<ShardParts<Part>> groups;
  for (Part* part : parts) {
    const ShardId owner = shard_of(part->partition, shard_count);
    ShardParts<Part>* group = nullptr;
    for (auto& candidate : groups) {
      if (candidate.shard == owner) group = &candidate;
    }
    if (group == nullptr) group = &groups.emplace_back(ShardParts<Part>{owner, {}});
    group->parts.push_back(part);
  }
  return groups;
}

namespace detail {
template <class Part, class Function>
io::Task<void> call_group(Broker& broker, ShardParts<Part>& group, Function& function) {
  co_await broker.shards().call(group.shard, [&]() -> io::Task<void> {
    return function(broker.at(group.shard), std::span<Part* const>(group.parts));
  });
}
}  // namespace detail

// Runs `function(BrokerShard&, std::span<Part* const>) -> Task<void>` on every owner at the same time and returns when all have.
template <class Part, class Function>
io::Task<void> on_owners(Broker& broker, std::span<Part* const> parts, Function function) {
  auto groups = group_by_shard<Part>(parts, broker.shards().count());
  if (groups.size() == 1) {
    co_await detail::call_group(broker, groups.front(), function);
    co_return;
  }
  io::Gate gate;
  for (auto& group : groups) gate.spawn(detail::call_group(broker, group, function));
  co_await gate.close();
}

// Runs `function(BrokerShard&) -> Task<void>` on every shard, one after the other.
template <class Function>
io::Task<void> on_every_shard(Broker& broker, Function function) {
  for (std::uint32_t i = 0; i < broker.shards().count(); ++i) {
    const ShardId shard{i};
    co_await broker.shards().call(shard, [&]() -> io::Task<void> { return function(broker.at(shard)); });
  }
}

}  // namespace millrace::engine
