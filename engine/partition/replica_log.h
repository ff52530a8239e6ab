// PartitionReplicaLog: a Log as replication's ReplicaLog port, for the metadata partition.
//
// Shard:      its log's.
// Lifetime:   the log outlives it; stop() must have completed before destruction.
// Invariant:  the log's durability is fsync: what flush() has covered survives a power cut.
#pragma once

#include <optional>
#include <vector>

#include "engine/log/log.h"
#include "io/gate.h"
#include "io/proactor.h"
#include "replication/ports.h"

namespace millrace::engine {

class PartitionReplicaLog final : public replication::ReplicaLog {
 public:
  // Requires: log.options().durability is fsync.
  PartitionReplicaLog(log::Log& log, io::Proactor& proactor);
  // Completes when no write needs the bytes it holds any more.
  io::Task<void> stop() { return gate_.close(); }
  // What the snapshots beside the log are; told by whoever takes and deletes them.
  void set_snapshots(std::optional<raft::SnapshotId> earliest,
                     std::optional<raft::SnapshotId> latest) {
    earliest_snapshot_ = earliest;
    latest_snapshot_ = latest;
  }

  Offset start_offset() const override { return log_.log_start_offset(); }
  Offset end_offset() const override { return log_.end_offset(); }
  LeaderEpoch last_epoch() const override;
  raft::EpochEnd end_offset_for(LeaderEpoch epoch) const override;
  std::optional<raft::SnapshotId> earliest_snapshot() const override { return earliest_snapshot_; }
  std::optional<raft::SnapshotId> latest_snapshot() const override { return latest_snapshot_; }

  Result<replication::AppendedRange> append_as_leader(std::vector<std::byte> batches,
                                                      LeaderEpoch epoch) override;
  Result<void> append_leader_change(const raft::AppendLeaderChange& change) override;
  Result<void> append_as_follower(std::vector<std::byte> batches) override;
  io::Task<Result<void>> flush() override;
  io::Task<Result<void>> truncate(Offset end_offset) override;
  io::Task<Result<std::vector<std::byte>>> read(Offset from, std::size_t bytes_max) override;

 private:
  // Keeps the bytes until they are written.
  io::Task<void> hold(log::AppendedBatches appended, std::vector<std::byte> batches);

  log::Log& log_;
  io::Proactor& proactor_;
  io::Gate gate_;
  // The last append: when it is stable, so is everything before it.
  std::optional<log::AppendedBatches> last_;
  std::optional<raft::SnapshotId> earliest_snapshot_;
  std::optional<raft::SnapshotId> latest_snapshot_;
};

}  // namespace millrace::engine
