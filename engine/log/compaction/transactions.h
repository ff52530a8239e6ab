// What the cleaner must know of transactions: which data was aborted, and which markers end nothing any more.
//
// Shard:     the cleaner's; plain values of one pass over a log.
#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "engine/log/format/control_record.h"
#include "engine/log/format/record_batch.h"

namespace millrace::log {

// The type of a control batch's one record; empty for a batch that was emptied before, and for types that we do not know.
// Errors: malformed.
Result<std::optional<ControlType>> control_type_of(const RecordBatch& batch);

// The aborted transactions in a part of a log, found by reading all its batches: from where nothing was compacted yet up to
// the high watermark, since a marker may stand far behind the data it speaks of.
class AbortedTransactions {
 public:
  // Batches in the order of the log. Errors: malformed.
  Result<void> observe(const RecordBatch& batch);
  bool contains(const RecordBatch& batch) const;

 private:
  struct Range {
    Offset first;
    Offset last;
  };
  std::unordered_map<ProducerId, Offset> open_;
  // Of each producer, growing.
  std::unordered_map<ProducerId, std::vector<Range>> aborted_;
};

// Follows a pass from the log's start on. A marker may go only once no batch of its transaction is left, be it an empty one:
// until then it says how the transaction ended.
class MarkerTrack {
 public:
  // A transaction's data, whatever becomes of it.
  void on_data(const RecordBatch& batch) {
    if (batch.is_transactional()) running_.insert(batch.producer_id());
  }
  // Whether the marker ends a transaction of which nothing was met.
  bool ends_nothing(ProducerId producer_id) { return running_.erase(producer_id) == 0; }

 private:
  std::unordered_set<ProducerId> running_;
};

}  // namespace millrace::log
