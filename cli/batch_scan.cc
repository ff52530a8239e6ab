#include "cli/batch_scan.h"

#include <algorithm>
#include <array>

namespace millrace::cli {
namespace {

// Where the fields of a batch of format 2 begin.
constexpr std::size_t kLengthAt = 8;
constexpr std::size_t kMagicAt = 16;
constexpr std::size_t kAttributesAt = 21;
constexpr std::size_t kLastOffsetDeltaAt = 23;
constexpr std::size_t kBaseTimestampAt = 27;
constexpr std::size_t kMaxTimestampAt = 35;
constexpr std::size_t kRecordsCountAt = 57;
constexpr std::size_t kLengthEnd = 12;  // the length counts what follows it
constexpr std::byte kMagic{2};

template <class T>
T field(ConstBytes bytes, std::size_t at) {
  return load_big_endian<T>(bytes.data() + at);
}

// Takes a zigzag varint of up to 64 bits from the front.
std::optional<std::int64_t> take_varint(ConstBytes& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes = bytes.subspan(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80)
      return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  return std::nullopt;
}

// Walks over the records of an uncompressed batch. Where its end is missing, the batch's first
// timestamp stands for what lies there; nothing where the batch has no record at or after `offset`.
std::optional<std::int64_t> timestamp_within(const BatchHeader& header, ConstBytes batch,
                                             std::int64_t offset) {
  ConstBytes rest = batch.subspan(kBatchHeaderBytes);
  for (std::int32_t i = 0; i < header.records_count; ++i) {
    const auto size = take_varint(rest);
    if (!size || *size < 1 || static_cast<std::uint64_t>(*size) > rest.size())
      return header.base_timestamp_ms;
    ConstBytes record = rest.subspan(0, static_cast<std::size_t>(*size));
    rest = rest.subspan(record.size());
    record = record.subspan(1);  // attributes, of which there are none
    const auto timestamp_delta = take_varint(record);
    const auto offset_delta = take_varint(record);
    if (!timestamp_delta || !offset_delta) return header.base_timestamp_ms;
    if (header.base_offset + *offset_delta >= offset)
      return header.base_timestamp_ms + *timestamp_delta;
  }
  return std::nullopt;
}

}  // namespace

std::string_view codec_name(std::uint8_t codec) {
  static constexpr std::array<std::string_view, 5> kNames = {"none", "gzip", "snappy", "lz4",
                                                             "zstd"};
  return codec < kNames.size() ? kNames[codec] : "unknown";
}

std::optional<BatchHeader> read_batch_header(ConstBytes bytes) {
  if (bytes.size() < kBatchHeaderBytes || bytes[kMagicAt] != kMagic) return std::nullopt;
  const auto length = field<std::int32_t>(bytes, kLengthAt);
  if (length < static_cast<std::int32_t>(kBatchHeaderBytes - kLengthEnd) ||
      length > (std::int32_t{1} << 30)) {
    return std::nullopt;
  }
  return BatchHeader{.base_offset = field<std::int64_t>(bytes, 0),
                     .size_bytes = length + static_cast<std::int32_t>(kLengthEnd),
                     .attributes = field<std::int16_t>(bytes, kAttributesAt),
                     .last_offset_delta = field<std::int32_t>(bytes, kLastOffsetDeltaAt),
                     .base_timestamp_ms = field<std::int64_t>(bytes, kBaseTimestampAt),
                     .max_timestamp_ms = field<std::int64_t>(bytes, kMaxTimestampAt),
                     .records_count = field<std::int32_t>(bytes, kRecordsCountAt)};
}

void for_each_batch(ConstBytes bytes,
                    const std::function<void(const BatchHeader&, ConstBytes)>& take) {
  while (const auto header = read_batch_header(bytes)) {
    const auto size = std::min(static_cast<std::size_t>(header->size_bytes), bytes.size());
    take(*header, bytes.subspan(0, size));
    bytes = bytes.subspan(size);
  }
}

std::optional<std::int64_t> timestamp_at(ConstBytes bytes, std::int64_t offset) {
  std::optional<std::int64_t> found;
  for_each_batch(bytes, [&](const BatchHeader& header, ConstBytes batch) {
    if (found || header.last_offset() < offset) return;
    if (header.is_log_append_time()) {
      found = header.max_timestamp_ms;
    } else if (header.codec() != 0) {
      found = header.base_timestamp_ms;
    } else {
      found = timestamp_within(header, batch, offset);
    }
  });
  return found;
}

}  // namespace millrace::cli
