// BatchRewrite: what compaction leaves of one batch: the batch as it was, the batch with fewer records, its header alone, or
// nothing. Offsets, sequence numbers and the codec stay; Kafka's rules.
//
//   verdict = judge(batch, ...); rewrite.begin(batch, payload, verdict);
//   while (!*rewrite.step(256)) co_await io::yield();
//   while (!(bytes = *rewrite.finish_some(codecs, 128 KiB))) co_await io::yield();
//
// Shard:      the cleaner's; no I/O. Steps, because a batch may hold more records than a turn of the loop has time for.
// Lifetime:   of a pass; reused from batch to batch. The batch and its payload must stay valid until finish().
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/log/compaction/offset_map.h"
#include "engine/log/compaction/transactions.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/codec.h"
#include "engine/log/format/record.h"
#include "engine/log/format/record_batch.h"

namespace millrace::log {

struct RewriteRules {
  const OffsetMap& map;
  // The map knows every key below; records at and behind it stay.
  Offset map_end{0};
  WallTime now;
  std::int64_t delete_retention_ms = 0;
};

// What is decided of a batch before its records are looked at.
struct BatchVerdict {
  // All its records go: data of an aborted transaction, or a marker whose time has come.
  bool discard_records = false;
  // A marker of a transaction of which nothing is left: it gets the time at which it may go.
  bool ends_nothing = false;
  // Without records it stays as a header: it holds the last sequence number of a producer that is known, or the last offset
  // of a segment.
  bool keep_empty = false;
};

// Takes note of the batch in `markers`. `aborted` is asked about data, so it must have observed the part of the log that was
// never compacted. Errors: malformed.
Result<BatchVerdict> judge(const RecordBatch& batch, const AbortedTransactions& aborted, MarkerTrack& markers,
                           bool keep_empty, WallTime now);

// Whether the batch stays as it is whatever its records say, so that nobody has to open it.
bool stays_unopened(const RecordBatch& batch, const BatchVerdict& verdict, const RewriteRules& rules);

class BatchRewrite {
 public:
  explicit BatchRewrite(const RewriteRules& rules) : rules_(rules) {}

  // `payload`: the records uncompressed; may be empty if the verdict discards them.
  void begin(const RecordBatch& batch, ConstBytes payload, const BatchVerdict& verdict);
  // Looks at up to `records` more; true when there is nothing left to look at. Errors: malformed.
  Result<bool> step(std::size_t records);
  // What takes the batch's place, valid until the next begin(); no bytes: nothing does. None yet as long as there are records
  // to be compressed, so many bytes of them at a call. Requires: step() said true. Errors: those of the codec.
  Result<std::optional<ConstBytes>> finish_some(Codecs& codecs, std::size_t plain_bytes);

  std::size_t records_kept() const { return kept_count_; }

 private:
  enum class Phase : std::uint8_t { choose, build, done };

  bool keeps(const Record& record) const;
  void chosen();
  ConstBytes empty_batch();

  const RewriteRules& rules_;
  std::optional<RecordBatch> batch_;
  ConstBytes payload_;
  BatchVerdict verdict_;
  Phase phase_ = Phase::done;
  std::optional<RecordWalk> walk_;
  std::size_t index_ = 0;
  // By record.
  std::vector<bool> kept_;
  std::size_t kept_count_ = 0;
  bool tombstone_kept_ = false;
  bool unchanged_ = false;
  BatchBuilder builder_;
  std::byte header_[kBatchHeaderBytes];
};

}  // namespace millrace::log
