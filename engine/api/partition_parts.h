// The shape of every request that asks something of partitions, by topic: for each partition named, one part that travels to
// the owner and writes its piece of the answer there.
#pragma once

#include <concepts>
#include <string_view>
#include <unordered_set>
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

// What becomes of a partition that one request names more than once. Each time it would be answered with as much as the broker
// knows of it, so an answer of any size could be had for few bytes.
enum class Repeated : std::uint8_t { answered_once, refused };

namespace detail {

// The messages call the same things by different names.
template <class Topic>
auto& name_of(Topic& topic) {
  if constexpr (requires { topic.name; }) return topic.name;
  else return topic.topic;
}
template <class Topic>
auto& partitions_of(Topic& topic) {
  if constexpr (requires { topic.partition_indexes; }) return topic.partition_indexes;
  else return topic.partitions;
}
template <class Entry>
auto& index_of(Entry& entry) {
  if constexpr (std::integral<Entry>) return entry;
  else if constexpr (requires { entry.partition_index; }) return entry.partition_index;
  else return entry.partition;
}

}  // namespace detail

template <class WantedTopic, class AnsweredTopic>
using PartOf = PartitionPart<
    typename std::remove_cvref_t<decltype(detail::partitions_of(std::declval<WantedTopic&>()))>::value_type,
    typename std::remove_cvref_t<decltype(detail::partitions_of(std::declval<AnsweredTopic&>()))>::value_type>;

// Fills the answer's skeleton, in the order of the request, and gives one part for each partition that the image has; the others
// get UNKNOWN_TOPIC_OR_PARTITION. The answer must stay where it is as long as the parts are used.
template <class WantedTopic, class AnsweredTopic>
auto plan_parts(const MetadataImage& image, const std::vector<WantedTopic>& wanted,
                std::vector<AnsweredTopic>& answered, Repeated repeated) {
  using Part = PartOf<WantedTopic, AnsweredTopic>;
  std::vector<Part> parts;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // of each part's answer
  std::unordered_set<TopicPartition> seen;
  for (const auto& topic : wanted) {
    auto& answers = detail::partitions_of(answered.emplace_back());
    detail::name_of(answered.back()) = detail::name_of(topic);
    const TopicImage* known = image.topics.find(detail::name_of(topic));
    for (const auto& entry : detail::partitions_of(topic)) {
      const PartitionIndex index{detail::index_of(entry)};
      const bool exists = known != nullptr && known->partition(index) != nullptr;
      const bool again = exists && !seen.insert({known->id, index}).second;
      if (again && repeated == Repeated::answered_once) continue;
      auto& answer = answers.emplace_back();
      detail::index_of(answer) = index.value();
      if (again) {
        answer.error_code = wire::ErrorCode::invalid_request;
      } else if (!exists) {
        answer.error_code = wire::ErrorCode::unknown_topic_or_partition;
      } else {
        parts.push_back({{known->id, index}, &entry, nullptr});
        places.emplace_back(answered.size() - 1, answers.size() - 1);
      }
    }
    if (answers.empty() && !detail::partitions_of(topic).empty()) answered.pop_back();
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].answer = &detail::partitions_of(answered[places[i].first])[places[i].second];
  }
  return parts;
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
