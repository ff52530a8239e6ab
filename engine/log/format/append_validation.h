// What a leader asks of a batch before it appends it, and what it changes in it: Kafka's rules for
// message format v2.
//
// A batch is kept as it came, byte for byte, apart from fields patched in place, unless the topic
// wants another codec or the records do not number themselves 0, 1, 2, ...: then it is built anew,
// as Kafka does.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/codec.h"
#include "engine/log/format/record_batch.h"

namespace millrace::log {

// A compressed batch may open to this many times max.message.bytes; more is taken for a bomb.
inline constexpr std::uint64_t kDecompressionRatioMax = 16;
// But to this much it may always open, however small the topic's batches must be.
inline constexpr std::uint64_t kDecompressedBytesFloor = std::uint64_t{16} << 20;
// Bad records of one batch that are named one by one in the answer.
inline constexpr std::size_t kRecordErrorsMax = 10;

// The topic's settings, by Kafka's names.
struct AppendRules {
  std::size_t max_message_bytes = 1048588;
  TimestampType timestamp_type = TimestampType::create_time;
  std::int64_t timestamp_before_max_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t timestamp_after_max_ms = 3600000;
  // cleanup.policy contains compact: every record needs a key.
  bool compacted = false;
  // compression.type; empty stands for "producer".
  std::optional<Codec> compression;
  int compression_level = kDefaultCompressionLevel;
  // False for a coordinator or the controller, who may write control records, without sequence
  // numbers.
  bool from_client = true;

  std::uint64_t decompressed_bytes_max() const {
    const std::uint64_t scaled = std::uint64_t{max_message_bytes} * kDecompressionRatioMax;
    return scaled > kDecompressedBytesFloor ? scaled : kDecompressedBytesFloor;
  }
};

struct RecordError {
  std::int32_t batch_index = 0;
  std::string message;
};

// What validation may use and fill. One per shard, reused, so that nothing is allocated per batch
// in the common case.
struct AppendWorkspace {
  explicit AppendWorkspace(Codecs& the_codecs) : codecs(the_codecs) {}

  Codecs& codecs;
  // After an error: the records to blame, the first kRecordErrorsMax of them. Otherwise empty.
  std::vector<RecordError> record_errors;
  // Rebuilt batches live here until the next validation.
  BatchBuilder builder;
  std::vector<std::byte> opened;
  std::vector<std::byte> rebuilt;

  // Lets go what one large batch needed. Whatever the last validation gave is gone then.
  void give_back() {
    if (opened.capacity() > kKeptBytes) std::vector<std::byte>().swap(opened);
    if (rebuilt.capacity() > kKeptBytes) std::vector<std::byte>().swap(rebuilt);
  }
  static constexpr std::size_t kKeptBytes = std::size_t{4} << 20;
};

struct ValidatedBatch {
  // The batch to append: the caller's bytes, or the workspace's when `rebuilt`. Base offset and
  // leader epoch are still to be set (set_base_offset, set_leader_epoch); all else is as it goes to
  // disk.
  Bytes bytes;
  bool rebuilt = false;
  std::int32_t record_count = 0;
  std::int64_t max_timestamp = kNoTimestamp;
  // Of the first record with that timestamp; the last record under log-append time. -1 when no
  // record has a timestamp.
  std::int32_t offset_delta_of_max_timestamp = -1;
  // For the produce answer: the time under log-append time, otherwise kNoTimestamp.
  std::int64_t append_time = kNoTimestamp;

  RecordBatch batch() const { return *RecordBatch::parse(bytes); }
};

// Checks the one batch that `bytes` must consist of, and makes it ready to be appended, in place
// where it can.
//
// Errors (Kafka's code): corrupt (CORRUPT_MESSAGE), malformed (INVALID_RECORD), invalid_timestamp
// (INVALID_TIMESTAMP), too_large (MESSAGE_TOO_LARGE), unsupported (UNSUPPORTED_FOR_MESSAGE_FORMAT),
// unsupported_codec (UNSUPPORTED_COMPRESSION_TYPE). After an error the bytes are as they came.
Result<ValidatedBatch> validate_for_append(Bytes bytes, const AppendRules& rules, WallTime now,
                                           AppendWorkspace& workspace);

}  // namespace millrace::log
