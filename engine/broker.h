// Broker: what a node is made of, and the order it starts and stops in.
//
// Shard:      one object for the process; run() is the main task of every shard. What belongs to a shard is its BrokerShard;
//             the controller and the metadata log live on shard 0.
// Lifetime:   made before the shards run, destroyed after they have ended.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/broker_options.h"
#include "engine/broker_shard.h"
#include "engine/drivers/controller_driver.h"
#include "engine/producer_id_source.h"
#include "io/gate.h"
#include "io/shard.h"
#include "io/wait.h"

namespace millrace::engine {

class Broker {
 public:
  Broker(io::Shards& shards, BrokerOptions options);
  ~Broker();
  Broker(const Broker&) = delete;

  io::Shards& shards() { return shards_; }
  const BrokerOptions& options() const { return options_; }
  // Only touched on that shard.
  BrokerShard& at(ShardId shard) { return *parts_[shard.value()]; }
  // Only on shard 0.
  ControllerDriver& controller() { return *controller_; }
  ProducerIdSource& producer_ids() { return *producer_ids_; }

  // ---- On shard 0, in this order
  // Reads what is on disk, replays the metadata, opens every partition. On return requests can be answered. Errors: what kept
  // the broker from starting, in words for an operator.
  io::Task<Result<void>> start();
  // After the listeners have closed: closes the logs, writes the checkpoints, marks the stop as clean. Also after a start that
  // failed, however far it came: what was opened is closed, and the next start looks at everything as this one did.
  io::Task<Result<void>> stop();

  // Makes every shard answer from `image`; completes when all of them do.
  io::Task<void> publish(SharedImage image, std::shared_ptr<const MetadataDelta> delta);
  // Whether the last run ended with stop(); known after start().
  bool clean_start() const { return clean_start_; }
  // Whether there was no last run, so that nothing was there to be stopped cleanly; known after start().
  bool first_start() const { return first_start_; }
  // How the metadata quorum knows its voters: 0 from the settings, 1 from the log. Known after start().
  std::int16_t kraft_version() const { return kraft_version_; }
  // The newest image. Only on shard 0.
  const SharedImage& image() const { return image_; }

 private:
  io::Task<Result<std::vector<log::FoundPartition>>> look_around();
  io::Task<Result<void>> open_partitions(std::vector<log::FoundPartition> found);
  io::Task<Result<void>> retire_write_ahead();
  io::Task<void> look_for_unreplayed(BrokerShard& part, std::vector<TopicPartition>& found);
  io::Task<Result<void>> start_controller();
  io::Task<Result<void>> join_cluster();
  io::Task<void> make_parts(std::vector<log::FoundPartition> found);
  io::Task<void> make_part(ShardId shard, std::vector<log::FoundPartition> found);
  io::Task<void> drop_part(ShardId shard);
  io::Task<void> publish_to_parts(SharedImage image, const MetadataDelta& delta);
  void tell_configs(const MetadataImage& image, const MetadataDelta& delta) const;
  io::Task<void> clear_stale_rows(std::set<std::string> names);
  // At the same time, and completes when all have ended; for what takes long.
  template <class Function>
  io::Task<void> on_all_shards(Function function);
  template <class Function>
  io::Task<void> on_shard(ShardId shard, Function& function);
  io::Task<void> keep_house();
  io::Task<void> remove_deleted();
  io::Task<void> keep_directories_recorded();
  io::Task<Result<void>> record_directories();
  io::Task<void> close_parts();
  io::Task<void> look_for_unclean(BrokerShard& part, std::vector<std::string>& directories);
  io::Task<Result<void>> write_checkpoints();
  io::Task<Result<void>> write_checkpoints_in_turn();
  io::Task<void> collect_rows(BrokerShard& part, const std::string& directory,
                              std::vector<log::CheckpointRow>& rows);

  io::Shards& shards_;
  BrokerOptions options_;
  Prng random_;
  std::vector<std::unique_ptr<BrokerShard>> parts_;  // by shard; each is made, used and destroyed on its own
  std::unique_ptr<ControllerDriver> controller_;
  std::unique_ptr<ProducerIdSource> producer_ids_;
  std::unique_ptr<log::WriteAheadTail> write_ahead_tail_;
  SharedImage image_ = std::make_shared<const MetadataImage>();
  BrokerEpoch broker_epoch_{-1};
  std::int16_t kraft_version_ = 0;
  std::vector<std::string> deleted_;  // directories that the start has found
  // Names of topics that are gone and that the checkpoint files still speak of.
  std::set<std::string> stale_rows_;
  std::set<std::string> stale_rows_in_turn_;  // those of them that are being written away
  bool names_held_ = false;                   // shards make no logs of some names until the files have been written
  bool clean_start_ = false;
  bool first_start_ = false;
  bool has_unreplayed_ = false;  // the write-ahead log has records of partitions that are offline since the start
  bool started_ = false;       // start() has succeeded
  bool parts_open_ = false;    // images go to the shards
  io::Semaphore publish_turn_{1};
  // An older picture of the partitions must not overwrite a newer one's files.
  io::Semaphore checkpoint_turn_{1};
  io::Gate background_;
  DataWaiter recording_;     // woken when there may be logs in directories that the metadata does not say, and at the end
  DataWaiter housekeeping_;  // woken when there is something to do, and at the end
};

}  // namespace millrace::engine
