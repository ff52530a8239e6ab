// ProducerState: what one partition knows of its idempotent and transactional producers, rebuilt
// from the log by apply().
//
// Each producer id has an epoch, its last five batches (so that one sent again is answered with the
// offsets of its first time) and, inside of a transaction, the offset where that began. From the
// open transactions follows the last stable offset. The rules are Kafka's.
//
// Shard:      its partition's; a plain value, no I/O and no clock.
// Lifetime:   of its Log. Copying is allowed and costs what there are producers.
// Invariant:  a producer has at most kBatchesKept batches, in sequence, all of its current epoch;
//             every producer with an open transaction is in the set of open ones and the other way
//             round.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/log/format/control_record.h"
#include "engine/log/format/index_entry.h"
#include "engine/log/format/record_batch.h"

namespace millrace::log {

// One batch that a producer appended.
struct ProducerBatch {
  std::int32_t last_sequence = kNoSequence;
  std::int32_t offset_delta = 0;
  Offset last_offset = kNoOffset;
  std::int64_t timestamp = kNoTimestamp;

  Offset first_offset() const { return last_offset - offset_delta; }
  std::int32_t first_sequence() const;
  bool operator==(const ProducerBatch&) const = default;
};

// What is known of one producer id.
class ProducerEntry {
 public:
  static constexpr std::size_t kBatchesKept = 5;

  std::int16_t producer_epoch = kNoProducerEpoch;
  std::int32_t coordinator_epoch = -1;
  std::int64_t last_timestamp = kNoTimestamp;
  // Where its open transaction began.
  std::optional<Offset> transaction_start;

  // Oldest first.
  std::span<const ProducerBatch> batches() const { return {batches_.data(), batch_count_}; }
  bool has_batches() const { return batch_count_ > 0; }
  // kNoSequence and kNoOffset when there are no batches.
  std::int32_t last_sequence() const;
  Offset last_offset() const;
  // The kept batch with exactly this range of sequence numbers and this epoch.
  std::optional<ProducerBatch> find_duplicate(const RecordBatch& batch) const;

  // Forgets the batches of an older epoch.
  void set_epoch(std::int16_t epoch);
  void add_batch(const ProducerBatch& batch);
  bool operator==(const ProducerEntry& other) const;

 private:
  std::array<ProducerBatch, kBatchesKept> batches_{};
  std::size_t batch_count_ = 0;
};

struct CompletedTransaction {
  ProducerId producer_id;
  Offset first_offset;
  // Of the marker.
  Offset last_offset;
  bool aborted = false;
  bool operator==(const CompletedTransaction&) const = default;
};

class ProducerState {
 public:
  // How much of an append is checked.
  enum class Source : std::uint8_t {
    client,       // epoch, sequence and transaction
    coordinator,  // epoch and transaction: offset commits carry no sequence numbers
  };

  // ---- Before an append

  // Whether `batch`, which has a producer id and is no control batch, may be appended at `offset`.
  // Gives the batch it repeats, if it does: then it must not be appended but answered with those
  // offsets. Changes nothing. Errors: out_of_order_sequence, invalid_producer_epoch,
  // invalid_argument (a batch without transaction inside of one).
  Result<std::optional<ProducerBatch>> check(const RecordBatch& batch, Source source) const;
  // Whether a transaction marker may be written. `transaction_version` is the coordinator's feature
  // level: from 2 on a marker carries an epoch above that of the transaction's records. Errors:
  // invalid_producer_epoch, fenced_epoch (an older coordinator).
  Result<void> check_marker(ProducerId producer_id, std::int16_t producer_epoch,
                            std::int32_t coordinator_epoch, std::int16_t transaction_version) const;

  // ---- After an append, on every replica, and when a log is read again

  // Takes in a batch whose offsets are assigned; one without a producer id only moves end_offset().
  // Gives the transaction that a marker ended, unless it was empty. Errors: malformed (a control
  // batch that holds no marker).
  Result<std::optional<CompletedTransaction>> apply(const RecordBatch& batch);
  // The entry for the aborted-transaction index. Requires: `completed` came from the last apply().
  AbortedTransaction aborted_entry(const CompletedTransaction& completed) const;

  // ---- Stable offsets

  // The first offset whose fate is open: of a running transaction, or of an ended one whose marker
  // is not yet below the high watermark.
  std::optional<Offset> first_unstable_offset() const;
  Offset last_stable_offset(Offset high_watermark) const;
  // Forgets ended transactions whose markers are below `high_watermark`.
  void on_high_watermark(Offset high_watermark);
  // Records below are gone.
  void on_log_start(Offset log_start_offset);

  // ---- The set of producers

  // Forgets producers that have been silent for `expiration_ms` and are not inside of a
  // transaction.
  std::size_t expire(WallTime now, std::int64_t expiration_ms);
  const ProducerEntry* find(ProducerId producer_id) const;
  // Takes back what apply() did since `entry` was copied, for an append whose write failed.
  void restore(ProducerId producer_id, std::optional<ProducerEntry> entry, Offset end_offset);
  const std::unordered_map<ProducerId, ProducerEntry>& producers() const { return producers_; }
  // Where the last batch taken in ended.
  Offset end_offset() const { return end_offset_; }

  // ---- Snapshots: `<end_offset>.snapshot`, Kafka's version 1

  std::vector<std::byte> encode_snapshot() const;
  // Forgets everything, then takes in the snapshot that was made at `end_offset`. Producers that
  // have expired by now are left out. Errors: corrupt, unsupported (another version); everything is
  // then forgotten, and end_offset() is as asked.
  Result<void> load_snapshot(ConstBytes bytes, Offset end_offset, WallTime now,
                             std::int64_t expiration_ms);
  // Forgets everything: the log begins, or is read again, at `end_offset`.
  void clear(Offset end_offset);

  void check_invariants() const;

 private:
  struct OpenTransaction {
    ProducerId producer_id;
    // Of the marker, once there is one.
    Offset last_offset = kNoOffset;
  };

  Result<void> check_epoch(const ProducerEntry* entry, const RecordBatch& batch) const;
  Result<void> check_sequence(const ProducerEntry* entry, const RecordBatch& batch) const;
  void apply_data(const RecordBatch& batch);
  Result<std::optional<CompletedTransaction>> apply_marker(const RecordBatch& batch);

  std::unordered_map<ProducerId, ProducerEntry> producers_;
  // By first offset.
  std::map<Offset, OpenTransaction> open_;
  // Ended, with a marker that is not yet below the high watermark.
  std::map<Offset, OpenTransaction> ended_;
  Offset end_offset_{0};
};

}  // namespace millrace::log
