#include "tests/sim/broker_crash.h"

#include <algorithm>
#include <chrono>

#include "engine/drivers/group_coordinators.h"
#include "net/wire/metadata.h"
#include "tests/sim/broker_life.h"

namespace millrace::sim {
namespace {

using wire::ErrorCode;

constexpr std::uint64_t kAmpleBytes = std::uint64_t{1} << 40;
// Answers without a new record after which a reader that waits for one gives up.
constexpr int kIdlePollsMax = 200;
// Answers without one after which a reader takes it that there are no more.
constexpr int kEndPolls = 6;

DiskTiming rare_stalls() { return {.stall_one_in = 3000}; }

// Sessions and rebalances fit into the little time that a generation of the node has.
engine::GroupOptions quick_groups() {
  engine::GroupOptions options;
  options.initial_rebalance_delay = std::chrono::milliseconds(10);
  options.session_timeout_min = std::chrono::milliseconds(10);
  options.new_member_join_timeout = std::chrono::milliseconds(500);
  options.offsets_retention_check = std::chrono::milliseconds(300);
  options.consumer.session_timeout = kSubscriberSession;
  options.consumer.session_timeout_min = std::chrono::milliseconds(10);
  options.consumer.heartbeat_interval = std::chrono::milliseconds(20);
  options.consumer.heartbeat_interval_min = std::chrono::milliseconds(10);
  // Long enough for something to happen while members wait for each other.
  options.consumer.join_pause = std::chrono::milliseconds(30);
  options.consumer.pattern_pause = std::chrono::milliseconds(30);
  return options;
}

}  // namespace

BrokerLife::BrokerLife(const BrokerRun& run)
    : run_(run),
      world_(run.seed),
      random_(world_.stream("life")),
      network_(world_),
      client_disk_(world_.stream("client disk")),
      client_proactor_(world_, client_disk_, "clients", rare_stalls()),
      reactor_(ShardId{0}, client_proactor_),
      stack_(network_, reactor_, "clients"),
      disk_(std::make_unique<SimDisk>(world_.stream("disk"))) {
  world_.add(reactor_);
  if (!random_.chance(3)) trouble_ = static_cast<Trouble>(random_.below(6));
  if (trouble_ == Trouble::resets) network_.faults.reset_one_in = 60;
  directories_ = random_.chance(2) ? 1 : static_cast<std::uint32_t>(2 + random_.below(2));
  const std::uint64_t producers = 1 + random_.below(3);
  for (std::uint64_t i = 0; i < producers; ++i) oracle_.producers.push_back({.idempotent = !random_.chance(4)});
  offsets_fsync_ = !random_.chance(4);
  const std::uint64_t members = 1 + random_.below(4);
  for (std::uint64_t i = 0; i < members; ++i) {
    MemberTruth& member = oracle_.members.emplace_back();
    member.group = i == 3 ? "g1" : "g0";
    if (random_.chance(3)) member.instance_id = fmt::format("instance{}", i);
  }
  const std::uint64_t subscribers = random_.below(4);
  const bool they_move = random_.chance(3);
  for (std::uint64_t i = 0; i < subscribers; ++i) {
    SubscriberTruth& member = oracle_.subscribers.emplace_back();
    member.group = "k0";
    member.moves = they_move;
    member.name = fmt::format("subscriber{}", i);
    if (random_.chance(3)) member.instance_id = fmt::format("instance{}", i);
  }
  if (subscribers > 0) (void)oracle_.groups["k0"];
}

void BrokerLife::fail(std::string what) {
  if (report_.failure.empty()) {
    report_.failure = fmt::format("seed {} (shape: trouble {}, start {}): {}", run_.seed,
                                  static_cast<int>(trouble_), incarnation_, what);
  }
}

// ---- Starts, stops and crashes

// Takes an image of the disk just before the change that follows `after_changes` others.
void BrokerLife::arm(std::uint64_t after_changes) {
  changes_left_ = after_changes;
  disk_->set_observer([this] {
    if (image_ || changes_left_-- > 0) return;
    const bool power = random_.chance(2);
    ++(power ? report_.power_cuts : report_.kills);
    image_ = Image{power ? disk_->power_cut(random_) : disk_->process_kill(random_), oracle_, power};
  });
}

bool BrokerLife::start_node() {
  node_ = std::make_unique<BrokerNode>(
      world_, network_, *disk_,
      BrokerNodeOptions{.shards = static_cast<std::uint32_t>(1 + random_.below(3)),
                        .directories = directories_,
                        .name = fmt::format("start {}", incarnation_++),
                        .seed = random_.next(),
                        .groups = quick_groups()});
  const auto started = node_->start();
  if (started) return true;
  fail("the node does not start: " + started.error().message);
  // It is in no state to be ended; the run is over.
  (void)node_.release();
  return false;
}

void BrokerLife::stop_node(bool clean) {
  disk_->set_observer({});
  const auto stopped = node_->stop();
  if (clean && stopped) ++report_.clean_stops;
  const bool may_refuse = node_->failure() || trouble_ == Trouble::bad_partition ||
                          trouble_ == Trouble::bad_write_ahead || trouble_ == Trouble::full_disk;
  if (clean && !stopped && !may_refuse) fail("the node does not stop: " + stopped.error().message);
  node_.reset();
}

void BrokerLife::take_over_image() {
  disk_ = std::move(image_->disk);
  disk_->faults = {};
  disk_->set_capacity(kAmpleBytes);
  after_power_cut_ |= image_->power;
  // What became doubtful meanwhile became so on this disk too: the errors may have come before the image.
  for (auto& [name, truth] : image_->oracle.topics) {
    for (std::size_t i = 0; i < truth.partitions.size() && i < oracle_.topics[name].partitions.size(); ++i) {
      truth.partitions[i].in_doubt |= oracle_.topics[name].partitions[i].in_doubt;
    }
  }
  image_->oracle.offsets_in_doubt.merge(oracle_.offsets_in_doubt);
  oracle_ = std::move(image_->oracle);
  for (auto& producer : oracle_.producers) {
    if (!producer.idempotent) producer.outstanding.clear();
  }
  image_.reset();
}

void BrokerLife::note_offline_partitions() {
  for (const TopicPartition& id : node_->offline_partitions()) {
    const std::string name = name_of(id.topic_id);
    const auto* offsets = node_->broker().image()->topics.find(engine::kOffsetsTopic);
    if (offsets != nullptr && offsets->id == id.topic_id && trouble_ != Trouble::full_disk) {
      const bool fresh = oracle_.offsets_in_doubt.insert(id.partition.value()).second;
      if (fresh && trouble_ != Trouble::bad_partition && trouble_ != Trouble::bad_write_ahead) {
        fail(fmt::format("{}-{} is offline, and its disk never failed", offsets->name, id.partition.value()));
      }
    }
    // Of one that may have been added nothing was promised.
    if (name.empty() || static_cast<std::size_t>(id.partition.value()) >= topic(name).partitions.size()) continue;
    PartitionTruth& truth = partition(name, id.partition.value());
    if (!truth.in_doubt && trouble_ != Trouble::bad_partition && trouble_ != Trouble::bad_write_ahead &&
        trouble_ != Trouble::full_disk) {
      fail(fmt::format("{}-{} is offline, and its disk never failed", name, id.partition.value()));
    }
    // For want of room it could not be made; nothing was promised of it, and it is made later.
    if (trouble_ != Trouble::full_disk) truth.in_doubt = true;
  }
}

// ---- Faults

void BrokerLife::disturb() {
  disturbed_ = true;
  if (trouble_ == Trouble::bad_write_ahead) disk_->faults.only = "wal-";
  if (trouble_ == Trouble::bad_partition) {
    const auto names = usable_topics();
    if (names.empty()) return;
    const std::string& name = names[random_.below(names.size())];
    bad_partition_ = fmt::format("/{}-{}/", name, random_.below(topic(name).partitions.size()));
    if (oracle_.has_offsets_topic && random_.chance(3)) {
      bad_partition_ = fmt::format("/{}-{}/", engine::kOffsetsTopic, random_.below(kOffsetsPartitions));
    }
    disk_->faults.only = bad_partition_;
  }
  if (!disk_->faults.only.empty()) {
    disk_->faults.sync_error_one_in = 30;
    disk_->faults.write_error_one_in = 60;
  }
  if (trouble_ == Trouble::short_transfers) disk_->faults.short_transfer_one_in = 5;
}

void BrokerLife::heal() {
  disturbed_ = false;
  disk_->faults = {};
  disk_->set_capacity(kAmpleBytes);
}

// ---- What a start must have left

io::Task<void> BrokerLife::verify_topics(Actor& actor) {
  wire::MetadataRequest request;
  request.topics = std::nullopt;
  const auto answer = co_await actor.call(request, static_cast<std::int16_t>(10 + actor.random.below(4)));
  if (!answer) co_return;
  std::set<std::string> listed;
  for (const auto& found : answer->message.topics) {
    const std::string name(found.name.value_or(""));
    listed.insert(name);
    if (name == engine::kOffsetsTopic) continue;
    const auto known = oracle_.topics.find(name);
    if (known == oracle_.topics.end()) {
      fail(fmt::format("the topic {} was made by nobody", name));
      continue;
    }
    TopicTruth& truth = known->second;
    truth.reserved = false;
    if (truth.state == TopicTruth::State::deleted) fail(fmt::format("the topic {} was deleted and is there", name));
    if (truth.state == TopicTruth::State::creating) truth.id = found.topic_id;
    truth.state = TopicTruth::State::exists;
    for (auto& [group, committed] : oracle_.groups) committed.topic_stays(name);
    if (found.topic_id != truth.id) fail(fmt::format("the topic {} has another id", name));
    if (found.partitions.size() == truth.may_have) truth.partitions.resize(truth.may_have);
    truth.may_have = 0;
    if (found.partitions.size() != truth.partitions.size()) {
      fail(fmt::format("the topic {} has {} partitions of {}", name, found.partitions.size(), truth.partitions.size()));
    }
  }
  const bool offsets_listed = listed.contains(std::string(engine::kOffsetsTopic));
  if (oracle_.has_offsets_topic && !offsets_listed) fail("the topic of committed offsets is gone");
  for (auto& [name, truth] : oracle_.topics) {
    if (listed.contains(name)) continue;
    if (truth.state == TopicTruth::State::exists) fail(fmt::format("the topic {} is gone", name));
    truth.state = TopicTruth::State::deleted;
    for (auto& [group, committed] : oracle_.groups) committed.topic_is_gone(name);
  }
}

io::Task<void> BrokerLife::verify_records(Actor& actor) {
  Consumer consumer = make_consumer(actor.random, 0);
  consumer.after_start = true;
  std::map<std::pair<std::string, std::int32_t>, Oracle::Found> found;
  for (const auto& name : usable_topics()) {
    if (topic(name).compacts) continue;
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(topic(name).partitions.size()); ++i) {
      const auto start = co_await list_offset(actor, name, i, -2);
      const auto end = co_await list_offset(actor, name, i, -1);
      if (!start || !end) continue;
      found[{name, i}] = {.start = *start, .high_watermark = *end};
      consumer.positions.push_back({.topic = name, .partition = i, .offset = *start});
    }
  }
  const auto all_read = [&] {
    return std::ranges::all_of(consumer.positions, [&](const auto& position) {
      return partition(position.topic, position.partition).in_doubt ||
             position.offset >= found[{position.topic, position.partition}].high_watermark;
    });
  };
  // Retention may have taken meanwhile what was read, and what was to come.
  const auto skip_expired = [&](Oracle::Found& so_far, const Consumer::Position& position, std::int64_t next) {
    const bool goes_on = next == so_far.start + static_cast<std::int64_t>(so_far.records.size());
    if (!goes_on && topic(position.topic).expires) so_far = {.start = next, .high_watermark = so_far.high_watermark};
  };
  const auto take = [&](const Consumer::Position& position, Records records) {
    auto& so_far = found[{position.topic, position.partition}];
    skip_expired(so_far, position, records.front().first);
    std::ranges::move(records, std::back_inserter(so_far.records));
  };
  int idle = 0;
  while (!all_read() && report_.failure.empty()) {
    bool progress = false;
    co_await poll(actor, consumer, [&](const Consumer::Position& position, Records records) {
      progress = true;
      take(position, std::move(records));
    });
    idle = progress ? 0 : idle + 1;
    if (idle > kIdlePollsMax) {
      std::string where;
      for (const auto& position : consumer.positions) {
        where += fmt::format(" {}-{}{} at {} of {}", position.topic, position.partition,
                             partition(position.topic, position.partition).in_doubt ? " (in doubt)" : "", position.offset,
                             found[{position.topic, position.partition}].high_watermark);
      }
      fail(fmt::format("a consumer of version {} {} session does not get what is there:{}", consumer.version,
                       consumer.session ? "with a" : "without", where));
    }
  }
  if (!report_.failure.empty()) co_return;
  for (const auto& position : consumer.positions) {
    skip_expired(found[{position.topic, position.partition}], position, position.offset);
  }
  for (const auto& [key, records] : found) {
    if (partition(key.first, key.second).in_doubt) continue;
    check(oracle_.compare(key.first, key.second, records, after_power_cut_, report_.lost_unsynced));
    trace(static_cast<std::uint64_t>(records.high_watermark));
  }
}

// To where there is no more: the last records before the high watermark may have been cleaned away.
io::Task<std::optional<Oracle::Found>> BrokerLife::read_whole(Actor& actor, std::string name, std::int32_t index) {
  const auto start = co_await list_offset(actor, name, index, -2);
  const auto end = co_await list_offset(actor, name, index, -1);
  if (!start || !end) co_return std::nullopt;
  Oracle::Found found{.start = *start, .high_watermark = *end, .records = {}};
  Consumer consumer{.version = draw_version(actor.random, 4, 18)};
  consumer.after_start = true;
  consumer.positions.push_back({.topic = name, .partition = index, .offset = *start});
  for (int idle = 0; idle < kEndPolls && report_.failure.empty(); ++idle) {
    if (consumer.positions[0].offset >= found.high_watermark) break;
    const std::int64_t before = consumer.positions[0].offset;
    co_await poll(actor, consumer, [&](const Consumer::Position&, Records records) {
      std::ranges::move(records, std::back_inserter(found.records));
    });
    if (consumer.positions[0].offset != before) idle = 0;
  }
  // Retention may have taken meanwhile what was read first.
  if (topic(name).expires) {
    if (const auto now = co_await list_offset(actor, name, index, -2)) found.start = std::max(found.start, *now);
    std::erase_if(found.records, [&](const auto& record) { return record.first < found.start; });
  }
  co_return found;
}

io::Task<void> BrokerLife::verify_keyed(Actor& actor) {
  for (const auto& name : usable_topics()) {
    if (!topic(name).compacts) continue;
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(topic(name).partitions.size()); ++i) {
      std::string wrong;
      // A deletion may go while its key is being read: whoever is slower than delete.retention.ms begins again.
      for (int attempt = 0; attempt < 2 && report_.failure.empty(); ++attempt) {
        const auto found = co_await read_whole(actor, name, i);
        if (!found || partition(name, i).in_doubt) break;
        wrong = oracle_.compare(name, i, *found, after_power_cut_, report_.lost_unsynced);
        if (wrong.empty()) break;
      }
      check(std::move(wrong));
    }
  }
}

io::Task<void> BrokerLife::verify() {
  Actor actor(*this, "verifier");
  co_await verify_topics(actor);
  if (report_.failure.empty()) co_await verify_records(actor);
  if (report_.failure.empty()) co_await verify_keyed(actor);
  if (report_.failure.empty()) co_await verify_committed(actor);
  if (report_.failure.empty()) after_power_cut_ = false;
  co_await actor.close();
}

// With a healthy disk and network every partition takes records again.
io::Task<void> BrokerLife::verify_partition_works(Actor& actor, const std::string& name, std::int32_t index) {
  ProducerTruth producer;
  for (int i = 0; i < 5 && report_.failure.empty(); ++i) {
    producer.outstanding = {make_batch_for(actor.random, name, index)};
    co_await send_outstanding(actor, producer);
    if (producer.outstanding.empty()) co_return;
    co_await io::sleep_for(std::chrono::seconds(1));
  }
  fail(fmt::format("{}-{} takes no records though nothing is wrong any more", name, index));
}

io::Task<void> BrokerLife::verify_liveness() {
  Actor actor(*this, "prober");
  for (const auto& name : usable_topics()) {
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(topic(name).partitions.size()); ++i) {
      if (!partition(name, i).in_doubt && report_.failure.empty()) co_await verify_partition_works(actor, name, i);
    }
  }
  co_await actor.close();
}

// ---- Generations

io::Task<void> BrokerLife::work() {
  io::Gate gate;
  for (std::size_t i = 0; i < oracle_.producers.size(); ++i) gate.spawn(act_producer(i));
  const std::uint64_t consumers = 1 + random_.below(2);
  for (std::uint64_t i = 0; i < consumers; ++i) gate.spawn(act_consumer(i));
  gate.spawn(act_admin());
  for (std::size_t i = 0; i < oracle_.members.size(); ++i) gate.spawn(act_member(i));
  for (std::size_t i = 0; i < oracle_.subscribers.size(); ++i) gate.spawn(act_subscriber(i));
  gate.spawn(act_committer());
  co_await gate.close();
}

void BrokerLife::end_generation(bool last) {
  note_offline_partitions();
  heal();
  if (node_->failure() && !image_) {
    if (trouble_ != Trouble::full_disk) fail("the metadata log has failed: " + node_->failure()->message);
    // A process would end here.
    image_ = Image{disk_->process_kill(random_), oracle_, false};
  }
  bool clean = false;
  if (!image_ && report_.failure.empty()) {
    disk_->set_observer({});
    const std::uint64_t resets = std::exchange(network_.faults.reset_one_in, 0);
    run(verify_liveness());
    if (report_.failure.empty()) run(verify_groups_settle());
    if (report_.failure.empty()) run(verify_subscribers_settle());
    if (report_.failure.empty()) run(verify());
    network_.faults.reset_one_in = resets;
    clean = last || random_.chance(2);
    if (!clean) {
      const bool power = random_.chance(2);
      ++(power ? report_.power_cuts : report_.kills);
      image_ = Image{power ? disk_->power_cut(random_) : disk_->process_kill(random_), oracle_, power};
    }
  }
  stop_node(clean);
  if (image_) take_over_image();
}

// With luck the start itself is interrupted, and the next one finds what that left.
bool BrokerLife::live_generation(int depth, bool last) {
  if (depth > 0 && random_.chance(3)) {
    arm(random_.below(250));
    if (!start_node()) return false;
    stop_node(false);
    if (image_) {
      ++report_.crashes_in_start;
      take_over_image();
    }
    return live_generation(depth - 1, last);
  }
  if (!start_node()) return false;
  const std::uint64_t resets = std::exchange(network_.faults.reset_one_in, 0);
  run(verify());
  network_.faults.reset_one_in = resets;
  if (report_.failure.empty()) {
    disturb();
    if (!last) arm(10 + random_.below(900));
    run(work());
  }
  end_generation(last);
  return report_.failure.empty();
}

BrokerReport BrokerLife::live() {
  for (int generation = 0; generation < run_.generations; ++generation) {
    if (!live_generation(generation == 0 ? 0 : 2, generation + 1 == run_.generations)) break;
  }
  trace(static_cast<std::uint64_t>(world_.now().time_since_epoch().count()));
  world_.remove(reactor_);
  return report_;
}

BrokerReport run_broker_crashes(const BrokerRun& run) {
  // On the heap: a life that failed at a start leaves its node behind, and the node what it stands on.
  auto life = std::make_unique<BrokerLife>(run);
  BrokerReport report = life->live();
  if (!report.failure.empty()) (void)life.release();
  return report;
}

}  // namespace millrace::sim
