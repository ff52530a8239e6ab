#include "tests/sim/compaction_crash.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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
constexpr std::int64_t kNever = log::LogOptions::kNever;

// How far an idempotent producer has come with one log.
struct Sender {
  std::int64_t id = 0;
  std::int32_t next_sequence = 0;
  std::optional<BatchSpec> outstanding;  // sent, and not answered
  std::optional<BatchSpec> answered;     // the last one that was
  Offset answered_at{0};
};

// What a log's topic says of it.
struct Manner {
  bool fsync = false;
  std::optional<log::Codec> codec;
  std::int64_t lag_min_ms = 0;
  std::int64_t lag_max_ms = kNever;
  std::int64_t delete_retention_ms = 5;
  std::int64_t retention_ms = -1;
  std::int64_t retention_bytes = -1;
  bool deletes() const { return retention_ms >= 0 || retention_bytes >= 0; }
};

// What clients of one log were told, and what they ever sent.
struct Promise {
  Manner manner;
  Offset acknowledged_end{0};
  std::map<std::int64_t, ReadRecord> acknowledged;
  // An offset may be given twice, after a power cut.
  std::map<std::int64_t, std::set<ReadRecord>> sent;
  std::map<std::int64_t, std::int64_t> deleted_at;  // by offset, the latest time of a deletion there
  std::map<std::uint64_t, Sender> senders;          // by client
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

  log::LogOptions options(const Manner& manner) const;
  Manner draw_manner();
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
                   Offset start, Offset end);
  bool may_be_gone(const Promise& promise, const ReadRecord& wanted, Offset end) const;
  io::Task<void> verify_senders(log::Log& log, Promise& promise, bool may_be_shorter);
  io::Task<void> verify_sender(log::Log& log, Promise& promise, Sender& sender, bool may_be_shorter);
  io::Task<void> read_whole(log::Log& log, Promise& promise);
  io::Task<void> client(LogNode& node, io::Gate& gate, std::uint64_t id);
  io::Task<void> client_append(log::Log& log, Promise& promise, Prng& random, std::uint64_t id);
  BatchSpec draw_batch(Prng& random);
  // `bytes` are in use until the append is stable.
  Result<log::AppendedBatches> stage(log::Log& log, Promise& promise, const BatchSpec& spec, std::vector<std::byte>& bytes);
  void take_answer(Promise& promise, const BatchSpec& spec, const log::AppendedBatches& appended);
  io::Task<void> look_after(LogNode& node, log::Log& log, Promise& promise, Prng& random);
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
  std::int64_t next_producer_ = 1;
  std::uint64_t incarnation_ = 0;
  CompactionReport report_;
};

Manner Life::draw_manner() {
  constexpr std::array kCodecs = {log::Codec::none, log::Codec::gzip, log::Codec::snappy, log::Codec::lz4, log::Codec::zstd};
  Manner manner;
  manner.fsync = !random_.chance(3);
  if (random_.chance(2)) manner.codec = kCodecs[random_.below(kCodecs.size())];
  if (random_.chance(3)) manner.lag_min_ms = static_cast<std::int64_t>(1 + random_.below(20));
  if (random_.chance(3)) manner.lag_max_ms = static_cast<std::int64_t>(20 + random_.below(40));
  if (random_.chance(3)) manner.delete_retention_ms = static_cast<std::int64_t>(random_.below(300));
  if (random_.chance(6)) manner.retention_bytes = 12'000;
  else if (random_.chance(6)) manner.retention_ms = 60;
  return manner;
}

log::LogOptions Life::options(const Manner& manner) const {
  log::LogOptions options;
  options.segment_bytes = 3000;
  options.index_interval_bytes = 300;
  options.durability = manner.fsync ? log::Durability::fsync : log::Durability::replicated;
  options.file_delete_delay_ms = 10;
  options.deletes = manner.deletes();
  options.retention_ms = manner.retention_ms;
  options.retention_bytes = manner.retention_bytes;
  options.accept.compression = manner.codec;
  options.compaction_lag_min_ms = manner.lag_min_ms;
  options.compaction_lag_max_ms = manner.lag_max_ms;
  options.compacts = true;
  options.accept.compacted = true;
  options.dirty_ratio_min = 0.2;
  options.delete_retention_ms = manner.delete_retention_ms;
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

// A deletion may go when it has stood for a while; and a record when there is one, gone or not.
bool Life::may_be_gone(const Promise& promise, const ReadRecord& wanted, Offset end) const {
  for (auto at = promise.sent.lower_bound(wanted.offset.value()); at != promise.sent.end(); ++at) {
    if (at->first >= end.value()) break;
    const bool deletes = std::ranges::any_of(
        at->second, [&](const ReadRecord& sent) { return sent.key == wanted.key && !sent.has_value; });
    if (!deletes) continue;
    const auto deleted = promise.deleted_at.find(at->first);
    if (deleted == promise.deleted_at.end()) return true;
    if (deleted->second + promise.manner.delete_retention_ms <= world_.wall_now().ms) return true;
  }
  return false;
}

void Life::verify_keys(const std::string& name, const Promise& promise, const std::vector<ReadRecord>& records,
                       Offset start, Offset end) {
  std::map<std::string, ReadRecord> last_there;
  for (const auto& record : records) last_there[record.key] = record;
  std::map<std::string, ReadRecord> promised;
  for (const auto& [offset, record] : promise.acknowledged) {
    if (record.offset < end) promised[record.key] = record;
  }
  // With the log's beginning went what stood there.
  std::erase_if(promised, [&](const auto& entry) { return entry.second.offset < start; });
  for (const auto& [key, wanted] : promised) {
    const auto found = last_there.find(key);
    if (found != last_there.end()) {
      if (found->second.offset >= wanted.offset) continue;
      fail(fmt::format("{}: the last record of {} is at {}, acknowledged was {}", name, key,
                       found->second.offset.value(), wanted.offset.value()));
      continue;
    }
    if (!may_be_gone(promise, wanted, end)) {
      fail(fmt::format("{}: {} is gone, its record {} was acknowledged; the log ends at {}", name, key,
                       wanted.offset.value(), end.value()));
    }
  }
}

io::Task<void> Life::verify_log(log::Log& log, Promise& promise, bool after_power_cut) {
  const std::string name = log.topic();
  log.set_options(options(promise.manner));
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
  const bool may_be_shorter = after_power_cut && !promise.manner.fsync;
  if (log.end_offset() < promise.acknowledged_end && !may_be_shorter) {
    fail(fmt::format("{} ends at {}, acknowledged was {}", name, log.end_offset().value(),
                     promise.acknowledged_end.value()));
  }
  verify_keys(name, promise, *records, log.log_start_offset(), log.end_offset());
  // Who reads now must find the same again, and nothing behind the end.
  promise.acknowledged.erase(promise.acknowledged.lower_bound(log.end_offset().value()), promise.acknowledged.end());
  for (const auto& record : *records) promise.acknowledged[record.offset.value()] = record;
  promise.acknowledged_end = log.end_offset();
  log.on_high_watermark(log.stable_end());
  co_await verify_senders(log, promise, may_be_shorter);
}

// ---- Producers

io::Task<void> Life::verify_senders(log::Log& log, Promise& promise, bool may_be_shorter) {
  for (auto& [client, sender] : promise.senders) {
    if (report_.failure.empty()) co_await verify_sender(log, promise, sender, may_be_shorter);
  }
}

// What was not answered is sent again. What was, too, where nothing has come after it: that must be known by its first offset.
io::Task<void> Life::verify_sender(log::Log& log, Promise& promise, Sender& sender, bool may_be_shorter) {
  const bool is_answered = !sender.outstanding;
  const auto spec = is_answered ? sender.answered : sender.outstanding;
  if (!spec) co_return;
  // Of what retention has taken nobody need know who sent it.
  const bool may_be_forgotten =
      may_be_shorter || (promise.manner.deletes() && sender.answered_at < log.log_start_offset());
  std::vector<std::byte> bytes;
  const auto appended = stage(log, promise, *spec, bytes);
  if (!appended) {
    if (appended.error() == Errc::disk_full) co_return;
    if (!may_be_forgotten) {
      fail(fmt::format("{}: producer {} sends sequence {} again: {}", log.topic(), sender.id, spec->base_sequence,
                       appended.error().message));
    }
    sender = {.id = next_producer_++};
    co_return;
  }
  if (appended->duplicate) ++report_.duplicates;
  const bool as_it_was = appended->duplicate && appended->first_offset == sender.answered_at;
  if (is_answered && !as_it_was && !may_be_forgotten) {
    fail(fmt::format("{}: producer {} has sequence {} at {}, and is told {}", log.topic(), sender.id, spec->base_sequence,
                     sender.answered_at.value(), appended->first_offset.value()));
  }
  const auto stable = co_await log.stable(*appended);
  if (!stable) co_return;
  if (!appended->duplicate) take_answer(promise, *spec, *appended);
  sender.answered = spec;
  sender.answered_at = appended->first_offset;
  sender.next_sequence = spec->base_sequence + static_cast<std::int32_t>(spec->values.size());
  sender.outstanding.reset();
}

io::Task<void> Life::verify(LogNode& node, bool after_power_cut) {
  for (auto& [name, promise] : promises_) {
    log::Log* const log = node.find(name, 0);
    if (log == nullptr) fail(fmt::format("the log {} is gone", name));
    else co_await verify_log(*log, promise, after_power_cut);
  }
}

// ---- Clients

BatchSpec Life::draw_batch(Prng& random) {
  BatchSpec spec{.timestamp = world_.wall_now().ms};
  const std::uint64_t count = 1 + random.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    spec.keys.push_back(fmt::format("key {}", random.below(kKeys)));
    const bool deletes = random.chance(5);
    if (deletes) spec.without_value.insert(i);
    spec.values.push_back(deletes ? "" : fmt::format("{}", next_value_++) + std::string(random.below(300), '.'));
  }
  return spec;
}

std::vector<ReadRecord> records_of(const BatchSpec& spec, Offset first) {
  std::vector<ReadRecord> records;
  for (std::size_t i = 0; i < spec.values.size(); ++i) {
    records.push_back({first + static_cast<std::int64_t>(i), spec.values[i], spec.keys[i], !spec.without_value.contains(i)});
  }
  return records;
}

Result<log::AppendedBatches> Life::stage(log::Log& log, Promise& promise, const BatchSpec& spec,
                                         std::vector<std::byte>& bytes) {
  bytes = make_batch(spec);
  TRY(appended, log.stage_append_as_leader(bytes, {.leader_epoch = LeaderEpoch(1), .now = world_.wall_now()}));
  if (appended.duplicate) return appended;
  std::int64_t time = spec.timestamp;
  for (const ReadRecord& record : records_of(spec, appended.first_offset)) {
    promise.sent[record.offset.value()].insert(record);
    if (!record.has_value) {
      auto& deleted_at = promise.deleted_at[record.offset.value()];
      deleted_at = std::max(deleted_at, time);
    }
    ++time;
  }
  return appended;
}

void Life::take_answer(Promise& promise, const BatchSpec& spec, const log::AppendedBatches& appended) {
  for (const auto& record : records_of(spec, appended.first_offset)) promise.acknowledged[record.offset.value()] = record;
  promise.acknowledged_end = std::max(promise.acknowledged_end, appended.end_offset());
  report_.acknowledged += spec.values.size();
}

io::Task<void> Life::client_append(log::Log& log, Promise& promise, Prng& random, std::uint64_t id) {
  BatchSpec spec = draw_batch(random);
  const bool is_idempotent = random.chance(2);
  if (is_idempotent) {
    const auto [at, is_new] = promise.senders.try_emplace(id);
    Sender& sender = at->second;
    if (is_new) sender.id = next_producer_++;
    if (sender.outstanding) spec = *sender.outstanding;
    spec.producer_id = ProducerId(sender.id);
    spec.producer_epoch = 0;
    spec.base_sequence = sender.next_sequence;
    sender.outstanding = spec;
  }
  std::vector<std::byte> bytes;
  const auto appended = stage(log, promise, spec, bytes);
  if (!appended) co_return;
  const auto stable = co_await log.stable(*appended);
  if (!stable) co_return;
  log.on_high_watermark(log.stable_end());
  if (!appended->duplicate) take_answer(promise, spec, *appended);
  if (!is_idempotent) co_return;
  Sender& sender = promise.senders.at(id);
  sender.next_sequence = spec.base_sequence + static_cast<std::int32_t>(spec.values.size());
  sender.outstanding.reset();
  sender.answered = std::move(spec);
  sender.answered_at = appended->first_offset;
}

io::Task<void> Life::client(LogNode& node, io::Gate& gate, std::uint64_t id) {
  Prng random = world_.stream(fmt::format("client {} {}", incarnation_, id));
  for (int i = 0; i < kOperationsPerClient && !image_ && !gate.closing(); ++i) {
    auto chosen = promises_.begin();
    std::advance(chosen, random.below(promises_.size()));
    co_await client_append(*node.find(chosen->first, 0), chosen->second, random, id);
    if (random.chance(3)) co_await io::sleep_for(std::chrono::microseconds(random.below(3000)));
  }
}

// Whoever reads from the beginning to what was stable when it began.
io::Task<void> Life::read_whole(log::Log& log, Promise& promise) {
  const Promise known = promise;
  const std::int64_t begun_ms = world_.wall_now().ms;
  const Offset end = log.stable_end();
  const auto records = co_await read_records(log, log.log_start_offset(), end, 2000);
  if (image_) co_return;
  if (!records) {
    // Retention was faster.
    if (records.error() == Errc::out_of_range && known.manner.deletes()) co_return;
    co_return fail(fmt::format("{} cannot be read: {}", log.topic(), records.error().message));
  }
  ++report_.reads;
  Promise now = known;
  now.sent = promise.sent;
  now.deleted_at = promise.deleted_at;
  // What has come since replaces what it had to find; and whoever is slower than a topic keeps deletions may miss them.
  std::set<std::string> replaced;
  for (auto at = now.sent.lower_bound(end.value()); at != now.sent.end(); ++at) {
    for (const ReadRecord& record : at->second) replaced.insert(record.key);
  }
  const bool is_slow = world_.wall_now().ms - begun_ms >= known.manner.delete_retention_ms;
  std::set<std::string> deleted;
  for (const auto& [offset, record] : known.acknowledged) {
    if (record.has_value) deleted.erase(record.key);
    else deleted.insert(record.key);
  }
  std::erase_if(now.acknowledged, [&](const auto& entry) {
    return replaced.contains(entry.second.key) || (is_slow && deleted.contains(entry.second.key));
  });
  verify_keys(log.topic(), now, *records, log.log_start_offset(), end);
}

io::Task<void> Life::look_after(LogNode& node, log::Log& log, Promise& promise, Prng& random) {
  switch (random.below(8)) {
    case 0:
      (void)log.roll(world_.wall_now());
      break;
    case 1:
      (void)co_await node.checkpoint();
      break;
    case 2:
      if (full_disk_) {
        disk_->set_capacity(random.chance(2) ? disk_->used_bytes() + random.below(5000) : std::uint64_t{1} << 40);
      }
      break;
    case 3:
      if (promise.manner.deletes()) (void)log.apply_retention(world_.wall_now(), log.stable_end());
      break;
    case 4:
      co_await read_whole(log, promise);
      break;
    default: {
      const auto cleaned = co_await log.compact();
      if (cleaned) report_.records_dropped += cleaned->records_before - cleaned->records_after;
      else ++report_.passes_put_off;
      break;
    }
  }
}

io::Task<void> Life::upkeep(LogNode& node) {
  Prng random = world_.stream(fmt::format("upkeep {}", incarnation_));
  for (int i = 0; i < kOperationsPerClient / 2 && !image_; ++i) {
    co_await io::sleep_for(std::chrono::microseconds(random.below(6000)));
    auto chosen = promises_.begin();
    std::advance(chosen, random.below(promises_.size()));
    log::Log& log = *node.find(chosen->first, 0);
    co_await look_after(node, log, chosen->second, random);
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
  Manner manner;
  manner.fsync = true;
  const auto booted = world_.run(run.reactor, run.node->boot(options(manner)));
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
    const Manner manner = draw_manner();
    CHECK(world_.run(run.reactor, run.node->create(name, 0, options(manner))).has_value());
    promises_[name].manner = manner;
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
