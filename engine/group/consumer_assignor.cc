#include "engine/group/consumer_assignor.h"

#include <algorithm>
#include <functional>
#include <numeric>
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

// By subscription, in the order in which `members` has them.
std::vector<std::vector<std::size_t>> by_subscription(const AssignorInput& input, const std::vector<std::size_t>& members) {
  std::vector<std::vector<std::size_t>> result(input.subscriptions.size());
  for (const std::size_t member : members) result[input.members[member].subscription].push_back(member);
  return result;
}

// By topic that has partitions, the subscriptions of those who read it.
std::map<TopicId, std::vector<std::size_t>> readers_by_topic(const AssignorInput& input,
                                                             const std::vector<std::vector<std::size_t>>& members) {
  std::map<TopicId, std::vector<std::size_t>> readers;
  for (std::size_t i = 0; i < input.subscriptions.size(); ++i) {
    if (members[i].empty()) continue;
    for (const TopicId& topic : input.subscriptions[i]) {
      if (partitions_of(input, topic) > 0) readers[topic].push_back(i);
    }
  }
  return readers;
}

std::vector<std::size_t> in_order(const AssignorInput& input) {
  std::vector<std::size_t> members(input.members.size());
  std::iota(members.begin(), members.end(), std::size_t{0});
  return members;
}

// One answer while it is worked out: owners by topic and partition, and how many partitions each member has.
class Draft {
 public:
  static constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

  explicit Draft(const AssignorInput& input)
      : input_(input),
        members_(by_subscription(input, in_order(input))),
        readers_(readers_by_topic(input, members_)),
        loads_(input.members.size(), 0) {
    for (const auto& [topic, readers] : readers_) {
      owners_[topic].resize(static_cast<std::size_t>(partitions_of(input, topic)), kNobody);
    }
  }

  // By subscription.
  const std::vector<std::vector<std::size_t>>& members() const { return members_; }
  // By topic, the subscriptions.
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
      if (owners == owners_.end() || !std::ranges::binary_search(input_.subscriptions[who.subscription], topic)) continue;
      for (const std::int32_t partition : partitions) {
        if (loads_[member] >= most) return;
        const auto at = static_cast<std::size_t>(partition);
        if (at < owners->second.size() && owners->second[at] == kNobody) give(owners->second[at], member);
      }
    }
  }
  bool all_read_the_same() const {
    const std::vector<TopicId>& first = input_.subscriptions[input_.members.front().subscription];
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (!members_[i].empty() && input_.subscriptions[i] != first) return false;
    }
    return true;
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
  std::vector<std::vector<std::size_t>> members_;
  std::map<TopicId, std::vector<std::size_t>> readers_;
  std::map<TopicId, std::vector<std::size_t>> owners_;
  std::vector<std::size_t> loads_;
};

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

// Who has least of those with one subscription, and of those who read one topic.
//
// Both are heaps whose entries may tell of an earlier, smaller load; they are put right when they come to the top. Where a load
// goes down there is a new entry.
class LeastLoaded {
 public:
  explicit LeastLoaded(const AssignorInput& input, const Draft& draft)
      : input_(input), draft_(draft), members_(draft.members().size()) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      std::vector<Entry> entries;
      for (const std::size_t member : draft.members()[i]) entries.push_back({draft.load(member), member});
      members_[i] = Heap<Entry>(std::greater<>(), std::move(entries));
    }
  }

  // From now on it is about one topic, which those with one of `subscriptions` read.
  void look_at(const std::vector<std::size_t>& subscriptions) {
    std::vector<Choice> choices;
    for (const std::size_t each : subscriptions) choices.push_back({least_of(each), each});
    choices_ = Heap<Choice>(std::greater<>(), std::move(choices));
  }
  std::size_t least() {
    while (true) {
      const auto [entry, subscription] = choices_.top();
      const Entry now = least_of(subscription);
      if (now == entry) return entry.second;
      choices_.pop();
      choices_.push({now, subscription});
    }
  }
  // Its load has gone down. Requires: it reads the topic.
  void has_less(std::size_t member) {
    const std::size_t subscription = input_.members[member].subscription;
    members_[subscription].push({draft_.load(member), member});
    choices_.push({least_of(subscription), subscription});
  }

 private:
  using Entry = std::pair<std::size_t, std::size_t>;  // load, member
  using Choice = std::pair<Entry, std::size_t>;       // the least loaded, subscription
  template <class T>
  using Heap = std::priority_queue<T, std::vector<T>, std::greater<>>;

  Entry least_of(std::size_t subscription) {
    Heap<Entry>& heap = members_[subscription];
    while (heap.top().first != draft_.load(heap.top().second)) {
      const std::size_t member = heap.top().second;
      heap.pop();
      heap.push({draft_.load(member), member});
    }
    return heap.top();
  }

  const AssignorInput& input_;
  const Draft& draft_;
  std::vector<Heap<Entry>> members_;  // by subscription
  Heap<Choice> choices_;
};

// Each free partition to the reader of its topic that has least, then from those who have more to those who have less for as
// long as that makes it more even.
void assign_to_least_loaded(const AssignorInput& input, Draft& draft) {
  for (std::size_t i = 0; i < input.members.size(); ++i) draft.keep(i, static_cast<std::size_t>(-1));
  // Topics with few readers have the least choice.
  std::vector<std::pair<std::size_t, TopicId>> order;
  for (const auto& [topic, subscriptions] : draft.readers()) {
    std::size_t readers = 0;
    for (const std::size_t each : subscriptions) readers += draft.members()[each].size();
    order.push_back({readers, topic});
  }
  std::ranges::sort(order);
  LeastLoaded loads(input, draft);
  bool moved = true;
  for (int round = 0; round < kRoundsMax && moved; ++round) {
    moved = false;
    for (const auto& [count, topic] : order) {
      loads.look_at(draft.readers().at(topic));
      for (std::size_t& owner : draft.owners().at(topic)) {
        const std::size_t to = loads.least();
        if (owner != Draft::kNobody && draft.load(owner) <= draft.load(to) + 1) continue;
        const std::size_t from = owner;
        draft.give(owner, to);
        if (from != Draft::kNobody) loads.has_less(from);
        moved = true;
      }
    }
  }
}

}  // namespace

std::vector<ConsumerAssignment> assign_uniform(const AssignorInput& input) {
  if (input.members.empty()) return {};
  Draft draft(input);
  if (draft.all_read_the_same()) {
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
  std::vector<std::size_t> ranked = in_order(input);
  std::ranges::sort(ranked, {}, name);
  std::vector<std::size_t> ranks(ranked.size());
  for (std::size_t i = 0; i < ranked.size(); ++i) ranks[ranked[i]] = i;
  const auto members = by_subscription(input, ranked);
  for (const auto& [topic, subscriptions] : readers_by_topic(input, members)) {
    std::vector<std::size_t> readers;
    for (const std::size_t each : subscriptions) readers.insert(readers.end(), members[each].begin(), members[each].end());
    if (subscriptions.size() > 1) std::ranges::sort(readers, {}, [&](std::size_t member) { return ranks[member]; });
    const auto partitions = static_cast<std::size_t>(partitions_of(input, topic));
    const std::size_t each = partitions / readers.size();
    const std::size_t with_one_more = partitions % readers.size();
    std::size_t next = 0;
    for (std::size_t i = 0; i < readers.size() && next < partitions; ++i) {
      std::vector<std::int32_t>& given = result[readers[i]][topic];
      const std::size_t count = each + (i < with_one_more ? 1 : 0);
      for (std::size_t j = 0; j < count; ++j) given.push_back(static_cast<std::int32_t>(next++));
    }
  }
  return result;
}

}  // namespace millrace::engine
