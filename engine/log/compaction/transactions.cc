#include "engine/log/compaction/transactions.h"

#include <algorithm>

#include "engine/log/format/record.h"

namespace millrace::log {

Result<std::optional<ControlType>> control_type_of(const RecordBatch& batch) {
  using Found = std::optional<ControlType>;
  if (batch.record_count() <= 0) return Found();
  RecordWalk walk(batch, batch.payload());
  TRY(record, walk.next());
  auto type = control_type(record);
  if (!type && type.error() == Errc::unsupported) return Found();
  if (!type) return fail(std::move(type).error());
  return Found(*type);
}

Result<void> AbortedTransactions::observe(const RecordBatch& batch) {
  if (!batch.has_producer_id()) return {};
  if (!batch.is_control()) {
    if (batch.is_transactional()) open_.try_emplace(batch.producer_id(), batch.base_offset());
    return {};
  }
  TRY(type, control_type_of(batch));
  if (type != ControlType::abort && type != ControlType::commit) return {};
  const auto begun = open_.find(batch.producer_id());
  if (begun == open_.end()) return {};
  if (type == ControlType::abort) {
    aborted_[batch.producer_id()].push_back({.first = begun->second, .last = batch.last_offset()});
  }
  open_.erase(begun);
  return {};
}

bool AbortedTransactions::contains(const RecordBatch& batch) const {
  if (!batch.is_transactional() || batch.is_control()) return false;
  const auto found = aborted_.find(batch.producer_id());
  if (found == aborted_.end()) return false;
  const auto range = std::ranges::lower_bound(found->second, batch.base_offset(), {}, &Range::last);
  return range != found->second.end() && range->first <= batch.base_offset();
}

}  // namespace millrace::log
