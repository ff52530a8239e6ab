// BatchBuilder writes one record batch: for the metadata log, the coordinators, recompression and
// tests.
//
// Shard:      anywhere; a value.
// Lifetime:   begin(), then append() per record, then finish(); begin() again reuses the storage.
// Invariant:  record n has offset delta n unless append_at() said otherwise, and then deltas grow.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "engine/log/format/codec.h"
#include "engine/log/format/record.h"
#include "engine/log/format/record_batch.h"

namespace millrace::log {

struct BatchOptions {
  Offset base_offset{0};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  ProducerId producer_id = kNoProducerId;
  std::int16_t producer_epoch = kNoProducerEpoch;
  std::int32_t base_sequence = kNoSequence;
  bool transactional = false;
  bool control = false;
  TimestampType timestamp_type = TimestampType::create_time;
  // With log-append time: the timestamp of all records.
  std::int64_t append_time = kNoTimestamp;
  // ---- For the cleaner
  // Of the batch that is rewritten, whose last records may be gone; otherwise the last record's.
  std::optional<std::int32_t> last_offset_delta = std::nullopt;
  // When tombstones and markers of the batch may go: stands where the base timestamp does otherwise (KIP-534).
  std::optional<std::int64_t> delete_horizon_ms = std::nullopt;
};

class BatchBuilder {
 public:
  BatchBuilder() { begin({}); }
  explicit BatchBuilder(const BatchOptions& options) { begin(options); }

  // Drops what was there and starts a batch.
  void begin(const BatchOptions& options);
  // The next record. An absent key or value is null, an empty one is empty.
  void append(std::int64_t timestamp, std::optional<ConstBytes> key,
              std::optional<ConstBytes> value, std::span<const RecordHeader> headers = {});
  // The same with a given offset delta, for batches with gaps. Requires: above the last one.
  void append_at(std::int32_t offset_delta, std::int64_t timestamp, std::optional<ConstBytes> key,
                 std::optional<ConstBytes> value, std::span<const RecordHeader> headers = {});
  // A record as another batch holds it, headers copied as they are.
  void append(const Record& record);
  // The same at its own offset delta. Requires: above the last one.
  void append_in_place(const Record& record);

  std::int32_t record_count() const { return record_count_; }
  // Uncompressed size of the batch if it were finished now.
  std::size_t size() const { return bytes_.size(); }
  // What appending such a record adds to size(), at most.
  static std::size_t record_bytes_max(std::size_t key_bytes, std::size_t value_bytes) {
    return key_bytes + value_bytes + 32;
  }

  // The finished batch, valid until the next call of begin(). Requires: at least one record.
  Bytes finish();
  // The same, compressed. Errors: those of the codec.
  Result<Bytes> finish(Codecs& codecs, Codec codec, int level);
  // The same in pieces: so many bytes of the records at a time, until it gives the batch.
  Result<std::optional<Bytes>> finish_some(Codecs& codecs, Codec codec, int level, std::size_t plain_bytes);

 private:
  void write_header(std::vector<std::byte>& out, Codec codec);
  void put_record(std::int32_t offset_delta, const Record& record);
  void put_body(std::int32_t offset_delta, std::int64_t timestamp, std::optional<ConstBytes> key,
                std::optional<ConstBytes> value, std::size_t headers_size);

  BatchOptions options_;
  // Room for the header, then the records.
  std::vector<std::byte> bytes_;
  std::vector<std::byte> compressed_;
  // Of a batch being finished in pieces.
  std::unique_ptr<PayloadWriter> writer_;
  std::size_t plain_done_ = 0;
  std::int32_t record_count_ = 0;
  std::int32_t last_delta_ = -1;
  std::int64_t base_timestamp_ = kNoTimestamp;
  std::int64_t max_timestamp_ = kNoTimestamp;
};

}  // namespace millrace::log
