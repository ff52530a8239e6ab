// Who gets which partitions: the assignors that the coordinator itself has for groups of the consumer protocol.
//
//   uniform  as even as the subscriptions allow, and whoever has a partition keeps it where that is no hindrance
//   range    of each topic a run of neighbouring partitions to each of its readers, so that topics of equal size are read side
//            by side by the same member
//
// Plain functions: the same question has the same answer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/group/consumer_records.h"

namespace millrace::engine {

struct AssignorInput {
  struct Member {
    std::string_view id;
    std::optional<std::string_view> instance_id;
    std::size_t subscription = 0;                // what it reads, an index of `subscriptions`
    const ConsumerAssignment* before = nullptr;  // what it was to have last; null: nothing
  };
  std::vector<Member> members;
  // What members read, sorted, each topic once. Members who read the same share one: the work grows with how many there are.
  std::vector<std::vector<TopicId>> subscriptions;
  std::map<TopicId, std::int32_t> partitions;  // how many each topic has
};

inline constexpr std::string_view kUniformAssignor = "uniform";
inline constexpr std::string_view kRangeAssignor = "range";

// By member, in the order of the input. Every partition of a topic that somebody reads has one owner, who reads that topic.
std::vector<ConsumerAssignment> assign_uniform(const AssignorInput& input);
std::vector<ConsumerAssignment> assign_range(const AssignorInput& input);

}  // namespace millrace::engine
