#include "engine/broker_shard.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/logging.h"
#include "engine/metadata/topic_config.h"
#include "engine/partition/log_config.h"
#include "engine/partition/placement.h"
#include "io/file.h"
#include "io/gate.h"
#include "io/reactor.h"

namespace millrace::engine {
namespace {

// So many wait for the disk at a time when all are opened or closed.
constexpr std::uint64_t kPartitionsAtOnce = 64;
// So many system calls of theirs are made before others have their turn on the shard.
constexpr std::size_t kPartitionsPerTurn = 4;

std::uint64_t cleaner_seed(const BrokerOptions& options, ShardId shard) {
  return Prng(options.random_seed ^ (std::uint64_t{shard.value()} << 32)).next();
}

log::LogShardOptions log_shard_options(const BrokerOptions& options, ShardId shard, std::uint32_t shard_count) {
  log::LogShardOptions shard_options;
  shard_options.write_ahead_path = fmt::format("{}/{}{}", options.log_directories.front(),
                                               log::kWriteAheadPrefix, shard.value());
  shard_options.write_ahead_bytes_max = options.write_ahead_bytes;
  shard_options.disk_reserve_percent = options.disk_reserve_percent;
  shard_options.cleaner = to_cleaner_options({.static_broker = &options.static_configs}, shard_count,
                                             cleaner_seed(options, shard));
  return shard_options;
}

// None when none are wanted, else at least one.
std::size_t fetch_sessions_per_shard(const BrokerOptions& options, std::uint32_t shard_count) {
  return (options.fetch_sessions_max + shard_count - 1) / shard_count;
}

// On the disk or among the process's handles: there may be some later.
bool wants_room(const Error& error) { return error == Errc::disk_full || error == Errc::refused; }

}  // namespace

ConfigLayers broker_layers(const MetadataImage& image, const BrokerOptions& options) {
  return {.dynamic_broker = &image.config(ConfigResource::broker(std::to_string(options.node_id.value()))),
          .dynamic_default = &image.config(ConfigResource::cluster_default()),
          .static_broker = &options.static_configs};
}

bool changes_brokers(const MetadataDelta& delta) {
  return std::ranges::any_of(delta.configs, [](const ConfigResource& resource) {
    return resource.type == ConfigResourceType::broker;
  });
}

struct BrokerShard::Turns {
  io::Semaphore at_once{kPartitionsAtOnce};
  io::Gate gate;
  std::size_t applied = 0;
};

BrokerShard::BrokerShard(const BrokerOptions& options, ShardId shard, std::uint32_t shard_count)
    : options_(options),
      shard_(shard),
      shard_count_(shard_count),
      logs_(io::Reactor::current().proactor(), log_shard_options(options, shard, shard_count)),
      fetch_sessions_({.sessions = fetch_sessions_per_shard(options, shard_count)},
                      Prng(options.random_seed + shard.value())),
      groups_(
          options.groups, [this] { return image_; },
          (options.random_seed ^ 0x67726f757073) + shard.value()),
      producer_id_expiration_ms_(producer_id_expiration_ms({.static_broker = &options.static_configs})) {
  placed_.resize(options.log_directories.size(), 0);
}

BrokerShard::~BrokerShard() = default;

void BrokerShard::found_on_disk(std::vector<log::FoundPartition> found,
                                const log::WriteAheadTail* tail) {
  write_ahead_tail_ = tail;
  for (auto& partition : found) {
    auto key = std::make_pair(partition.topic, partition.partition);
    found_.emplace(std::move(key), std::move(partition));
  }
}

io::Task<Result<void>> BrokerShard::start_logs() {
  write_ahead_tail_ = nullptr;
  for (const auto& [name, partition] : found_) {
    LOG(warn, "partition.stray", "directory={} reason=\"the cluster's metadata has no such partition; left alone\"",
        partition.directory);
    not_opened_.push_back(partition);
  }
  found_.clear();
  started_ = true;
  if (const auto& counters = logs_.counters(); counters.logs_shortened > 0) {
    LOG(warn, "shard.recovered", "shard={} logs={} shortened={} reason=\"the last stop was not clean\"", shard_.value(),
        counters.logs_recovered, counters.logs_shortened);
  }
  CO_TRY_DONE(co_await logs_.start());
  co_await follow_groups();
  co_return Result<void>{};
}

// Coordinators write, so there are none before the logs have started.
io::Task<void> BrokerShard::follow_groups() {
  std::vector<std::shared_ptr<Partition>> offsets;
  for (const auto& [id, partition] : partitions_) {
    if (partition->topic() == kOffsetsTopic) offsets.push_back(partition);
  }
  std::ranges::sort(offsets, {}, [](const auto& partition) { return partition->id(); });
  co_await groups_.follow(std::move(offsets));
}

io::Task<void> BrokerShard::remove_gone(const SharedImage& image, const MetadataDelta& delta) {
  std::vector<std::shared_ptr<Partition>> gone;
  for (const auto& [key, partition] : partitions_) {
    const auto topic = delta.topics.find(key.topic_id);
    if (topic == delta.topics.end()) continue;
    if (topic->second.removed || image->topics.find(key.topic_id) == nullptr) gone.push_back(partition);
  }
  std::size_t removed = 0;
  std::set<std::string> directories;
  for (const auto& partition : gone) {
    partitions_.erase(partition->id());
    unmade_.erase(partition->id());
    unrecorded_.erase(partition->id());
    co_await remove(*partition, directories);
    // Whoever is at it finds the partition gone, and gives the directory's name up.
    while (making_.contains(partition->id())) co_await making_ended_.wait();
    if (++removed % kPartitionsPerTurn == 0) co_await io::yield();
  }
  co_await sync_directories(std::move(directories));
}

// Adds the log directories in which names have changed.
io::Task<void> BrokerShard::remove(Partition& partition, std::set<std::string>& directories) {
  if (partition.log() == nullptr) give_up_unopened(partition.id(), directories);
  else directories.insert(io::directory_of(partition.log()->directory()));
  if (partition.log() != nullptr) --placed_in(io::directory_of(partition.log()->directory()));
  const auto removed = co_await partition.remove();
  if (removed) co_return;
  LOG(error, "partition.remove", "topic={} partition={} error=\"{}\"", partition.topic(),
      partition.id().partition.value(), removed.error().message);
}

// What could not be opened keeps its directory, whose name another topic may get. The files go at the next start.
void BrokerShard::give_up_unopened(TopicPartition id, std::set<std::string>& directories) {
  const auto is_gone = [&](const log::FoundPartition& found) {
    if (found.topic_id != id.topic_id || found.partition != id.partition) return false;
    const auto renamed = log::rename_to_deleted(io::Reactor::current().proactor(), found.directory);
    if (!renamed) {
      LOG(error, "partition.remove", "directory={} error=\"{}\"", found.directory, renamed.error().message);
      return false;
    }
    directories.insert(io::directory_of(found.directory));
    return true;
  };
  std::erase_if(not_opened_, is_gone);
}

// Makes it durable that names there are gone: one sync for all of a directory.
io::Task<void> BrokerShard::sync_directories(std::set<std::string> directories) {
  for (const auto& directory : directories) {
    const auto synced = co_await io::sync_directory(io::Reactor::current().proactor(), directory);
    if (!synced) LOG(error, "partition.remove", "directory={} error=\"{}\"", directory, synced.error().message);
  }
}

io::Task<void> BrokerShard::apply(SharedImage image, const MetadataDelta& delta) {
  // Before any log is opened.
  if (changes_brokers(delta)) producer_id_expiration_ms_ = producer_id_expiration_ms(broker_layers(*image, options_));
  Turns turns;
  for (const auto& [id, topic_delta] : delta.topics) {
    const TopicImage* topic = image->topics.find(id);
    if (topic_delta.removed || topic == nullptr) continue;
    co_await apply_topic(*image, *topic, topic_delta, turns);
  }
  co_await turns.gate.close();
  apply_configs(*image, delta);
  if (started_ && !delta.topics.empty()) co_await follow_groups();
  image_ = std::move(image);
  drop_offsets(delta);
  tell_groups(delta);
}

// What consumer groups read may have changed.
void BrokerShard::tell_groups(const MetadataDelta& delta) {
  std::vector<std::string> topics;
  bool any_came_or_went = false;
  for (const auto& [id, topic] : delta.topics) {
    topics.push_back(topic.name);
    any_came_or_went = any_came_or_went || topic.created || topic.removed;
  }
  if (!topics.empty()) groups_.topics_changed(topics, any_came_or_went);
}

// What groups had read of topics that are gone says nothing of topics made again under their names.
void BrokerShard::drop_offsets(const MetadataDelta& delta) {
  GoneTopics gone;
  for (const auto& [id, topic] : delta.topics) {
    if (!topic.removed && image_->topics.find(id) != nullptr) continue;
    const TopicImage* now = image_->topics.find(topic.name);
    gone.insert_or_assign(topic.name, now == nullptr ? TopicId{} : now->id);
  }
  if (!gone.empty()) groups_.drop_topics(gone);
}

io::Task<void> BrokerShard::apply_topic(const MetadataImage& image, const TopicImage& topic,
                                        const TopicDelta& delta, Turns& turns) {
  std::shared_ptr<const Result<TopicConfig>> config;
  for (const PartitionIndex index : delta.changed) {
    if (shard_of({topic.id, index}, shard_count_) != shard_) continue;
    if (config == nullptr) {
      config = std::make_shared<const Result<TopicConfig>>(resolve_config(image, topic.name));
      if (!*config) LOG(error, "topic.config", "topic={} error=\"{}\"", topic.name, config->error().message);
    }
    co_await turns.at_once.acquire(1);
    turns.gate.spawn(apply_in_turn(topic, index, config, turns));
    // Most need not wait for anything.
    if (++turns.applied % kPartitionsPerTurn == 0) co_await io::yield();
  }
}

io::Task<void> BrokerShard::apply_in_turn(const TopicImage& topic, PartitionIndex index,
                                          std::shared_ptr<const Result<TopicConfig>> config, Turns& turns) {
  co_await apply_partition(topic, index, *config);
  turns.at_once.release(1);
}

io::Task<void> BrokerShard::apply_partition(const TopicImage& topic, PartitionIndex index,
                                            const Result<TopicConfig>& config) {
  const PartitionImage* assignment = topic.partition(index);
  if (assignment == nullptr || !assignment->has_replica(options_.node_id)) co_return;
  auto partition = find({topic.id, index});
  if (partition == nullptr) {
    partition = co_await open(topic, index, config);
    partitions_.emplace(partition->id(), partition);
  }
  configure(config, *partition);
  assign(*partition, *assignment);
  if (!unrecorded_.contains(partition->id())) co_return;
  if (is_recorded(*assignment, io::directory_of(partition->log()->directory()))) unrecorded_.erase(partition->id());
}

void BrokerShard::assign(Partition& partition, const PartitionImage& assignment) {
  const auto assigned = partition.assign(assignment);
  if (assigned) return;
  LOG(error, "partition.assign", "topic={} partition={} error=\"{}\"", partition.topic(),
      partition.id().partition.value(), assigned.error().message);
}

io::Task<std::shared_ptr<Partition>> BrokerShard::open(const TopicImage& topic, PartitionIndex index,
                                                       const Result<TopicConfig>& config) {
  const TopicPartition id{topic.id, index};
  log::LogOptions log_options;
  if (config) log_options = to_log_options(*config, producer_id_expiration_ms_);
  auto opened = co_await open_log(topic, index, std::move(log_options));
  if (opened) {
    co_return std::make_shared<Partition>(options_.node_id, id, topic.name, std::move(*opened), std::string());
  }
  LOG(error, "partition.open", "topic={} partition={} error=\"{}\"", topic.name, index.value(),
      opened.error().message);
  const std::string reason =
      opened.error().message.empty() ? "its log could not be opened" : opened.error().message;
  co_return std::make_shared<Partition>(options_.node_id, id, topic.name, nullptr, reason);
}

io::Task<Result<std::unique_ptr<log::Log>>> BrokerShard::open_log(const TopicImage& topic, PartitionIndex index,
                                                                  log::LogOptions log_options) {
  const TopicPartition id{topic.id, index};
  // What the write-ahead logs hold of it can be given to it during the start only.
  const bool is_held = write_ahead_tail_ != nullptr && write_ahead_tail_->find(id) != nullptr;
  const auto found = found_.find({topic.name, index});
  const bool is_there = found != found_.end() &&
                        (found->second.topic_id == topic.id || found->second.topic_id.is_zero());
  if (is_there) {
    log::FoundPartition from = std::move(found->second);
    from.topic_id = topic.id;
    found_.erase(found);
    auto opened = co_await logs_.open(from, std::move(log_options), write_ahead_tail_);
    if (opened) {
      ++placed_in(io::directory_of(from.directory));
      note_directory(id, *topic.partition(index), io::directory_of(from.directory));
      co_return opened;
    }
    if (wants_room(opened.error()) && !is_held) unmade_.insert(id);
    not_opened_.push_back(std::move(from));
    co_return opened;
  }
  if (held_names_.contains(topic.name)) {
    unmade_.insert(id);
    co_return fail(Errc::refused, "the checkpoint files, which cannot be written, speak of a topic that had its name before");
  }
  const Uuid recorded = topic.partition(index)->directory_of(options_.node_id);
  if (is_lost(recorded)) {
    // An empty one in its place would be led by the next start, which finds it like any other.
    co_return fail(Errc::not_found, fmt::format("it was in the log directory with the id {}, which this broker does not have",
                                                recorded.to_string()));
  }
  const std::string directory = directory_for_new_partition(recorded);
  ++placed_in(directory);
  // A crash may have lost the directory of a partition whose first records only the write-ahead log holds.
  auto opened = co_await logs_.create({.log_directory = directory,
                                       .topic = topic.name,
                                       .partition = index,
                                       .topic_id = topic.id,
                                       .tail = write_ahead_tail_},
                                      std::move(log_options));
  if (opened) {
    note_directory(id, *topic.partition(index), directory);
    co_return opened;
  }
  --placed_in(directory);
  if (wants_room(opened.error()) && !is_held) unmade_.insert(id);
  co_return opened;
}

io::Task<std::shared_ptr<Partition>> BrokerShard::find_or_make(TopicPartition id) {
  const SharedImage image = image_;
  const TopicImage* topic = image->topics.find(id.topic_id);
  const PartitionImage* assignment = topic == nullptr ? nullptr : topic->partition(id.partition);
  // Who asks while another is at it is told that the partition is offline.
  if (assignment == nullptr || held_names_.contains(topic->name) || unmade_.erase(id) == 0) co_return find(id);
  const auto config = resolve_config(*image, topic->name);
  const auto unopened = std::ranges::find_if(not_opened_, [&](const log::FoundPartition& found) {
    return found.topic_id == id.topic_id && found.partition == id.partition;
  });
  if (unopened != not_opened_.end()) {
    found_.emplace(std::make_pair(unopened->topic, unopened->partition), *unopened);
    not_opened_.erase(unopened);
  }
  making_.insert(id);
  auto made = co_await open(*topic, id.partition, config);
  const auto entry = partitions_.find(id);
  const bool is_gone = entry == partitions_.end();
  if (is_gone) {
    // The topic was deleted meanwhile.
    unmade_.erase(id);
    unrecorded_.erase(id);
    std::set<std::string> directories;
    co_await remove(*made, directories);
    co_await sync_directories(std::move(directories));
  } else {
    entry->second = made;
    configure(config, *made);
    assign(*made, *assignment);
  }
  making_.erase(id);
  making_ended_.notify_all();
  if (is_gone) co_return nullptr;
  if (made->topic() == kOffsetsTopic) co_await follow_groups();
  co_return made;
}

Result<TopicConfig> BrokerShard::resolve_config(const MetadataImage& image,
                                                std::string_view topic) const {
  ConfigLayers layers = broker_layers(image, options_);
  layers.topic = &image.config(ConfigResource::topic(topic));
  return resolve_topic_config(layers);
}

void BrokerShard::configure(const Result<TopicConfig>& config, Partition& partition) const {
  if (!config) return;
  partition.set_min_insync_replicas(config->min_insync_replicas);
  if (partition.log() == nullptr) return;
  partition.log()->set_options(to_log_options(*config, producer_id_expiration_ms_));
}

void BrokerShard::apply_configs(const MetadataImage& image, const MetadataDelta& delta) {
  if (delta.configs.empty()) return;
  const bool broker_changed = changes_brokers(delta);
  std::map<std::string, Result<TopicConfig>> configs;
  for (const auto& [id, partition] : partitions_) {
    const std::string& topic = partition->topic();
    if (!broker_changed && !delta.configs.contains(ConfigResource::topic(topic))) continue;
    auto config = configs.find(topic);
    if (config == configs.end()) {
      config = configs.emplace(topic, resolve_config(image, topic)).first;
      if (!config->second) {
        LOG(error, "topic.config", "topic={} error=\"{}\"", topic, config->second.error().message);
      }
    }
    configure(config->second, *partition);
  }
  if (!broker_changed) return;
  logs_.set_cleaner_options(to_cleaner_options(broker_layers(image, options_), shard_count_, cleaner_seed(options_, shard_)));
}

std::size_t& BrokerShard::placed_in(const std::string& log_directory) {
  const auto found = std::ranges::find(options_.log_directories, log_directory);
  CHECK(found != options_.log_directories.end(), "{} is no log directory", log_directory);
  return placed_[static_cast<std::size_t>(found - options_.log_directories.begin())];
}

const Uuid& BrokerShard::id_of_directory(const std::string& log_directory) const {
  const auto found = std::ranges::find(options_.log_directories, log_directory);
  CHECK(found != options_.log_directories.end(), "{} is no log directory", log_directory);
  return options_.directory_ids[static_cast<std::size_t>(found - options_.log_directories.begin())];
}

void BrokerShard::note_directory(TopicPartition id, const PartitionImage& assignment, const std::string& log_directory) {
  if (!is_recorded(assignment, log_directory)) unrecorded_.insert(id);
}

bool BrokerShard::is_recorded(const PartitionImage& assignment, const std::string& log_directory) const {
  return assignment.directory_of(options_.node_id) == id_of_directory(log_directory);
}

std::vector<ReplicaDirectory> BrokerShard::unrecorded_directories() const {
  std::vector<ReplicaDirectory> unrecorded;
  if (!has_directories(image_->metadata_version())) return unrecorded;
  for (const TopicPartition& id : unrecorded_) {
    const auto partition = find(id);
    const PartitionImage* assignment = image_->topics.find(id);
    if (partition == nullptr || partition->log() == nullptr || assignment == nullptr) continue;
    const std::string directory = io::directory_of(partition->log()->directory());
    if (!is_recorded(*assignment, directory)) unrecorded.push_back({id, id_of_directory(directory)});
  }
  return unrecorded;
}

bool BrokerShard::is_lost(const Uuid& recorded) const {
  return recorded != kDirectoryUnassigned && recorded != kDirectoryMigrating &&
         std::ranges::find(options_.directory_ids, recorded) == options_.directory_ids.end();
}

const std::string& BrokerShard::directory_for_new_partition(const Uuid& recorded) const {
  // A crash may have lost its directory after the metadata has said where it is.
  const auto known = std::ranges::find(options_.directory_ids, recorded);
  if (known != options_.directory_ids.end()) {
    return options_.log_directories[static_cast<std::size_t>(known - options_.directory_ids.begin())];
  }
  // The directory with the fewest partitions, as Kafka chooses.
  const auto fewest = std::ranges::min_element(placed_) - placed_.begin();
  return options_.log_directories[static_cast<std::size_t>(fewest)];
}

std::vector<log::CheckpointRow> BrokerShard::checkpoint_rows(const std::string& log_directory) const {
  std::vector<log::CheckpointRow> rows;
  for (const auto& [id, partition] : partitions_) {
    const log::Log* log = partition->log();
    if (log == nullptr || io::directory_of(log->directory()) != log_directory) continue;
    rows.push_back(log->checkpoint_row());
    rows.back().high_watermark = partition->state().high_watermark;
  }
  const auto add_row = [&](const log::FoundPartition& found) {
    if (io::directory_of(found.directory) != log_directory) return;
    rows.push_back({.topic = found.topic,
                    .partition = found.partition,
                    .recovery_point = found.recovery_point,
                    .log_start_offset = found.log_start_offset,
                    .high_watermark = found.high_watermark,
                    .cleaned_end = found.cleaned_end});
  };
  for (const auto& [name, found] : found_) add_row(found);
  for (const auto& found : not_opened_) add_row(found);
  return rows;
}

std::vector<TopicPartition> BrokerShard::unreplayed(const log::WriteAheadTail& tail) const {
  std::vector<TopicPartition> held;
  for (const auto& [id, partition] : partitions_) {
    if (partition->log() == nullptr && tail.find(id) != nullptr) held.push_back(id);
  }
  return held;
}

// There may be thousands, and some must ask the disk how old their records are.
io::Task<void> BrokerShard::keep_house() {
  std::vector<std::shared_ptr<Partition>> all;
  for (const auto& [id, partition] : partitions_) all.push_back(partition);
  const WallTime now = io::Reactor::current().wall_now();
  std::size_t looked_after = 0;
  for (const auto& partition : all) {
    if (++looked_after % kPartitionsPerTurn == 0) co_await io::yield();
    if (ending_) co_return;
    log::Log* const log = find(partition->id()) == partition ? partition->log() : nullptr;
    if (log == nullptr || log->is_offline()) continue;
    log->expire_producers(now);
    co_await log->learn_ages(now);
    if (find(partition->id()) != partition || log->is_offline()) continue;
    const auto removed = log->apply_retention(now, partition->state().high_watermark);
    if (!removed) {
      LOG(error, "retention", "topic={} partition={} error=\"{}\"", partition->topic(),
          partition->id().partition.value(), removed.error().message);
    }
  }
}

void BrokerShard::end_waits() {
  ending_ = true;
  groups_.end_waits();
  for (const auto& [id, partition] : partitions_) partition->wake_waiters();
}

io::Task<void> BrokerShard::stop() {
  co_await groups_.stop();
  for (const auto& found : not_opened_) unclean_.insert(io::directory_of(found.directory));
  std::vector<std::shared_ptr<Partition>> open;
  for (const auto& [id, partition] : partitions_) open.push_back(partition);
  io::Semaphore turns(kPartitionsAtOnce);
  io::Gate gate;
  for (const auto& partition : open) {
    co_await turns.acquire(1);
    gate.spawn(close_in_turn(*partition, turns));
  }
  co_await gate.close();
}

io::Task<void> BrokerShard::close_in_turn(Partition& partition, io::Semaphore& turns) {
  const auto closed = co_await partition.close();
  if (!closed) {
    unclean_.insert(io::directory_of(partition.log()->directory()));
    LOG(error, "partition.close", "topic={} partition={} error=\"{}\"", partition.topic(),
        partition.id().partition.value(), closed.error().message);
  }
  turns.release(1);
}

io::Task<void> BrokerShard::stop_logs() {
  if (started_) co_await logs_.stop();
  partitions_.clear();
}

}  // namespace millrace::engine
