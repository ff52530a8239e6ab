// WriteAhead: one shard's log of what its `fsync` partitions have appended, so that one direct write makes every partition's
// waiting batches durable at once (docs/decisions/035). The segments get the same bytes through the page cache, before; once they
// are synced, in the background, the space here is written over.
//
// Shard:      one each.
// Lifetime:   start() before the first append; stop() when all logs are closed.
// Invariant:  two writes in flight at most, told of in their order. What append() was given is durable when its client is told
//             so, and not before; and so is all that was given before it.
// Kept:       what a log could not sync is copied to a file of its own before its space is given up, under the name of a shard
//             that no process has (kKeptShardFrom): the next start replays it as it does every other.
// Size:       small at first and doubled while traffic asks for more, up to its bound; all of it written before it is used.
// Format:     write_ahead_format.h.
#pragma once

#include <boost/intrusive/list.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "engine/log/aligned_buffer.h"
#include "engine/log/write_ahead_format.h"
#include "io/gate.h"
#include "io/proactor.h"
#include "io/reactor.h"
#include "io/task.h"
#include "io/wait.h"

namespace millrace::log {

// Not more files of what was kept than so many of one shard and process.
inline constexpr std::uint32_t kKeptFilesMax = 16;

// While the device makes one write durable the next one gets there.
inline constexpr std::size_t kFramesInFlight = 2;

// A log that appends here.
class WriteAheadClient : public boost::intrusive::list_base_hook<> {
 public:
  // Everything up to `end` that was appended is durable.
  virtual void on_write_ahead_durable(Offset end) = 0;
  // The write-ahead log has failed for good: durability must come from syncing the segments.
  virtual void on_write_ahead_failed() = 0;
  // Syncs the segments. An error has been dealt with by the log; what it has here is kept for the next start.
  virtual io::Task<Result<void>> sync_segments() = 0;
  virtual TopicPartition write_ahead_id() const = 0;

 protected:
  ~WriteAheadClient() = default;
};

struct WriteAheadOptions {
  std::string path;
  std::uint32_t shard = 0;
  std::uint64_t bytes_max = std::uint64_t{256} << 20;
  // What it begins with; it doubles when traffic fills it faster than the segments are synced.
  std::uint64_t bytes_first = std::uint64_t{16} << 20;
};

class WriteAhead final : public io::TurnHook {
 public:
  // Counted on the shard, for metrics.
  struct Counters {
    std::uint64_t writes = 0;
    std::uint64_t bytes = 0;
    std::uint64_t recycle_rounds = 0;
  };

  WriteAhead(io::Proactor& proactor, WriteAheadOptions options);
  ~WriteAhead() override;

  // Opens or makes the file and marks it in use. Errors: disk_full (says how much is needed), io_error, corrupt,
  // invalid_argument (what it holds was not replayed).
  io::Task<Result<void>> start();
  // Marks it empty. Requires: every client has synced its segments and is gone.
  io::Task<void> stop();

  // Larger appends do not fit; the client syncs its segment instead.
  std::uint64_t append_bytes_max() const;
  bool failed() const { return failed_; }
  // Copies a client's whole batches, which follow each other in offsets, into the next write. Tells the client when it is
  // done. Requires: not failed(), at most append_bytes_max() bytes. Gives the number of the write, for completed().
  std::uint64_t append(WriteAheadClient& client, const TopicPartition& partition, LeaderEpoch epoch,
                       Offset base_offset, Offset end_offset, std::span<const ::iovec> slices,
                       std::uint64_t bytes);
  // Notes that the client's log was cut or begins anew at `offset`.
  std::uint64_t note(WriteAheadClient& client, const TopicPartition& partition,
                     WriteAheadEntry::Kind kind, Offset offset);
  // Completes when the write with this number and all before it are done, well or not.
  io::Task<void> completed(std::uint64_t sequence);
  // The client is about to go: its segments are synced and its writes completed.
  void forget(WriteAheadClient& client);
  // The client's log is offline, its segments in doubt: what is held of it is kept for the next start.
  void keep(const WriteAheadClient& client) { in_doubt_.emplace(client.write_ahead_id(), next_sequence_); }

  const Counters& counters() const { return counters_; }

 private:
  struct Notice {
    WriteAheadClient* client;
    Offset end;
  };
  // A write being gathered, in flight, or done while one before it is still in flight.
  struct Frame {
    AlignedBuffer bytes;
    std::vector<Notice> notices;
    std::uint64_t sequence = 0;
    std::uint32_t entries = 0;
    std::uint32_t crc = 0;
    bool done = false;
  };
  // Where a finished write is, until it is written over.
  struct Placed {
    std::uint64_t sequence;
    std::uint64_t position;
    std::uint64_t bytes;
  };

  void at_turn_end() override;
  Frame& frame_with_room(std::size_t bytes);
  // Room for the entry and its batches at the end of the frame; writes the entry's header.
  std::byte* add_entry(Frame& frame, const WriteAheadEntry& entry);
  void add_client(Frame& frame, WriteAheadClient& client, Offset end);
  // A sync of a buffered file may be told of an error that another write's sync then is not told of: one at a time.
  bool may_write() const { return frames_.size() > in_flight_ && in_flight_ < (direct_ ? kFramesInFlight : 1); }
  void start_writing();
  io::Task<void> place_frames();
  // Gives it the next room of the file and makes its bytes ready. False: the file has failed.
  io::Task<bool> place_frame(Frame& frame);
  io::Task<void> write_frame(Frame& frame, std::uint64_t position);
  // Tells the clients of what is done and has nothing in flight before it.
  void finish_frames();
  io::Task<std::optional<std::uint64_t>> wait_for_room(std::uint64_t bytes);
  void start_recycling();
  void start_growing();
  io::Task<Result<void>> write_durably(std::uint64_t position, ConstBytes bytes);
  io::Task<Result<void>> write_file_header(FileState state, std::uint64_t live_from);
  io::Task<Result<void>> open_file();
  io::Task<Result<void>> fill(std::uint64_t from, std::uint64_t to, std::size_t at_once);
  io::Task<void> recycle();
  io::Task<void> grow();
  std::optional<std::uint64_t> place(std::uint64_t bytes) const;
  std::uint64_t frame_bytes_max() const;
  void fail_all(const Error& error);
  // Copies what is held of partitions in doubt in the writes before `live_from`; durable when complete. False: those writes
  // may not be given up, they are all there is.
  io::Task<bool> keep_doubtful(std::uint64_t live_from);
  io::Task<Result<std::uint64_t>> copy_doubtful(std::uint64_t live_from, const std::string& path);

  io::Proactor& proactor_;
  WriteAheadOptions options_;
  io::FileHandle file_ = io::kNoFile;
  bool direct_ = true;
  bool started_ = false;
  bool failed_ = false;
  bool placing_ = false;
  bool recycling_ = false;
  bool growing_ = false;
  std::uint64_t generation_ = 0;
  std::uint64_t header_serial_ = 0;
  std::uint64_t capacity_ = 0;
  std::uint64_t bytes_max_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t completed_ = 0;
  std::uint64_t head_ = kWriteAheadFramesFrom;
  std::deque<Placed> placed_;
  std::uint64_t live_bytes_ = 0;
  // The first in_flight_ ones are in flight or waited for by one that is; what is behind them is being gathered.
  std::deque<Frame> frames_;
  std::size_t in_flight_ = 0;
  // Memory of finished frames, kept warm.
  std::vector<AlignedBuffer> spare_;
  boost::intrusive::list<WriteAheadClient> dirty_;
  // Partitions whose segments could not be synced, offline until the next start; all of theirs is in writes before this one.
  std::unordered_map<TopicPartition, std::uint64_t> in_doubt_;
  std::uint32_t files_kept_ = 0;
  io::Event progress_;
  io::Event room_;
  io::Gate gate_;
  Counters counters_;
};

}  // namespace millrace::log
