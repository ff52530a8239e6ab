// DiskReserve: the part of a log directory's file system that records of clients leave free, so that on a disk they have filled
// the metadata log, checkpoints, deletions and recovery still find room.
//
// Shard:      one each, for each log directory. Shards do not tell each other what they write: each looks at the file system
//             itself, more often the less room there is.
// Bound:      refuses from the mark on; what other shards write between two looks may go below it by a small part of the room
//             that there was.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/time.h"
#include "io/proactor.h"

namespace millrace::log {

class DiskReserve {
 public:
  // The mark is never above this, however large the disk.
  static constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 30;

  // `percent` of the file system's size are left free; 0: nothing is.
  DiskReserve(io::Proactor& proactor, std::string directory, std::uint32_t percent)
      : proactor_(proactor), directory_(std::move(directory)), percent_(percent) {}
  DiskReserve(const DiskReserve&) = delete;

  // Whether so many bytes may be appended; if so they count as written.
  bool admit(std::uint64_t bytes, Instant now);
  // Whether the cleaner may write so many bytes. It gives room back in the end, and may take half of the reserve until then;
  // asks the file system.
  bool admit_rewrite(std::uint64_t bytes) const;
  // How much may be reserved ahead of writes.
  std::uint64_t room() const;

 private:
  void look(Instant now);
  std::uint64_t mark(std::uint64_t total) const { return std::min(total / 100 * percent_, kBytesMax); }

  io::Proactor& proactor_;
  std::string directory_;
  std::uint32_t percent_;
  bool refusing_ = false;
  bool looked_before_ = false;
  Instant looked_{};
  std::uint64_t room_ = 0;           // above the mark at the last look
  std::uint64_t since_look_ = 0;     // admitted since
};

}  // namespace millrace::log
