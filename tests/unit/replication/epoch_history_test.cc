#include "replication/epoch_history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/prng.h"

namespace millrace::replication {
namespace {

EpochHistory history(std::initializer_list<std::pair<int, int>> entries) {
  EpochHistory history;
  for (const auto& [epoch, start] : entries) history.assign(LeaderEpoch(epoch), Offset(start));
  return history;
}

TEST(EpochHistory, ends_follow_the_rules_of_the_leader_epoch_cache) {
  EXPECT_FALSE(EpochHistory().end_offset_for(LeaderEpoch(1), Offset(9)));
  const auto epochs = history({{2, 10}, {4, 20}, {7, 50}});
  const auto end = [&](int epoch) { return epochs.end_offset_for(LeaderEpoch(epoch), Offset(90)); };
  EXPECT_FALSE(end(-1));
  EXPECT_EQ(end(7), (EpochEnd{LeaderEpoch(7), Offset(90)}));
  EXPECT_FALSE(end(8)) << "an epoch above the latest is not known";
  EXPECT_EQ(end(4), (EpochEnd{LeaderEpoch(4), Offset(50)}));
  EXPECT_EQ(end(5), (EpochEnd{LeaderEpoch(4), Offset(50)})) << "answered by the one before it";
  EXPECT_EQ(end(1), (EpochEnd{LeaderEpoch(1), Offset(10)})) << "older than the history";
}

TEST(EpochHistory, assigning_drops_what_contradicts_it) {
  auto epochs = history({{1, 0}, {2, 10}, {3, 20}});
  EXPECT_FALSE(epochs.assign(LeaderEpoch(3), Offset(20)));
  EXPECT_TRUE(epochs.assign(LeaderEpoch(4), Offset(10)));
  EXPECT_EQ(epochs.encode(), "0\n2\n1 0\n4 10\n");
  EXPECT_TRUE(epochs.assign(LeaderEpoch(2), Offset(30)));
  EXPECT_EQ(epochs.encode(), "0\n2\n1 0\n2 30\n");
}

TEST(EpochHistory, truncating_keeps_the_epoch_of_the_first_record) {
  auto epochs = history({{1, 0}, {2, 10}, {3, 20}});
  EXPECT_FALSE(epochs.truncate_from_end(Offset(21)));
  EXPECT_TRUE(epochs.truncate_from_end(Offset(20)));
  EXPECT_EQ(epochs.encode(), "0\n2\n1 0\n2 10\n");
  EXPECT_TRUE(epochs.truncate_from_start(Offset(15)));
  EXPECT_EQ(epochs.encode(), "0\n1\n2 15\n");
  EXPECT_FALSE(epochs.truncate_from_start(Offset(15)));
  EXPECT_FALSE(epochs.truncate_from_start(Offset(3)));
  EXPECT_EQ(epochs.epoch_at(Offset(15)), LeaderEpoch(2));
  EXPECT_FALSE(epochs.epoch_at(Offset(14)));
}

TEST(EpochHistory, text_goes_there_and_back_and_damage_is_found) {
  const std::string text = "0\n2\n3 0\n5 17\n";
  EXPECT_EQ(EpochHistory::decode(text)->encode(), text);
  for (const char* bad : {"", "0\n", "0\n1\n", "0\n1\n3\n", "0\n1\n3 x\n", "0\n2\n3 0\n3 5\n",
                          "0\n2\n3 5\n4 5\n", "0\n1\n-1 0\n", "0\n1\n3 0\n5 17\n"}) {
    EXPECT_EQ(EpochHistory::decode(bad).error(), Errc::malformed) << bad;
  }
  EXPECT_EQ(EpochHistory::decode("1\n0\n").error(), Errc::unsupported);
}

// The model is a plain list of one epoch per record. Two such logs that share a prefix meet, by
// repeated fetches, exactly at the end of that prefix.
TEST(EpochHistory, two_logs_meet_where_they_part) {
  struct ModelLog {
    std::vector<int> epochs;
    EpochHistory history;
    void append(int epoch) {
      if (epochs.empty() || epochs.back() != epoch) {
        history.assign(LeaderEpoch(epoch), Offset(static_cast<std::int64_t>(epochs.size())));
      }
      epochs.push_back(epoch);
    }
    Offset end() const { return Offset(static_cast<std::int64_t>(epochs.size())); }
  };
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Prng prng(seed);
    ModelLog leader, follower;
    int epoch = 1;
    for (auto left = prng.below(10); left > 0; --left) {
      epoch += static_cast<int>(prng.below(2));
      leader.append(epoch);
      follower.append(epoch);
    }
    const auto common = leader.end();
    // From here on they write in epochs of their own: one leader per epoch.
    int next = epoch + 1;
    for (auto left = prng.below(12); left > 0; --left) {
      if (prng.chance(2)) ++next;
      (next % 2 == 0 ? leader : follower).append(next);
    }
    leader.append(next + 1);
    // An epoch that both have seen must mean the same leader: what they share beyond `common` is
    // nothing.
    for (int round = 0; !follower.epochs.empty(); ++round) {
      ASSERT_LT(round, 50) << seed;
      const LeaderEpoch last(follower.epochs.back());
      const auto end = leader.history.end_offset_for(last, leader.end());
      ASSERT_TRUE(end) << seed;
      if (end->epoch == last && end->end_offset >= follower.end()) break;
      const Offset to = truncation_offset(follower.history, follower.end(), *end);
      ASSERT_LT(to, follower.end()) << seed;
      ASSERT_GE(to, common) << seed;
      follower.epochs.resize(static_cast<std::size_t>(to.value()));
      follower.history.truncate_from_end(to);
    }
    EXPECT_EQ(follower.end(), common) << seed;
  }
}

}  // namespace
}  // namespace millrace::replication
