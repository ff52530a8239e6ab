// The bytes of a metadata snapshot, NNN-EEE.checkpoint, and of bootstrap.checkpoint, which has the
// same form: record batches with offsets of their own from 0. The first is a control batch with the
// header, the last one with the footer, the metadata's records stand between.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/log/format/control_record.h"
#include "engine/metadata/records.h"

namespace millrace::engine {

// Names a snapshot: everything before end_offset, the last record of it written in `epoch`.
struct SnapshotName {
  Offset end_offset{0};
  LeaderEpoch epoch{0};
  auto operator<=>(const SnapshotName&) const = default;
};
// "00000000000000000027-0000000002.checkpoint".
std::string snapshot_file_name(const SnapshotName& name);
// Empty for any other name, also for one that was not finished (".part") or is being deleted.
std::optional<SnapshotName> parse_snapshot_file_name(std::string_view file_name);

struct SnapshotContents {
  // Of the last record of the log that the snapshot contains.
  std::int64_t last_contained_log_timestamp = 0;
  // With kraft.version 1: who votes.
  std::optional<log::VotersRecord> voters;
  std::vector<VersionedRecord> records;
};

// `epoch` is written into each batch, `now` is every batch's time.
std::vector<std::byte> encode_snapshot(const SnapshotContents& contents, LeaderEpoch epoch,
                                       WallTime now);

// Errors: corrupt (a checksum, no header, no footer: it was never finished), those of
// decode_record.
Result<SnapshotContents> decode_snapshot(ConstBytes bytes);

// The metadata records of one batch of the log. Errors: corrupt, those of decode_record.
Result<std::vector<VersionedRecord>> decode_metadata_batch(const log::RecordBatch& batch);

}  // namespace millrace::engine
