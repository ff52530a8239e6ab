// What it costs to find the range of a fetch in a log, before a byte of it is sent: CPU per read and per GB of what was found.
// Readers go through logs of their own in order, behind what a log keeps of its tail.
//
//   log_read [--megabytes N] [--directory D]
//
// CPU is of the whole process, the kernel's part of it included. Ends with the sum of the positions, so that nothing is
// optimised away.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <ctime>
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

constexpr WallTime kNow{1'700'000'000'000};
constexpr std::size_t kBatchBytes = 16 << 10;

double cpu_seconds() {
  ::timespec time{};
  CHECK(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::vector<std::byte> make_batch() {
  BatchBuilder builder;
  const std::string value(1024, 'x');
  do {
    builder.append(kNow.ms, std::nullopt, as_bytes(value));
  } while (builder.size() + value.size() < kBatchBytes);
  const auto bytes = builder.finish();
  return {bytes.begin(), bytes.end()};
}

io::Task<std::unique_ptr<Log>> make_log(LogShard& shard, std::string directory, int number, std::uint64_t bytes) {
  LogOptions options;
  options.durability = Durability::replicated;
  options.file_delete_delay_ms = 0;
  auto log = co_await shard.create({.log_directory = directory,
                                    .topic = fmt::format("t{}", number),
                                    .partition = PartitionIndex(0),
                                    .topic_id = Uuid::from_halves(1, static_cast<std::uint64_t>(number))},
                                   options);
  CHECK(log.has_value(), "{}", log.error().message);
  auto batch = make_batch();
  for (std::uint64_t done = 0; done < bytes; done += batch.size()) {
    set_base_offset(batch, Offset(0));  // as a producer sends it
    const auto appended = (*log)->stage_append_as_leader(batch, {.leader_epoch = LeaderEpoch(0), .now = kNow});
    CHECK(appended.has_value(), "{}", appended.error().message);
    CHECK((co_await (*log)->written(*appended)).has_value());
  }
  co_return std::move(*log);
}

// Each log is read once, in turn with the others; gives the sum of the positions.
std::uint64_t read_all(const std::vector<std::unique_ptr<Log>>& logs, std::size_t read_bytes) {
  struct Reader {
    Log* log;
    Offset next;
  };
  std::vector<Reader> readers;
  for (const auto& log : logs) readers.push_back({log.get(), log->log_start_offset()});
  std::uint64_t reads = 0;
  std::uint64_t bytes = 0;
  std::uint64_t sum = 0;
  const double before = cpu_seconds();
  for (std::size_t ended = 0; ended < readers.size();) {
    for (Reader& reader : readers) {
      if (reader.next >= reader.log->end_offset()) continue;
      const auto range = reader.log->read(reader.next, {.end = reader.log->end_offset(),
                                                        .bytes_max = read_bytes,
                                                        .at_least_one_batch = true});
      CHECK(range.has_value() && !range->empty());
      reader.next = range->end_offset;
      ++reads;
      bytes += range->length;
      sum += range->position;
      if (reader.next >= reader.log->end_offset()) ++ended;
    }
  }
  const double cpu = cpu_seconds() - before;
  fmt::print("{:>8} {:>10} {:>10.2f} {:>10.4f}\n", logs.size(), read_bytes, cpu / static_cast<double>(reads) * 1e6,
             cpu / static_cast<double>(bytes) * 1e9);
  return sum;
}

io::Task<void> run(io::Proactor& proactor, std::string directory, std::uint64_t total) {
  LogShard shard(proactor, {});
  CHECK((co_await shard.start()).has_value());
  fmt::print("{:>8} {:>10} {:>10} {:>10}\n", "readers", "bytes", "us/read", "CPU s/GB");
  std::uint64_t sum = 0;
  int number = 0;
  for (const std::size_t readers : {1, 16}) {
    std::vector<std::unique_ptr<Log>> logs;
    for (std::size_t i = 0; i < readers; ++i) {
      logs.push_back(co_await make_log(shard, directory, ++number, total / readers));
    }
    for (const std::size_t bytes : {64 << 10, 1 << 20}) sum += read_all(logs, bytes);
    for (auto& log : logs) CHECK((co_await log->remove()).has_value());
  }
  co_await shard.stop();
  fmt::print("sum {}\n", sum);
}

}  // namespace
}  // namespace millrace::log

int main(int argc, char** argv) {
  CLI::App app("CPU of finding what a fetch may have.");
  std::uint64_t megabytes = 512;
  std::string parent = std::filesystem::temp_directory_path();
  app.add_option("--megabytes", megabytes, "in all logs together");
  app.add_option("--directory", parent, "where they are made and removed again");
  CLI11_PARSE(app, argc, argv);
  using namespace millrace;
  logging::start(logging::Level::warn, "");
  std::string directory = parent + "/log_read_XXXXXX";
  CHECK(::mkdtemp(directory.data()) != nullptr, "{}", directory);
  {
    auto proactor = io::make_proactor(io::Backend::automatic);
    CHECK(proactor.has_value(), "{}", proactor.error().message);
    io::run_task(**proactor, log::run(**proactor, directory, megabytes << 20));
  }
  std::filesystem::remove_all(directory);
  logging::stop();
}
