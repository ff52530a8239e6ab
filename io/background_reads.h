// BackgroundReads: in which order and in what pieces one shard's reads into the page cache go to the disk. A write that somebody
// waits for stands at the disk behind whatever was asked for before it, and reads of old data are megabytes; so while there are
// such writes, reads go one piece at a time, and the kernel is told to read nothing beyond it.
//
// Shard:     one each, in its proactor, which moves the bytes.
// Order:     whoever has had a piece goes behind those who wait.
// DurableWrites is the process's: the shards have one disk, and each must know of the others' writes.
#pragma once

#include <boost/intrusive/list.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/time.h"
#include "io/proactor.h"

namespace millrace::io {

// When a write that is durable once it completes was last asked for, on any shard, and whether one is on its way.
class DurableWrites {
 public:
  // For so long after one more of them are expected.
  static constexpr Duration kExpected = std::chrono::seconds(1);

  // Each one that was begun ends.
  void begin(Instant now) {
    last_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    under_way_.fetch_add(1, std::memory_order_relaxed);
  }
  void end() { under_way_.fetch_sub(1, std::memory_order_relaxed); }
  bool under_way() const { return under_way_.load(std::memory_order_relaxed) > 0; }
  bool expected(Instant now) const {
    const Duration last(last_.load(std::memory_order_relaxed));
    return last != kNever && now.time_since_epoch() < last + kExpected;
  }

 private:
  static constexpr Duration kNever = Duration::min();
  std::atomic<Duration::rep> last_{kNever.count()};
  std::atomic<std::uint32_t> under_way_{0};
};

class BackgroundReads {
 public:
  // What one piece may have, and where in a file pieces end.
  static constexpr std::uint64_t kPieceBytes = 128 * 1024;

  // One range to be brought in. Its owner keeps it where it is from add() until ended() has given the result.
  struct Read : boost::intrusive::list_base_hook<> {
    FileHandle file = kNoFile;
    std::uint64_t position = 0;  // where what is left begins
    std::uint64_t left = 0;
    std::uint64_t piece = 0;     // what is at the disk of it
    bool in_pieces = false;      // nothing beyond the piece is to be read
    bool cancelled = false;
    std::int64_t done = 0;
  };

  // `start` takes a read's piece to the disk; it ends later, never inside of the call. `at_once`: so many may be there.
  BackgroundReads(std::shared_ptr<DurableWrites> writes, unsigned at_once, std::function<void(Read&)> start)
      : writes_(std::move(writes)), at_once_(at_once), start_(std::move(start)) {}
  ~BackgroundReads() { waiting_.clear(); }
  BackgroundReads(const BackgroundReads&) = delete;

  void add(Read& read, FileHandle file, std::uint64_t position, std::uint64_t length, Instant now);
  // The piece has ended with so many bytes, or -errno. Gives what the whole read ends with, or nothing when there is more to
  // come of it; others go on either way.
  std::optional<std::int64_t> ended(Read& read, std::int64_t result, Instant now);
  // True: nothing of it is at the disk, and it is nobody's now. Otherwise the piece under way is its last.
  bool cancel(Read& read);

  std::size_t waiting() const { return waiting_.size(); }
  DurableWrites& durable_writes() const { return *writes_; }

 private:
  void start_more(Instant now);

  std::shared_ptr<DurableWrites> writes_;
  unsigned at_once_;
  unsigned running_ = 0;
  std::function<void(Read&)> start_;
  boost::intrusive::list<Read> waiting_;
};

}  // namespace millrace::io
