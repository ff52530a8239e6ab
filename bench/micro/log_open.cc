// How long a start takes to open many partitions after a clean stop, and what an open one holds in memory.
//
//   log_open [--partitions N] [--directory D]
#include <fmt/core.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/logging.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/log_shard.h"
#include "io/run.h"
#include "io/shard.h"

namespace millrace::log {
namespace {

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::uint64_t heap_bytes() { return ::mallinfo2().uordblks; }

io::Task<void> make_all(io::Proactor& proactor, std::string directory, int partitions) {
  LogShard shard(proactor, {});
  CHECK((co_await shard.start()).has_value());
  LogOptions options;
  options.durability = Durability::replicated;
  std::vector<std::unique_ptr<Log>> logs;
  BatchBuilder builder;
  builder.append(1, std::nullopt, as_bytes(std::string(1000, 'x')));
  const auto batch = builder.finish();
  for (int i = 0; i < partitions; ++i) {
    auto log = co_await shard.create({.log_directory = directory,
                                      .topic = "topic",
                                      .partition = PartitionIndex(i),
                                      .topic_id = Uuid::from_halves(1, 1)},
                                     options);
    CHECK(log.has_value(), "{}", log.error().message);
    set_base_offset(batch, Offset(0));
    const auto appended = (*log)->stage_append_as_leader(batch, {.leader_epoch = LeaderEpoch(0), .now = WallTime{1}});
    CHECK(appended.has_value());
    CHECK((co_await (*log)->written(*appended)).has_value());
    logs.push_back(std::move(*log));
  }
  for (auto& log : logs) CHECK((co_await log->close()).has_value());
  CHECK((co_await write_checkpoints(proactor, directory, shard.checkpoint_rows(directory))).has_value());
  co_await shard.stop();
  CHECK(mark_clean_stop(proactor, directory, 1).has_value());
}

io::Task<void> open_all(io::Proactor& proactor, std::string directory) {
  const std::uint64_t before = heap_bytes();
  const double start = wall_seconds();
  const auto scan = scan_log_directory(proactor, directory);
  CHECK(scan.has_value() && scan->clean_stop);
  const double scanned = wall_seconds();
  LogShard shard(proactor, {});
  std::vector<std::unique_ptr<Log>> logs;
  for (const auto& found : scan->partitions) {
    auto log = co_await shard.open(found, {}, nullptr);
    CHECK(log.has_value(), "{}", log.error().message);
    logs.push_back(std::move(*log));
  }
  const double opened = wall_seconds();
  const std::uint64_t bytes = heap_bytes() - before;
  fmt::print("partitions {}: scan {:.1f} ms, open {:.1f} ms, {} bytes of heap per partition\n", logs.size(),
             (scanned - start) * 1e3, (opened - scanned) * 1e3, bytes / std::max<std::size_t>(logs.size(), 1));
  const double closing = wall_seconds();
  for (auto& log : logs) CHECK((co_await log->close()).has_value());
  fmt::print("close {:.1f} ms\n", (wall_seconds() - closing) * 1e3);
  CHECK((co_await shard.start()).has_value());
  logs.clear();
  co_await shard.stop();
}

}  // namespace
}  // namespace millrace::log

int main(int argc, char** argv) {
  CLI::App app("Opens many partitions after a clean stop.");
  int partitions = 1000;
  std::string parent = std::filesystem::temp_directory_path();
  app.add_option("--partitions", partitions, "how many");
  app.add_option("--directory", parent, "where they are made and removed again");
  CLI11_PARSE(app, argc, argv);
  using namespace millrace;
  logging::start(logging::Level::warn, "");
  std::string directory = parent + "/log_open_XXXXXX";
  CHECK(::mkdtemp(directory.data()) != nullptr, "{}", directory);
  {
    auto proactor = io::make_proactor(io::Backend::automatic);
    CHECK(proactor.has_value(), "{}", proactor.error().message);
    io::run_task(**proactor, log::make_all(**proactor, directory, partitions));
    io::run_task(**proactor, log::open_all(**proactor, directory));
  }
  std::filesystem::remove_all(directory);
  logging::stop();
}
