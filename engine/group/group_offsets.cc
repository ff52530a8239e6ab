#include "engine/group/group_offsets.h"

#include <utility>

namespace millrace::engine {

const OffsetCommitValue* GroupOffsets::find(std::string_view topic, std::int32_t partition) const {
  const auto partitions = topics_.find(topic);
  if (partitions == topics_.end()) return nullptr;
  const auto found = partitions->second.find(partition);
  return found == partitions->second.end() ? nullptr : &found->second;
}

void GroupOffsets::set(std::string_view topic, std::int32_t partition, OffsetCommitValue value) {
  auto partitions = topics_.find(topic);
  if (partitions == topics_.end()) {
    partitions = topics_.try_emplace(std::string(topic)).first;
    count_bytes(bytes_of_topic(topic), 0);
  }
  const auto [at, added] = partitions->second.try_emplace(partition);
  count_bytes(bytes_of(value.metadata), added ? 0 : bytes_of(at->second.metadata));
  at->second = std::move(value);
  if (!added) return;
  ++count_;
  ++use_.offsets;
}

void GroupOffsets::erase(std::string_view topic, std::int32_t partition) {
  const auto partitions = topics_.find(topic);
  if (partitions == topics_.end()) return;
  const auto at = partitions->second.find(partition);
  if (at == partitions->second.end()) return;
  count_bytes(0, bytes_of(at->second.metadata));
  partitions->second.erase(at);
  --count_;
  --use_.offsets;
  if (!partitions->second.empty()) return;
  count_bytes(0, bytes_of_topic(topic));
  topics_.erase(partitions);
}

void GroupOffsets::for_each_of(std::string_view topic,
                               const std::function<void(std::int32_t, const OffsetCommitValue&)>& visit) const {
  const auto partitions = topics_.find(topic);
  if (partitions == topics_.end()) return;
  for (const auto& [partition, value] : partitions->second) visit(partition, value);
}

void GroupOffsets::for_each_topic(const std::function<void(const std::string&)>& visit) const {
  for (const auto& [topic, partitions] : topics_) visit(topic);
}

void GroupOffsets::for_each(const std::function<void(const std::string&, std::int32_t,
                                                     const OffsetCommitValue&)>& visit) const {
  for (const auto& [topic, partitions] : topics_) {
    for (const auto& [partition, value] : partitions) visit(topic, partition, value);
  }
}

}  // namespace millrace::engine
