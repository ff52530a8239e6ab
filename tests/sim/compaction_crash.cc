#include "tests/sim/compaction_crash.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "engine/log/log.h"
#include "io/gate.h"
#include "io/reactor.h"
#include "tests/sim/log_node.h"
#include "tests/sim/log_run.h"
#include "tests/sim/world.h"

namespace millrace::sim {
namespace {

constexpr int kOperationsPerClient = 60;
constexpr std::uint64_t kKeys = 12;

// What clients of one log were told, and what they ever sent.
struct Promise {
  bool fsync = false;
  Offset acknowledged_end{0};
  std::map<std::int64_t, ReadRecord> acknowledged;
  // An offset may be given twice, after a power cut.
  std::map<std::int64_t, std::set<ReadRecord>> sent;
};
using Promises = std::map<std::string, Promise>;

class Life {
 public:
  Life(std::uint64_t seed, int generations)
      : seed_(seed), generations_(generations), world_(seed), random_(world_.stream("life")),
        disk_(std::make_unique<SimDisk>(world_.stream("disk"))) {
    shard_options_.write_ahead_bytes_first = 64 << 10;
    shard_options_.write_ahead_bytes_max = 256 << 10;
    shard_options_.write_back_bytes = 8 << 10;
    shard_options_.reserve_from_bytes = 500;
    shard_options_.open_files_max = 3;
    shard_options_.housekeeping_interval = std::chrono::milliseconds(20);
    shard_options_.cleaner.backoff = std::chrono::milliseconds(5);
    shard_options_.cleaner.seed = random_.next();
    // With luck the map is too small for all keys.
    if (random_.chance(3)) shard_options_.cleaner.map_bytes_max = 16 * 8;
    full_disk_ = random_.chance(5);
  }

  CompactionReport live();

 private:
  struct Image {
    std::unique_ptr<SimDisk> disk;
    Promises promises;
    bool power = false;
  };

  log::LogOptions options(bool fsync) const;
  void fail(std::string what) {
    if (report_.failure.empty()) report_.failure = fmt::format("seed {}: {}", seed_, what);
  }
  void arm(SimDisk& disk, std::uint64_t after_changes);
  bool boot(LogRun& run);
  bool live_generation(int depth);
  void end_generation(std::unique_ptr<LogRun> run);
  void take_over_image();
  void make_logs(LogRun& run);
  io::Task<void> verify(LogNode& node, bool after_power_cut);
  io::Task<void> verify_log(log::Log& log, Promise& promise, bool after_power_cut);
  void verify_keys(const std::string& name, const Promise& promise, const std::vector<ReadRecord>& records,
                   Offset end);
  io::Task<void> client(LogNode& node, io::Gate& gate, std::uint64_t id);
  io::Task<void> client_append(log::Log& log, Promise& promise, Prng& random);
  io::Task<void> upkeep(LogNode& node);
  io::Task<void> work(LogNode& node);

  std::uint64_t seed_;
  int generations_;
  World world_;
  Prng random_;
  std::unique_ptr<SimDisk> disk_;
  log::LogShardOptions shard_options_;
  bool full_disk_ = false;
  Promises promises_;
  std::optional<Image> image_;
  bool after_power_cut_ = false;
  std::uint64_t changes_left_ = 0;
  std::uint64_t next_value_ = 1;
  std::uint64_t incarnation_ = 0;
  CompactionReport report_;
};

log::LogOptions Life::options(bool fsync) const {
  log::LogOptions options;
  options.segment_bytes = 3000;
  options.index_interval_bytes = 300;
  options.durability = fsync ? log::Durability::fsync : log::Durability::replicated;
  options.file_delete_delay_ms = 10;
  options.deletes = false;
  options.compacts = true;
  options.accept.compacted = true;
  options.dirty_ratio_min = 0.2;
  options.delete_retention_ms = 5;
  return options;
}

// Takes an image of the disk just before the change that follows `after_changes` others.
void Life::arm(SimDisk& disk, std::uint64_t after_changes) {
  changes_left_ = after_changes;
  disk.set_observer([this, &disk] {
    if (image_ || changes_left_-- > 0) return;
    const bool power = random_.chance(2);
    ++(power ? report_.power_cuts : report_.kills);
    image_ = Image{power ? disk.power_cut(random_) : disk.process_kill(random_), promises_, power};
  });
}

// ---- Checking

void Life::verify_keys(const std::string& name, const Promise& promise, const std::vector<ReadRecord>& records,
                       Offset end) {
  std::map<std::string, ReadRecord> last_there;
  for (const auto& record : records) last_there[record.key] = record;
  std::map<std::string, ReadRecord> promised;
  for (const auto& [offset, record] : promise.acknowledged) {
    if (record.offset < end) promised[record.key] = record;
  }
  for (const auto& [key, wanted] : promised) {
    const auto found = last_there.find(key);
    if (found != last_there.end()) {
      if (found->second.offset >= wanted.offset) continue;
      fail(fmt::format("{}: the last record of {} is at {}, acknowledged was {}", name, key,
                       found->second.offset.value(), wanted.offset.value()));
      continue;
    }
    bool deleted = false;
    for (auto at = promise.sent.lower_bound(wanted.offset.value()); at != promise.sent.end(); ++at) {
      if (at->first >= end.value()) break;
      deleted |= std::ranges::any_of(
          at->second, [&](const ReadRecord& sent) { return sent.key == key && !sent.has_value; });
    }
    if (!deleted) {
      fail(fmt::format("{}: {} is gone, its record {} was acknowledged; the log ends at {}", name, key,
                       wanted.offset.value(), end.value()));
    }
  }
}

io::Task<void> Life::verify_log(log::Log& log, Promise& promise, bool after_power_cut) {
  const std::string name = log.topic();
  log.set_options(options(promise.fsync));
  auto records = co_await read_records(log, log.log_start_offset(), log.written_end(), 3000);
  if (!records) {
    fail(fmt::format("{} cannot be read: {}", name, records.error().message));
    co_return;
  }
  Offset next = log.log_start_offset();
  for (const auto& record : *records) {
    if (record.offset < next) fail(fmt::format("{}: offset {} is out of order", name, record.offset.value()));
    next = record.offset + 1;
    if (!promise.sent[record.offset.value()].contains(record)) {
      fail(fmt::format("{} has at {} what nobody sent", name, record.offset.value()));
    }
  }
  const bool may_be_shorter = after_power_cut && !promise.fsync;
  if (log.end_offset() < promise.acknowledged_end && !may_be_shorter) {
    fail(fmt::format("{} ends at {}, acknowledged was {}", name, log.end_offset().value(),
                     promise.acknowledged_end.value()));
  }
  verify_keys(name, promise, *records, log.end_offset());
  // Who reads now must find the same again, and nothing behind the end.
  promise.acknowledged.erase(promise.acknowledged.lower_bound(log.end_offset().value()), promise.acknowledged.end());
  for (const auto& record : *records) promise.acknowledged[record.offset.value()] = record;
  promise.acknowledged_end = log.end_offset();
  log.on_high_watermark(log.stable_end());
}

io::Task<void> Life::verify(LogNode& node, bool after_power_cut) {
  for (auto& [name, promise] : promises_) {
    log::Log* const log = node.find(name, 0);
    if (log == nullptr) fail(fmt::format("the log {} is gone", name));
    else co_await verify_log(*log, promise, after_power_cut);
  }
}

// ---- Clients

io::Task<void> Life::client_append(log::Log& log, Promise& promise, Prng& random) {
  BatchSpec spec{.timestamp = world_.wall_now().ms};
  const std::uint64_t count = 1 + random.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    spec.keys.push_back(fmt::format("key {}", random.below(kKeys)));
    const bool deletes = random.chance(5);
    if (deletes) spec.without_value.insert(i);
    spec.values.push_back(deletes ? "" : fmt::format("{}", next_value_++) + std::string(random.below(300), '.'));
  }
  auto batch = make_batch(spec);
  const auto appended =
      log.stage_append_as_leader(batch, {.leader_epoch = LeaderEpoch(1), .now = world_.wall_now()});
  if (!appended) co_return;
  std::vector<ReadRecord> records;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Offset offset = appended->first_offset + static_cast<std::int64_t>(i);
    records.push_back({offset, spec.values[i], spec.keys[i], !spec.without_value.contains(i)});
    promise.sent[offset.value()].insert(records.back());
  }
  const auto stable = co_await log.stable(*appended);
  if (!stable) co_return;
  log.on_high_watermark(log.stable_end());
  for (const auto& record : records) promise.acknowledged[record.offset.value()] = record;
  promise.acknowledged_end = std::max(promise.acknowledged_end, appended->end_offset());
  report_.acknowledged += count;
}

io::Task<void> Life::client(LogNode& node, io::Gate& gate, std::uint64_t id) {
  Prng random = world_.stream(fmt::format("client {} {}", incarnation_, id));
  for (int i = 0; i < kOperationsPerClient && !image_ && !gate.closing(); ++i) {
    auto chosen = promises_.begin();
    std::advance(chosen, random.below(promises_.size()));
    co_await client_append(*node.find(chosen->first, 0), chosen->second, random);
    if (random.chance(3)) co_await io::sleep_for(std::chrono::microseconds(random.below(3000)));
  }
}

io::Task<void> Life::upkeep(LogNode& node) {
  Prng random = world_.stream(fmt::format("upkeep {}", incarnation_));
  for (int i = 0; i < kOperationsPerClient / 2 && !image_; ++i) {
    co_await io::sleep_for(std::chrono::microseconds(random.below(6000)));
    auto chosen = promises_.begin();
    std::advance(chosen, random.below(promises_.size()));
    log::Log& log = *node.find(chosen->first, 0);
    switch (random.below(6)) {
      case 0: (void)log.roll(world_.wall_now()); break;
      case 1: (void)co_await node.checkpoint(); break;
      case 2:
        if (full_disk_) {
          disk_->set_capacity(random.chance(2) ? disk_->used_bytes() + random.below(5000) : std::uint64_t{1} << 40);
        }
        break;
      default: {
        const auto cleaned = co_await log.compact();
        if (cleaned) report_.records_dropped += cleaned->records_before - cleaned->records_after;
        else ++report_.passes_put_off;
        break;
      }
    }
    if (const auto why = log.uncleanable()) fail(fmt::format("{} cannot be cleaned: {}", log.topic(), *why));
  }
  report_.passes += node.shard().counters().cleaner_passes;
}

io::Task<void> Life::work(LogNode& node) {
  io::Gate gate;
  const std::uint64_t clients = 2 + random_.below(3);
  for (std::uint64_t id = 0; id < clients; ++id) gate.spawn(client(node, gate, id));
  co_await upkeep(node);
  co_await gate.close();
}

// ---- Generations

void Life::take_over_image() {
  disk_ = std::move(image_->disk);
  disk_->set_capacity(std::uint64_t{1} << 40);
  after_power_cut_ |= image_->power;
  image_.reset();
}

bool Life::boot(LogRun& run) {
  const auto booted = world_.run(run.reactor, run.node->boot(options(true)));
  if (!booted) fail("does not start: " + booted.error().message);
  return booted.has_value();
}

// With luck the start itself is interrupted, and the next one finds what that left. Whether life goes on.
bool Life::live_generation(int depth) {
  auto run = std::make_unique<LogRun>(world_, *disk_, fmt::format("boot {}", incarnation_++), shard_options_);
  const bool crash = depth > 0 && random_.chance(3);
  if (crash) arm(*disk_, random_.below(60));
  const bool booted = boot(*run);
  if (!booted) {
    disk_->set_observer({});
    run.reset();
    return false;
  }
  if (crash) {
    disk_->set_observer({});
    run->crash();
    run.reset();
    if (image_) {
      ++report_.crashes_in_recovery;
      take_over_image();
    }
    return live_generation(depth - 1);
  }
  world_.run(run->reactor, verify(*run->node, after_power_cut_));
  after_power_cut_ = false;
  if (report_.failure.empty()) {
    if (promises_.empty()) make_logs(*run);
    arm(*disk_, 20 + random_.below(1500));
    world_.run(run->reactor, work(*run->node));
  }
  end_generation(std::move(run));
  return report_.failure.empty();
}

void Life::make_logs(LogRun& run) {
  const std::uint64_t count = 1 + random_.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name = fmt::format("log{}", i);
    const bool fsync = !random_.chance(3);
    CHECK(world_.run(run.reactor, run.node->create(name, 0, options(fsync))).has_value());
    promises_[name].fsync = fsync;
  }
}

void Life::end_generation(std::unique_ptr<LogRun> run) {
  disk_->set_capacity(std::uint64_t{1} << 40);
  const bool clean = !image_ && random_.chance(3);
  if (!clean) {
    // Whatever else changes the disk may be where it ends.
    if (!image_) changes_left_ = 0;
    (void)world_.run(run->reactor, run->node->checkpoint());
  }
  disk_->set_observer({});
  if (clean) {
    (void)world_.run(run->reactor, run->node->stop());
    run->node.reset();
  } else {
    run->crash();
  }
  run.reset();
  if (image_) {
    // What was sent after the image was taken was never for this disk.
    promises_ = std::move(image_->promises);
    take_over_image();
  } else if (random_.chance(2)) {
    disk_ = disk_->power_cut(random_);
    ++report_.power_cuts;
    after_power_cut_ = true;
  }
}

CompactionReport Life::live() {
  for (int generation = 0; generation < generations_; ++generation) {
    if (!live_generation(generation == 0 ? 0 : 2)) break;
  }
  return report_;
}

}  // namespace

CompactionReport run_compaction_crashes(std::uint64_t seed, int generations) { return Life(seed, generations).live(); }

}  // namespace millrace::sim
