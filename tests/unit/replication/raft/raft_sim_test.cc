// Clusters of Raft machines under one seed each; Cluster checks the invariants after every step and
// ends the process when one does not hold, so a seed that fails names itself.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "tests/unit/replication/raft/cluster.h"

namespace millrace::raft {
namespace {

std::uint64_t running_seed = 0;

void name_seed(int) {
  std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(running_seed));
}

// More seeds: MILLRACE_SEEDS=20000.
std::uint64_t seeds(std::uint64_t usual) {
  const char* asked = std::getenv("MILLRACE_SEEDS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : usual;
}

// Once the faults end, a leader is found and what it appends is committed everywhere.
void expect_recovery(Cluster& cluster, std::uint64_t seed) {
  cluster.heal();
  bool committed = false;
  for (int tries = 0; tries < 40 && !committed; ++tries) {
    cluster.run_for(from_ms(500));
    const Offset before = cluster.committed();
    if (!cluster.append()) continue;
    cluster.run_for(from_ms(3000));
    committed = cluster.committed() > before && cluster.all_have(before + 1);
  }
  EXPECT_TRUE(committed) << "seed " << seed << " finds no leader within 140 s without faults";
}

void run(std::uint64_t seed_count, int voters, int observers, const Faults& faults, Duration time) {
  std::signal(SIGABRT, name_seed);
  std::uint64_t elections = 0;
  std::int64_t committed = 0;
  for (std::uint64_t seed = 1; seed <= seed_count; ++seed) {
    running_seed = seed;
    Cluster cluster(seed * 1000003 + static_cast<std::uint64_t>(voters), voters, observers, faults);
    cluster.run_for(time);
    expect_recovery(cluster, seed);
    elections += cluster.elections();
    committed += cluster.committed().value();
  }
  // The faults must bite, and the cluster must still get work done.
  EXPECT_GE(elections, seed_count);
  EXPECT_GT(committed, static_cast<std::int64_t>(seed_count * 10));
}

TEST(RaftSimulation, holds_without_faults) {
  run(seeds(50), 3, 1, {}, from_ms(20'000));
}

TEST(RaftSimulation, holds_on_a_network_that_drops_and_doubles) {
  run(seeds(300), 3, 1, {.drop_one_in = 8, .double_one_in = 8, .delay_max = from_ms(200)},
      from_ms(20'000));
}

TEST(RaftSimulation, holds_when_nodes_crash_between_any_two_effects) {
  run(seeds(500), 3, 0, {.crash_one_in = 300, .flush_max = from_ms(100)}, from_ms(20'000));
}

TEST(RaftSimulation, holds_when_the_network_parts) {
  run(seeds(300), 5, 1, {.part_one_in = 20, .delay_max = from_ms(50)}, from_ms(20'000));
}

TEST(RaftSimulation, holds_under_everything_at_once) {
  const Faults all{.drop_one_in = 20,
                   .double_one_in = 20,
                   .crash_one_in = 400,
                   .part_one_in = 40,
                   .delay_max = from_ms(300),
                   .flush_max = from_ms(200)};
  run(seeds(400), 3, 1, all, from_ms(30'000));
  run(seeds(200), 5, 1, all, from_ms(30'000));
}

TEST(RaftSimulation, holds_when_disks_are_slower_than_elections) {
  run(seeds(300), 3, 0,
      {.drop_one_in = 20,
       .crash_one_in = 500,
       .part_one_in = 10,
       .delay_max = from_ms(20),
       .flush_max = from_ms(1500)},
      from_ms(40'000));
}

TEST(RaftSimulation, holds_while_logs_are_cut_off_by_snapshots) {
  run(seeds(200), 3, 1,
      {.drop_one_in = 30,
       .crash_one_in = 400,
       .part_one_in = 40,
       .delay_max = from_ms(50),
       .snapshots = true},
      from_ms(20'000));
}

TEST(RaftSimulation, a_leader_that_resigns_is_succeeded_before_timers_would_notice) {
  int quick = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed, 3, 0, {});
    cluster.run_for(from_ms(10'000));
    const auto before = cluster.leader();
    ASSERT_TRUE(before);
    cluster.resign(*before);
    cluster.run_for(from_ms(500));
    const auto after = cluster.leader();
    if (after && *after != *before) ++quick;
  }
  EXPECT_GE(quick, 18);
}

TEST(RaftSimulation, a_node_that_was_cut_off_does_not_depose_the_leader_when_it_returns) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed, 3, 0, {});
    cluster.run_for(from_ms(10'000));
    const auto leader = cluster.leader();
    ASSERT_TRUE(leader);
    const auto epoch = cluster.raft(*leader).epoch();
    cluster.isolate((*leader + 1) % 3);
    cluster.run_for(from_ms(30'000));
    cluster.heal();
    cluster.run_for(from_ms(10'000));
    EXPECT_EQ(cluster.leader(), leader) << seed;
    EXPECT_EQ(cluster.raft(*leader).epoch(), epoch) << seed;
  }
}

TEST(RaftSimulation, a_leader_without_majority_resigns) {
  Cluster cluster(7, 3, 0, {});
  cluster.run_for(from_ms(10'000));
  const auto leader = cluster.leader();
  ASSERT_TRUE(leader);
  cluster.isolate(*leader);
  cluster.run_for(from_ms(3'500));
  EXPECT_FALSE(cluster.raft(*leader).is_leader());
}

TEST(RaftSimulation, a_lone_voter_leads_at_once_and_commits_only_what_is_flushed) {
  Cluster cluster(3, 1, 0, {.flush_max = from_ms(50)});
  EXPECT_EQ(cluster.leader(), 0);
  EXPECT_FALSE(cluster.raft(0).high_watermark());
  cluster.run_for(from_ms(60));
  EXPECT_EQ(cluster.raft(0).high_watermark(), Offset(1));
  ASSERT_TRUE(cluster.append());
  EXPECT_EQ(cluster.raft(0).high_watermark(), Offset(1));
  cluster.run_for(from_ms(60));
  EXPECT_GE(cluster.raft(0).high_watermark(), Offset(2));
}

}  // namespace
}  // namespace millrace::raft
