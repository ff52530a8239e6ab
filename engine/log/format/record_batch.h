// Record batches, message format v2: the unit that producers send, the log files and consumers
// fetch. Bytes only.
//
//   offset size field                      covered by the CRC
//        0    8 base offset                no: assigned by the leader, in place
//        8    4 length of what follows     no
//       12    4 partition leader epoch     no: assigned by the leader, in place
//       16    1 magic, 2                   no
//       17    4 crc32c of bytes 21..end
//       21    2 attributes                 yes, as is everything below
//       23    4 last offset delta
//       27    8 base timestamp
//       35    8 max timestamp
//       43    8 producer id
//       51    2 producer epoch
//       53    4 base sequence
//       57    4 record count
//       61      records, compressed as one stream if the attributes name a codec
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ids.h"
#include "base/result.h"
#include "engine/log/format/codec.h"

namespace millrace::log {

inline constexpr std::size_t kBatchHeaderBytes = 61;
// Base offset and length: enough to know how long a batch is.
inline constexpr std::size_t kBatchPrefixBytes = 12;
inline constexpr std::int8_t kBatchMagic = 2;

inline constexpr std::int64_t kNoTimestamp = -1;
inline constexpr std::int16_t kNoProducerEpoch = -1;
inline constexpr std::int32_t kNoSequence = -1;

enum class TimestampType : std::uint8_t { create_time = 0, log_append_time = 1 };

namespace batch_field {
inline constexpr std::size_t kBaseOffset = 0;
inline constexpr std::size_t kLength = 8;
inline constexpr std::size_t kLeaderEpoch = 12;
inline constexpr std::size_t kMagic = 16;
inline constexpr std::size_t kCrc = 17;
inline constexpr std::size_t kAttributes = 21;
inline constexpr std::size_t kLastOffsetDelta = 23;
inline constexpr std::size_t kBaseTimestamp = 27;
inline constexpr std::size_t kMaxTimestamp = 35;
inline constexpr std::size_t kProducerId = 43;
inline constexpr std::size_t kProducerEpoch = 51;
inline constexpr std::size_t kBaseSequence = 53;
inline constexpr std::size_t kRecordCount = 57;
static_assert(kRecordCount + 4 == kBatchHeaderBytes);
}  // namespace batch_field

namespace batch_attribute {
inline constexpr std::int16_t kCodecMask = 0x07;
inline constexpr std::int16_t kLogAppendTime = 0x08;
inline constexpr std::int16_t kTransactional = 0x10;
inline constexpr std::int16_t kControl = 0x20;
inline constexpr std::int16_t kDeleteHorizon = 0x40;
}  // namespace batch_attribute

// A RecordBatch is a view of one whole batch. It owns nothing: the bytes must outlive it. Only
// parse() makes one, so the header is there, the magic is 2 and bytes().size() is what the length
// field says; nothing more is promised until verify() has passed.
class RecordBatch {
 public:
  // The batch at the start of `bytes`, which may go on behind it.
  // Errors: truncated (more bytes are needed: a torn tail or a partial fetch), unsupported (magic 0
  // or 1), corrupt.
  static Result<RecordBatch> parse(ConstBytes bytes);
  // Its size in bytes, from the first kBatchPrefixBytes alone. Errors: truncated, corrupt.
  static Result<std::size_t> size_at(ConstBytes prefix);

  ConstBytes bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  ConstBytes payload() const { return bytes_.subspan(kBatchHeaderBytes); }

  Offset base_offset() const { return Offset(load<std::int64_t>(batch_field::kBaseOffset)); }
  Offset last_offset() const { return base_offset() + last_offset_delta(); }
  // The offset behind the last record.
  Offset end_offset() const { return last_offset() + 1; }
  LeaderEpoch leader_epoch() const {
    return LeaderEpoch(load<std::int32_t>(batch_field::kLeaderEpoch));
  }
  std::int32_t last_offset_delta() const {
    return load<std::int32_t>(batch_field::kLastOffsetDelta);
  }
  std::int64_t base_timestamp() const { return load<std::int64_t>(batch_field::kBaseTimestamp); }
  std::int64_t max_timestamp() const { return load<std::int64_t>(batch_field::kMaxTimestamp); }
  ProducerId producer_id() const {
    return ProducerId(load<std::int64_t>(batch_field::kProducerId));
  }
  std::int16_t producer_epoch() const { return load<std::int16_t>(batch_field::kProducerEpoch); }
  std::int32_t base_sequence() const { return load<std::int32_t>(batch_field::kBaseSequence); }
  // The sequence number of the last record: they wrap from the largest int32 to 0.
  std::int32_t last_sequence() const;
  std::int32_t record_count() const { return load<std::int32_t>(batch_field::kRecordCount); }

  std::int16_t attributes() const { return load<std::int16_t>(batch_field::kAttributes); }
  // Empty when the attributes hold a number that no codec has.
  std::optional<Codec> codec() const;
  TimestampType timestamp_type() const {
    return has(batch_attribute::kLogAppendTime) ? TimestampType::log_append_time
                                                : TimestampType::create_time;
  }
  bool is_transactional() const { return has(batch_attribute::kTransactional); }
  bool is_control() const { return has(batch_attribute::kControl); }
  // Set by the cleaner: base timestamp is then when tombstones and markers may go.
  bool has_delete_horizon() const { return has(batch_attribute::kDeleteHorizon); }
  bool has_producer_id() const { return producer_id() > kNoProducerId; }

  std::uint32_t stored_crc() const { return load<std::uint32_t>(batch_field::kCrc); }
  std::uint32_t computed_crc() const { return crc32c(bytes_.subspan(batch_field::kAttributes)); }
  bool crc_valid() const { return stored_crc() == computed_crc(); }
  // What a batch read from a log must satisfy: CRC, and counts that can be true (a compacted batch
  // may hold fewer records than its offsets span). Errors: corrupt.
  Result<void> verify() const;

 private:
  explicit RecordBatch(ConstBytes bytes) : bytes_(bytes) {}
  template <class T>
  T load(std::size_t at) const {
    return load_big_endian<T>(bytes_.data() + at);
  }
  bool has(std::int16_t attribute) const { return (attributes() & attribute) != 0; }

  ConstBytes bytes_;
};

// Walks the batches of a span, as a segment or a fetch answer holds them.
class BatchWalk {
 public:
  explicit BatchWalk(ConstBytes bytes) : bytes_(bytes) {}
  bool at_end() const { return position_ == bytes_.size(); }
  // Bytes from the start of the span to the next batch.
  std::size_t position() const { return position_; }
  // Requires: not at_end(). Errors: as RecordBatch::parse; the position then stays before the bad
  // batch.
  Result<RecordBatch> next();

 private:
  ConstBytes bytes_;
  std::size_t position_ = 0;
};

// ---- Changes in place. `batch` starts at a batch that parse() accepted.

// Outside of the CRC, so the checksum stays valid.
void set_base_offset(Bytes batch, Offset base_offset);
void set_leader_epoch(Bytes batch, LeaderEpoch epoch);
// Inside of the CRC, which is computed anew unless nothing changes.
void set_max_timestamp(Bytes batch, TimestampType type, std::int64_t max_timestamp);
// Computes and stores the checksum.
void set_crc(Bytes batch);

// `sequence` moved on by `by` records; wraps from the largest int32 to 0. Requires: both not
// negative.
constexpr std::int32_t advance_sequence(std::int32_t sequence, std::int32_t by) {
  constexpr std::int64_t kModulus = std::int64_t{1} << 31;
  return static_cast<std::int32_t>((std::int64_t{sequence} + by) % kModulus);
}

}  // namespace millrace::log
