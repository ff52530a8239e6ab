// BrokerShard: one shard's part of the broker: its partitions, its copy of the image, its fetch sessions.
//
// Shard:      one each, made and destroyed on it.
// Lifetime:   owned by Broker; stop() must have completed before destruction.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "engine/broker_options.h"
#include "engine/controller/controller_input.h"
#include "engine/drivers/group_coordinators.h"
#include "engine/log/log_directory.h"
#include "engine/log/log_shard.h"
#include "engine/log/write_ahead_replay.h"
#include "engine/metadata/image.h"
#include "engine/metadata/topic_config.h"
#include "engine/partition/fetch_session.h"
#include "engine/partition/partition.h"
#include "io/task.h"
#include "io/wait.h"

namespace millrace::engine {

// What is set for this broker, as `image` and its file have it. Both must outlive the use.
ConfigLayers broker_layers(const MetadataImage& image, const BrokerOptions& options);
bool changes_brokers(const MetadataDelta& delta);

class BrokerShard {
 public:
  BrokerShard(const BrokerOptions& options, ShardId shard, std::uint32_t shard_count);
  ~BrokerShard();
  BrokerShard(const BrokerShard&) = delete;

  ShardId shard() const { return shard_; }
  const BrokerOptions& options() const { return options_; }
  const SharedImage& image() const { return image_; }
  FetchSessions& fetch_sessions() { return fetch_sessions_; }
  // The groups whose partition of __consumer_offsets is here.
  GroupCoordinators& groups() { return groups_; }

  // Null when this shard has no such partition. Kept alive by the pointer while a request uses it.
  std::shared_ptr<Partition> find(const TopicPartition& id) const {
    const auto found = partitions_.find(id);
    return found == partitions_.end() ? nullptr : found->second;
  }
  // The same; one whose log could not be made or opened for want of room, or because its name was held, gets it now if that is over.
  io::Task<std::shared_ptr<Partition>> find_or_make(TopicPartition id);
  const std::unordered_map<TopicPartition, std::shared_ptr<Partition>>& partitions() const {
    return partitions_;
  }

  // What a start found on disk; `tail` is null after a clean stop. Before the first apply().
  void found_on_disk(std::vector<log::FoundPartition> found, const log::WriteAheadTail* tail);
  // Removes the partitions of topics that are gone, durably. On every shard before the first apply() of the same image: a topic made
  // again under its name may be another shard's, and needs the directory.
  io::Task<void> remove_gone(const SharedImage& image, const MetadataDelta& delta);
  // Opens, makes and changes this shard's partitions until they are as `image` says, then answers from it.
  io::Task<void> apply(SharedImage image, const MetadataDelta& delta);
  // Topics of these names that are made from now on have no logs until free_names(): the checkpoint files still speak of topics
  // that had the names before.
  void hold_names(const std::set<std::string>& names) { held_names_.insert(names.begin(), names.end()); }
  void free_names() { held_names_.clear(); }
  // After every shard has applied the first image and the write-ahead logs were retired.
  io::Task<Result<void>> start_logs();

  // One row per partition under `log_directory`, also after stop(). A partition that is not open keeps the row it had:
  // without it the next start would take damage below its recovery point for a tail that may be cut off.
  std::vector<log::CheckpointRow> checkpoint_rows(const std::string& log_directory) const;
  // Where logs are of which the metadata says something else, as of image(). None while its metadata.version knows no directories.
  std::vector<ReplicaDirectory> unrecorded_directories() const;
  // The partitions that are offline since the start and for which `tail` holds records.
  std::vector<TopicPartition> unreplayed(const log::WriteAheadTail& tail) const;
  // After stop(): whether every partition under `log_directory` was closed as a clean stop leaves it.
  bool is_clean(const std::string& log_directory) const { return !unclean_.contains(log_directory); }
  // Retention, expiry of producers: what time does to logs.
  io::Task<void> keep_house();
  // What holds for a topic, from its overrides and the broker's settings. Errors: invalid_argument.
  Result<TopicConfig> resolve_config(const MetadataImage& image, std::string_view topic) const;

  // Requests answer with what there is instead of waiting for more, from now on.
  void end_waits();
  bool ending() const { return ending_; }
  // Closes every log; checkpoint_rows() then says what a clean stop may write down.
  io::Task<void> stop();
  // Ends the shard's housekeeping of logs. The last call.
  io::Task<void> stop_logs();

 private:
  io::Task<void> remove(Partition& partition, std::set<std::string>& directories);
  void give_up_unopened(TopicPartition id, std::set<std::string>& directories);
  io::Task<void> sync_directories(std::set<std::string> directories);
  // Who takes part in one apply(): so many partitions at a time, whatever topics they are of.
  struct Turns;
  io::Task<void> apply_topic(const MetadataImage& image, const TopicImage& topic, const TopicDelta& delta, Turns& turns);
  io::Task<void> apply_partition(const TopicImage& topic, PartitionIndex index, const Result<TopicConfig>& config);
  io::Task<void> apply_in_turn(const TopicImage& topic, PartitionIndex index,
                               std::shared_ptr<const Result<TopicConfig>> config, Turns& turns);
  io::Task<void> close_in_turn(Partition& partition, io::Semaphore& turns);
  io::Task<std::shared_ptr<Partition>> open(const TopicImage& topic, PartitionIndex index,
                                            const Result<TopicConfig>& config);
  io::Task<Result<std::unique_ptr<log::Log>>> open_log(const TopicImage& topic, PartitionIndex index,
                                                       log::LogOptions log_options);
  void assign(Partition& partition, const PartitionImage& assignment);
  void apply_configs(const MetadataImage& image, const MetadataDelta& delta);
  io::Task<void> follow_groups();
  void drop_offsets(const MetadataDelta& delta);
  void tell_groups(const MetadataDelta& delta);
  void configure(const Result<TopicConfig>& config, Partition& partition) const;
  // By log directory, how many partitions of this shard are there or on their way there.
  std::size_t& placed_in(const std::string& log_directory);
  // A log that was there is gone with its directory.
  bool is_lost(const Uuid& recorded) const;
  const std::string& directory_for_new_partition(const Uuid& recorded) const;
  const Uuid& id_of_directory(const std::string& log_directory) const;
  // Its log was made or found there.
  void note_directory(TopicPartition id, const PartitionImage& assignment, const std::string& log_directory);
  bool is_recorded(const PartitionImage& assignment, const std::string& log_directory) const;

  const BrokerOptions& options_;
  ShardId shard_;
  std::uint32_t shard_count_;
  log::LogShard logs_;
  SharedImage image_ = std::make_shared<const MetadataImage>();
  std::unordered_map<TopicPartition, std::shared_ptr<Partition>> partitions_;
  std::unordered_set<TopicPartition> unmade_;  // for want of room, or their name is held
  std::set<TopicPartition> making_;            // on the way in find_or_make(), which may hold the directory's name
  io::Event making_ended_;
  std::set<TopicPartition> unrecorded_;        // open, and in a directory that the metadata does not say
  std::set<std::string> held_names_;
  std::vector<std::size_t> placed_;            // by log directory
  FetchSessions fetch_sessions_;
  GroupCoordinators groups_;
  std::int64_t producer_id_expiration_ms_;
  std::map<std::pair<std::string, PartitionIndex>, log::FoundPartition> found_;
  std::vector<log::FoundPartition> not_opened_;
  std::set<std::string> unclean_;  // log directories
  const log::WriteAheadTail* write_ahead_tail_ = nullptr;
  bool started_ = false;
  bool ending_ = false;
};

}  // namespace millrace::engine
