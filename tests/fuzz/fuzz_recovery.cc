// Bytes that claim to be a partition's files as a crash has left them: the first bytes choose how they are cut into a data file,
// indexes, a snapshot, checkpoints and a write-ahead log. Recovery opens what it can; whatever it opens must read back without
// gaps, and be the same after another unclean start.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/logging.h"
#include "engine/log/log.h"
#include "engine/log/log_directory.h"
#include "io/reactor.h"
#include "tests/sim/log_node.h"
#include "tests/sim/sim_proactor.h"
#include "tests/sim/world.h"

namespace millrace::log {
namespace {

constexpr std::size_t kInputMax = 64 * 1024;
const char* const kFiles[] = {
    "/data/t-0/00000000000000000000.log",       "/data/t-0/00000000000000000000.index",
    "/data/t-0/00000000000000000000.timeindex", "/data/t-0/00000000000000000003.snapshot",
    "/data/t-0/leader-epoch-checkpoint",        "/data/recovery-point-offset-checkpoint",
    "/data/.millrace-wal-0",                    "/data/t-0/00000000000000000007.log"};

void write_file(sim::SimDisk& disk, const std::string& path, ConstBytes bytes) {
  const auto handle = disk.open(path, {.write = true, .create = true});
  CHECK(handle.has_value());
  CHECK(disk.write(*handle, 0, bytes).has_value());
  disk.close(*handle);
}

// The input: one byte of which bit 0 says "clean stop", then pieces: a byte that names the file, two of length, the bytes.
void lay_out(sim::SimDisk& disk, ConstBytes input) {
  CHECK(disk.make_directory("/data").has_value());
  CHECK(disk.make_directory("/data/t-0").has_value());
  write_file(disk, "/data/t-0/partition.metadata", as_bytes("version: 0\ntopic_id: AAAAAAAAAAcAAAAAAAAAAQ"));
  if (input.empty()) return;
  if ((std::to_integer<int>(input[0]) & 1) != 0) write_file(disk, "/data/.kafka_cleanshutdown", as_bytes("{}"));
  input = input.subspan(1);
  while (input.size() >= 3) {
    const auto file = std::to_integer<std::size_t>(input[0]) % std::size(kFiles);
    const auto length = std::min<std::size_t>(load_big_endian<std::uint16_t>(input.data() + 1), input.size() - 3);
    write_file(disk, kFiles[file], input.subspan(3, length));
    input = input.subspan(3 + length);
  }
}

struct Found {
  bool opened = false;
  Offset start{0};
  Offset end{0};
};

Found open_and_use(sim::World& world, sim::SimDisk& disk, std::string_view name) {
  sim::SimProactor proactor(world, disk, name, {.stall_one_in = 0});
  io::Reactor reactor(ShardId{0}, proactor);
  world.add(reactor);
  LogShardOptions options;
  options.write_ahead_bytes_first = 64 << 10;
  options.write_ahead_bytes_max = 64 << 10;
  Found found;
  {
    sim::LogNode node(proactor, "/data", options);
    const auto booted = world.run(reactor, node.boot({}));
    Log* const log = booted ? node.find("t", 0) : nullptr;
    if (log != nullptr) {
      found = {.opened = true, .start = log->log_start_offset(), .end = log->end_offset()};
      CHECK(found.start <= found.end);
      const auto bytes = world.run(reactor, log->read_bytes(found.start, {.end = found.end, .bytes_max = 1 << 20, .at_least_one_batch = true}));
      // What cannot be read says so; what can be read begins where it was asked for.
      if (bytes && !bytes->empty()) CHECK(RecordBatch::parse(*bytes)->last_offset() >= found.start);
      (void)world.run(reactor, log->find_timestamp(0, found.end));
      (void)world.run(reactor, log->find_max_timestamp());
    }
    world.run(reactor, node.crash());
  }
  world.remove(reactor);
  return found;
}

}  // namespace
}  // namespace millrace::log

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  static const bool quiet = [] {
    if (std::getenv("FUZZ_LOG") == nullptr) logging::start(logging::Level::error, "/dev/null");
    return true;
  }();
  if (!quiet || size > log::kInputMax) return 0;
  sim::World world(1);
  sim::SimDisk disk(world.stream("disk"));
  log::lay_out(disk, ConstBytes(reinterpret_cast<const std::byte*>(data), size));
  const auto first = log::open_and_use(world, disk, "first");
  const auto again = log::open_and_use(world, disk, "again");
  // A clean stop is believed, and its batches are not all read; the next start reads them, and may find less.
  const bool believed = size > 0 && (data[0] & 1) != 0;
  if (first.opened && !believed) {
    CHECK(again.opened && again.start == first.start && again.end == first.end,
          "{} to {}, then {} to {}", first.start.value(), first.end.value(), again.start.value(), again.end.value());
  }
  return 0;
}
