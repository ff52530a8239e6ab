#include "engine/log/format/batch_builder.h"

#include <algorithm>

#include "base/check.h"
#include "engine/log/format/varint.h"

namespace millrace::log {

namespace {

void put_bytes(std::vector<std::byte>& out, ConstBytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::size_t field_bytes(std::optional<ConstBytes> field) {
  if (!field) return 1;
  return varint_bytes(static_cast<std::int64_t>(field->size())) + field->size();
}

void put_field(std::vector<std::byte>& out, std::optional<ConstBytes> field) {
  if (!field) return put_varint(out, -1);
  put_varint(out, static_cast<std::int64_t>(field->size()));
  put_bytes(out, *field);
}

std::size_t headers_bytes(std::span<const RecordHeader> headers) {
  std::size_t bytes = varint_bytes(static_cast<std::int64_t>(headers.size()));
  for (const auto& header : headers) {
    bytes += field_bytes(as_bytes(header.key)) + field_bytes(header.value);
  }
  return bytes;
}

}  // namespace

void BatchBuilder::begin(const BatchOptions& options) {
  options_ = options;
  writer_.reset();
  bytes_.assign(kBatchHeaderBytes, std::byte{0});
  record_count_ = 0;
  last_delta_ = -1;
  base_timestamp_ = kNoTimestamp;
  max_timestamp_ = kNoTimestamp;
}

void BatchBuilder::append(std::int64_t timestamp, std::optional<ConstBytes> key,
                          std::optional<ConstBytes> value, std::span<const RecordHeader> headers) {
  append_at(last_delta_ + 1, timestamp, key, value, headers);
}

void BatchBuilder::append_at(std::int32_t offset_delta, std::int64_t timestamp,
                             std::optional<ConstBytes> key, std::optional<ConstBytes> value,
                             std::span<const RecordHeader> headers) {
  put_body(offset_delta, timestamp, key, value, headers_bytes(headers));
  put_varint(bytes_, static_cast<std::int64_t>(headers.size()));
  for (const auto& header : headers) {
    put_field(bytes_, as_bytes(header.key));
    put_field(bytes_, header.value);
  }
}

void BatchBuilder::append(const Record& record) { put_record(last_delta_ + 1, record); }

void BatchBuilder::append_in_place(const Record& record) { put_record(record.offset_delta, record); }

void BatchBuilder::put_record(std::int32_t offset_delta, const Record& record) {
  put_body(offset_delta, record.timestamp, record.key, record.value,
           varint_bytes(record.header_count) + record.headers.size());
  put_varint(bytes_, record.header_count);
  put_bytes(bytes_, record.headers);
}

void BatchBuilder::put_body(std::int32_t offset_delta, std::int64_t timestamp,
                            std::optional<ConstBytes> key, std::optional<ConstBytes> value,
                            std::size_t headers_size) {
  CHECK(offset_delta > last_delta_, "{} after {}", offset_delta, last_delta_);
  if (record_count_ == 0) base_timestamp_ = options_.delete_horizon_ms.value_or(timestamp);
  max_timestamp_ = std::max(max_timestamp_, timestamp);
  last_delta_ = offset_delta;
  ++record_count_;
  const auto timestamp_delta = static_cast<std::int64_t>(
      static_cast<std::uint64_t>(timestamp) - static_cast<std::uint64_t>(base_timestamp_));
  const std::size_t size = 1 + varint_bytes(timestamp_delta) + varint_bytes(offset_delta) +
                           field_bytes(key) + field_bytes(value) + headers_size;
  put_varint(bytes_, static_cast<std::int64_t>(size));
  bytes_.push_back(std::byte{0});
  put_varint(bytes_, timestamp_delta);
  put_varint(bytes_, offset_delta);
  put_field(bytes_, key);
  put_field(bytes_, value);
}

void BatchBuilder::write_header(std::vector<std::byte>& out, Codec codec) {
  CHECK(record_count_ > 0);
  auto attributes = static_cast<std::int16_t>(codec);
  const bool append_time = options_.timestamp_type == TimestampType::log_append_time;
  if (append_time) attributes |= batch_attribute::kLogAppendTime;
  if (options_.transactional) attributes |= batch_attribute::kTransactional;
  if (options_.control) attributes |= batch_attribute::kControl;
  if (options_.delete_horizon_ms) attributes |= batch_attribute::kDeleteHorizon;
  std::byte* const at = out.data();
  store_big_endian(at + batch_field::kBaseOffset, options_.base_offset.value());
  store_big_endian(at + batch_field::kLength,
                   static_cast<std::int32_t>(out.size() - kBatchPrefixBytes));
  store_big_endian(at + batch_field::kLeaderEpoch, options_.leader_epoch.value());
  store_big_endian(at + batch_field::kMagic, kBatchMagic);
  store_big_endian(at + batch_field::kAttributes, attributes);
  const std::int32_t last_delta = options_.last_offset_delta.value_or(last_delta_);
  CHECK(last_delta >= last_delta_, "{} before {}", last_delta, last_delta_);
  store_big_endian(at + batch_field::kLastOffsetDelta, last_delta);
  store_big_endian(at + batch_field::kBaseTimestamp, base_timestamp_);
  store_big_endian(at + batch_field::kMaxTimestamp,
                   append_time ? options_.append_time : max_timestamp_);
  store_big_endian(at + batch_field::kProducerId, options_.producer_id.value());
  store_big_endian(at + batch_field::kProducerEpoch, options_.producer_epoch);
  store_big_endian(at + batch_field::kBaseSequence, options_.base_sequence);
  store_big_endian(at + batch_field::kRecordCount, record_count_);
  set_crc(out);
}

Bytes BatchBuilder::finish() {
  write_header(bytes_, Codec::none);
  return bytes_;
}

Result<Bytes> BatchBuilder::finish(Codecs& codecs, Codec codec, int level) {
  if (codec == Codec::none) return finish();
  compressed_.assign(kBatchHeaderBytes, std::byte{0});
  TRY_DONE(
      codecs.compress(codec, level, ConstBytes(bytes_).subspan(kBatchHeaderBytes), compressed_));
  write_header(compressed_, codec);
  return Bytes(compressed_);
}

Result<std::optional<Bytes>> BatchBuilder::finish_some(Codecs& codecs, Codec codec, int level,
                                                       std::size_t plain_bytes) {
  if (codec == Codec::none) return finish();
  const ConstBytes plain = ConstBytes(bytes_).subspan(kBatchHeaderBytes);
  if (!writer_) {
    TRY(made, codecs.make_writer(codec, level, plain.size()));
    writer_ = std::move(made);
    plain_done_ = 0;
    compressed_.assign(kBatchHeaderBytes, std::byte{0});
  }
  const ConstBytes piece = plain.subspan(plain_done_, std::min(plain.size() - plain_done_, plain_bytes));
  writer_->add(piece, compressed_);
  plain_done_ += piece.size();
  if (plain_done_ < plain.size()) return std::optional<Bytes>();
  writer_->end(compressed_);
  writer_.reset();
  write_header(compressed_, codec);
  return Bytes(compressed_);
}

}  // namespace millrace::log
