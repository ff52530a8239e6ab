#include "net/wire/frame.h"

#include <fmt/core.h>

namespace millrace::wire {

FrameScan scan_frame(ConstBytes received, std::size_t frame_bytes_max) {
  FrameScan scan;
  if (received.size() < kFrameLengthBytes) return scan;
  scan.length = load_big_endian<std::int32_t>(received.data());
  if (scan.length < 0 || static_cast<std::size_t>(scan.length) > frame_bytes_max) {
    scan.state = FrameScan::State::refused;
    return scan;
  }
  const auto length = static_cast<std::size_t>(scan.length);
  scan.bytes_wanted = kFrameLengthBytes + length;
  if (received.size() < scan.bytes_wanted) return scan;
  scan.state = FrameScan::State::frame;
  scan.body = received.subspan(kFrameLengthBytes, length);
  scan.bytes_used = scan.bytes_wanted;
  return scan;
}

std::string refusal_text(const FrameScan& scan, std::size_t frame_bytes_max) {
  if (scan.length < 0) return fmt::format("a frame announces {} bytes", scan.length);
  return fmt::format("a frame announces {} bytes, socket.request.max.bytes is {}", scan.length,
                     frame_bytes_max);
}

}  // namespace millrace::wire
