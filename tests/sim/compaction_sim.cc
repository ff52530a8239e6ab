// compaction_sim --seeds N --seed S --generations G: crashes of compacted logs, seed by seed; see compaction_crash.h. Exit code
// 1 and the seed's number on the first promise that was not kept.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/logging.h"
#include "tests/sim/compaction_crash.h"

int main(int argc, char** argv) {
  CLI::App app("Crashes the compacted logs of a simulated node and checks that no key is lost.");
  std::uint64_t seeds = 100;
  std::uint64_t seed = 1;
  int generations = 5;
  bool verbose = false;
  app.add_option("--seeds", seeds, "how many seeds to run");
  app.add_option("--seed", seed, "the first one");
  app.add_option("--generations", generations, "starts per seed");
  app.add_flag("--verbose", verbose, "the log lines of the node");
  CLI11_PARSE(app, argc, argv);
  using namespace millrace;
  if (!verbose) logging::start(logging::Level::error, "/dev/null");
  sim::CompactionReport sum;
  std::string failure;
  for (std::uint64_t i = 0; i < seeds && failure.empty(); ++i) {
    const auto report = sim::run_compaction_crashes(seed + i, generations);
    sum.acknowledged += report.acknowledged;
    sum.kills += report.kills;
    sum.power_cuts += report.power_cuts;
    sum.crashes_in_recovery += report.crashes_in_recovery;
    sum.passes += report.passes;
    sum.records_dropped += report.records_dropped;
    sum.passes_put_off += report.passes_put_off;
    sum.reads += report.reads;
    sum.duplicates += report.duplicates;
    failure = report.failure;
  }
  fmt::print("acknowledged {} kills {} power_cuts {} crashes_in_recovery {} passes {} records_dropped {} put_off {} reads {} "
             "duplicates {}\n",
             sum.acknowledged, sum.kills, sum.power_cuts, sum.crashes_in_recovery, sum.passes, sum.records_dropped,
             sum.passes_put_off, sum.reads, sum.duplicates);
  if (!verbose) logging::stop();
  // Without passes nothing was tried.
  if (failure.empty() && sum.passes == 0) failure = "the cleaner never ran";
  if (failure.empty()) return 0;
  fmt::print("FAILED {}\n", failure);
  return 1;
}
