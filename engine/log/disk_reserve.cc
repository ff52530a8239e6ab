#include "engine/log/disk_reserve.h"

#include <algorithm>
#include <limits>

#include "base/logging.h"

namespace millrace::log {
namespace {

// How long a look is believed, and how long when it said that there is no room.
constexpr Duration kBelieved = std::chrono::seconds(1);
constexpr Duration kRefusalBelieved = std::chrono::milliseconds(100);
// The part of the room that is given away before the next look.
constexpr std::uint64_t kRoomPart = 16;

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

}  // namespace

void DiskReserve::look(Instant now) {
  looked_ = now;
  looked_before_ = true;
  since_look_ = 0;
  const auto free = proactor_.free_bytes(directory_);
  const auto total = proactor_.total_bytes(directory_);
  if (!free || !total) {
    // A file system that cannot be asked will answer the write itself.
    room_ = kNoLimit;
    return;
  }
  room_ = *free > mark(*total) ? *free - mark(*total) : 0;
}

bool DiskReserve::admit(std::uint64_t bytes, Instant now) {
  if (percent_ == 0) return true;
  const Duration believed = refusing_ ? kRefusalBelieved : kBelieved;
  const bool old = !looked_before_ || now - looked_ >= believed;
  if (old || (!refusing_ && since_look_ + bytes > room_ / kRoomPart)) look(now);
  const bool fits = since_look_ + bytes <= room_;
  if (fits) since_look_ += bytes;
  if (refusing_ == !fits) return fits;
  refusing_ = !fits;
  if (refusing_) {
    LOG(warn, "disk.reserve_reached", "directory={} percent={} hint=\"produce is refused until there is room\"",
        directory_, percent_);
  } else {
    LOG(info, "disk.reserve_left", "directory={}", directory_);
  }
  return fits;
}

bool DiskReserve::admit_rewrite(std::uint64_t bytes) const {
  if (percent_ == 0) return true;
  const auto free = proactor_.free_bytes(directory_);
  const auto total = proactor_.total_bytes(directory_);
  return !free || !total || *free >= bytes + mark(*total) / 2;
}

std::uint64_t DiskReserve::room() const {
  if (percent_ == 0 || !looked_before_) return kNoLimit;
  return room_ > since_look_ ? room_ - since_look_ : 0;
}

}  // namespace millrace::log
