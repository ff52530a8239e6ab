// What a log's append costs, per GB and per append: validated, staged, written once per turn of the loop; with `--fsync` also
// made durable through the write-ahead log. Beside it, the floor: the checksum and a bare pwrite of the same bytes.
//
//   segment_append [--megabytes N] [--partitions N] [--directory D] [--fsync]
//
// CPU is of the whole process, the kernel's part of it included. Ends with the sum of the offsets, so that nothing is
// optimised away.
#include <fmt/core.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/logging.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/log_shard.h"
#include "io/file.h"
#include "io/gate.h"
#include "io/run.h"
#include "io/shard.h"

namespace millrace::log {
namespace {

constexpr WallTime kNow{1'700'000'000'000};

struct Case {
  std::size_t value_bytes = 1024;
  std::size_t batch_bytes = 16 << 10;
  std::size_t partitions = 1;
  std::size_t per_turn = 1;  // appends to each partition in one turn
};

struct Cost {
  double cpu = 0;
  double wall = 0;
};

double cpu_seconds() {
  ::rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const ::timeval& time) { return double(time.tv_sec) + double(time.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<std::byte> make_batch(const Case& shape) {
  BatchBuilder builder;
  const std::string value(shape.value_bytes, 'x');
  do {
    builder.append(kNow.ms, std::nullopt, as_bytes(value));
  } while (builder.size() + shape.value_bytes < shape.batch_bytes);
  const auto bytes = builder.finish();
  return {bytes.begin(), bytes.end()};
}

class Bench {
 public:
  // `partitions`: only the rows with as many; 0: all.
  Bench(io::Proactor& proactor, std::string directory, bool fsync, std::uint64_t total, std::size_t partitions)
      : proactor_(proactor), directory_(std::move(directory)), fsync_(fsync), total_(total), partitions_(partitions) {}

  io::Task<void> run();

 private:
  io::Task<Cost> appends(LogShard& shard, Case shape);
  io::Task<void> wait_stable(Log& log, AppendedBatches appended) {
    CHECK((co_await log.stable(appended)).has_value());
  }
  Cost floor(const Case& shape);

  io::Proactor& proactor_;
  std::string directory_;
  bool fsync_;
  std::uint64_t total_;
  std::size_t partitions_;
  std::uint64_t sum_ = 0;
  int next_topic_ = 0;
};

io::Task<Cost> Bench::appends(LogShard& shard, Case shape) {
  LogOptions options;
  options.durability = fsync_ ? Durability::fsync : Durability::replicated;
  options.file_delete_delay_ms = 0;
  std::vector<std::unique_ptr<Log>> logs;
  for (std::size_t i = 0; i < shape.partitions; ++i) {
    auto log = co_await shard.create({.log_directory = directory_,
                                      .topic = fmt::format("t{}", next_topic_++),
                                      .partition = PartitionIndex(0),
                                      .topic_id = Uuid::from_halves(1, static_cast<std::uint64_t>(next_topic_))},
                                     options);
    CHECK(log.has_value(), "{}", log.error().message);
    logs.push_back(std::move(*log));
  }
  std::vector<std::vector<std::byte>> batches(shape.per_turn * shape.partitions, make_batch(shape));
  const double cpu = cpu_seconds();
  const double wall = wall_seconds();
  for (std::uint64_t done = 0; done < total_;) {
    io::Gate turn;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      Log& log = *logs[i % logs.size()];
      set_base_offset(batches[i], Offset(0));  // as a producer sends it
      const auto appended = log.stage_append_as_leader(batches[i], {.leader_epoch = LeaderEpoch(0), .now = kNow});
      CHECK(appended.has_value(), "{}", appended.error().message);
      sum_ += static_cast<std::uint64_t>(appended->last_offset.value());
      done += batches[i].size();
      if (i + logs.size() >= batches.size()) turn.spawn(wait_stable(log, *appended));
    }
    co_await turn.close();
  }
  const Cost cost{.cpu = cpu_seconds() - cpu, .wall = wall_seconds() - wall};
  for (auto& log : logs) CHECK((co_await log->remove()).has_value());
  co_return cost;
}

Cost Bench::floor(const Case& shape) {
  const auto batch = make_batch(shape);
  const std::string path = directory_ + "/floor";
  const auto file = *io::OpenFile::open(proactor_, path, {.write = true, .create = true, .truncate = true});
  const double cpu = cpu_seconds();
  const double wall = wall_seconds();
  std::vector<::iovec> slices(shape.per_turn, {const_cast<std::byte*>(batch.data()), batch.size()});
  for (std::uint64_t done = 0; done < total_; done += batch.size() * shape.per_turn) {
    for (std::size_t i = 0; i < shape.per_turn; ++i) sum_ += crc32c(batch);
    CHECK(proactor_.write_inline(file->handle(), done, slices).has_value());
  }
  const Cost cost{.cpu = cpu_seconds() - cpu, .wall = wall_seconds() - wall};
  CHECK(proactor_.remove(path).has_value());
  return cost;
}

io::Task<void> Bench::run() {
  LogShard shard(proactor_, {.write_ahead_path = fsync_ ? directory_ + "/.millrace-wal-0" : ""});
  const auto started = co_await shard.start();
  CHECK(started.has_value(), "{}", started.error().message);
  const double gigabytes = double(total_) / 1e9;
  fmt::print("{:>6} {:>8} {:>10} {:>8} {:>12} {:>12} {:>10} {:>10}\n", "value", "batch", "partitions",
             "per turn", "CPU s/GB", "floor s/GB", "us/turn", "GB/s");
  for (const Case& shape : {Case{100, 1 << 10, 1, 1}, Case{100, 1 << 10, 1, 16}, Case{1024, 16 << 10, 1, 1},
                            Case{1024, 16 << 10, 1, 8}, Case{1024, 128 << 10, 1, 1},
                            Case{1024, 1000 << 10, 1, 1}, Case{1024, 16 << 10, 16, 1},
                            Case{1024, 16 << 10, 64, 1}}) {
    if (partitions_ != 0 && shape.partitions != partitions_) continue;
    const Cost bare = floor(shape);
    const Cost cost = co_await appends(shard, shape);
    const double turns = double(total_) / double(shape.batch_bytes * shape.per_turn * shape.partitions);
    fmt::print("{:>6} {:>8} {:>10} {:>8} {:>12.3f} {:>12.3f} {:>10.1f} {:>10.2f}\n", shape.value_bytes,
               shape.batch_bytes, shape.partitions, shape.per_turn, cost.cpu / gigabytes,
               bare.cpu / gigabytes, cost.wall / turns * 1e6, gigabytes / cost.wall);
  }
  const auto counters = shard.counters();
  co_await shard.stop();
  fmt::print("segment writes {} syncs {} write-ahead writes {} sum {}\n", counters.segment_writes,
             counters.segment_syncs, counters.write_ahead_writes, sum_);
}

}  // namespace
}  // namespace millrace::log

int main(int argc, char** argv) {
  CLI::App app("CPU per GB appended to a log.");
  std::uint64_t megabytes = 256;
  std::string parent = std::filesystem::temp_directory_path();
  bool fsync = false;
  app.add_option("--megabytes", megabytes, "bytes per row of the table");
  app.add_option("--directory", parent, "where the logs are made and removed again");
  std::size_t partitions = 0;
  app.add_option("--partitions", partitions, "only the rows with as many");
  app.add_flag("--fsync", fsync, "wait until the batches are durable");
  CLI11_PARSE(app, argc, argv);
  using namespace millrace;
  logging::start(logging::Level::warn, "");
  std::string directory = parent + "/segment_append_XXXXXX";
  CHECK(::mkdtemp(directory.data()) != nullptr, "{}", directory);
  {
    auto proactor = io::make_proactor(io::Backend::automatic);
    CHECK(proactor.has_value(), "{}", proactor.error().message);
    log::Bench bench(**proactor, directory, fsync, megabytes << 20, partitions);
    io::run_task(**proactor, bench.run());
  }
  std::filesystem::remove_all(directory);
  logging::stop();
}
