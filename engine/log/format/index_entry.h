// Entries of the three index files beside a segment, as Kafka writes them; and the epoch-stable
// numbers that tell them apart.
//   .index      8 bytes: offset relative to the segment's base, position in the data file
//   .timeindex 12 bytes: timestamp, offset relative to the segment's base
//   .txnindex  34 bytes: version 0, producer id, first and last offset of an aborted transaction,
//   last stable offset then
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace millrace::log {

// Says: a batch whose last offset is base + relative_offset starts at `position`.
struct OffsetIndexEntry {
  static constexpr std::size_t kBytes = 8;
  std::int32_t relative_offset = 0;
  std::int32_t position = 0;

  auto operator<=>(const OffsetIndexEntry&) const = default;
  static OffsetIndexEntry load(const std::byte* from);
  void store(std::byte* to) const;
};

// Says: no record before base + relative_offset, that one included, is younger than `timestamp`.
struct TimeIndexEntry {
  static constexpr std::size_t kBytes = 12;
  std::int64_t timestamp = 0;
  std::int32_t relative_offset = 0;

  auto operator<=>(const TimeIndexEntry&) const = default;
  static TimeIndexEntry load(const std::byte* from);
  void store(std::byte* to) const;
};

// A transaction that was aborted: readers of committed records skip what its producer wrote in
// [first, last].
struct AbortedTransaction {
  static constexpr std::size_t kBytes = 34;
  ProducerId producer_id;
  Offset first_offset;
  // Of its marker.
  Offset last_offset;
  // Of the partition, once the marker was appended.
  Offset last_stable_offset;

  auto operator<=>(const AbortedTransaction&) const = default;
  // Errors: unsupported (an entry version we do not know).
  static Result<AbortedTransaction> load(ConstBytes from);
  void store(std::byte* to) const;
};

// `offset` as an index of a segment at `base` holds it; empty if it does not fit, so that the
// segment must roll first.
std::optional<std::int32_t> relative_offset(Offset base, Offset offset);

}  // namespace millrace::log
