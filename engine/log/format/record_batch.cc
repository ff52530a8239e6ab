#include "engine/log/format/record_batch.h"

#include <fmt/core.h>

#include <limits>

#include "base/check.h"

namespace millrace::log {

namespace {

// What the length field does not count.
constexpr std::int32_t kLengthMin =
    static_cast<std::int32_t>(kBatchHeaderBytes - kBatchPrefixBytes);
// A message of format v0 without key and value, the smallest that ever was.
constexpr std::int32_t kOldLengthMin = 14;

}  // namespace

Result<std::size_t> RecordBatch::size_at(ConstBytes prefix) {
  if (prefix.size() < kBatchPrefixBytes) return fail(Errc::truncated, "batch prefix");
  const auto length = load_big_endian<std::int32_t>(prefix.data() + batch_field::kLength);
  if (length < kOldLengthMin) {
    return fail(Errc::corrupt, fmt::format("batch length {} is below the smallest", length));
  }
  return kBatchPrefixBytes + static_cast<std::size_t>(length);
}

Result<RecordBatch> RecordBatch::parse(ConstBytes bytes) {
  TRY(size, size_at(bytes));
  if (bytes.size() <= batch_field::kMagic) return fail(Errc::truncated, "batch header");
  const auto magic = load_big_endian<std::int8_t>(bytes.data() + batch_field::kMagic);
  if (magic == 0 || magic == 1) {
    return fail(Errc::unsupported, fmt::format("message format v{}; only v2 is served", magic));
  }
  if (magic != kBatchMagic) return fail(Errc::corrupt, fmt::format("batch magic {}", magic));
  if (size < kBatchHeaderBytes) {
    return fail(Errc::corrupt,
                fmt::format("batch length {} is below {}", size - kBatchPrefixBytes, kLengthMin));
  }
  if (bytes.size() < size) return fail(Errc::truncated, "batch");
  return RecordBatch(bytes.first(size));
}

std::int32_t RecordBatch::last_sequence() const {
  const std::int32_t first = base_sequence();
  return first < 0 ? kNoSequence : advance_sequence(first, last_offset_delta());
}

std::optional<Codec> RecordBatch::codec() const {
  const auto code = static_cast<std::uint8_t>(attributes() & batch_attribute::kCodecMask);
  if (code > kCodecLast) return std::nullopt;
  return static_cast<Codec>(code);
}

Result<void> RecordBatch::verify() const {
  if (!crc_valid()) {
    return fail(Errc::corrupt, fmt::format("batch at offset {}: CRC is {:08x}, stored {:08x}",
                                           base_offset().value(), computed_crc(), stored_crc()));
  }
  constexpr auto kOffsetMax = std::numeric_limits<std::int64_t>::max();
  if (last_offset_delta() < 0 || base_offset() < Offset(0) ||
      base_offset().value() >= kOffsetMax - last_offset_delta()) {
    return fail(Errc::corrupt, fmt::format("batch at offset {}: last offset delta {}",
                                           base_offset().value(), last_offset_delta()));
  }
  if (record_count() < 0 || record_count() - 1 > last_offset_delta()) {
    return fail(Errc::corrupt,
                fmt::format("batch at offset {}: {} records in {} offsets", base_offset().value(),
                            record_count(), std::int64_t{last_offset_delta()} + 1));
  }
  return {};
}

Result<RecordBatch> BatchWalk::next() {
  CHECK(!at_end());
  auto batch = RecordBatch::parse(bytes_.subspan(position_));
  if (batch) position_ += batch->size();
  return batch;
}

void set_base_offset(Bytes batch, Offset base_offset) {
  store_big_endian<std::int64_t>(batch.data() + batch_field::kBaseOffset, base_offset.value());
}

void set_leader_epoch(Bytes batch, LeaderEpoch epoch) {
  store_big_endian<std::int32_t>(batch.data() + batch_field::kLeaderEpoch, epoch.value());
}

void set_crc(Bytes batch) {
  const auto length = load_big_endian<std::int32_t>(batch.data() + batch_field::kLength);
  const std::size_t size = kBatchPrefixBytes + static_cast<std::size_t>(length);
  CHECK(size >= kBatchHeaderBytes);
  CHECK(size <= batch.size(), "{} of {} bytes", size, batch.size());
  const auto covered = batch.subspan(batch_field::kAttributes, size - batch_field::kAttributes);
  store_big_endian<std::uint32_t>(batch.data() + batch_field::kCrc, crc32c(covered));
}

void set_max_timestamp(Bytes batch, TimestampType type, std::int64_t max_timestamp) {
  std::byte* const attributes_at = batch.data() + batch_field::kAttributes;
  std::byte* const timestamp_at = batch.data() + batch_field::kMaxTimestamp;
  const auto before = load_big_endian<std::int16_t>(attributes_at);
  auto after = static_cast<std::int16_t>(before & ~batch_attribute::kLogAppendTime);
  if (type == TimestampType::log_append_time) after |= batch_attribute::kLogAppendTime;
  if (after == before && load_big_endian<std::int64_t>(timestamp_at) == max_timestamp) return;
  store_big_endian<std::int16_t>(attributes_at, after);
  store_big_endian<std::int64_t>(timestamp_at, max_timestamp);
  set_crc(batch);
}

}  // namespace millrace::log
