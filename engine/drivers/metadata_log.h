// MetadataLog: `__cluster_metadata-0`, the log that the quorum agrees on, and its snapshots beside
// it.
//
// Shard:     the controller's.
// Lifetime:  open(), then close() must have completed before destruction.
// Invariant: everything below the earliest snapshot's end may be gone, nothing above it is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "engine/drivers/snapshot_file.h"
#include "engine/log/log.h"
#include "engine/log/log_shard.h"
#include "engine/partition/replica_log.h"
#include "io/proactor.h"
#include "io/task.h"
#include "replication/ports.h"

namespace millrace::engine {

class MetadataLog {
 public:
  struct Options {
    // metadata.log.dir, or the first of log.dirs; the log's own directory is made in it.
    std::string parent_directory;
    std::int64_t segment_bytes = std::int64_t{1} << 30;  // metadata.log.segment.bytes
  };
  // Opens what is there, cut off behind the last whole batch. Errors: those of the log.
  static io::Task<Result<std::unique_ptr<MetadataLog>>> open(io::Proactor& proactor,
                                                             Options options);
  io::Task<Result<void>> close();

  const std::string& directory() const { return directory_; }

  // What the quorum replicates.
  replication::ReplicaLog& replica() { return *replica_; }
  Offset end_offset() const { return log_->end_offset(); }
  io::Task<Result<std::vector<std::byte>>> read(Offset from, std::size_t bytes_max) {
    return replica_->read(from, bytes_max);
  }

  // ---- Snapshots
  std::optional<raft::SnapshotId> latest_snapshot() const;
  // Errors: not_found, those of decode_snapshot.
  Result<SnapshotContents> read_snapshot(const raft::SnapshotId& id);
  // Makes the snapshot durable, then drops those before it, and the records it contains as far as
  // whole segments go. Does nothing when there is one that is at least as new.
  io::Task<Result<void>> write_snapshot(raft::SnapshotId id, std::vector<std::byte> bytes);

 private:
  MetadataLog(io::Proactor& proactor, Options options, std::string directory);
  Result<void> prepare_directory();
  io::Task<Result<void>> open_log();
  Result<void> find_snapshots();
  void note_snapshots();
  std::string snapshot_path(const raft::SnapshotId& id) const;
  io::Task<Result<void>> write_part(std::string path, ConstBytes bytes);
  io::Task<Result<void>> drop_before(raft::SnapshotId id);

  io::Proactor& proactor_;
  Options options_;
  std::string directory_;
  std::unique_ptr<log::LogShard> shard_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<PartitionReplicaLog> replica_;
  std::vector<raft::SnapshotId> snapshots_;  // oldest first
};

}  // namespace millrace::engine
