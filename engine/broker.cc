#include "engine/broker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "engine/api/shard_route.h"
#include "engine/partition/placement.h"
#include "io/file.h"
#include "io/reactor.h"

namespace millrace::engine {
namespace {

// Whether a directory is what its name says: a topic that was deleted and made again has another id, and one whose removal was
// cut short has none. Without an id, after a crash, its records may be those of a topic that had the name before: what is left
// of them was never synced, or the id would have been, and what was acknowledged of it is in the write-ahead log.
bool belongs(const log::FoundPartition& found, const TopicImage* topic) {
  if (topic == nullptr || topic->partition(found.partition) == nullptr) return false;
  if (found.topic_id.is_zero()) {
    return found.clean_stop || !log::may_have_records(io::Reactor::current().proactor(), found.directory);
  }
  return found.topic_id == topic->id;
}

// Out of the way of a topic that has or will have its name, and where the operator finds it.
void set_aside(const log::FoundPartition& found) {
  io::Proactor& proactor = io::Reactor::current().proactor();
  const std::string path =
      fmt::format("{}.{}-stray", found.directory, io::Reactor::current().wall_now().ms);
  auto renamed = proactor.rename(found.directory, path);
  if (renamed) renamed = proactor.sync_directory(io::directory_of(path));
  LOG(warn, "partition.stray",
      "directory={} kept_as={} reason=\"the cluster's metadata has no such partition\" error=\"{}\"",
      found.directory, path, renamed ? "" : renamed.error().message);
}

// After checkpoint files could not be written, while topics wait for it.
constexpr Duration kCheckpointPause = std::chrono::seconds(1);

// Of which the controller is told at a time, as Kafka's broker does.
constexpr std::size_t kAssignmentsAtOnce = 2250;
// After it could not be told.
constexpr Duration kAssignmentPause = std::chrono::seconds(5);
constexpr Duration kNothingToAssign = std::chrono::hours(1);

}  // namespace

Broker::Broker(io::Shards& shards, BrokerOptions options)
    : shards_(shards),
      options_(std::move(options)),
      random_(options_.random_seed),
      parts_(shards.count()) {}

Broker::~Broker() = default;

io::Task<Result<void>> Broker::start() {
  CO_TRY(found, co_await look_around());
  CO_TRY_DONE(co_await start_controller());
  CO_TRY_DONE(co_await open_partitions(std::move(found)));
  CO_TRY_DONE(co_await join_cluster());
  // What was found and replayed is synced: another start need not look at it again.
  if (!clean_start_) CO_TRY_DONE(co_await write_checkpoints());
  background_.spawn(keep_house());
  background_.spawn(remove_deleted());
  background_.spawn(keep_directories_recorded());
  started_ = true;
  co_return Result<void>{};
}

io::Task<Result<std::vector<log::FoundPartition>>> Broker::look_around() {
  io::Proactor& proactor = io::Reactor::current().proactor();
  std::vector<log::FoundPartition> found;
  clean_start_ = true;
  first_start_ = true;
  for (const auto& directory : options_.log_directories) {
    CO_TRY(scan, log::scan_log_directory(proactor, directory));
    clean_start_ = clean_start_ && scan.clean_stop;
    first_start_ = first_start_ && scan.unused;
    std::ranges::move(scan.deleted, std::back_inserter(deleted_));
    for (const auto& name : scan.ignored) LOG(warn, "log_directory.ignored", "path={}", name);
    std::ranges::move(scan.partitions, std::back_inserter(found));
  }
  if (!clean_start_) {
    CO_TRY(tail, co_await log::read_write_ahead(proactor, options_.log_directories.front()));
    write_ahead_tail_ = std::make_unique<log::WriteAheadTail>(std::move(tail));
  }
  for (const auto& directory : options_.log_directories) {
    CO_TRY_DONE(log::clear_clean_stop(proactor, directory));
  }
  co_return found;
}

io::Task<Result<void>> Broker::open_partitions(std::vector<log::FoundPartition> found) {
  co_await make_parts(std::move(found));
  // The files may name partitions that went with the end of the last run, and whose names the new ones have that are made now.
  if (!clean_start_) CO_TRY_DONE(co_await write_checkpoints());
  parts_open_ = true;
  co_await publish(image_, std::make_shared<const MetadataDelta>(difference(MetadataImage(), *image_)));
  CO_TRY_DONE(co_await retire_write_ahead());
  write_ahead_tail_.reset();
  for (std::uint32_t i = 0; i < shards_.count(); ++i) {
    const ShardId shard{i};
    CO_TRY_DONE(co_await shards_.call(
        shard, [&]() -> io::Task<Result<void>> { return at(shard).start_logs(); }));
  }
  co_return Result<void>{};
}

// What the write-ahead logs hold is in the segments now, except of partitions that could not be opened: of those it is kept for
// the next start.
io::Task<Result<void>> Broker::retire_write_ahead() {
  io::Proactor& proactor = io::Reactor::current().proactor();
  const std::string& directory = options_.log_directories.front();
  std::vector<TopicPartition> unreplayed;
  if (write_ahead_tail_ != nullptr) {
    co_await on_every_shard(*this, [&](BrokerShard& part) { return look_for_unreplayed(part, unreplayed); });
  }
  if (unreplayed.empty()) co_return co_await log::retire_write_ahead(proactor, directory, shards_.count());
  has_unreplayed_ = true;
  const auto kept = co_await log::keep_unreplayed(proactor, directory, *write_ahead_tail_, unreplayed);
  if (kept) {
    LOG(error, "write_ahead.kept",
        "path={}/{} partitions={} reason=\"acknowledged records of partitions that are offline are only there\" "
        "remedy=\"mend the partitions and start again\"",
        directory, *kept, unreplayed.size());
    co_return co_await log::retire_write_ahead(proactor, directory, shards_.count(), *kept);
  }
  const std::string suffix = fmt::format(".kept-{}", io::Reactor::current().wall_now().ms);
  LOG(error, "write_ahead.kept",
      "path={}/{}*{} reason=\"acknowledged records of partitions that are offline are only there\" error=\"{}\" "
      "remedy=\"mend the partitions, stop the broker, remove .kafka_cleanshutdown from the log directories, "
      "give the files their old names and start again\"",
      directory, log::kWriteAheadPrefix, suffix, kept.error().message);
  co_return log::set_write_ahead_aside(proactor, directory, suffix);
}

io::Task<void> Broker::look_for_unreplayed(BrokerShard& part, std::vector<TopicPartition>& found) {
  std::ranges::move(part.unreplayed(*write_ahead_tail_), std::back_inserter(found));
  co_return;
}

io::Task<Result<void>> Broker::start_controller() {
  ControllerDriver::Options options;
  options.controller.node_id = options_.node_id;
  options.controller.default_partitions = options_.default_partitions;
  options.controller.default_replication_factor = options_.default_replication_factor;
  options.controller.delete_topics_enabled = options_.delete_topics;
  options.controller.broker_configs = options_.config_definitions;
  options.controller.static_broker_config = options_.static_configs;
  options.cluster_id = options_.cluster_id;
  options.metadata_directory = options_.metadata_directory;
  options.seed = random_.next();
  options.segment_bytes = options_.metadata_segment_bytes;
  options.snapshot_bytes = options_.metadata_snapshot_bytes;
  options.on_failure = options_.on_failure;
  controller_ = std::make_unique<ControllerDriver>(
      io::Reactor::current().proactor(), std::move(options),
      [this](SharedImage image, std::shared_ptr<const MetadataDelta> delta) {
        return publish(std::move(image), std::move(delta));
      });
  CO_TRY_DONE(co_await controller_->start());
  kraft_version_ = controller_->kraft_version();
  co_return Result<void>{};
}

io::Task<Result<void>> Broker::join_cluster() {
  RegisterBroker question;
  question.id = options_.node_id;
  question.cluster_id = options_.cluster_id;
  question.incarnation_id = Uuid::from_random(random_.next(), random_.next());
  for (const auto& listener : options_.listeners) {
    question.listeners.push_back(
        {.name = listener.name, .host = listener.advertised_host, .port = listener.advertised_port});
  }
  question.features = feature_ranges();
  if (!options_.rack.empty()) question.rack = options_.rack;
  question.log_directories = options_.directory_ids;
  CO_TRY(epoch, co_await controller_->join(std::move(question)));
  broker_epoch_ = epoch;
  // Before it may lead: the controller elects nobody whose directory is out of service, and it may have been another.
  if (const auto recorded = co_await record_directories(); !recorded) {
    LOG(warn, "directories.record", "error=\"{}\"", recorded.error().message);
    recording_.wake();
  }
  producer_ids_ = std::make_unique<ProducerIdSource>(*controller_, options_.node_id, broker_epoch_);
  co_return co_await controller_->unfence(broker_epoch_);
}

io::Task<void> Broker::make_parts(std::vector<log::FoundPartition> found) {
  std::vector<std::vector<log::FoundPartition>> by_shard(shards_.count());
  for (auto& partition : found) {
    // A directory that crashed while it was made has no id yet; the metadata knows whose name it is while it is empty.
    const TopicImage* topic = image_->topics.find(partition.topic);
    if (!belongs(partition, topic)) {
      set_aside(partition);
      continue;
    }
    const TopicId id = partition.topic_id.is_zero() ? topic->id : partition.topic_id;
    by_shard[shard_of({id, partition.partition}, shards_.count()).value()].push_back(std::move(partition));
  }
  for (std::uint32_t i = 0; i < shards_.count(); ++i) {
    const ShardId shard{i};
    co_await shards_.call(shard, [&]() -> io::Task<void> {
      return make_part(shard, std::move(by_shard[shard.value()]));
    });
  }
}

io::Task<void> Broker::make_part(ShardId shard, std::vector<log::FoundPartition> found) {
  parts_[shard.value()] = std::make_unique<BrokerShard>(options_, shard, shards_.count());
  at(shard).found_on_disk(std::move(found), write_ahead_tail_.get());
  co_return;
}

io::Task<void> Broker::publish(SharedImage image, std::shared_ptr<const MetadataDelta> delta) {
  image_ = image;
  co_await publish_turn_.acquire(1);
  if (parts_open_) co_await publish_to_parts(image, *delta);
  publish_turn_.release(1);
}

io::Task<void> Broker::publish_to_parts(SharedImage image, const MetadataDelta& delta) {
  const auto is_gone = [&](const auto& topic) {
    return topic.second.removed || image->topics.find(topic.first) == nullptr;
  };
  if (std::ranges::any_of(delta.topics, is_gone)) {
    co_await on_all_shards([&](BrokerShard& part) { return part.remove_gone(image, delta); });
    for (const auto& topic : delta.topics) {
      if (is_gone(topic)) stale_rows_.insert(topic.second.name);
    }
  }
  std::set<std::string> made_again;
  for (const auto& topic : delta.topics) {
    const std::string& name = topic.second.name;
    const bool has_stale_rows = stale_rows_.contains(name) || stale_rows_in_turn_.contains(name);
    if (has_stale_rows && !is_gone(topic)) made_again.insert(name);
  }
  if (!made_again.empty()) co_await clear_stale_rows(std::move(made_again));
  co_await on_all_shards([&](BrokerShard& part) { return part.apply(image, delta); });
  tell_configs(*image, delta);
  if (!delta.topics.empty() || delta.features) recording_.wake();
}

void Broker::tell_configs(const MetadataImage& image, const MetadataDelta& delta) const {
  if (!options_.on_config || !changes_brokers(delta)) return;
  options_.on_config(broker_layers(image, options_));
}

// After a crash a topic must not be taken for one before it that had its name. While the files cannot be written it has no logs.
io::Task<void> Broker::clear_stale_rows(std::set<std::string> names) {
  const auto written = co_await write_checkpoints();
  if (written) co_return;
  LOG(error, "checkpoint", "error=\"{}\" topics_waiting={}", written.error().message, names.size());
  co_await on_every_shard(*this, [&](BrokerShard& part) -> io::Task<void> {
    part.hold_names(names);
    co_return;
  });
  names_held_ = true;
  housekeeping_.wake();
}

template <class Function>
io::Task<void> Broker::on_all_shards(Function function) {
  io::Gate gate;
  for (std::uint32_t i = 0; i < shards_.count(); ++i) gate.spawn(on_shard(ShardId{i}, function));
  co_await gate.close();
}

template <class Function>
io::Task<void> Broker::on_shard(ShardId shard, Function& function) {
  co_await shards_.call(shard, [&]() -> io::Task<void> { return function(at(shard)); });
}

io::Task<Result<void>> Broker::stop() {
  housekeeping_.wake();
  recording_.wake();
  co_await background_.close();
  if (producer_ids_) {
    // Kafka elects nobody at its next start of whose directory it learns only then.
    if (const auto recorded = co_await record_directories(); !recorded) {
      LOG(warn, "directories.record", "error=\"{}\"", recorded.error().message);
    }
    if (const auto left = co_await controller_->leave(broker_epoch_); !left) {
      LOG(warn, "broker.leave", "error=\"{}\"", left.error().message);
    }
  }
  co_await publish_turn_.acquire(1);
  const bool were_open = std::exchange(parts_open_, false);
  publish_turn_.release(1);
  Result<void> written;
  std::vector<std::string> unclean;
  // After a clean stop nobody would read what is kept in the first one.
  if (has_unreplayed_) unclean.push_back(options_.log_directories.front());
  if (were_open) {
    co_await on_all_shards([](BrokerShard& part) { return part.stop(); });
    // Before all partitions were looked at, the rows of some would be missing.
    if (started_) written = co_await write_checkpoints();
    co_await on_every_shard(*this, [&](BrokerShard& part) { return look_for_unclean(part, unclean); });
    co_await close_parts();
  }
  Result<void> stopped;
  if (controller_) stopped = co_await controller_->stop();
  if (!written) co_return written;
  if (!stopped || !started_) co_return stopped;
  io::Proactor& proactor = io::Reactor::current().proactor();
  for (const auto& directory : options_.log_directories) {
    if (std::ranges::find(unclean, directory) != unclean.end()) continue;
    CO_TRY_DONE(log::mark_clean_stop(proactor, directory, broker_epoch_.value()));
  }
  co_return Result<void>{};
}

io::Task<void> Broker::look_for_unclean(BrokerShard& part, std::vector<std::string>& directories) {
  for (const auto& directory : options_.log_directories) {
    if (!part.is_clean(directory)) directories.push_back(directory);
  }
  co_return;
}

io::Task<void> Broker::close_parts() {
  co_await on_every_shard(*this, [](BrokerShard& part) { return part.stop_logs(); });
  for (std::uint32_t i = 0; i < shards_.count(); ++i) {
    const ShardId shard{i};
    co_await shards_.call(shard, [&]() -> io::Task<void> { return drop_part(shard); });
  }
}

io::Task<void> Broker::drop_part(ShardId shard) {
  parts_[shard.value()].reset();
  co_return;
}

io::Task<void> Broker::keep_house() {
  Instant next_retention = io::Reactor::current().now() + from_ms(options_.retention_check_ms);
  Instant next_checkpoint = io::Reactor::current().now() + from_ms(options_.checkpoint_ms);
  while (!background_.closing()) {
    if (names_held_) next_checkpoint = std::min(next_checkpoint, io::Reactor::current().now() + kCheckpointPause);
    co_await housekeeping_.until(std::min(next_retention, next_checkpoint));
    if (background_.closing()) co_return;
    const Instant now = io::Reactor::current().now();
    if (now >= next_retention) {
      co_await on_every_shard(*this, [](BrokerShard& part) -> io::Task<void> { return part.keep_house(); });
      next_retention = now + from_ms(options_.retention_check_ms);
    }
    if (now < next_checkpoint) continue;
    if (const auto written = co_await write_checkpoints(); !written) {
      LOG(error, "checkpoint", "error=\"{}\"", written.error().message);
    }
    next_checkpoint = now + from_ms(options_.checkpoint_ms);
  }
}

io::Task<void> Broker::keep_directories_recorded() {
  Duration pause = kNothingToAssign;
  while (!background_.closing()) {
    co_await recording_.until(io::Reactor::current().now() + pause);
    if (background_.closing()) co_return;
    const auto recorded = co_await record_directories();
    pause = recorded ? kNothingToAssign : kAssignmentPause;
    if (!recorded) LOG(warn, "directories.record", "error=\"{}\"", recorded.error().message);
  }
}

// With several log directories the broker chooses where a new log goes, and an operator may have moved one while it was stopped.
io::Task<Result<void>> Broker::record_directories() {
  std::vector<ReplicaDirectory> unrecorded;
  co_await on_every_shard(*this, [&](BrokerShard& part) -> io::Task<void> {
    std::ranges::move(part.unrecorded_directories(), std::back_inserter(unrecorded));
    co_return;
  });
  for (std::size_t begin = 0; begin < unrecorded.size(); begin += kAssignmentsAtOnce) {
    const auto end = std::min(unrecorded.size(), begin + kAssignmentsAtOnce);
    const auto position = [&](std::size_t index) { return unrecorded.begin() + static_cast<std::ptrdiff_t>(index); };
    AssignDirectories question{.broker = options_.node_id, .broker_epoch = broker_epoch_, .replicas = {position(begin), position(end)}};
    const auto reply = co_await controller_->ask(std::move(question));
    const auto& answer = std::get<OperationResult>(reply);
    if (answer.error != wire::ErrorCode::none) co_return fail(Errc::refused, answer.message);
  }
  co_return Result<void>{};
}

// What the last run had no time for. It may be much, and nobody waits for it.
io::Task<void> Broker::remove_deleted() {
  for (const auto& directory : std::exchange(deleted_, {})) {
    if (background_.closing()) co_return;
    const auto removed = co_await log::remove_tree(io::Reactor::current().proactor(), directory);
    if (!removed) LOG(warn, "partition.remove", "directory={} error=\"{}\"", directory, removed.error().message);
  }
}

io::Task<Result<void>> Broker::write_checkpoints() {
  co_await checkpoint_turn_.acquire(1);
  // What goes while the rows are collected may still be among them.
  stale_rows_in_turn_ = std::exchange(stale_rows_, {});
  auto written = co_await write_checkpoints_in_turn();
  if (!written) stale_rows_.merge(stale_rows_in_turn_);
  stale_rows_in_turn_.clear();
  if (written && std::exchange(names_held_, false)) {
    co_await on_every_shard(*this, [](BrokerShard& part) -> io::Task<void> {
      part.free_names();
      co_return;
    });
  }
  checkpoint_turn_.release(1);
  co_return written;
}

// A directory that fails does not keep the others from having theirs. Errors: the first one.
io::Task<Result<void>> Broker::write_checkpoints_in_turn() {
  Result<void> all;
  for (const auto& directory : options_.log_directories) {
    std::vector<log::CheckpointRow> rows;
    co_await on_every_shard(*this, [&](BrokerShard& part) -> io::Task<void> {
      return collect_rows(part, directory, rows);
    });
    auto written = co_await log::write_checkpoints(io::Reactor::current().proactor(), directory, std::move(rows));
    if (!written && all) all = fail(written.error().code, fmt::format("{}: {}", directory, written.error().message));
  }
  co_return all;
}

io::Task<void> Broker::collect_rows(BrokerShard& part, const std::string& directory,
                                    std::vector<log::CheckpointRow>& rows) {
  std::ranges::move(part.checkpoint_rows(directory), std::back_inserter(rows));
  co_return;
}

}  // namespace millrace::engine
