#include "engine/broker_shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/logging.h"
#include "engine/metadata/topic_config.h"
#include "engine/partition/log_config.h"
#include "engine/partition/placement.h"
#include "io/file.h"
#include "io/reactor.h"

namespace millrace::engine {
namespace {

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

std::int64_t producer_id_expiration_ms(const ConfigMap& configs) {
  constexpr std::int64_t kDefaultMs = 86'400'000;
  const auto found = configs.find("producer.id.expiration.ms");
  if (found == configs.end()) return kDefaultMs;
  std::int64_t ms = kDefaultMs;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), ms);
  return ms;
}

// None when none are wanted, else at least one.
std::size_t fetch_sessions_per_shard(const BrokerOptions& options, std::uint32_t shard_count) {
  return (options.fetch_sessions_max + shard_count - 1) / shard_count;
}

std::string broker_resource_name(BrokerId id) { return std::to_string(id.value()); }

}  // namespace

BrokerShard::BrokerShard(const BrokerOptions& options, ShardId shard, std::uint32_t shard_count)
    : options_(options),
      shard_(shard),
      shard_count_(shard_count),
      logs_(io::Reactor::current().proactor(), log_shard_options(options, shard, shard_count)),
      fetch_sessions_({.sessions = fetch_sessions_per_shard(options, shard_count)},
                      Prng(options.random_seed + shard.value())),
      groups_(options.groups, (options.random_seed ^ 0x67726f757073) + shard.value()) {}

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
  for (const auto& [id, topic_delta] : delta.topics) {
    if (topic_delta.removed || image->topics.find(id) == nullptr) co_await remove_topic(id);
  }
}

io::Task<void> BrokerShard::remove_topic(const TopicId& id) {
  std::vector<std::shared_ptr<Partition>> gone;
  for (const auto& [key, partition] : partitions_) {
    if (key.topic_id == id) gone.push_back(partition);
  }
  for (const auto& partition : gone) {
    partitions_.erase(partition->id());
    unmade_.erase(partition->id());
    const auto removed = co_await partition->remove();
    if (!removed) {
      LOG(error, "partition.remove", "topic={} partition={} error=\"{}\"", partition->topic(),
          partition->id().partition.value(), removed.error().message);
    }
  }
}

io::Task<void> BrokerShard::apply(SharedImage image, const MetadataDelta& delta) {
  for (const auto& [id, topic_delta] : delta.topics) {
    const TopicImage* topic = image->topics.find(id);
    if (topic_delta.removed || topic == nullptr) continue;
    for (const PartitionIndex index : topic_delta.changed) {
      if (shard_of({id, index}, shard_count_) == shard_) co_await apply_partition(*image, *topic, index);
    }
  }
  apply_configs(*image, delta);
  if (started_ && !delta.topics.empty()) co_await follow_groups();
  image_ = std::move(image);
}

io::Task<void> BrokerShard::apply_partition(const MetadataImage& image, const TopicImage& topic,
                                            PartitionIndex index) {
  const PartitionImage* assignment = topic.partition(index);
  if (assignment == nullptr || !assignment->has_replica(options_.node_id)) co_return;
  auto partition = find({topic.id, index});
  if (partition == nullptr) {
    partition = co_await open(image, topic, index);
    partitions_.emplace(partition->id(), partition);
  }
  configure(image, *partition);
  const auto assigned = partition->assign(*assignment);
  if (!assigned) {
    LOG(error, "partition.assign", "topic={} partition={} error=\"{}\"", topic.name, index.value(),
        assigned.error().message);
  }
}

io::Task<std::shared_ptr<Partition>> BrokerShard::open(const MetadataImage& image,
                                                       const TopicImage& topic,
                                                       PartitionIndex index) {
  const TopicPartition id{topic.id, index};
  log::LogOptions log_options;
  if (const auto config = resolve_config(image, topic.name)) {
    log_options = to_log_options(*config, producer_id_expiration_ms(options_.static_configs));
  }
  Result<std::unique_ptr<log::Log>> opened;
  const auto found = found_.find({topic.name, index});
  const bool is_there = found != found_.end() &&
                        (found->second.topic_id == topic.id || found->second.topic_id.is_zero());
  if (is_there) {
    log::FoundPartition from = std::move(found->second);
    from.topic_id = topic.id;
    found_.erase(found);
    opened = co_await logs_.open(from, log_options, write_ahead_tail_);
    if (!opened) not_opened_.push_back(from);
  } else {
    opened = co_await logs_.create({.log_directory = directory_for_new_partition(),
                                    .topic = topic.name,
                                    .partition = index,
                                    .topic_id = topic.id},
                                   log_options);
  }
  if (!opened) {
    if (!is_there && opened.error() == Errc::disk_full) unmade_.insert(id);
    LOG(error, "partition.open", "topic={} partition={} error=\"{}\"", topic.name, index.value(),
        opened.error().message);
    const std::string reason =
        opened.error().message.empty() ? "its log could not be opened" : opened.error().message;
    co_return std::make_shared<Partition>(options_.node_id, id, topic.name, nullptr, reason);
  }
  co_return std::make_shared<Partition>(options_.node_id, id, topic.name, std::move(*opened),
                                        std::string());
}

io::Task<std::shared_ptr<Partition>> BrokerShard::find_or_make(TopicPartition id) {
  const SharedImage image = image_;
  const TopicImage* topic = image->topics.find(id.topic_id);
  const PartitionImage* assignment = topic == nullptr ? nullptr : topic->partition(id.partition);
  // Who asks while another is at it is told that the partition is offline.
  if (assignment == nullptr || unmade_.erase(id) == 0) co_return find(id);
  auto made = co_await open(*image, *topic, id.partition);
  const auto entry = partitions_.find(id);
  if (entry == partitions_.end()) {
    // The topic was deleted meanwhile.
    unmade_.erase(id);
    (void)co_await made->remove();
    co_return nullptr;
  }
  entry->second = made;
  configure(*image, *made);
  if (const auto assigned = made->assign(*assignment); !assigned) {
    LOG(error, "partition.assign", "topic={} partition={} error=\"{}\"", topic->name, id.partition.value(),
        assigned.error().message);
  }
  if (made->topic() == kOffsetsTopic) co_await follow_groups();
  co_return made;
}

Result<TopicConfig> BrokerShard::resolve_config(const MetadataImage& image,
                                                std::string_view topic) const {
  const auto& overrides = image.config(ConfigResource::topic(topic));
  const auto& dynamic_broker =
      image.config(ConfigResource::broker(broker_resource_name(options_.node_id)));
  const auto& dynamic_default = image.config(ConfigResource::cluster_default());
  return resolve_topic_config({.topic = &overrides,
                               .dynamic_broker = &dynamic_broker,
                               .dynamic_default = &dynamic_default,
                               .static_broker = &options_.static_configs});
}

void BrokerShard::configure(const MetadataImage& image, Partition& partition) {
  const auto config = resolve_config(image, partition.topic());
  if (!config) {
    LOG(error, "topic.config", "topic={} error=\"{}\"", partition.topic(), config.error().message);
    return;
  }
  partition.set_min_insync_replicas(config->min_insync_replicas);
  if (partition.log() == nullptr) return;
  partition.log()->set_options(
      to_log_options(*config, producer_id_expiration_ms(options_.static_configs)));
}

void BrokerShard::apply_configs(const MetadataImage& image, const MetadataDelta& delta) {
  if (delta.configs.empty()) return;
  const bool broker_changed = std::ranges::any_of(delta.configs, [](const ConfigResource& resource) {
    return resource.type == ConfigResourceType::broker;
  });
  for (const auto& [id, partition] : partitions_) {
    if (broker_changed || delta.configs.contains(ConfigResource::topic(partition->topic()))) {
      configure(image, *partition);
    }
  }
  if (!broker_changed) return;
  const auto& dynamic_broker = image.config(ConfigResource::broker(broker_resource_name(options_.node_id)));
  logs_.set_cleaner_options(to_cleaner_options({.dynamic_broker = &dynamic_broker,
                                                .dynamic_default = &image.config(ConfigResource::cluster_default()),
                                                .static_broker = &options_.static_configs},
                                               shard_count_, cleaner_seed(options_, shard_)));
}

const std::string& BrokerShard::directory_for_new_partition() const {
  // The directory with the fewest partitions, as Kafka chooses.
  if (options_.log_directories.size() == 1) return options_.log_directories.front();
  std::vector<std::size_t> counts(options_.log_directories.size(), 0);
  for (const auto& [id, partition] : partitions_) {
    if (partition->log() == nullptr) continue;
    const std::string& path = partition->log()->directory();
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (path.starts_with(options_.log_directories[i] + "/")) ++counts[i];
    }
  }
  const auto fewest = std::ranges::min_element(counts) - counts.begin();
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
  for (const auto& found : not_opened_) {
    if (io::directory_of(found.directory) != log_directory) continue;
    rows.push_back({.topic = found.topic,
                    .partition = found.partition,
                    .recovery_point = found.recovery_point,
                    .log_start_offset = found.log_start_offset,
                    .high_watermark = found.high_watermark,
                    .cleaned_end = found.cleaned_end});
  }
  return rows;
}

bool BrokerShard::has_unreplayed(const log::WriteAheadTail& tail) const {
  return std::ranges::any_of(partitions_, [&](const auto& entry) {
    return entry.second->log() == nullptr && tail.find(entry.first) != nullptr;
  });
}

void BrokerShard::keep_house(WallTime now) {
  for (const auto& [id, partition] : partitions_) {
    log::Log* log = partition->log();
    if (log == nullptr || log->is_offline()) continue;
    log->expire_producers(now);
    const auto removed = log->apply_retention(now, partition->state().high_watermark);
    if (!removed) {
      LOG(error, "retention", "topic={} partition={} error=\"{}\"", partition->topic(),
          id.partition.value(), removed.error().message);
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
  for (const auto& partition : open) {
    const auto closed = co_await partition->close();
    if (closed) continue;
    unclean_.insert(io::directory_of(partition->log()->directory()));
    LOG(error, "partition.close", "topic={} partition={} error=\"{}\"", partition->topic(),
        partition->id().partition.value(), closed.error().message);
  }
}

io::Task<void> BrokerShard::stop_logs() {
  if (started_) co_await logs_.stop();
  partitions_.clear();
}

}  // namespace millrace::engine
