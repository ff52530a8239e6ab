#include "tests/unit/engine/log/compaction/compacted_batches.h"

#include <fmt/format.h>

#include "base/check.h"
#include "engine/log/compression.h"

namespace millrace::log {
namespace {

std::optional<ConstBytes> bytes_of(const std::optional<std::string>& text) {
  return text ? std::optional(as_bytes(*text)) : std::nullopt;
}
std::optional<std::string> text_of_bytes(std::optional<ConstBytes> bytes) {
  return bytes ? std::optional(std::string(as_text(*bytes))) : std::nullopt;
}

}  // namespace

CompactedBatches::CompactedBatches() : codecs_(std::make_unique<Compression>()) {}
CompactedBatches::~CompactedBatches() = default;

Offset CompactedBatches::append(const Appended& appended) {
  BatchOptions options = appended.options;
  options.base_offset = end_;
  BatchBuilder builder(options);
  for (const auto& record : appended.records) {
    builder.append(record.timestamp, bytes_of(record.key), bytes_of(record.value));
  }
  const auto bytes = builder.finish(*codecs_, appended.codec, kDefaultCompressionLevel);
  CHECK(bytes.has_value());
  batches_.emplace_back(bytes->begin(), bytes->end());
  end_ += static_cast<std::int64_t>(appended.records.size());
  return options.base_offset;
}

Offset CompactedBatches::append_marker(ProducerId producer, std::int16_t epoch, bool commit, std::int64_t timestamp) {
  BatchBuilder builder({.base_offset = end_,
                        .producer_id = producer,
                        .producer_epoch = epoch,
                        .transactional = true,
                        .control = true});
  const ControlType type = commit ? ControlType::commit : ControlType::abort;
  append_control(builder, timestamp, type, encode(EndTransactionMarker{.type = type}));
  const auto bytes = builder.finish();
  batches_.emplace_back(bytes.begin(), bytes.end());
  end_ += 1;
  return end_ - 1;
}

Result<ConstBytes> CompactedBatches::open(const RecordBatch& batch) {
  return open_payload(batch, *codecs_, 1 << 20, opened_);
}

Result<Offset> CompactedBatches::clean(const Pass& pass) {
  AbortedTransactions aborted;
  for (const auto& bytes : batches_) {
    TRY(batch, RecordBatch::parse(bytes));
    if (batch.last_offset() >= cleaned_end_) TRY_DONE(aborted.observe(batch));
  }
  OffsetMap map({.first_offset = cleaned_end_,
                 .keys_expected = static_cast<std::uint64_t>(end_ - cleaned_end_),
                 .bytes_max = pass.map_bytes,
                 .secret = {.first = 7, .second = 9}});
  Offset map_end = cleaned_end_;
  bool full = false;
  for (const auto& bytes : batches_) {
    TRY(batch, RecordBatch::parse(bytes));
    if (batch.last_offset() < cleaned_end_) continue;
    TRY(payload, open(batch));
    const bool takes_records = !batch.is_control() && !aborted.contains(batch);
    for (RecordWalk walk(batch, payload); takes_records && !full && !walk.at_end();) {
      TRY(record, walk.next());
      if (record.key && record.offset >= cleaned_end_) full = !map.put(*record.key, record.offset);
    }
    if (full) break;
    map_end = batch.end_offset();
  }
  const RewriteRules rules{
      .map = map, .map_end = map_end, .now = pass.now, .delete_retention_ms = pass.delete_retention_ms};
  BatchRewrite rewrite(rules);
  MarkerTrack markers;
  std::vector<std::vector<std::byte>> kept;
  for (const auto& bytes : batches_) {
    TRY(batch, RecordBatch::parse(bytes));
    const auto last = pass.last_of_producer.find(batch.producer_id());
    const bool keep_empty = &bytes == &batches_.back() ||
                            (last != pass.last_of_producer.end() && last->second == batch.last_offset());
    TRY(verdict, judge(batch, aborted, markers, keep_empty, pass.now));
    TRY(payload, open(batch));
    rewrite.begin(batch, payload, verdict);
    for (bool done = false; !done;) {
      TRY(stepped, rewrite.step(pass.records_per_step));
      done = stepped;
    }
    std::optional<ConstBytes> finished;
    while (!finished) {
      TRY(some, rewrite.finish_some(*codecs_, 100));
      finished = some;
    }
    const ConstBytes left = *finished;
    if (!left.empty()) kept.emplace_back(left.begin(), left.end());
  }
  batches_ = std::move(kept);
  cleaned_end_ = map_end;
  return map_end;
}

Result<std::vector<KeyedRecord>> CompactedBatches::records() {
  std::vector<KeyedRecord> records;
  for (const auto& bytes : batches_) {
    TRY(batch, RecordBatch::parse(bytes));
    TRY_DONE(batch.verify());
    if (batch.is_control()) continue;
    TRY(payload, open(batch));
    for (RecordWalk walk(batch, payload); !walk.at_end();) {
      TRY(record, walk.next());
      records.push_back(
          {record.offset, record.timestamp, text_of_bytes(record.key), text_of_bytes(record.value)});
    }
  }
  return records;
}

std::string CompactedBatches::text_of(const std::vector<std::byte>& bytes) {
  const auto batch = RecordBatch::parse(bytes);
  CHECK(batch.has_value());
  CHECK(batch->verify().has_value());
  std::string text = fmt::format("{}..{}", batch->base_offset().value(), batch->last_offset().value());
  if (batch->codec() != Codec::none) text += fmt::format(" {}", to_string(*batch->codec()));
  if (batch->has_producer_id()) {
    text += fmt::format(" producer={} sequence={}..{}", batch->producer_id().value(), batch->base_sequence(),
                        batch->last_sequence());
  }
  if (batch->is_control()) text += " control";
  if (batch->has_delete_horizon()) text += fmt::format(" horizon={}", batch->base_timestamp());
  const auto payload = open(*batch);
  CHECK(payload.has_value());
  std::string records;
  for (RecordWalk walk(*batch, *payload); !walk.at_end();) {
    const auto record = walk.next();
    CHECK(record.has_value());
    if (batch->is_control()) {
      const auto type = control_type(*record);
      records += type == ControlType::commit ? " commit" : " abort";
      continue;
    }
    records += fmt::format(" {}:{}={}@{}", record->offset.value(), record->key ? as_text(*record->key) : "none",
                           record->value ? as_text(*record->value) : "none", record->timestamp);
  }
  return text + (records.empty() ? " empty" : records);
}

}  // namespace millrace::log
