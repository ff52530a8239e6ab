#include "engine/controller/replica_placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

namespace millrace::engine {
namespace {

std::vector<PlacementBroker> cluster(const std::vector<bool>& fenced, std::size_t racks) {
  std::vector<PlacementBroker> found;
  for (std::size_t i = 0; i < fenced.size(); ++i) {
    found.push_back({.id = BrokerId(static_cast<int>(i)),
                     .rack = racks == 0 ? "" : "r" + std::to_string(i % racks),
                     .fenced = fenced[i]});
  }
  return found;
}

RC_GTEST_PROP(ReplicaPlacementProperty, replicas_are_different_brokers_led_by_an_unfenced_one, ()) {
  const auto fenced = *rc::gen::resize(9, rc::gen::nonEmpty<std::vector<bool>>());
  const auto brokers = cluster(fenced, *rc::gen::inRange<std::size_t>(0, 4));
  const auto factor = *rc::gen::inRange<std::size_t>(1, brokers.size() + 1);
  Prng prng(*rc::gen::arbitrary<std::uint64_t>());
  const auto placed = place_replicas(
      {.partitions = 20, .replication_factor = static_cast<std::int16_t>(factor)}, brokers, prng);
  RC_ASSERT(placed.has_value() != std::ranges::all_of(brokers, &PlacementBroker::fenced));
  if (!placed) return;
  RC_ASSERT(placed->size() == 20u);
  for (const auto& replicas : *placed) {
    RC_ASSERT(replicas.size() == factor);
    RC_ASSERT(std::set<BrokerId>(replicas.begin(), replicas.end()).size() == factor);
    RC_ASSERT(!brokers[static_cast<std::size_t>(replicas.front().value())].fenced);
  }
}

TEST(ReplicaPlacement, leaders_and_replicas_are_shared_out_evenly) {
  Prng prng(4);
  std::vector<PlacementBroker> brokers;
  for (int i = 0; i < 6; ++i) brokers.push_back({.id = BrokerId(i), .rack = i < 3 ? "a" : "b"});
  const auto placed = place_replicas({.partitions = 60, .replication_factor = 2}, brokers, prng);
  ASSERT_TRUE(placed);
  std::map<BrokerId, int> leaders;
  std::map<BrokerId, int> replicas;
  for (const auto& partition : *placed) {
    ++leaders[partition.front()];
    for (const BrokerId id : partition) ++replicas[id];
    EXPECT_NE(partition[0].value() < 3, partition[1].value() < 3) << "both replicas in one rack";
  }
  for (const auto& [id, count] : replicas) EXPECT_EQ(count, 20) << id.value();
  for (const auto& [id, count] : leaders) EXPECT_NEAR(count, 10, 1) << id.value();
}

TEST(ReplicaPlacement, fenced_brokers_follow_only_when_there_are_too_few_others) {
  Prng prng(5);
  const std::vector<PlacementBroker> brokers{
      {.id = BrokerId(1)}, {.id = BrokerId(2), .fenced = true}, {.id = BrokerId(3)}};
  const auto two = place_replicas({.partitions = 30, .replication_factor = 2}, brokers, prng);
  ASSERT_TRUE(two);
  for (const auto& replicas : *two)
    EXPECT_THAT(replicas, ::testing::Not(::testing::Contains(BrokerId(2))));
  const auto three = place_replicas({.partitions = 30, .replication_factor = 3}, brokers, prng);
  ASSERT_TRUE(three);
  for (const auto& replicas : *three) EXPECT_EQ(replicas.back(), BrokerId(2));
}

TEST(ReplicaPlacement, too_few_brokers_are_named) {
  Prng prng(6);
  const std::vector<PlacementBroker> one{{.id = BrokerId(1)}};
  EXPECT_EQ(place_replicas({.partitions = 1, .replication_factor = 3}, one, prng).error().message,
            "The target replication factor of 3 cannot be reached because only 1 broker(s) are "
            "registered.");
  EXPECT_FALSE(place_replicas({.partitions = 1, .replication_factor = 0}, one, prng));
}

}  // namespace
}  // namespace millrace::engine
