// A connection's bytes, cut into frames as they might arrive: the first byte is the size of each
// piece. However they arrive, the same frames come out, and none is above the limit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "net/wire/header.h"

namespace millrace {
namespace {

constexpr std::size_t kFrameBytesMax = 300;

struct Outcome {
  std::vector<std::size_t> frame_ends;
  bool refused = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome scan_all(ConstBytes stream, std::size_t piece) {
  Outcome outcome;
  std::size_t taken = 0;
  std::size_t received = 0;
  for (;;) {
    const auto scan = wire::scan_frame(stream.subspan(taken, received - taken), kFrameBytesMax);
    if (scan.state == wire::FrameScan::State::frame) {
      CHECK(scan.body.size() <= kFrameBytesMax);
      CHECK(scan.bytes_used <= received - taken);
      taken += scan.bytes_used;
      outcome.frame_ends.push_back(taken);
      continue;
    }
    if (scan.state == wire::FrameScan::State::refused) {
      outcome.refused = true;
      CHECK(!wire::refusal_text(scan, kFrameBytesMax).empty());
      break;
    }
    CHECK(scan.bytes_wanted > received - taken);
    if (received == stream.size()) break;
    received = std::min(stream.size(), received + piece);
  }
  return outcome;
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const auto stream =
      millrace::ConstBytes(reinterpret_cast<const std::byte*>(data), size).subspan(1);
  const std::size_t piece = std::size_t{1} + data[0];
  CHECK(millrace::scan_all(stream, piece) == millrace::scan_all(stream, size));
  return 0;
}
