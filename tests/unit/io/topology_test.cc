// Where shards go on machines of other shapes than the one the test runs on: hwloc's synthetic ones. That memory comes from the node
// that was chosen only a machine with several nodes can show.
#include "io/topology.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>
#include <utility>
#include <vector>

namespace millrace::io {
namespace {

using Places = std::vector<std::pair<int, unsigned>>;

Places places(const std::string& machine, std::uint32_t shards) {
  const Topology topology(machine);
  Places all;
  for (const Place& place : topology.places(shards)) all.emplace_back(place.core, place.node);
  return all;
}

TEST(TopologyTest, shards_take_one_hardware_thread_of_each_core_first_and_the_memory_of_its_node) {
  for (const auto* machine : {"numa:2 core:4 pu:2", "package:2 [numa] core:4 pu:2"}) {
    EXPECT_EQ(places(machine, 8),
              (Places{{0, 0}, {2, 0}, {4, 0}, {6, 0}, {8, 1}, {10, 1}, {12, 1}, {14, 1}}))
        << machine;
    const Places all = places(machine, 18);
    EXPECT_EQ(Places(all.begin() + 8, all.begin() + 16),
              (Places{{1, 0}, {3, 0}, {5, 0}, {7, 0}, {9, 1}, {11, 1}, {13, 1}, {15, 1}}))
        << machine << ": then the other threads";
    EXPECT_EQ(Places(all.begin() + 16, all.end()), (Places{{0, 0}, {2, 0}})) << machine << ": then from the beginning";
  }
}

TEST(TopologyTest, few_shards_stay_on_one_node) {
  EXPECT_EQ(places("numa:2 core:4 pu:2", 3), (Places{{0, 0}, {2, 0}, {4, 0}}));
}

// Linux often numbers the second hardware threads behind all the first ones, and nodes need not follow each other.
TEST(TopologyTest, cores_and_nodes_are_told_by_the_operating_system_s_numbers) {
  EXPECT_EQ(places("numa:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", 8),
            (Places{{0, 0}, {1, 0}, {2, 1}, {3, 1}, {4, 0}, {5, 0}, {6, 1}, {7, 1}}));
  EXPECT_EQ(places("numa:2(indexes=3,8) core:2 pu:1", 4), (Places{{0, 3}, {1, 3}, {2, 8}, {3, 8}}));
  // Cores dealt out to the nodes in turn.
  EXPECT_EQ(places("numa:2 core:2 pu:1(indexes=0,2,1,3)", 4), (Places{{0, 0}, {2, 0}, {1, 1}, {3, 1}}));
}

TEST(TopologyTest, a_machine_with_one_node_has_its_number_everywhere) {
  EXPECT_EQ(places("core:2 pu:2", 4), (Places{{0, 0}, {2, 0}, {1, 0}, {3, 0}}));
}

TEST(TopologyTest, of_two_kinds_of_memory_beside_a_core_it_is_the_first) {
  EXPECT_EQ(places("package:2 [numa(indexes=0,1)] [numa(indexes=2,3)] core:1 pu:1", 2), (Places{{0, 0}, {1, 2}}));
}

TEST(TopologyTest, a_thread_runs_where_it_was_settled) {
  const Topology here;
  std::thread([&] {
    for (const Place& place : here.places(here.cores())) {
      ASSERT_TRUE(here.settle(place));
      EXPECT_EQ(::sched_getcpu(), place.core);
    }
  }).join();
  EXPECT_FALSE(here.settle(Place{})) << "no place";
}

}  // namespace
}  // namespace millrace::io
