// broker_sim --seeds N --seed S --generations G --twice: crashes of a whole node, seed by seed; see broker_crash.h. Exit code 1
// and the seed's number on the first promise that was not kept.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/logging.h"
#include "tests/sim/broker_crash.h"

namespace {

using millrace::sim::BrokerReport;

void add(BrokerReport& sum, const BrokerReport& report) {
  sum.requests += report.requests;
  sum.acknowledged += report.acknowledged;
  sum.fetched += report.fetched;
  sum.kills += report.kills;
  sum.power_cuts += report.power_cuts;
  sum.clean_stops += report.clean_stops;
  sum.crashes_in_start += report.crashes_in_start;
  sum.storage_errors += report.storage_errors;
  sum.lost_unsynced += report.lost_unsynced;
  sum.commits += report.commits;
  sum.assignments += report.assignments;
  sum.failure = report.failure;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Crashes a simulated node and checks what it promised.");
  std::uint64_t seeds = 100;
  std::uint64_t seed = 1;
  int generations = 4;
  bool twice = false;
  bool verbose = false;
  app.add_option("--seeds", seeds, "how many seeds to run");
  app.add_option("--seed", seed, "the first one");
  app.add_option("--generations", generations, "starts per seed");
  app.add_flag("--twice", twice, "each seed twice: both runs must be the same");
  app.add_flag("--verbose", verbose, "the log lines of the node");
  CLI11_PARSE(app, argc, argv);
  using namespace millrace;
  if (!verbose) logging::start(logging::Level::error, "/dev/null");
  BrokerReport sum;
  for (std::uint64_t i = 0; i < seeds && sum.failure.empty(); ++i) {
    const sim::BrokerRun run{.seed = seed + i, .generations = generations};
    const auto report = sim::run_broker_crashes(run);
    add(sum, report);
    if (twice && sum.failure.empty() && sim::run_broker_crashes(run).trace != report.trace) {
      sum.failure = fmt::format("seed {}: a second run is not the same", run.seed);
    }
    if (seeds == 1) fmt::print("trace {:016x}\n", report.trace);
  }
  fmt::print("requests {} acknowledged {} fetched {} kills {} power_cuts {} clean_stops {} crashes_in_start {} "
             "storage_errors {} lost_unsynced {} commits {} assignments {}\n",
             sum.requests, sum.acknowledged, sum.fetched, sum.kills, sum.power_cuts, sum.clean_stops,
             sum.crashes_in_start, sum.storage_errors, sum.lost_unsynced, sum.commits, sum.assignments);
  if (!verbose) logging::stop();
  if (sum.failure.empty()) return 0;
  fmt::print("FAILED {}\n", sum.failure);
  return 1;
}
