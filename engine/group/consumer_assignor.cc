#include "engine/group/consumer_assignor.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "base/check.h"

namespace millrace::engine {
namespace {

using Member = AssignorInput::Member;

// Rounds of evening out after which a group of differing subscriptions is left as it is.
constexpr int kRoundsMax = 16;

std::int32_t partitions_of(const AssignorInput& input, const TopicId& topic) {
  const auto found = input.partitions.find(topic);
  return found == input.partitions.end() ? 0 : found->second;
}

std::map<TopicId, std::vector<std::size_t>> readers_by_topic(const AssignorInput& input) {
  std::map<TopicId, std::vector<std::size_t>> readers;
  for (std::size_t i = 0; i < input.members.size(); ++i) {
    for (const TopicId& topic : input.members[i].topics) {
      if (partitions_of(input, topic) > 0) readers[topic].push_back(i);
    }
  }
  return readers;
}

// One answer while it is worked out: owners by topic and partition, and how many partitions each member has.
class Draft {
 public:
  static constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

  explicit Draft(const AssignorInput& input)
      : input_(input), readers_(readers_by_topic(input)), loads_(input.members.size(), 0) {
    for (const auto& [topic, readers] : readers_) {
      owners_[topic].resize(static_cast<std::size_t>(partitions_of(input, topic)), kNobody);
    }
  }

  const std::map<TopicId, std::vector<std::size_t>>& readers() const { return readers_; }
  std::map<TopicId, std::vector<std::size_t>>& owners() { return owners_; }
  std::size_t load(std::size_t member) const { return loads_[member]; }
  std::size_t total() const {
    std::size_t count = 0;
    for (const auto& [topic, owners] : owners_) count += owners.size();
    return count;
  }
  void give(std::size_t& owner, std::size_t member) {
    if (owner != kNobody) --loads_[owner];
    owner = member;
    ++loads_[member];
  }
  // Lets `member` keep what it had, at most `most` in all, of topics that are there and that it still reads.
  void keep(std::size_t member, std::size_t most) {
    const Member& who = input_.members[member];
    if (who.before == nullptr) return;
    for (const auto& [topic, partitions] : *who.before) {
      const auto owners = owners_.find(topic);
      if (owners == owners_.end() || !std::ranges::binary_search(who.topics, topic)) continue;
      for (const std::int32_t partition : partitions) {
        if (loads_[member] >= most) return;
        const auto at = static_cast<std::size_t>(partition);
        if (at < owners->second.size() && owners->second[at] == kNobody) give(owners->second[at], member);
      }
    }
  }
  std::vector<ConsumerAssignment> result() const {
    std::vector<ConsumerAssignment> result(input_.members.size());
    for (const auto& [topic, owners] : owners_) {
      for (std::size_t at = 0; at < owners.size(); ++at) {
        CHECK(owners[at] != kNobody, "partition {} was given to nobody", at);
        result[owners[at]][topic].push_back(static_cast<std::int32_t>(at));
      }
    }
    return result;
  }

 private:
  const AssignorInput& input_;
  std::map<TopicId, std::vector<std::size_t>> readers_;
  std::map<TopicId, std::vector<std::size_t>> owners_;
  std::vector<std::size_t> loads_;
};

bool all_read_the_same(const AssignorInput& input) {
  return std::ranges::all_of(input.members, [&](const Member& member) {
    return member.topics == input.members.front().topics;
  });
}

// Everybody gets the same number, and the first of those who had most one more where it does not come out even.
void assign_evenly(const AssignorInput& input, Draft& draft) {
  const std::size_t members = input.members.size();
  const std::size_t total = draft.total();
  const std::size_t quota = total / members;
  std::size_t with_one_more = total % members;
  for (std::size_t i = 0; i < members; ++i) draft.keep(i, quota);
  for (std::size_t i = 0; i < members && with_one_more > 0; ++i) {
    if (draft.load(i) < quota) continue;
    draft.keep(i, quota + 1);
    if (draft.load(i) > quota) --with_one_more;
  }
  std::size_t next = 0;
  const auto has_room = [&](std::size_t member) {
    return draft.load(member) < quota || (draft.load(member) == quota && with_one_more > 0);
  };
  for (auto& [topic, owners] : draft.owners()) {
    for (std::size_t& owner : owners) {
      if (owner != Draft::kNobody) continue;
      while (next < members && !has_room(next)) ++next;
      CHECK(next < members, "no member has room for a partition");
      if (draft.load(next) == quota) --with_one_more;
      draft.give(owner, next);
    }
  }
}

// Each free partition to the reader of its topic that has least, then from those who have more to those who have less for as
// long as that makes it more even.
void assign_to_least_loaded(const AssignorInput& input, Draft& draft) {
  for (std::size_t i = 0; i < input.members.size(); ++i) draft.keep(i, static_cast<std::size_t>(-1));
  using Entry = std::pair<std::size_t, std::size_t>;  // load, member
  using LeastFirst = std::priority_queue<Entry, std::vector<Entry>, std::greater<>>;
  // The reader with the least load; its entry may be of an earlier load and is put right then.
  const auto least = [&](LeastFirst& queue) {
    while (queue.top().first != draft.load(queue.top().second)) {
      const std::size_t member = queue.top().second;
      queue.pop();
      queue.push({draft.load(member), member});
    }
    return queue.top().second;
  };
  bool moved = true;
  for (int round = 0; round < kRoundsMax && moved; ++round) {
    moved = false;
    // Topics with few readers have the least choice.
    std::vector<std::pair<std::size_t, TopicId>> order;
    for (const auto& [topic, readers] : draft.readers()) order.push_back({readers.size(), topic});
    std::ranges::sort(order);
    for (const auto& [count, topic] : order) {
      LeastFirst queue;
      for (const std::size_t reader : draft.readers().at(topic)) queue.push({draft.load(reader), reader});
      for (std::size_t& owner : draft.owners().at(topic)) {
        // Loads of owners go down too, which the queue may not know; it is looked at afresh then.
        const std::size_t to = least(queue);
        if (owner != Draft::kNobody && draft.load(owner) <= draft.load(to) + 1) continue;
        const std::size_t from = owner;
        draft.give(owner, to);
        if (from != Draft::kNobody) queue.push({draft.load(from), from});
        moved = true;
      }
    }
  }
}

}  // namespace

std::vector<ConsumerAssignment> assign_uniform(const AssignorInput& input) {
  if (input.members.empty()) return {};
  Draft draft(input);
  if (all_read_the_same(input)) {
    assign_evenly(input, draft);
  } else {
    assign_to_least_loaded(input, draft);
  }
  return draft.result();
}

std::vector<ConsumerAssignment> assign_range(const AssignorInput& input) {
  std::vector<ConsumerAssignment> result(input.members.size());
  // Static members by their instance ids, so that a restart changes nothing.
  const auto name = [&](std::size_t i) {
    const Member& member = input.members[i];
    return std::pair(!member.instance_id, member.instance_id.value_or(member.id));
  };
  for (auto& [topic, readers] : readers_by_topic(input)) {
    std::vector<std::size_t> order = readers;
    std::ranges::sort(order, {}, name);
    const auto partitions = static_cast<std::size_t>(partitions_of(input, topic));
    const std::size_t each = partitions / order.size();
    const std::size_t with_one_more = partitions % order.size();
    std::size_t next = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t count = each + (i < with_one_more ? 1 : 0);
      for (std::size_t j = 0; j < count; ++j) {
        result[order[i]][topic].push_back(static_cast<std::int32_t>(next++));
      }
    }
  }
  return result;
}

}  // namespace millrace::engine
