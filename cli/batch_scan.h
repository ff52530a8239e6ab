// Reads the headers of record batches as Fetch returns them: what they say of the records without
// unpacking any.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace millrace::cli {

struct BatchHeader {
  std::int64_t base_offset = 0;
  std::int32_t size_bytes = 0;  // of the whole batch with its header
  std::int16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  std::int64_t base_timestamp_ms = -1;
  std::int64_t max_timestamp_ms = -1;
  std::int32_t records_count = 0;

  std::int64_t last_offset() const { return base_offset + last_offset_delta; }
  std::uint8_t codec() const { return attributes & 0x7; }
  bool is_log_append_time() const { return (attributes & 0x8) != 0; }
  bool is_control() const { return (attributes & 0x20) != 0; }
};

// none, gzip, snappy, lz4, zstd.
std::string_view codec_name(std::uint8_t codec);

inline constexpr std::size_t kBatchHeaderBytes = 61;

// The header of the batch that begins `bytes`; nothing where fewer bytes are there, or where it is
// not of format 2. The batch may be cut off after its header.
std::optional<BatchHeader> read_batch_header(ConstBytes bytes);

// Calls `take` with the header and the bytes of each whole batch, and of one that is cut off after
// its header at the end.
void for_each_batch(ConstBytes bytes,
                    const std::function<void(const BatchHeader&, ConstBytes)>& take);

// The timestamp of the first record at or after `offset`. Exact, but in a compressed batch, where it
// is that of the batch's first record. Nothing where `bytes` hold no such batch.
std::optional<std::int64_t> timestamp_at(ConstBytes bytes, std::int64_t offset);

}  // namespace millrace::cli
