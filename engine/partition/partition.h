// Partition: one replica of one partition on this broker: its Log, its role, and those who wait for it.
//
// Shard:      the one engine/partition/placement.h names. Never crosses.
// Lifetime:   made by BrokerShard when the image says that this broker holds a replica; close() or remove() must have
//             completed before destruction. Requests hold it by shared_ptr, so that a partition deleted meanwhile ends in an
//             error and not in a dangling reference.
// Invariant:  log_start_offset() <= high_watermark() <= log_end_offset(); the high watermark never goes back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "engine/log/log.h"
#include "engine/metadata/topics.h"
#include "engine/partition/data_waiters.h"
#include "io/gate.h"
#include "io/task.h"

namespace millrace::engine {

// What a consumer may see: everything below the high watermark, or only what no open transaction could still take back.
enum class Isolation : std::uint8_t { read_uncommitted, read_committed };

// Where a partition stands, for answers and metrics.
struct PartitionState {
  Offset log_start_offset{0};
  Offset high_watermark{0};
  Offset last_stable_offset{0};
  Offset log_end_offset{0};
  LeaderEpoch leader_epoch{0};
};

class Partition {
 public:
  // Exactly one of `log` and `reason` says something: a partition whose log could not be opened is there, offline, so that
  // clients are told so instead of "unknown".
  Partition(BrokerId self, TopicPartition id, std::string topic, std::unique_ptr<log::Log> log,
            std::string offline_reason);

  const TopicPartition& id() const { return id_; }
  const std::string& topic() const { return topic_; }

  // Takes the role that the image says. Errors: offline, io_error (the epoch could not be made durable).
  Result<void> assign(const PartitionImage& assignment);
  void set_min_insync_replicas(std::int64_t replicas) { min_insync_replicas_ = replicas; }

  // ok, or why requests of clients are refused: not_leader, fenced_epoch, unknown_epoch, offline.
  Result<void> check_leader(LeaderEpoch clients_epoch) const;

  // ---- Produce. `batches` must stay valid until the task has completed.
  // Completes when the promise of the topic's durability holds; until then no consumer sees the records.
  // Errors: those of Log::stage_append_as_leader; refused when fewer replicas are in sync than `acks_all` asks for.
  io::Task<Result<log::AppendedBatches>> append(Bytes batches, WallTime now, bool acks_all);
  bool has_enough_replicas() const;

  // ---- Fetch
  // What is read may end inside of a batch (ReadLimits::may_cut_cold): for consumers, not for who needs whole batches.
  Offset read_end(Isolation isolation) const;
  // Errors: out_of_range, corrupt, io_error, offline.
  Result<log::ReadRange> read(Offset from, Isolation isolation, std::size_t bytes_max,
                              bool at_least_one_batch);
  // Whether read() and a look for aborted transactions may wait for the disk: then warm() comes first.
  bool is_cold(Offset from, Isolation isolation, std::size_t bytes_max) const;
  io::Task<void> warm(Offset from, Isolation isolation, std::size_t bytes_max);
  void wait_for_data(DataWaiter& waiter) { waiters_.add(waiter); }

  void wake_waiters() { waiters_.wake_all(); }

  PartitionState state() const;
  bool offline() const { return log_ == nullptr || log_->is_offline(); }
  // Null only when the partition is offline since its start.
  log::Log* log() { return log_.get(); }

  // ---- Admin
  // Errors: out_of_range beyond the high watermark.
  Result<Offset> delete_records(Offset offset);

  // Ends waiting fetches and lets running appends finish.
  io::Task<Result<void>> close();
  // The same, and the files go.
  io::Task<Result<void>> remove();

 private:
  void advance_high_watermark();

  BrokerId self_;
  TopicPartition id_;
  std::string topic_;
  std::unique_ptr<log::Log> log_;
  std::string offline_reason_;
  std::int64_t min_insync_replicas_ = 1;
  BrokerId leader_ = kNoBroker;
  LeaderEpoch leader_epoch_ = kNoLeaderEpoch;
  std::size_t replicas_ = 0;
  std::size_t in_sync_ = 0;
  Offset high_watermark_{0};
  bool closing_ = false;
  std::uint64_t appending_ = 0;
  io::Event idle_;
  DataWaiters waiters_;
};

}  // namespace millrace::engine
