#include "engine/log/compaction/offset_map.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace millrace::log {
namespace {

constexpr std::uint64_t kSlotsMin = 2;

}  // namespace

OffsetMap::OffsetMap(const OffsetMapOptions& options)
    : first_offset_(options.first_offset), secret_(options.secret) {
  const double load = std::clamp(options.load_max, 0.01, 0.99);
  const auto needed = static_cast<std::uint64_t>(static_cast<double>(options.keys_expected) / load) + kSlotsMin;
  slots_ = std::max(std::min(options.bytes_max / kSlotBytes, needed), kSlotsMin);
  keys_max_ = std::min(static_cast<std::uint64_t>(static_cast<double>(slots_) * load), slots_ - 1);
  pieces_.resize((slots_ + kPieceSlots - 1) / kPieceSlots);
}

const OffsetMap::Slot* OffsetMap::look(const KeyHash& hash, std::uint64_t& index) const {
  // The high half is only partly kept, so it chooses the place: what is kept stays independent of it as far as it can.
  index = static_cast<std::uint64_t>((static_cast<unsigned __int128>(hash.high) * slots_) >> 64);
  const auto high = static_cast<std::uint32_t>(hash.high);
  while (true) {
    const Slot* const piece = pieces_[index / kPieceSlots].get();
    if (piece == nullptr) return nullptr;
    const Slot& slot = piece[index % kPieceSlots];
    if (slot.offset_plus_one == 0 || (slot.low == hash.low && slot.high == high)) return &slot;
    index = index + 1 == slots_ ? 0 : index + 1;
  }
}

bool OffsetMap::put(ConstBytes key, Offset offset) {
  const std::int64_t relative = offset - first_offset_;
  CHECK(relative >= 0, "offset {} before the map's first {}", offset.value(), first_offset_.value());
  if (relative >= std::numeric_limits<std::uint32_t>::max()) return false;
  const KeyHash hash = hash_key(key, secret_);
  std::uint64_t index = 0;
  const Slot* const found = look(hash, index);
  const bool known = found != nullptr && found->offset_plus_one != 0;
  if (!known && size_ >= keys_max_) return false;
  auto& piece = pieces_[index / kPieceSlots];
  if (piece == nullptr) {
    piece = std::make_unique<Slot[]>(kPieceSlots);
    ++pieces_taken_;
  }
  piece[index % kPieceSlots] = {.low = hash.low,
                                .high = static_cast<std::uint32_t>(hash.high),
                                .offset_plus_one = static_cast<std::uint32_t>(relative + 1)};
  if (!known) ++size_;
  return true;
}

std::optional<Offset> OffsetMap::find(ConstBytes key) const {
  std::uint64_t index = 0;
  const Slot* const found = look(hash_key(key, secret_), index);
  if (found == nullptr || found->offset_plus_one == 0) return std::nullopt;
  return first_offset_ + (std::int64_t{found->offset_plus_one} - 1);
}

}  // namespace millrace::log
