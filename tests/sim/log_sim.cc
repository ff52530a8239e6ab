// log_sim --seeds N --seed S --generations G: crashes of the logs, seed by seed; see log_crash.h. Exit code 1 and the seed's
// number on the first promise that was not kept.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/logging.h"
#include "tests/sim/log_crash.h"

int main(int argc, char** argv) {
  CLI::App app("Crashes the logs of a simulated node and checks what they promised.");
  std::uint64_t seeds = 100;
  std::uint64_t seed = 1;
  int generations = 4;
  bool verbose = false;
  app.add_option("--seeds", seeds, "how many seeds to run");
  app.add_option("--seed", seed, "the first one");
  app.add_option("--generations", generations, "starts per seed");
  app.add_flag("--verbose", verbose, "the log lines of the node");
  CLI11_PARSE(app, argc, argv);
  using namespace millrace;
  if (!verbose) logging::start(logging::Level::error, "/dev/null");
  sim::CrashReport sum;
  std::string failure;
  for (std::uint64_t i = 0; i < seeds && failure.empty(); ++i) {
    const auto report = sim::run_log_crashes({.seed = seed + i, .generations = generations});
    sum.acknowledged += report.acknowledged;
    sum.kills += report.kills;
    sum.power_cuts += report.power_cuts;
    sum.clean_stops += report.clean_stops;
    sum.crashes_in_recovery += report.crashes_in_recovery;
    sum.lost_unsynced += report.lost_unsynced;
    sum.cuts += report.cuts;
    sum.directories_lost += report.directories_lost;
    failure = report.failure;
    if (seeds == 1) fmt::print("trace {:016x}\n", report.trace);
  }
  fmt::print("acknowledged {} kills {} power_cuts {} clean_stops {} crashes_in_recovery {} lost_unsynced {} cuts {} "
             "directories_lost {}\n",
             sum.acknowledged, sum.kills, sum.power_cuts, sum.clean_stops, sum.crashes_in_recovery, sum.lost_unsynced,
             sum.cuts, sum.directories_lost);
  if (!verbose) logging::stop();
  if (failure.empty()) return 0;
  fmt::print("FAILED {}\n", failure);
  return 1;
}
