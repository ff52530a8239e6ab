// LogLimit: at most so many lines a second of one kind, so that whoever sends us rubbish cannot
// fill the disk with our complaints.
//
// Shard:  one each; a value.
#pragma once

#include <cstdint>
#include <utility>

#include "base/time.h"

namespace millrace::net {

class LogLimit {
 public:
  explicit LogLimit(std::uint32_t lines_per_second) : lines_per_second_(lines_per_second) {}

  // Whether a line may be written now; if not it is counted.
  bool allow(Instant now) {
    if (now - second_began_ >= std::chrono::seconds(1)) {
      second_began_ = now;
      lines_ = 0;
    }
    if (lines_ < lines_per_second_) {
      ++lines_;
      return true;
    }
    ++suppressed_;
    return false;
  }
  // How many lines were not written since this was last asked.
  std::uint64_t take_suppressed() { return std::exchange(suppressed_, 0); }

 private:
  std::uint32_t lines_per_second_;
  std::uint32_t lines_ = 0;
  std::uint64_t suppressed_ = 0;
  Instant second_began_{};
};

}  // namespace millrace::net
