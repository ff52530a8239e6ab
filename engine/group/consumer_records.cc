#include "engine/group/consumer_records.h"

#include <algorithm>

#include "engine/group/record_codec.h"

namespace millrace::engine {

std::size_t partition_count(const ConsumerAssignment& assignment) {
  std::size_t count = 0;
  for (const auto& [topic, partitions] : assignment) count += partitions.size();
  return count;
}

bool contains(const ConsumerAssignment& assignment, const TopicId& topic, std::int32_t partition) {
  const auto found = assignment.find(topic);
  return found != assignment.end() && std::ranges::binary_search(found->second, partition);
}

std::vector<ConsumerTopicPartitions> to_topic_partitions(const ConsumerAssignment& assignment) {
  std::vector<ConsumerTopicPartitions> topics;
  topics.reserve(assignment.size());
  for (const auto& [topic, partitions] : assignment) topics.push_back({topic, partitions});
  return topics;
}

ConsumerAssignment to_assignment(const std::vector<ConsumerTopicPartitions>& topics) {
  ConsumerAssignment assignment;
  for (const auto& topic : topics) {
    auto& partitions = assignment[topic.topic_id];
    for (const std::int32_t partition : topic.partitions) {
      if (partition >= 0) partitions.push_back(partition);
    }
  }
  for (auto& [topic, partitions] : assignment) {
    std::ranges::sort(partitions);
    const auto repeated = std::ranges::unique(partitions);
    partitions.erase(repeated.begin(), repeated.end());
  }
  std::erase_if(assignment, [](const auto& topic) { return topic.second.empty(); });
  return assignment;
}

ConsumerGroupKey consumer_group_key(ConsumerGroupKey::Kind kind, std::string_view group,
                                    std::string_view about) {
  ConsumerGroupKey key{.kind = kind, .group = std::string(group), .member = {}, .regular_expression = {}};
  if (kind == ConsumerGroupKey::Kind::regular_expression) {
    key.regular_expression = about;
  } else {
    key.member = about;
  }
  return key;
}

template <class Value>
GroupRecord consumer_record(ConsumerGroupKey::Kind kind, std::string_view group,
                            std::string_view about, const Value& value) {
  return {encode_group_key(consumer_group_key(kind, group, about)),
          encode_record_value(value, Value::kVersions.max)};
}

template GroupRecord consumer_record(ConsumerGroupKey::Kind, std::string_view, std::string_view,
                                     const ConsumerGroupMetadataValue&);
template GroupRecord consumer_record(ConsumerGroupKey::Kind, std::string_view, std::string_view,
                                     const ConsumerGroupMemberMetadataValue&);
template GroupRecord consumer_record(ConsumerGroupKey::Kind, std::string_view, std::string_view,
                                     const ConsumerGroupTargetAssignmentMetadataValue&);
template GroupRecord consumer_record(ConsumerGroupKey::Kind, std::string_view, std::string_view,
                                     const ConsumerGroupTargetAssignmentMemberValue&);
template GroupRecord consumer_record(ConsumerGroupKey::Kind, std::string_view, std::string_view,
                                     const ConsumerGroupCurrentMemberAssignmentValue&);
template GroupRecord consumer_record(ConsumerGroupKey::Kind, std::string_view, std::string_view,
                                     const ConsumerGroupRegularExpressionValue&);

GroupRecord consumer_tombstone(ConsumerGroupKey::Kind kind, std::string_view group,
                               std::string_view about) {
  return {encode_group_key(consumer_group_key(kind, group, about)), std::nullopt};
}

}  // namespace millrace::engine
