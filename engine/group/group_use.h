// GroupUse: what the groups of one shard use of its memory, over all the machines of the shard, and how much they may.
//
// Shard:      its GroupCoordinators'. Whoever keeps something counts it here for as long as it lives.
// Limit:      what would be over it is refused with COORDINATOR_NOT_AVAILABLE, which clients take as a reason to wait and try
//             again; what stands in the log was acknowledged and is loaded anyway, and may be committed anew as long as it does
//             not grow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace millrace::engine {

struct GroupUse {
  std::size_t members = 0;
  std::size_t offsets = 0;
  // Of all there is: ids as often as they are kept, what members say and have, patterns, offsets with their metadata; and the
  // nodes that hold them.
  std::size_t bytes = 0;
  std::size_t members_max = 200'000;
  std::size_t bytes_max = std::size_t{512} << 20;

  bool has_room_for_member(std::size_t more) const {
    return members < members_max && has_room_for_bytes(more);
  }
  bool has_room_for_bytes(std::size_t more) const { return more <= bytes_max - std::min(bytes, bytes_max); }
};

// A group is kept with its id as key, as name, and in the timers of its joins and assignments.
constexpr std::size_t group_bytes(std::size_t id_bytes) {
  return 1024 + 4 * id_bytes;
}
// Of the consumer protocol: with its id again, and among those whose patterns are to be looked up.
constexpr std::size_t consumer_group_bytes(std::size_t id_bytes) {
  return 768 + 2 * id_bytes;
}

}  // namespace millrace::engine
