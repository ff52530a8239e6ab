// Frames: on a connection every request and every response follows its length, four bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace millrace::wire {

inline constexpr std::size_t kFrameLengthBytes = 4;

// What the bytes received so far hold.
struct FrameScan {
  enum class State : std::uint8_t {
    need_more,  // `bytes_wanted` is how many there must be, from the start, to get further
    frame,      // `body` is a whole frame without its length; the next starts `bytes_used` in
    refused,    // the length is negative or above the limit: close the connection
  };

  State state = State::need_more;
  std::size_t bytes_wanted = kFrameLengthBytes;
  ConstBytes body;
  std::size_t bytes_used = 0;
  std::int32_t length = 0;  // as announced; valid once four bytes are there
};

// Looks at the front of what was received. Costs the same however long the frame is, so a caller
// may ask again after every read.
//
// frame_bytes_max: socket.request.max.bytes for requests.
FrameScan scan_frame(ConstBytes received, std::size_t frame_bytes_max);

// The sentence to log for a scan that was refused.
std::string refusal_text(const FrameScan& scan, std::size_t frame_bytes_max);

}  // namespace millrace::wire
