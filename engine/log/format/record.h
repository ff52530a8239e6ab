// Records inside of a batch: walking them, bounded by the batch's bytes.
//
//   varint size of what follows · attributes i8 (unused) · varint64 timestamp delta · varint offset
//   delta · varint key size, key · varint value size, value · varint header count · per header:
//   varint key size, key, varint value size, value. A size of -1 stands for "none".
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "engine/log/format/record_batch.h"

namespace millrace::log {

struct RecordHeader {
  std::string_view key;
  std::optional<ConstBytes> value;
};

// A view of one record; its spans point into the batch's opened payload.
struct Record {
  Offset offset;
  std::int64_t timestamp = kNoTimestamp;
  std::int32_t offset_delta = 0;
  std::optional<ConstBytes> key;
  std::optional<ConstBytes> value;
  std::int32_t header_count = 0;
  // The encoded headers, for HeaderWalk or to be copied as they are.
  ConstBytes headers;
  // The whole encoded record with its size.
  ConstBytes bytes;
};

// Walks the headers of a record. Requires: the record came from a RecordWalk, which has checked
// them.
class HeaderWalk {
 public:
  explicit HeaderWalk(const Record& record) : bytes_(record.headers), left_(record.header_count) {}
  bool at_end() const { return left_ == 0; }
  RecordHeader next();

 private:
  ConstBytes bytes_;
  std::int32_t left_;
};

// Walks the records of an opened payload. What a batch announces is checked against what is there:
// a record count that is too small or too large, sizes that do not add up and bytes left over are
// all malformed.
class RecordWalk {
 public:
  // `payload` holds the batch's records uncompressed: batch.payload() itself when the codec is
  // none, otherwise what open_payload() gave.
  RecordWalk(const RecordBatch& batch, ConstBytes payload);

  bool at_end() const { return left_ == 0; }
  // Requires: not at_end(). Errors: malformed; there is no going on after one.
  Result<Record> next();

 private:
  ConstBytes payload_;
  std::size_t position_ = 0;
  std::int32_t left_;
  Offset base_offset_;
  std::int64_t base_timestamp_;
  // With log-append time every record has the batch's one timestamp.
  std::optional<std::int64_t> append_time_;
};

// The records of `batch` uncompressed: its own payload, or `storage` filled through `codecs`.
// Errors: corrupt, too_large, unsupported_codec.
Result<ConstBytes> open_payload(const RecordBatch& batch, Codecs& codecs,
                                std::uint64_t output_bytes_max, std::vector<std::byte>& storage);

// ---- What validation needs to know of all records, gathered without looking at keys and values.

struct RecordScan {
  // kNoTimestamp unless a record has a later one. Not the batch's: the records' own.
  std::int64_t max_timestamp = kNoTimestamp;
  std::int32_t offset_delta_of_max_timestamp = -1;
  // Of the records that have a timestamp; above max_timestamp when none has.
  std::int64_t min_timestamp = std::numeric_limits<std::int64_t>::max();
  bool any_without_timestamp = false;
  bool any_without_key = false;
  // Whether the records number themselves 0, 1, 2, ...
  bool deltas_consecutive = true;
};

// Told of each record by scan_records, to find those to blame.
class RecordVisitor {
 public:
  virtual void visit(std::int32_t index, std::int64_t timestamp, bool has_key) = 0;

 protected:
  ~RecordVisitor() = default;
};

// Walks `payload`, the uncompressed records of `batch`. `visitor` may be null. Errors: malformed.
Result<RecordScan> scan_records(const RecordBatch& batch, ConstBytes payload,
                                RecordVisitor* visitor);
// The same over a payload that arrives in pieces. Errors: those of the reader as well.
Result<RecordScan> scan_records(const RecordBatch& batch, PayloadReader& reader,
                                RecordVisitor* visitor);

}  // namespace millrace::log
