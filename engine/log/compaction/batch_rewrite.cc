#include "engine/log/compaction/batch_rewrite.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace millrace::log {
namespace {

std::int64_t horizon_from(WallTime now, std::int64_t delete_retention_ms) {
  const std::int64_t room = std::numeric_limits<std::int64_t>::max() - std::max<std::int64_t>(now.ms, 0);
  return now.ms + std::clamp<std::int64_t>(delete_retention_ms, 0, room);
}

bool horizon_passed(const RecordBatch& batch, WallTime now) {
  return batch.has_delete_horizon() && batch.base_timestamp() <= now.ms;
}

}  // namespace

Result<BatchVerdict> judge(const RecordBatch& batch, const AbortedTransactions& aborted, MarkerTrack& markers,
                           bool keep_empty, WallTime now) {
  BatchVerdict verdict{.keep_empty = keep_empty};
  if (!batch.is_control()) {
    markers.on_data(batch);
    verdict.discard_records = aborted.contains(batch);
    return verdict;
  }
  TRY(type, control_type_of(batch));
  if (type == ControlType::abort || type == ControlType::commit) {
    verdict.ends_nothing = markers.ends_nothing(batch.producer_id());
    verdict.discard_records = verdict.ends_nothing && horizon_passed(batch, now);
  }
  return verdict;
}

bool stays_unopened(const RecordBatch& batch, const BatchVerdict& verdict, const RewriteRules& rules) {
  if (verdict.discard_records || batch.record_count() == 0) return false;
  if (batch.is_control()) return !verdict.ends_nothing || batch.has_delete_horizon();
  return batch.base_offset() >= rules.map_end;
}

void BatchRewrite::begin(const RecordBatch& batch, ConstBytes payload, const BatchVerdict& verdict) {
  batch_ = batch;
  payload_ = payload;
  verdict_ = verdict;
  kept_.clear();
  kept_count_ = 0;
  index_ = 0;
  tombstone_kept_ = false;
  unchanged_ = stays_unopened(batch, verdict, rules_);
  const bool nothing_to_read = unchanged_ || verdict.discard_records || batch.record_count() == 0;
  phase_ = nothing_to_read ? Phase::done : Phase::choose;
  if (!nothing_to_read) walk_.emplace(batch, payload);
}

bool BatchRewrite::keeps(const Record& record) const {
  if (batch_->is_control() || record.offset >= rules_.map_end) return true;
  // From before the topic was compacted: nobody could ever ask for its latest value.
  if (!record.key) return false;
  const auto latest = rules_.map.find(*record.key);
  if (latest && record.offset < *latest) return false;
  return record.value.has_value() || !horizon_passed(*batch_, rules_.now);
}

Result<bool> BatchRewrite::step(std::size_t records) {
  for (; records > 0 && phase_ != Phase::done; --records) {
    if (walk_->at_end()) {
      if (phase_ == Phase::choose) chosen();
      else phase_ = Phase::done;
      continue;
    }
    TRY(record, walk_->next());
    if (phase_ == Phase::choose) {
      const bool keep = keeps(record);
      kept_.push_back(keep);
      kept_count_ += keep ? 1 : 0;
      tombstone_kept_ |= keep && !record.value && !batch_->is_control();
    } else if (kept_[index_++]) {
      builder_.append_in_place(record);
    }
  }
  return phase_ == Phase::done;
}

// All records were looked at: is there anything to build?
void BatchRewrite::chosen() {
  const RecordBatch& batch = *batch_;
  const bool needs_horizon = (tombstone_kept_ || verdict_.ends_nothing) && !batch.has_delete_horizon();
  unchanged_ = kept_count_ > 0 && kept_count_ == kept_.size() && !needs_horizon;
  phase_ = Phase::done;
  if (unchanged_ || kept_count_ == 0) return;
  BatchOptions options{.base_offset = batch.base_offset(),
                       .leader_epoch = batch.leader_epoch(),
                       .producer_id = batch.producer_id(),
                       .producer_epoch = batch.producer_epoch(),
                       .base_sequence = batch.base_sequence(),
                       .transactional = batch.is_transactional(),
                       .control = batch.is_control(),
                       .timestamp_type = batch.timestamp_type(),
                       .append_time = batch.max_timestamp(),
                       .last_offset_delta = batch.last_offset_delta()};
  if (needs_horizon) options.delete_horizon_ms = horizon_from(rules_.now, rules_.delete_retention_ms);
  else if (batch.has_delete_horizon()) options.delete_horizon_ms = batch.base_timestamp();
  builder_.begin(options);
  walk_.emplace(batch, payload_);
  index_ = 0;
  phase_ = Phase::build;
}

ConstBytes BatchRewrite::empty_batch() {
  const RecordBatch& batch = *batch_;
  std::ranges::copy(batch.bytes().first(kBatchHeaderBytes), header_);
  const auto kept = static_cast<std::int16_t>(batch.attributes() & ~(batch_attribute::kCodecMask |
                                                                     batch_attribute::kDeleteHorizon));
  store_big_endian(header_ + batch_field::kLength, static_cast<std::int32_t>(kBatchHeaderBytes - kBatchPrefixBytes));
  store_big_endian(header_ + batch_field::kAttributes, kept);
  store_big_endian(header_ + batch_field::kBaseTimestamp, kNoTimestamp);
  store_big_endian(header_ + batch_field::kRecordCount, std::int32_t{0});
  set_crc(header_);
  return ConstBytes(header_);
}

Result<std::optional<ConstBytes>> BatchRewrite::finish_some(Codecs& codecs, std::size_t plain_bytes) {
  CHECK(phase_ == Phase::done);
  if (unchanged_) return batch_->bytes();
  if (kept_count_ == 0) return verdict_.keep_empty ? empty_batch() : ConstBytes();
  TRY(built, builder_.finish_some(codecs, *batch_->codec(), kDefaultCompressionLevel, plain_bytes));
  if (!built) return std::optional<ConstBytes>();
  return ConstBytes(*built);
}

}  // namespace millrace::log
