// One seed's life of a whole node: clients create and delete topics, produce, fetch and ask through the wire; the node is
// killed or its power cut at any instant, also while it starts; after each start the promises are checked. See
// docs/simulation.md.
#pragma once

#include <cstdint>
#include <string>

namespace millrace::sim {

struct BrokerRun {
  std::uint64_t seed = 0;
  int generations = 4;
};

struct BrokerReport {
  std::string failure;  // empty: all promises were kept
  std::uint64_t requests = 0;  // answered
  std::uint64_t acknowledged = 0;
  std::uint64_t fetched = 0;
  std::uint64_t kills = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t clean_stops = 0;
  std::uint64_t crashes_in_start = 0;
  std::uint64_t storage_errors = 0;
  std::uint64_t lost_unsynced = 0;
  std::uint64_t commits = 0;      // of offsets, acknowledged
  std::uint64_t assignments = 0;  // members that were given partitions
  std::uint64_t trace = 0;  // equal for two runs of one seed
};

BrokerReport run_broker_crashes(const BrokerRun& run);

}  // namespace millrace::sim
