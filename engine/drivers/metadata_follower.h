// MetadataFollower turns the committed part of the metadata log into images: the latest snapshot,
// then every record behind it.
//
// Shard:     the controller's; the images it makes may be read on any.
// Failure:   a record that cannot be read or contradicts the image is fatal: a node that skipped it
//            would know another cluster than the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "engine/drivers/metadata_log.h"
#include "engine/drivers/snapshot_file.h"
#include "engine/metadata/image.h"
#include "io/task.h"

namespace millrace::engine {

class MetadataFollower {
 public:
  MetadataFollower(MetadataLog& log, std::string cluster_id);

  // The latest snapshot, if there is one; the log's records are committed later, by catch_up().
  // Call once, first.
  Result<void> load_snapshot();
  // Applies the log's records up to `high_watermark`. Errors: corrupt, unsupported, those of the
  // log.
  io::Task<Result<void>> catch_up(Offset high_watermark);
  // The same for a batch that is at hand, as the controller wrote it.
  // Requires: its first_offset is next_offset(), and it is committed.
  struct Written {
    Offset first_offset;
    LeaderEpoch epoch;
    std::int64_t timestamp = 0;
    std::size_t bytes = 0;
    std::vector<VersionedRecord> records;
    Offset end_offset() const { return first_offset + static_cast<std::int64_t>(records.size()); }
  };
  Result<void> apply(const Written& written);

  void set_controller(BrokerId id) { builder_.set_identity(cluster_id_, id); }
  // The image of everything applied so far, and what changed since the last call.
  ImageBuilder::Published publish() { return builder_.publish(position_); }

  // The first offset that was not applied.
  Offset next_offset() const { return position_.offset + 1; }
  bool names_voters() const { return voters_.has_value(); }
  const ImageBuilder& builder() const { return builder_; }
  // Bytes of records applied since the last snapshot.
  std::size_t bytes_since_snapshot() const { return bytes_since_snapshot_; }

  // The state as a snapshot of everything before next_offset().
  struct Snapshot {
    raft::SnapshotId id;
    std::vector<std::byte> bytes;
  };
  // Requires: not inside a transaction.
  Snapshot make_snapshot(WallTime now);

 private:
  Result<void> apply_batch(const log::RecordBatch& batch);

  MetadataLog& log_;
  const std::string cluster_id_;
  ImageBuilder builder_;
  ImagePosition position_;
  std::int64_t last_timestamp_ = 0;
  std::optional<log::VotersRecord> voters_;
  std::size_t bytes_since_snapshot_ = 0;
};

}  // namespace millrace::engine
