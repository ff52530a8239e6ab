// The assignors, by groups drawn from seeds: what must hold of every answer, and what of one answer after another.
#include "engine/group/consumer_assignor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/prng.h"

namespace millrace::engine {
namespace {

// A group that changes, and what its members were to have last.
class DrawnGroup {
 public:
  explicit DrawnGroup(std::uint64_t seed) : prng_(seed) {
    const auto topics = 1 + prng_.below(6);
    for (std::uint64_t i = 0; i < topics; ++i) partitions_[Uuid::from_halves(7, i + 1)] = size();
    const auto members = 1 + prng_.below(8);
    for (std::uint64_t i = 0; i < members; ++i) add();
  }

  void add() { members_.push_back({"m" + std::to_string(next_++), drawn_topics(), {}}); }
  void remove() {
    if (members_.size() > 1) members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(prng_.below(members_.size())));
  }
  void grow() { ++std::next(partitions_.begin(), static_cast<std::ptrdiff_t>(prng_.below(partitions_.size())))->second; }
  void subscribe_all_alike() {
    for (auto& member : members_) member.topics = members_.front().topics;
  }
  void change() {
    const auto what = prng_.below(3);
    what == 0 ? add() : what == 1 ? remove() : grow();
  }

  AssignorInput input() const {
    AssignorInput input;
    input.partitions = partitions_;
    for (const auto& member : members_) {
      const auto known = std::ranges::find(input.subscriptions, member.topics);
      const auto at = static_cast<std::size_t>(known - input.subscriptions.begin());
      if (known == input.subscriptions.end()) input.subscriptions.push_back(member.topics);
      input.members.push_back({member.id, std::nullopt, at, &member.before});
    }
    return input;
  }
  void take(const std::vector<ConsumerAssignment>& result) {
    for (std::size_t i = 0; i < members_.size(); ++i) members_[i].before = result[i];
  }

 private:
  struct Member {
    std::string id;
    std::vector<TopicId> topics;
    ConsumerAssignment before;
  };
  std::int32_t size() { return static_cast<std::int32_t>(prng_.below(12)); }
  std::vector<TopicId> drawn_topics() {
    std::vector<TopicId> topics;
    for (const auto& [topic, count] : partitions_) {
      if (prng_.below(3) > 0) topics.push_back(topic);
    }
    return topics;
  }

  Prng prng_;
  std::map<TopicId, std::int32_t> partitions_;
  std::deque<Member> members_;
  int next_ = 0;
};

using Assignor = std::vector<ConsumerAssignment> (*)(const AssignorInput&);

bool reads(const AssignorInput& input, const AssignorInput::Member& member, const TopicId& topic) {
  return std::ranges::binary_search(input.subscriptions[member.subscription], topic);
}

void expect_each_partition_once(const AssignorInput& input, const std::vector<ConsumerAssignment>& result) {
  ASSERT_EQ(result.size(), input.members.size());
  std::map<std::pair<TopicId, std::int32_t>, int> owners;
  for (std::size_t i = 0; i < result.size(); ++i) {
    for (const auto& [topic, partitions] : result[i]) {
      EXPECT_TRUE(reads(input, input.members[i], topic));
      EXPECT_TRUE(std::ranges::is_sorted(partitions));
      for (const auto partition : partitions) ++owners[{topic, partition}];
    }
  }
  std::size_t expected = 0;
  for (const auto& [topic, count] : input.partitions) {
    const bool is_read =
        std::ranges::any_of(input.members, [&](const auto& member) { return reads(input, member, topic); });
    if (is_read) expected += static_cast<std::size_t>(count);
  }
  EXPECT_EQ(owners.size(), expected);
  for (const auto& [partition, count] : owners) EXPECT_EQ(count, 1);
}

// Nobody could give a partition to another reader of its topic and both be nearer to each other.
void expect_even(const AssignorInput& input, const std::vector<ConsumerAssignment>& result) {
  for (std::size_t i = 0; i < result.size(); ++i) {
    for (const auto& [topic, partitions] : result[i]) {
      for (std::size_t j = 0; j < result.size(); ++j) {
        if (!reads(input, input.members[j], topic)) continue;
        EXPECT_LE(partition_count(result[i]), partition_count(result[j]) + 1);
      }
    }
  }
}

std::size_t moved(const AssignorInput& input, const std::vector<ConsumerAssignment>& result) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < result.size(); ++i) {
    for (const auto& [topic, partitions] : *input.members[i].before) {
      for (const auto partition : partitions) count += contains(result[i], topic, partition) ? 0 : 1;
    }
  }
  return count;
}

TEST(ConsumerAssignor, every_partition_has_one_owner_who_reads_its_topic) {
  for (const Assignor assign : {assign_uniform, assign_range}) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
      SCOPED_TRACE(seed);
      DrawnGroup group(seed);
      for (int round = 0; round < 6; ++round) {
        const auto input = group.input();
        const auto result = assign(input);
        expect_each_partition_once(input, result);
        group.take(result);
        group.change();
      }
    }
  }
}

TEST(ConsumerAssignor, uniform_is_as_even_as_the_subscriptions_allow) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    DrawnGroup group(seed);
    for (int round = 0; round < 6; ++round) {
      const auto result = assign_uniform(group.input());
      expect_even(group.input(), result);
      group.take(result);
      group.change();
    }
  }
}

TEST(ConsumerAssignor, uniform_answers_the_same_question_by_moving_nothing) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    DrawnGroup group(seed);
    group.take(assign_uniform(group.input()));
    EXPECT_EQ(moved(group.input(), assign_uniform(group.input())), 0u);
  }
}

TEST(ConsumerAssignor, uniform_moves_no_more_to_a_new_member_than_it_gets) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    DrawnGroup group(seed);
    group.subscribe_all_alike();
    group.take(assign_uniform(group.input()));
    group.add();
    group.subscribe_all_alike();
    const auto result = assign_uniform(group.input());
    EXPECT_EQ(moved(group.input(), result), partition_count(result.back()));
  }
}

TEST(ConsumerAssignor, uniform_takes_nothing_from_those_who_stay_when_one_leaves) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    DrawnGroup group(seed);
    group.subscribe_all_alike();
    group.take(assign_uniform(group.input()));
    group.remove();
    EXPECT_EQ(moved(group.input(), assign_uniform(group.input())), 0u);
  }
}

TEST(ConsumerAssignor, range_gives_neighbours_and_the_same_ones_of_topics_of_one_size) {
  const TopicId t = Uuid::from_halves(1, 1);
  const TopicId u = Uuid::from_halves(1, 2);
  AssignorInput input{.members = {{"b", std::nullopt}, {"a", std::nullopt}, {"c", "i"}},
                      .subscriptions = {{t, u}},
                      .partitions = {{t, 7}, {u, 7}}};
  const auto result = assign_range(input);
  EXPECT_EQ(result[2], (ConsumerAssignment{{t, {0, 1, 2}}, {u, {0, 1, 2}}}));  // static members come first
  EXPECT_EQ(result[1], (ConsumerAssignment{{t, {3, 4}}, {u, {3, 4}}}));
  EXPECT_EQ(result[0], (ConsumerAssignment{{t, {5, 6}}, {u, {5, 6}}}));
}

}  // namespace
}  // namespace millrace::engine
