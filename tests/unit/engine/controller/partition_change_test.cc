// change_partition(): named cases of the rules, and every combination of a three-replica
// partition's ISR, target, leader and live brokers against what must hold for each.
#include "engine/controller/partition_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ids = std::vector<BrokerId>;

Ids ids(std::initializer_list<int> raw) {
  Ids found;
  for (const int id : raw) found.emplace_back(id);
  return found;
}
Uuid directory(BrokerId id) {
  return Uuid::from_halves(7, static_cast<std::uint64_t>(id.value()));
}

PartitionImage partition(Ids isr, int leader) {
  PartitionImage image{
      .replicas = ids({1, 2, 3}), .isr = std::move(isr), .leader = BrokerId(leader)};
  for (const BrokerId id : image.replicas) image.directories.push_back(directory(id));
  return image;
}

class PartitionChange : public ::testing::Test {
 protected:
  // The request of `current` with everybody but `dead` alive.
  PartitionChangeRequest request(const PartitionImage& current, Ids dead = {}) {
    return {.topic_id = Uuid::from_halves(1, 1),
            .index = PartitionIndex(0),
            .current = current,
            .live = [dead](BrokerId id) { return std::ranges::find(dead, id) == dead.end(); },
            .directory_for = directory};
  }
  static PartitionChangeRecord record(const PartitionChangeRequest& request) {
    const auto changed = change_partition(request);
    EXPECT_TRUE(changed);
    return changed ? std::get<PartitionChangeRecord>(changed->record) : PartitionChangeRecord{};
  }
};

TEST_F(PartitionChange, nothing_to_change_is_no_record) {
  const auto current = partition(ids({1, 2, 3}), 1);
  EXPECT_FALSE(change_partition(request(current)));
}

TEST_F(PartitionChange, a_leader_that_stays_is_not_named_when_the_isr_shrinks) {
  const auto current = partition(ids({1, 2, 3}), 1);
  auto asked = request(current);
  asked.isr = ids({1, 2});
  const auto changed = record(asked);
  EXPECT_THAT(*changed.isr, ElementsAre(1, 2));
  EXPECT_EQ(changed.leader, kLeaderUnchanged);
}

TEST_F(PartitionChange, below_metadata_version_12_a_shrinking_isr_raises_the_leader_epoch) {
  const auto current = partition(ids({1, 2, 3}), 1);
  auto asked = request(current);
  asked.isr = ids({1, 2});
  asked.metadata_version = 11;
  EXPECT_EQ(record(asked).leader, 1);
}

TEST_F(PartitionChange, the_next_replica_in_sync_leads_when_the_leader_leaves) {
  const auto current = partition(ids({1, 2, 3}), 1);
  auto asked = request(current, ids({1}));
  asked.isr = ids({2, 3});
  const auto changed = record(asked);
  EXPECT_EQ(changed.leader, 2);
  EXPECT_THAT(*changed.isr, ElementsAre(2, 3));
}

TEST_F(PartitionChange, the_last_of_the_isr_stays_in_it_and_nobody_leads) {
  const auto current = partition(ids({1}), 1);
  auto asked = request(current, ids({1}));
  asked.isr = Ids{};
  const auto changed = record(asked);
  EXPECT_EQ(changed.leader, -1);
  EXPECT_FALSE(changed.isr) << "an empty ISR would forget who has the data";
}

TEST_F(PartitionChange, a_replica_behind_leads_only_in_an_unclean_election_and_is_then_recovering) {
  const auto current = partition(ids({1}), -1);
  auto asked = request(current, ids({1}));
  EXPECT_FALSE(change_partition(asked));
  asked.election = Election::unclean;
  const auto changed = record(asked);
  EXPECT_EQ(changed.leader, 2);
  EXPECT_THAT(*changed.isr, ElementsAre(2));
  EXPECT_EQ(changed.leader_recovery_state, 1);
}

TEST_F(PartitionChange, an_unclean_election_still_prefers_who_is_in_sync) {
  const auto current = partition(ids({3}), -1);
  auto asked = request(current);
  asked.election = Election::unclean;
  const auto changed = record(asked);
  EXPECT_EQ(changed.leader, 3);
  EXPECT_EQ(changed.leader_recovery_state, -1);
}

TEST_F(PartitionChange, a_preferred_election_goes_back_to_the_first_replica_when_it_is_in_sync) {
  const auto current = partition(ids({1, 2}), 2);
  auto asked = request(current);
  asked.election = Election::preferred;
  EXPECT_EQ(record(asked).leader, 1);
  const auto behind = partition(ids({2, 3}), 3);
  auto later = request(behind);
  later.election = Election::preferred;
  EXPECT_FALSE(change_partition(later)) << "the first replica is behind, and 3 may stay";
}

TEST_F(PartitionChange, a_reassignment_ends_when_every_final_replica_is_in_sync) {
  auto current = partition(ids({1, 2}), 1);
  current.replicas = ids({4, 2, 1});
  current.directories = {directory(BrokerId(4)), directory(BrokerId(2)), directory(BrokerId(1))};
  current.adding_replicas = ids({4});
  current.removing_replicas = ids({1});
  auto asked = request(current);
  asked.isr = ids({1, 2});
  EXPECT_FALSE(change_partition(asked)) << "4 is not in sync yet";
  asked.isr = ids({1, 2, 4});
  const auto changed = record(asked);
  EXPECT_THAT(*changed.replicas, ElementsAre(4, 2));
  EXPECT_THAT(*changed.isr, ElementsAre(2, 4));
  EXPECT_THAT(*changed.adding_replicas, IsEmpty());
  EXPECT_THAT(*changed.removing_replicas, IsEmpty());
  EXPECT_EQ(changed.leader, 4);
  EXPECT_THAT(*changed.directories, ElementsAre(directory(BrokerId(4)), directory(BrokerId(2))));
}

TEST_F(PartitionChange, losing_a_replica_raises_the_leader_epoch_of_the_same_leader) {
  const auto current = partition(ids({1, 2}), 1);
  auto asked = request(current);
  asked.replicas = ids({1, 2});
  const auto changed = record(asked);
  EXPECT_EQ(changed.leader, 1);
  EXPECT_EQ(changed.directories->size(), 2u);
}

TEST_F(PartitionChange, below_metadata_version_17_no_directories_are_written) {
  auto current = partition(ids({1, 2}), 1);
  current.directories.clear();
  auto asked = request(current);
  asked.replicas = ids({1, 2});
  asked.metadata_version = 14;
  EXPECT_FALSE(record(asked).directories);
  EXPECT_EQ(change_partition(asked)->version, 0);
}

TEST_F(PartitionChange, a_replica_that_is_elsewhere_is_written_with_the_others_and_nothing_else_changes) {
  const auto current = partition(ids({1, 2, 3}), 1);
  auto asked = request(current);
  asked.placed = {BrokerId(2), Uuid::from_halves(9, 9)};
  const auto changed = record(asked);
  EXPECT_THAT(*changed.directories, ElementsAre(directory(BrokerId(1)), Uuid::from_halves(9, 9), directory(BrokerId(3))));
  EXPECT_FALSE(changed.isr || changed.replicas || changed.eligible_leader_replicas || changed.last_known_elr);
  EXPECT_EQ(changed.leader, PartitionChangeRecord{}.leader);
  asked.placed->directory = directory(BrokerId(2));
  EXPECT_FALSE(change_partition(asked));
}

TEST_F(PartitionChange, where_directories_were_never_written_the_others_are_migrating) {
  auto current = partition(ids({1, 2, 3}), 1);
  current.directories.clear();
  auto asked = request(current);
  asked.placed = {BrokerId(1), directory(BrokerId(1))};
  EXPECT_THAT(*record(asked).directories,
              ElementsAre(directory(BrokerId(1)), kDirectoryMigrating, kDirectoryMigrating));
  asked.metadata_version = 16;
  EXPECT_FALSE(change_partition(asked));
}

// Kafka clears the eligible leaders with the directories.
TEST_F(PartitionChange, a_stopped_brokers_replica_stays_eligible_when_it_is_found_elsewhere) {
  auto current = partition({}, -1);
  current.eligible_leader_replicas = ids({1});
  auto asked = request(current, ids({1, 2, 3}));
  asked.eligible_leader_replicas = true;
  asked.placed = {BrokerId(1), Uuid::from_halves(9, 9)};
  const auto changed = record(asked);
  EXPECT_TRUE(changed.directories);
  EXPECT_FALSE(changed.isr || changed.eligible_leader_replicas || changed.last_known_elr);
}

TEST_F(PartitionChange, where_nobody_is_eligible_any_more_only_an_unclean_election_finds_a_leader) {
  auto current = partition({}, -1);
  auto asked = request(current);
  asked.eligible_leader_replicas = true;
  EXPECT_FALSE(change_partition(asked));
  asked.election = Election::unclean;
  const auto changed = record(asked);
  EXPECT_EQ(changed.leader, 1);
  EXPECT_THAT(*changed.isr, ElementsAre(1));
}

TEST_F(PartitionChange, with_eligible_leaders_who_falls_below_min_isr_stays_eligible) {
  const auto current = partition(ids({1, 2}), 1);
  auto asked = request(current, ids({1}));
  asked.eligible_leader_replicas = true;
  asked.min_insync_replicas = 2;
  asked.isr = ids({2});
  const auto changed = record(asked);
  EXPECT_EQ(changed.leader, 2);
  EXPECT_THAT(*changed.eligible_leader_replicas, ElementsAre(1));
}

TEST_F(PartitionChange, with_eligible_leaders_the_isr_may_empty_and_an_eligible_one_leads_later) {
  const auto current = partition(ids({1}), 1);
  auto asked = request(current, ids({1}));
  asked.eligible_leader_replicas = true;
  asked.min_insync_replicas = 1;
  asked.isr = Ids{};
  const auto down = record(asked);
  EXPECT_THAT(*down.isr, IsEmpty());
  EXPECT_EQ(down.leader, -1);
  EXPECT_THAT(*down.eligible_leader_replicas, ElementsAre(1));
  const auto then = apply_change(current, down);
  auto again = request(then);
  again.eligible_leader_replicas = true;
  const auto up = record(again);
  EXPECT_EQ(up.leader, 1);
  EXPECT_THAT(*up.isr, ElementsAre(1));
  EXPECT_THAT(*up.eligible_leader_replicas, IsEmpty());
}

TEST_F(PartitionChange, the_last_known_leader_must_be_alive_to_be_elected) {
  auto current = partition({}, -1);
  current.last_known_elr = ids({2});
  auto asked = request(current, ids({2}));
  asked.eligible_leader_replicas = true;
  EXPECT_FALSE(change_partition(asked));
  auto alive = request(current);
  alive.eligible_leader_replicas = true;
  const auto changed = record(alive);
  EXPECT_EQ(changed.leader, 2);
  EXPECT_EQ(changed.leader_recovery_state, 1);
}

Ids subset(unsigned bits) {
  Ids found;
  for (unsigned i = 0; i < 3; ++i) {
    if ((bits >> i) & 1) found.emplace_back(static_cast<int>(i + 1));
  }
  return found;
}

// What must hold of every change of a partition of replicas 1, 2, 3 without eligible leaders.
void check_change(const PartitionImage& before, const Ids& target, unsigned live, Election election,
                  const std::optional<VersionedRecord>& changed) {
  const PartitionImage after =
      changed ? apply_change(before, std::get<PartitionChangeRecord>(changed->record)) : before;
  const auto alive = [&](BrokerId id) {
    return id != kNoBroker && ((live >> (id.value() - 1)) & 1) != 0;
  };
  const auto can_lead = [&](BrokerId id) {
    return alive(id) && std::ranges::find(target, id) != target.end();
  };
  EXPECT_FALSE(after.isr.empty());
  const bool someone_can = std::ranges::any_of(before.replicas, can_lead);
  if (someone_can) {
    EXPECT_TRUE(can_lead(after.leader));
    EXPECT_EQ(after.isr, target);
    if (can_lead(before.leader) && election != Election::preferred)
      EXPECT_EQ(after.leader, before.leader);
    if (election == Election::preferred && can_lead(BrokerId(1)))
      EXPECT_EQ(after.leader, BrokerId(1));
  } else if (election == Election::unclean && live != 0) {
    EXPECT_TRUE(alive(after.leader));
    EXPECT_EQ(after.isr, Ids{after.leader});
    EXPECT_EQ(after.recovery, LeaderRecoveryState::recovering);
  } else {
    EXPECT_EQ(after.leader, kNoBroker);
  }
  if (after.leader != kNoBroker) EXPECT_TRUE(after.in_isr(after.leader));
  EXPECT_EQ(after.leader_epoch > before.leader_epoch, after.leader != before.leader);
  EXPECT_EQ(after.replicas, before.replicas);
}

TEST_F(PartitionChange, every_combination_of_isr_target_leader_and_live_brokers_keeps_the_rules) {
  for (unsigned isr = 1; isr < 8; ++isr) {
    for (unsigned target = 0; target < 8; ++target) {
      for (unsigned live = 0; live < 8; ++live) {
        for (int leader : {-1, 1, 2, 3}) {
          if (leader > 0 && ((isr >> (leader - 1)) & 1) == 0) continue;
          for (const Election election :
               {Election::preferred, Election::online, Election::unclean}) {
            const auto before = partition(subset(isr), leader);
            Ids dead;
            for (const BrokerId id : ids({1, 2, 3})) {
              if (((live >> (id.value() - 1)) & 1) == 0) dead.push_back(id);
            }
            auto asked = request(before, dead);
            asked.isr = subset(target);
            asked.election = election;
            SCOPED_TRACE(fmt::format("isr={} target={} live={} leader={} election={}", isr, target,
                                     live, leader, static_cast<int>(election)));
            check_change(before, subset(target), live, election, change_partition(asked));
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace millrace::engine
