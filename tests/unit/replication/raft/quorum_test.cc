#include "replication/raft/quorum.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"
#include "replication/raft/progress.h"

namespace millrace::raft {
namespace {

VoterSet voters(int count) {
  std::vector<ReplicaKey> keys;
  for (int id = 1; id <= count; ++id) keys.push_back({BrokerId(id), {}});
  return *VoterSet::make(keys);
}

// By trying every offset: the largest that more than half have reached.
Offset slow_majority(const std::vector<Offset>& ends) {
  Offset best = kNoOffset;
  for (const Offset offset : ends) {
    const auto reached = std::ranges::count_if(ends, [&](Offset end) { return end >= offset; });
    if (2 * static_cast<std::size_t>(reached) > ends.size()) best = std::max(best, offset);
  }
  return best;
}

TEST(Quorum, the_majority_offset_is_the_largest_that_more_than_half_have_reached) {
  Prng prng(1);
  for (int i = 0; i < 20000; ++i) {
    std::vector<Offset> ends(1 + prng.below(9));
    for (auto& end : ends) end = Offset(static_cast<std::int64_t>(prng.below(8)) - 1);
    const Offset expected = slow_majority(ends);
    ASSERT_EQ(majority_offset(ends), expected);
  }
}

TEST(Quorum, an_election_is_decided_exactly_when_the_rest_cannot_change_it) {
  Prng prng(2);
  for (int i = 0; i < 5000; ++i) {
    const int count = 1 + static_cast<int>(prng.below(7));
    Election election(voters(count));
    int granted = 0, rejected = 0;
    for (int id = 1; id <= count; ++id) {
      if (prng.chance(4)) continue;
      const bool grants = prng.chance(2);
      (grants ? granted : rejected) += 1;
      election.record(BrokerId(id), grants);
      election.record(BrokerId(id), !grants);  // a second answer changes nothing
      election.record(BrokerId(100 + id), true);
      const int open = count - granted - rejected;
      const Ballot expected = 2 * granted > count             ? Ballot::granted
                              : 2 * (granted + open) <= count ? Ballot::rejected
                                                              : Ballot::open;
      ASSERT_EQ(election.outcome(), expected) << count << " " << granted << " " << rejected;
    }
    EXPECT_EQ(election.granting().size(), static_cast<std::size_t>(granted));
  }
}

TEST(Quorum, a_voter_set_has_each_id_once) {
  EXPECT_FALSE(VoterSet::make({}));
  EXPECT_FALSE(VoterSet::make({{BrokerId(1), {}}, {BrokerId(1), Uuid::from_halves(1, 1)}}));
  const auto set = voters(3);
  EXPECT_EQ(set.majority(), 2u);
  EXPECT_EQ(voters(4).majority(), 3u);
  EXPECT_TRUE(set.contains(BrokerId(3)));
  EXPECT_FALSE(set.contains(BrokerId(4)));
}

TEST(Quorum, directory_ids_must_match_unless_one_is_unknown) {
  const ReplicaKey a{BrokerId(1), Uuid::from_halves(1, 1)};
  const ReplicaKey b{BrokerId(1), Uuid::from_halves(2, 2)};
  EXPECT_FALSE(a.matches(b));
  EXPECT_TRUE(a.matches({BrokerId(1), {}}));
  EXPECT_FALSE(a.matches({BrokerId(2), {}}));
}

TEST(Progress, counts_the_leader_by_what_it_has_flushed_and_observers_not_at_all) {
  Progress progress(voters(3), {BrokerId(1), {}});
  EXPECT_FALSE(progress.committed(Offset(9))) << "nothing known of the others";
  progress.on_fetch({BrokerId(7), {}}, Offset(9), Offset(9), Instant{});
  EXPECT_FALSE(progress.committed(Offset(9)));
  progress.on_fetch({BrokerId(2), {}}, Offset(5), Offset(9), Instant{});
  EXPECT_EQ(progress.committed(Offset(9)), Offset(5));
  EXPECT_EQ(progress.committed(Offset(3)), Offset(3));
  progress.on_fetch({BrokerId(2), {}}, Offset(4), Offset(9), Instant{});
  EXPECT_EQ(progress.committed(Offset(9)), Offset(5))
      << "a fetch that was overtaken takes nothing back";
}

TEST(Progress, a_leader_outside_of_the_voters_does_not_count) {
  Progress progress(voters(3), {BrokerId(9), {}});
  progress.on_fetch({BrokerId(2), {}}, Offset(5), Offset(9), Instant{});
  EXPECT_FALSE(progress.committed(Offset(9)));
  progress.on_fetch({BrokerId(3), {}}, Offset(6), Offset(9), Instant{});
  EXPECT_EQ(progress.committed(Offset(9)), Offset(5));
}

TEST(Progress, caught_up_is_the_last_time_it_had_what_the_leader_had_then) {
  Progress progress(voters(2), {BrokerId(1), {}});
  const auto at = [](int ms) { return Instant{} + from_ms(ms); };
  const ReplicaKey other{BrokerId(2), {}};
  progress.on_fetch(other, Offset(5), Offset(9), at(10));
  EXPECT_FALSE(progress.voters().at(BrokerId(2)).last_caught_up);
  progress.on_fetch(other, Offset(9), Offset(12), at(20));
  EXPECT_EQ(progress.voters().at(BrokerId(2)).last_caught_up, at(10));
  progress.on_fetch(other, Offset(12), Offset(12), at(30));
  EXPECT_EQ(progress.voters().at(BrokerId(2)).last_caught_up, at(30));
}

TEST(Progress, observers_are_forgotten_after_a_while) {
  Progress progress(voters(1), {BrokerId(1), {}});
  progress.on_fetch({BrokerId(8), {}}, Offset(0), Offset(1), Instant{} + from_ms(10));
  progress.on_fetch({BrokerId(9), {}}, Offset(0), Offset(1), Instant{} + from_ms(20));
  progress.forget_observers(Instant{} + from_ms(15));
  EXPECT_EQ(progress.observers().size(), 1u);
}

}  // namespace
}  // namespace millrace::raft
