#include "engine/log/format/append_validation.h"

#include <fmt/core.h>

#include "base/check.h"
#include "engine/log/format/record.h"

namespace millrace::log {

namespace {

// Looks at each record as the topic's settings demand.
class RecordRules final : public RecordVisitor {
 public:
  RecordRules(const RecordBatch& batch, const AppendRules& rules, WallTime now,
              std::vector<RecordError>& errors)
      : rules_(rules),
        errors_(errors),
        // A producer must not claim the broker's timestamps. A topic with create time forgives it
        // for records that have one, and the flag is then cleared.
        foreign_append_time_(batch.timestamp_type() == TimestampType::log_append_time),
        create_time_(rules.timestamp_type == TimestampType::create_time),
        earliest_(saturating(now.ms, -static_cast<__int128>(rules.timestamp_before_max_ms))),
        latest_(saturating(now.ms, rules.timestamp_after_max_ms)) {}

  // Whether some record is to be blamed, from what a scan of all of them has found.
  bool broken_by(const RecordScan& scan) const {
    if (rules_.compacted && scan.any_without_key) return true;
    if (create_time_ && scan.max_timestamp > latest_) return true;
    if (create_time_ && scan.min_timestamp < earliest_) return true;
    return foreign_append_time_ && (!create_time_ || scan.any_without_timestamp);
  }
  void visit(std::int32_t index, std::int64_t timestamp, bool has_key) override {
    if (rules_.compacted && !has_key) [[unlikely]] {
      return blame(index, "a compacted topic needs a key in every record");
    }
    if (create_time_ && timestamp != kNoTimestamp) {
      if (timestamp < earliest_ || timestamp > latest_) [[unlikely]] {
        any_bad_timestamp_ = true;
        blame(index,
              fmt::format("timestamp {} is outside of [{}, {}]", timestamp, earliest_, latest_));
      }
    } else if (foreign_append_time_) [[unlikely]] {
      any_bad_timestamp_ = true;
      blame(index, "a producer must not set log-append time");
    }
  }

  Result<void> verdict() const {
    if (bad_ == 0) return {};
    const std::string text =
        fmt::format("{} records were refused; the first is record {}: {}", bad_,
                    errors_.front().batch_index, errors_.front().message);
    return fail(any_bad_timestamp_ ? Errc::invalid_timestamp : Errc::malformed, text);
  }

 private:
  static std::int64_t saturating(std::int64_t base, __int128 difference) {
    const __int128 sum = base + difference;
    constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
    constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
    if (sum < kMin) return kMin;
    return sum > kMax ? kMax : static_cast<std::int64_t>(sum);
  }
  void blame(std::int32_t index, std::string message) {
    ++bad_;
    if (errors_.size() < kRecordErrorsMax) errors_.push_back({index, std::move(message)});
  }

  const AppendRules& rules_;
  std::vector<RecordError>& errors_;
  bool foreign_append_time_;
  bool create_time_;
  std::int64_t earliest_;
  std::int64_t latest_;
  std::int32_t bad_ = 0;
  bool any_bad_timestamp_ = false;
};

Result<RecordBatch> parse_only_batch(ConstBytes bytes, const AppendRules& rules) {
  if (bytes.empty()) return fail(Errc::malformed, "no record batch");
  auto batch = RecordBatch::parse(bytes);
  if (!batch) {
    if (batch.error() == Errc::truncated) {
      return fail(Errc::malformed, "the record batch ends before its length says");
    }
    return batch;
  }
  if (batch->size() != bytes.size()) {
    return fail(Errc::malformed, "exactly one record batch per partition is allowed");
  }
  if (batch->size() > rules.max_message_bytes) {
    return fail(Errc::too_large, fmt::format("the batch has {} bytes, max.message.bytes is {}",
                                             batch->size(), rules.max_message_bytes));
  }
  return batch;
}

Result<void> check_header(const RecordBatch& batch, const AppendRules& rules) {
  if (!batch.crc_valid()) {
    return fail(Errc::corrupt, fmt::format("CRC of the batch is {:08x}, it says {:08x}",
                                           batch.computed_crc(), batch.stored_crc()));
  }
  if (rules.from_client && batch.base_offset() != Offset(0)) {
    return fail(Errc::malformed, fmt::format("the batch's base offset must be 0, it is {}",
                                             batch.base_offset().value()));
  }
  const std::int64_t span = std::int64_t{batch.last_offset_delta()} + 1;
  if (span <= 0 || batch.record_count() <= 0 || span != batch.record_count()) {
    return fail(Errc::malformed,
                fmt::format("{} records announced for {} offsets", batch.record_count(), span));
  }
  if (rules.from_client) {
    if (batch.is_control()) {
      return fail(Errc::malformed, "clients must not write control records");
    }
    // It would open a transaction that nobody ends: readers of committed records and the cleaner wait for its end for ever.
    if (batch.is_transactional()) {
      return fail(Errc::malformed, "transactions are not served");
    }
    if (batch.has_producer_id() && batch.producer_epoch() < 0) {
      return fail(Errc::malformed, fmt::format("epoch {} with producer id {}", batch.producer_epoch(),
                                               batch.producer_id().value()));
    }
    if (batch.has_producer_id() && batch.base_sequence() < 0) {
      return fail(Errc::malformed, fmt::format("sequence {} with producer id {}",
                                               batch.base_sequence(), batch.producer_id().value()));
    }
  }
  if (!batch.codec()) {
    return fail(Errc::unsupported_codec, fmt::format("attributes {:#06x}", batch.attributes()));
  }
  return {};
}

Result<RecordScan> scan_batch(const RecordBatch& batch, const AppendRules& rules, Codecs& codecs,
                              RecordVisitor* visitor) {
  if (*batch.codec() == Codec::none) return scan_records(batch, batch.payload(), visitor);
  TRY(reader, codecs.open(*batch.codec(), batch.payload(), rules.decompressed_bytes_max()));
  auto scan = scan_records(batch, *reader, visitor);
  // The checksum held, so these are the bytes the producer sent: sending them again would not help.
  if (!scan && scan.error() == Errc::corrupt) {
    return fail(Errc::malformed,
                "the compressed records cannot be opened: " + scan.error().message);
  }
  return scan;
}

// One walk over all records tells whether there is anything to blame; only then a second one finds
// out whom.
Result<RecordScan> scan_and_judge(const RecordBatch& batch, const AppendRules& rules, WallTime now,
                                  AppendWorkspace& workspace) {
  TRY(scan, scan_batch(batch, rules, workspace.codecs, nullptr));
  RecordRules record_rules(batch, rules, now, workspace.record_errors);
  if (!record_rules.broken_by(scan)) return scan;
  TRY_DONE(scan_batch(batch, rules, workspace.codecs, &record_rules));
  TRY_DONE(record_rules.verdict());
  return scan;
}

// The records under the header of `batch`, with another codec and consecutive offset deltas.
Result<Bytes> rebuild(const RecordBatch& batch, Codec target, const AppendRules& rules,
                      bool deltas_consecutive, AppendWorkspace& workspace) {
  TRY(payload,
      open_payload(batch, workspace.codecs, rules.decompressed_bytes_max(), workspace.opened));
  ConstBytes records = payload;
  if (!deltas_consecutive) {
    BatchBuilder& builder = workspace.builder;
    builder.begin({});
    // Encoded against the batch's own base timestamp, which the first append would otherwise
    // choose.
    for (RecordWalk walk(batch, payload); !walk.at_end();) {
      TRY(record, walk.next());
      builder.append(record);
    }
    records = ConstBytes(builder.finish()).subspan(kBatchHeaderBytes);
  }
  auto& out = workspace.rebuilt;
  const auto header = batch.bytes().first(kBatchHeaderBytes);
  out.assign(header.begin(), header.end());
  if (!deltas_consecutive) {
    const auto builder_header = *RecordBatch::parse(workspace.builder.finish());
    store_big_endian(out.data() + batch_field::kBaseTimestamp, builder_header.base_timestamp());
  }
  if (target == Codec::none) {
    out.insert(out.end(), records.begin(), records.end());
  } else {
    TRY_DONE(workspace.codecs.compress(target, rules.compression_level, records, out));
  }
  const auto attributes = static_cast<std::int16_t>(
      (batch.attributes() & ~batch_attribute::kCodecMask) | static_cast<std::int16_t>(target));
  store_big_endian(out.data() + batch_field::kAttributes, attributes);
  store_big_endian(out.data() + batch_field::kLength,
                   static_cast<std::int32_t>(out.size() - kBatchPrefixBytes));
  set_crc(out);
  if (out.size() > rules.max_message_bytes) {
    return fail(Errc::too_large, fmt::format("recompressed the batch has {} bytes, "
                                             "max.message.bytes is {}",
                                             out.size(), rules.max_message_bytes));
  }
  return Bytes(out);
}

}  // namespace

Result<ValidatedBatch> validate_for_append(Bytes bytes, const AppendRules& rules, WallTime now,
                                           AppendWorkspace& workspace) {
  workspace.record_errors.clear();
  TRY(batch, parse_only_batch(bytes, rules));
  TRY_DONE(check_header(batch, rules));
  TRY(scan, scan_and_judge(batch, rules, now, workspace));

  const Codec source = *batch.codec();
  Codec target = rules.compression.value_or(source);
  // Control records stay as they were written: the ones who read them know no codecs.
  if (batch.is_control() && source == Codec::none) target = Codec::none;

  ValidatedBatch validated;
  validated.bytes = bytes;
  validated.record_count = batch.record_count();
  if (source != target || !scan.deltas_consecutive) {
    TRY(rebuilt, rebuild(batch, target, rules, scan.deltas_consecutive, workspace));
    validated.bytes = rebuilt;
    validated.rebuilt = true;
  }
  if (rules.timestamp_type == TimestampType::log_append_time) {
    validated.max_timestamp = now.ms;
    validated.offset_delta_of_max_timestamp = batch.record_count() - 1;
    validated.append_time = now.ms;
  } else {
    validated.max_timestamp = scan.max_timestamp;
    validated.offset_delta_of_max_timestamp = scan.offset_delta_of_max_timestamp;
  }
  set_max_timestamp(validated.bytes, rules.timestamp_type, validated.max_timestamp);
  return validated;
}

}  // namespace millrace::log
