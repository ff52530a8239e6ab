// OffsetMap: for each key of the part of a log that was not compacted yet, the offset of its last record.
//
// Open addressing over slots of 16 bytes: 96 bits of the key's hash (key_hash.h says why that is enough) and the offset
// from the map's first one. Memory is taken in pieces of 64 KiB as slots are touched, and never more than it was made for.
//
// Shard:      the cleaner's.
// Lifetime:   of one pass over a log.
// Invariant:  size() <= keys_max(), which is below the number of slots, so that a search ends.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "engine/log/compaction/key_hash.h"

namespace millrace::log {

struct OffsetMapOptions {
  // The least offset that will be put.
  Offset first_offset{0};
  // An upper bound of the keys to come; the table is made no larger than they need.
  std::uint64_t keys_expected = 0;
  std::uint64_t bytes_max = std::uint64_t{128} << 20;
  // How full the table may get.
  double load_max = 0.9;
  HashSecret secret;
};

class OffsetMap {
 public:
  static constexpr std::size_t kSlotBytes = 16;

  explicit OffsetMap(const OffsetMapOptions& options);

  // Notes the record of a key; offsets come in growing order. False when there is no room for another key, or the offset is
  // too far from the first one: the map is full then and says the same as before.
  bool put(ConstBytes key, Offset offset);
  std::optional<Offset> find(ConstBytes key) const;

  std::uint64_t size() const { return size_; }
  std::uint64_t keys_max() const { return keys_max_; }
  // Taken so far.
  std::uint64_t bytes() const { return pieces_taken_ * kPieceSlots * kSlotBytes; }

 private:
  struct Slot {
    std::uint64_t low;
    std::uint32_t high;
    std::uint32_t offset_plus_one;  // 0: the slot is free
  };
  static_assert(sizeof(Slot) == kSlotBytes);
  static constexpr std::size_t kPieceSlots = 4096;

  // Where the key is, or where it would be put; null when that piece was never touched.
  const Slot* look(const KeyHash& hash, std::uint64_t& index) const;

  Offset first_offset_;
  HashSecret secret_;
  std::uint64_t slots_;
  std::uint64_t keys_max_;
  std::uint64_t size_ = 0;
  std::uint64_t pieces_taken_ = 0;
  std::vector<std::unique_ptr<Slot[]>> pieces_;
};

}  // namespace millrace::log
