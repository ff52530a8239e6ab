// BackgroundReads: in which order and in what pieces one shard's reads into the page cache go to the disk. A write that somebody
// waits for stands at the disk behind whatever was asked for before it, and reads of old data are megabytes; so while there are
// such writes, reads go one piece at a time, and the kernel is told to read nothing beyond it.
//
// Shard:     one each, in its proactor, which moves the bytes.
// Order:     whoever has had a piece goes behind those who wait.
// DurableWrites is the process's: the shards have one disk, and each must know of the others' writes. So is what the kernel was told
// of its open files, of which any shard may read.
#pragma once

#include <boost/intrusive/list.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/time.h"
#include "io/proactor.h"

namespace millrace::io {

// Of which open files the kernel was told to read nothing ahead, so that each is told of once and not with every read.
class BoundedFiles {
 public:
  // A handle of this number is new; the kernel reads ahead of its file.
  void opened(FileHandle file) { set(file, false); }
  // Whether the kernel is to be told now: from here on it counts as told.
  bool bound(FileHandle file) {
    if (!has_place(file)) return true;
    std::atomic<bool>& bounded = bounded_[static_cast<std::size_t>(file.value())];
    if (bounded.load(std::memory_order_relaxed)) return false;
    bounded.store(true, std::memory_order_relaxed);
    return true;
  }
  // The kernel was told that it may. Behind the call, as bound() comes before it: of two shards at once the last word may be
  // either's, but none is taken for bounded that is not.
  void unbounded(FileHandle file) { set(file, false); }

 private:
  // Larger ones are told of every time.
  static constexpr std::int32_t kHandlesMax = 65'536;
  static bool has_place(FileHandle file) { return file.value() >= 0 && file.value() < kHandlesMax; }
  void set(FileHandle file, bool bounded) {
    if (has_place(file)) bounded_[static_cast<std::size_t>(file.value())].store(bounded, std::memory_order_relaxed);
  }

  std::array<std::atomic<bool>, kHandlesMax> bounded_{};
};

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
  BoundedFiles& bounded_files() { return bounded_files_; }

 private:
  static constexpr Duration kNever = Duration::min();
  std::atomic<Duration::rep> last_{kNever.count()};
  std::atomic<std::uint32_t> under_way_{0};
  BoundedFiles bounded_files_;
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
