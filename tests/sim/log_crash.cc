#include "tests/sim/log_crash.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
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

constexpr int kOperationsPerClient = 40;
// Records of a batch, at most: so far before the offset a cut may end.
constexpr std::int64_t kRecordsPerBatch = 3;
constexpr const char* kDirectory = "/data";
constexpr const char* kSecondDirectory = "/data1";

// What clients of one log were told, and what they ever sent.
struct Promise {
  bool fsync = false;
  // It went offline after an error of the disk. Until the next start nobody can read from it. Of a log that is not `fsync`
  // nothing is promised any more either, except that no record is made up: what a failed sync has lost may still be in the page
  // cache, be found by the next start, and go later. An `fsync` log's records are in the write-ahead log.
  bool in_doubt = false;
  Offset start{0};        // deletion below was asked for
  // A cut is under way or has failed: what stands from here on may be there or not.
  std::optional<Offset> cut_from;
  // Clients keep away, and how many are at it.
  bool held = false;
  int busy = 0;
  bool in_second_directory = false;
  std::map<std::int64_t, std::string> acknowledged;
  std::map<std::int64_t, std::set<std::string>> sent;
};
using Promises = std::map<std::string, Promise>;

enum class Trouble {
  full_disk,
  bad_segments,
  bad_write_ahead,
  bad_names,
  short_transfers,
  no_handles,
  bad_reads_at_start,
  bad_writes_at_start,
  no_handles_at_start,
};
constexpr std::uint64_t kTroubles = 9;

class Life {
 public:
  explicit Life(const CrashRun& run)
      : run_(run), world_(run.seed), random_(world_.stream("life")), disk_(std::make_unique<SimDisk>(world_.stream("disk"))) {
    shard_options_.write_ahead_bytes_first = 64 << 10;
    shard_options_.write_ahead_bytes_max = 256 << 10;
    shard_options_.write_back_bytes = 8 << 10;
    shard_options_.reserve_from_bytes = random_.chance(2) ? 0 : 10'000;
    shard_options_.open_files_max = 3;
    shard_options_.housekeeping_interval = std::chrono::milliseconds(20);
    // None, one, or several at once.
    if (random_.chance(2)) {
      do troubles_.insert(static_cast<Trouble>(random_.below(kTroubles)));
      while (random_.chance(3));
    }
    if (random_.chance(3)) flush_messages_ = static_cast<std::int64_t>(1 + random_.below(40));
  }

  CrashReport live();

 private:
  struct Image {
    std::unique_ptr<SimDisk> disk;
    Promises promises;
    bool power = false;
  };

  log::LogOptions options(bool fsync) const;
  void fail(std::string what) {
    if (report_.failure.empty()) report_.failure = fmt::format("seed {}: {}", run_.seed, what);
  }
  bool boot(LogNode& node, io::Reactor& reactor);
  bool live_generation(int depth);
  void make_logs(LogRun& run);
  void disturb_start();
  void disturb();
  void end_generation(std::unique_ptr<LogRun> run);
  void take_over_image();
  io::Task<void> verify(LogNode& node, bool lose_unsynced);
  io::Task<void> verify_log(log::Log& log, Promise& promise, bool lose_unsynced);
  io::Task<void> client(LogNode& node, io::Gate& gate, std::uint64_t id);
  io::Task<void> client_append(log::Log& log, Promise& promise, Prng& random, std::uint64_t id);
  io::Task<void> client_read(log::Log& log, Promise& promise, Prng& random);
  io::Task<void> upkeep(LogNode& node);
  io::Task<void> upkeep_once(LogNode& node, log::Log& log, Promise& promise, Prng& random);
  void delete_some(log::Log& log, Promise& promise, Prng& random);
  void retain_some(log::Log& log, Promise& promise, Prng& random);
  io::Task<void> change_durability(log::Log& log, Promise& promise);
  io::Task<void> cut_some(LogNode& node, log::Log& log, Promise& promise, Prng& random);
  io::Task<void> end_well(LogNode& node);
  void lose_second_directory();
  bool has(Trouble trouble) const { return troubles_.contains(trouble); }
  io::Task<void> work(LogNode& node);
  io::Task<void> take_handles();
  void arm(SimDisk& disk, std::uint64_t after_changes);
  void take_image(SimDisk& disk);
  void trace(std::uint64_t value) { report_.trace = (report_.trace ^ value) * 0x9e3779b97f4a7c15ULL; }

  CrashRun run_;
  World world_;
  Prng random_;
  std::unique_ptr<SimDisk> disk_;
  log::LogShardOptions shard_options_;
  std::set<Trouble> troubles_;
  std::int64_t flush_messages_ = 0;  // none: the default
  Promises promises_;
  std::optional<Image> image_;
  bool after_power_cut_ = false;
  bool over_ = false;
  std::uint64_t changes_left_ = 0;
  std::uint64_t logs_ = 0;
  std::uint64_t next_value_ = 1;
  std::uint64_t incarnation_ = 0;
  bool working_ = false;
  CrashReport report_;
};

log::LogOptions Life::options(bool fsync) const {
  log::LogOptions options;
  options.segment_bytes = 20'000;
  options.index_interval_bytes = 500;
  options.durability = fsync ? log::Durability::fsync : log::Durability::replicated;
  options.file_delete_delay_ms = 30;
  options.retention_ms = log::LogOptions::kNoLimit;
  if (flush_messages_ > 0) options.flush_messages = flush_messages_;
  return options;
}

// Takes an image of the disk just before the change that follows `after_changes` others.
void Life::arm(SimDisk& disk, std::uint64_t after_changes) {
  changes_left_ = after_changes;
  disk.set_observer([this, &disk] {
    if (image_ || changes_left_-- > 0) return;
    take_image(disk);
  });
}

void Life::take_image(SimDisk& disk) {
  const bool power = random_.chance(2);
  ++(power ? report_.power_cuts : report_.kills);
  image_ = Image{power ? disk.power_cut(random_) : disk.process_kill(random_), promises_, power};
}

bool Life::boot(LogNode& node, io::Reactor& reactor) {
  auto booted = world_.run(reactor, node.boot(options(true)));
  if (booted) return true;
  // The next start is to find everything.
  const DiskFaults& faults = disk_->faults;
  if (faults.read_error_one_in > 0 || faults.sync_error_one_in > 0 || faults.open_error_one_in > 0) return false;
  // A log that a failed sync has left damaged may refuse to open, unless it is `fsync`; that is the end of this life.
  over_ = std::ranges::any_of(promises_, [](const auto& entry) { return entry.second.in_doubt && !entry.second.fsync; });
  if (!over_) fail("does not start: " + booted.error().message);
  return false;
}

// ---- Checking

io::Task<void> Life::verify_log(log::Log& log, Promise& promise, bool lose_unsynced) {
  const std::string name = log.topic();
  promise.held = false;
  promise.busy = 0;
  auto options_now = options(promise.fsync);
  log.set_options(options_now);
  const Offset begin = log.log_start_offset();
  if (begin > promise.start) {
    fail(fmt::format("{} begins at {}, asked for was {}", name, begin.value(), promise.start.value()));
  }
  auto records = co_await read_records(log, begin, log.written_end(), 3000);
  if (!records && promise.in_doubt && !promise.fsync) co_return;
  if (!records) {
    fail(fmt::format("{} cannot be read: {}", name, records.error().message));
    co_return;
  }
  std::map<std::int64_t, std::string> there;
  Offset next = begin;
  for (auto& record : *records) {
    if (record.offset != next) fail(fmt::format("{} has a gap before {}", name, record.offset.value()));
    next = record.offset + 1;
    if (!promise.sent[record.offset.value()].contains(record.value)) {
      fail(fmt::format("{} has at {} what nobody sent", name, record.offset.value()));
    }
    there[record.offset.value()] = std::move(record.value);
  }
  if (next != log.end_offset()) fail(fmt::format("{} ends at {}, its records at {}", name, log.end_offset().value(), next.value()));
  for (const auto& [offset, value] : promise.acknowledged) {
    if (Offset(offset) < promise.start) continue;
    const auto found = there.find(offset);
    if (found != there.end() && found->second == value) continue;
    if (promise.cut_from && Offset(offset) >= *promise.cut_from) continue;
    if (!promise.fsync && (promise.in_doubt || lose_unsynced)) {
      ++report_.lost_unsynced;
      continue;
    }
    fail(fmt::format("{} ({}) has lost the acknowledged record {}; it ends at {}", name,
                     promise.fsync ? "fsync" : "replicated", offset, log.end_offset().value()));
    break;
  }
  // Who reads now must find the same again, and nothing that was not there comes back behind it.
  const bool settled = promise.fsync || !promise.in_doubt;
  if (settled) promise.sent.erase(promise.sent.lower_bound(begin.value()), promise.sent.end());
  for (const auto& [offset, value] : there) promise.sent[offset].insert(value);
  promise.acknowledged = std::move(there);
  promise.cut_from.reset();
  trace(static_cast<std::uint64_t>(log.end_offset().value()));
}

io::Task<void> Life::verify(LogNode& node, bool lose_unsynced) {
  for (auto& [name, promise] : promises_) {
    log::Log* const log = node.find(name, 0);
    if (log == nullptr) fail(fmt::format("the log {} is gone", name));
    else co_await verify_log(*log, promise, lose_unsynced);
  }
}

// ---- Clients

io::Task<void> Life::client_append(log::Log& log, Promise& promise, Prng& random, std::uint64_t id) {
  BatchSpec spec{.timestamp = world_.wall_now().ms};
  const std::uint64_t count = 1 + random.below(kRecordsPerBatch);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t length = random.chance(12) ? random.below(9000) : random.below(400);
    spec.values.push_back(fmt::format("{}/{}/{}", log.topic(), id, next_value_++) + std::string(length, '.'));
  }
  auto batch = make_batch(spec);
  const auto appended = log.stage_append_as_leader(batch, {.leader_epoch = LeaderEpoch(1), .now = world_.wall_now()});
  if (!appended) co_return;
  for (std::uint64_t i = 0; i < count; ++i) {
    promise.sent[appended->first_offset.value() + static_cast<std::int64_t>(i)].insert(spec.values[i]);
  }
  const auto stable = co_await log.stable(*appended);
  if (!stable) co_return;
  for (std::uint64_t i = 0; i < count; ++i) {
    promise.acknowledged[appended->first_offset.value() + static_cast<std::int64_t>(i)] = spec.values[i];
  }
  report_.acknowledged += count;
}

io::Task<void> Life::client_read(log::Log& log, Promise& promise, Prng& random) {
  const Offset begin = log.log_start_offset();
  const Offset end = log.stable_end();
  if (begin >= end) co_return;
  const Offset from = begin + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(end - begin)));
  auto bytes = co_await log.read_bytes(from, {.end = end, .bytes_max = 1 + random.below(5000), .at_least_one_batch = true});
  if (!bytes || bytes->empty()) {
    co_await io::sleep_for(std::chrono::milliseconds(1));
    const bool has_no_handle = !bytes && bytes.error() == Errc::refused && has(Trouble::no_handles);
    if (!promise.in_doubt && from >= log.log_start_offset() && !log.is_offline() && !has_no_handle) {
      fail(fmt::format("{}: cannot read {} of {}: {}", log.topic(), from.value(), end.value(),
                       bytes ? "nothing there" : bytes.error().message));
    }
    co_return;
  }
  if (log.is_offline() || promise.in_doubt) co_return;
  bool first = true;
  for (log::BatchWalk walk(*bytes); !walk.at_end();) {
    const auto batch = walk.next();
    if (!batch || !batch->verify()) {
      // A sync may just have failed, and the log not have been told yet.
      co_await io::sleep_for(std::chrono::milliseconds(1));
      if (log.is_offline()) co_return;
      fail(fmt::format("{}: a read at {} gives no whole batch", log.topic(), from.value()));
      co_return;
    }
    if (first && (batch->base_offset() > from || batch->last_offset() < from)) {
      fail(fmt::format("{}: a read at {} gives the batch {}", log.topic(), from.value(), batch->base_offset().value()));
    }
    if (batch->last_offset() >= end) fail(fmt::format("{}: a read goes beyond its end", log.topic()));
    first = false;
  }
}

io::Task<void> Life::client(LogNode& node, io::Gate& gate, std::uint64_t id) {
  Prng random = world_.stream(fmt::format("client {} {}", incarnation_, id));
  for (int i = 0; i < kOperationsPerClient && !image_ && !gate.closing(); ++i) {
    auto chosen = promises_.begin();
    std::advance(chosen, random.below(promises_.size()));
    log::Log& log = *node.find(chosen->first, 0);
    if (chosen->second.held) {
      co_await io::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    ++chosen->second.busy;
    if (random.chance(4)) co_await client_read(log, chosen->second, random);
    else co_await client_append(log, chosen->second, random, id);
    --chosen->second.busy;
    if (log.is_offline()) chosen->second.in_doubt = true;
    if (random.chance(3)) co_await io::sleep_for(std::chrono::microseconds(random.below(2000)));
  }
}

void Life::delete_some(log::Log& log, Promise& promise, Prng& random) {
  const Offset begin = log.log_start_offset();
  const auto span = static_cast<std::uint64_t>(log.stable_end() - begin);
  if (span == 0) return;
  const Offset to = begin + static_cast<std::int64_t>(random.below(span));
  promise.start = std::max(promise.start, to);
  (void)log.delete_records(to);
  (void)log.apply_retention(world_.wall_now(), log.stable_end());
}

void Life::retain_some(log::Log& log, Promise& promise, Prng& random) {
  // A crash may come at any of its steps, and then nobody knows how far it went.
  const Offset before = std::exchange(promise.start, std::max(promise.start, log.stable_end()));
  auto small = options(promise.fsync);
  small.retention_bytes = static_cast<std::int64_t>(random.below(30'000));
  log.set_options(small);
  (void)log.apply_retention(world_.wall_now(), log.stable_end());
  log.set_options(options(promise.fsync));
  promise.start = std::max(before, log.log_start_offset());
}

// Everything so far must be on disk before the stricter promise holds for it.
io::Task<void> Life::change_durability(log::Log& log, Promise& promise) {
  auto changed = options(!promise.fsync);
  if (promise.fsync) promise.fsync = false;
  log.set_options(changed);
  if (changed.durability != log::Durability::fsync) co_return;
  const Offset end = log.written_end();
  while (log.stable_end() < end && !log.is_offline() && !image_) co_await io::sleep_for(std::chrono::milliseconds(1));
  promise.fsync = log.stable_end() >= end;
  if (!promise.fsync) log.set_options(options(false));
}

// Cuts the end off, or everything. What is gone must not come back, from wherever.
io::Task<void> Life::cut_some(LogNode& node, log::Log& log, Promise& promise, Prng& random) {
  promise.held = true;
  while (promise.busy > 0) co_await io::sleep_for(std::chrono::milliseconds(1));
  const Offset begin = log.log_start_offset();
  const auto span = static_cast<std::uint64_t>(log.end_offset() - begin);
  const bool whole = random.chance(4);
  const Offset to = begin + static_cast<std::int64_t>(random.below(span + (whole ? 50 : 1)));
  log.hold_recovery_point(whole ? Offset{0} : to);
  if (!co_await node.checkpoint()) {
    promise.held = false;
    co_return;
  }
  const Offset start = promise.start;
  promise.cut_from = whole ? Offset{0} : std::max(Offset{0}, to - kRecordsPerBatch);
  if (whole) promise.start = std::max(promise.start, to);
  const auto cut = whole ? co_await log.truncate_fully_to(to) : co_await log.truncate_to(to);
  if (!cut) {
    // A disk that was full a moment ago is not asked.
    if (!log.is_offline()) {
      promise.cut_from.reset();
      promise.start = start;
      promise.held = false;
    }
    co_return;
  }
  const auto gone_from = whole ? std::int64_t{0} : log.end_offset().value();
  promise.acknowledged.erase(promise.acknowledged.lower_bound(gone_from), promise.acknowledged.end());
  if (promise.fsync || !promise.in_doubt) promise.sent.erase(promise.sent.lower_bound(gone_from), promise.sent.end());
  ++report_.cuts;
  promise.cut_from.reset();
  promise.held = false;
}

io::Task<void> Life::upkeep_once(LogNode& node, log::Log& log, Promise& promise, Prng& random) {
  switch (random.below(10)) {
    case 0: (void)log.roll(world_.wall_now()); break;
    case 1: (void)co_await log.flush(); break;
    case 2: (void)co_await node.checkpoint(); break;
    case 3: delete_some(log, promise, random); break;
    case 4: co_await change_durability(log, promise); break;
    case 5: retain_some(log, promise, random); break;
    case 6:
    case 7: co_await cut_some(node, log, promise, random); break;
    case 8:
      if (has(Trouble::full_disk)) disk_->set_capacity(disk_->used_bytes() + random.below(20'000));
      break;
    default:
      if (has(Trouble::full_disk)) disk_->set_capacity(std::uint64_t{1} << 40);
      break;
  }
}

io::Task<void> Life::upkeep(LogNode& node) {
  Prng random = world_.stream(fmt::format("upkeep {}", incarnation_));
  for (int i = 0; i < kOperationsPerClient / 2 && !image_; ++i) {
    co_await io::sleep_for(std::chrono::microseconds(random.below(8000)));
    auto chosen = promises_.begin();
    std::advance(chosen, random.below(promises_.size()));
    if (chosen->second.held) continue;
    co_await upkeep_once(node, *node.find(chosen->first, 0), chosen->second, random);
  }
}

// Whatever the trouble was, a log that is not offline takes records once it is over.
io::Task<void> Life::end_well(LogNode& node) {
  disk_->faults = {};
  disk_->set_capacity(std::uint64_t{1} << 40);
  co_await io::sleep_for(std::chrono::seconds(1));
  for (auto& [name, promise] : promises_) {
    log::Log& log = *node.find(name, 0);
    if (log.is_offline() || promise.held || image_) continue;
    const std::uint64_t before = report_.acknowledged;
    Prng random = world_.stream(fmt::format("end {} {}", incarnation_, name));
    co_await client_append(log, promise, random, 0);
    if (report_.acknowledged == before && !log.is_offline() && !image_) fail(fmt::format("{} takes no records any more", name));
  }
}

// Handles run out, and come back.
io::Task<void> Life::take_handles() {
  Prng random = world_.stream(fmt::format("handles {}", incarnation_));
  while (working_) {
    disk_->faults.open_error_one_in = random.chance(2) ? 1 + random.below(20) : 0;
    co_await io::sleep_for(std::chrono::microseconds(random.below(10'000)));
  }
}

io::Task<void> Life::work(LogNode& node) {
  io::Gate gate;
  io::Gate others;
  working_ = true;
  if (has(Trouble::no_handles)) others.spawn(take_handles());
  const std::uint64_t clients = 2 + random_.below(5);
  for (std::uint64_t id = 0; id < clients; ++id) gate.spawn(client(node, gate, id));
  co_await upkeep(node);
  co_await gate.close();
  working_ = false;
  co_await others.close();
  disk_->faults.open_error_one_in = 0;
  if (!image_) co_await end_well(node);
}

// ---- Generations

void Life::take_over_image() {
  disk_ = std::move(image_->disk);
  disk_->faults = {};
  disk_->set_capacity(std::uint64_t{1} << 40);
  after_power_cut_ |= image_->power;
  image_.reset();
}

// With luck the start itself is interrupted, and the next one finds what that left. Whether life goes on.
bool Life::live_generation(int depth) {
  auto run = std::make_unique<LogRun>(world_, *disk_, fmt::format("boot {}", incarnation_++), shard_options_,
                                      std::vector<std::string>{kSecondDirectory});
  const bool crash = depth > 0 && random_.chance(3);
  if (crash) arm(*disk_, random_.below(60));
  if (depth > 0) disturb_start();
  const bool booted = boot(*run->node, run->reactor);
  disk_->faults = {};
  if (crash || !booted) {
    disk_->set_observer({});
    // It came to its end, well or not, before anything struck.
    if (!image_ && random_.chance(2)) take_image(*disk_);
    if (booted) run->crash();
    run.reset();
    if (image_) {
      ++report_.crashes_in_recovery;
      take_over_image();
    }
    return report_.failure.empty() && !over_ && live_generation(depth - 1);
  }
  world_.run(run->reactor, verify(*run->node, after_power_cut_));
  after_power_cut_ = false;
  if (report_.failure.empty()) {
    make_logs(*run);
    disturb();
    arm(*disk_, 20 + random_.below(900));
    world_.run(run->reactor, work(*run->node));
  }
  end_generation(std::move(run));
  return report_.failure.empty();
}

// Those that there never were, and those that are lost.
void Life::make_logs(LogRun& run) {
  if (logs_ == 0) logs_ = 1 + random_.below(4);
  for (std::uint64_t i = 0; i < logs_; ++i) {
    const std::string name = fmt::format("log{}", i);
    if (promises_.contains(name)) continue;
    const bool fsync = !random_.chance(3);
    const bool in_second = random_.chance(3);
    const std::string directory = in_second ? kSecondDirectory : kDirectory;
    CHECK(world_.run(run.reactor, run.node->create(name, 0, options(fsync), directory)).has_value());
    promises_[name].fsync = fsync;
    promises_[name].in_second_directory = in_second;
  }
}

// Its disk is replaced by an empty one while the node is down.
void Life::lose_second_directory() {
  const auto entries = disk_->list(kSecondDirectory);
  if (!entries) return;
  for (const auto& entry : *entries) {
    const std::string path = fmt::format("{}/{}", kSecondDirectory, entry.name);
    if (!entry.is_directory) {
      CHECK(disk_->remove(path).has_value());
      continue;
    }
    for (const auto& file : *disk_->list(path)) CHECK(disk_->remove(path + "/" + file.name).has_value());
    CHECK(disk_->remove_directory(path).has_value());
  }
  CHECK(disk_->sync_directory(kSecondDirectory).has_value());
  std::erase_if(promises_, [](const auto& entry) { return entry.second.in_second_directory; });
  ++report_.directories_lost;
}

void Life::disturb_start() {
  if (has(Trouble::no_handles_at_start)) disk_->faults.open_error_one_in = 30;
  if (has(Trouble::bad_reads_at_start)) disk_->faults.read_error_one_in = 30;
  if (!has(Trouble::bad_writes_at_start)) return;
  disk_->faults.sync_error_one_in = 30;
  disk_->faults.write_error_one_in = 100;
  for (auto& [name, promise] : promises_) promise.in_doubt |= !promise.fsync;
}

void Life::disturb() {
  if (has(Trouble::bad_segments) || has(Trouble::bad_write_ahead)) {
    // Both at once: wherever.
    if (!has(Trouble::bad_write_ahead)) disk_->faults.only = "log0-0";
    else if (!has(Trouble::bad_segments)) disk_->faults.only = "wal-";
    disk_->faults.sync_error_one_in = 30;
    disk_->faults.write_error_one_in = 200;
  }
  if (has(Trouble::bad_names)) disk_->faults.name_error_one_in = 30;
  if (has(Trouble::short_transfers)) disk_->faults.short_transfer_one_in = 5;
}

void Life::end_generation(std::unique_ptr<LogRun> run) {
  disk_->faults = {};
  disk_->set_capacity(std::uint64_t{1} << 40);
  for (auto& [name, promise] : promises_) {
    log::Log* const log = run->node->find(name, 0);
    if (log != nullptr && log->is_offline()) promise.in_doubt = true;
  }
  const bool clean = !image_ && random_.chance(2);
  if (!clean) {
    if (!image_) changes_left_ = 0;
    (void)world_.run(run->reactor, run->node->checkpoint());
  }
  disk_->set_observer({});
  if (clean) {
    report_.clean_stops += world_.run(run->reactor, run->node->stop()) ? 1 : 0;
    run->node.reset();
  } else {
    run->crash();
  }
  run.reset();
  if (image_) {
    // Records sent after the image was taken were never for this disk; those acknowledged before it count.
    for (auto& [name, promise] : image_->promises) promise.in_doubt |= promises_[name].in_doubt;
    promises_ = std::move(image_->promises);
    take_over_image();
  } else if (random_.chance(2)) {
    disk_ = disk_->power_cut(random_);
    after_power_cut_ = true;
  }
  if (random_.chance(5)) lose_second_directory();
}

CrashReport Life::live() {
  for (int generation = 0; generation < run_.generations; ++generation) {
    if (!live_generation(generation == 0 ? 0 : 2)) break;
  }
  trace(static_cast<std::uint64_t>(world_.now().time_since_epoch().count()));
  return report_;
}

}  // namespace

CrashReport run_log_crashes(const CrashRun& run) { return Life(run).live(); }

}  // namespace millrace::sim
