// The bytes of a write-ahead log file (engine/log/write_ahead.h). All numbers are big-endian; blocks are 4 KiB.
//
//   blocks 0, 1   file header, written in turns, so that a torn write leaves the other one: which generation of frames is in
//                 use, or that none is
//   from block 2  frames, each beginning on a block, one write each; a ring in which new ones are written over old ones
//
// A frame is taken for real when its generation is the file's, its checksum holds and every batch in it has its own checksum
// right. The frame's checksum covers its entries' headers, the headers of the batches, which hold the checksums of the rest,
// and its own header: bytes of an older frame cannot pass. Sequence numbers grow by one from frame to frame. The file header
// says from which on they still matter, and is written before what it gives up is written over.
//
// More than one frame is in flight at a time, so that after a power cut a frame may be there without one before it. Clients
// are told in order, so nobody was told of what stands behind such a hole: it counts for nothing. Each frame says which ones
// were durable when its own write began; a hole among those is damage.
//
// Versions: 1 had one frame in flight and a shorter frame header; it is still read. A file marked empty says 1 again: nothing
// in it is of any version, and an older Millrace goes on from there.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace millrace::log {

inline constexpr std::size_t kWriteAheadBlock = 4096;

inline constexpr std::uint32_t kWriteAheadVersion = 2;

inline constexpr std::uint64_t kWriteAheadFramesFrom = 2 * kWriteAheadBlock;

// Files of what was kept for partitions in doubt count as those of shards from here on. What they hold is older than what any
// other file holds of the same partition.
inline constexpr std::uint32_t kKeptShardFrom = 1'000'000;
// And those of what a start could not replay from here on: all that any older file holds of its partitions.
inline constexpr std::uint32_t kUnreplayedShardFrom = 2'000'000;

constexpr std::uint64_t round_up_to_block(std::uint64_t bytes) {
  return (bytes + kWriteAheadBlock - 1) / kWriteAheadBlock * kWriteAheadBlock;
}

enum class FileState : std::uint32_t { empty = 0, in_use = 1 };

//   0 magic u64 · 8 version u32 · 12 crc32c u32 of 16..48 · 16 generation u64 · 24 state u32 · 28 shard u32 ·
//   32 live from u64 · 40 serial u64
struct WriteAheadFileHeader {
  static constexpr std::size_t kBytes = 48;
  std::uint64_t generation = 0;
  FileState state = FileState::empty;
  std::uint32_t shard = 0;
  // Frames before this one are in synced segments.
  std::uint64_t live_from = 0;
  // Grows with each header written; the block is its last bit's.
  std::uint64_t serial = 0;
  // Of what was loaded; store() writes kWriteAheadVersion, or 1 when the file is empty.
  std::uint32_t version = kWriteAheadVersion;

  std::uint64_t position() const { return (serial & 1) * kWriteAheadBlock; }
  void store(std::byte* to) const;
  // The newer one of the two in the file's first blocks. Empty when nothing was ever written there (all zero).
  // Errors: corrupt, unsupported (another version).
  static Result<std::optional<WriteAheadFileHeader>> load(ConstBytes blocks);

 private:
  static Result<std::optional<WriteAheadFileHeader>> load_one(ConstBytes from);
};

//   0 magic u32 · 4 crc32c u32 · 8 generation u64 · 16 sequence u64 · 24 bytes u32 · 28 entries u32 ·
//   32 durable through u64 (from version 2 on)
struct WriteAheadFrameHeader {
  static constexpr std::size_t kBytes = 40;
  static constexpr std::size_t bytes_in(std::uint32_t version) { return version < 2 ? 32 : kBytes; }
  // Where the part of the header begins that the checksum covers, after the entries.
  static constexpr std::size_t kCoveredFrom = 8;
  std::uint32_t crc = 0;
  std::uint64_t generation = 0;
  std::uint64_t sequence = 0;
  // Without the rest of the last block.
  std::uint32_t bytes = 0;
  std::uint32_t entries = 0;
  // The last frame that was durable, with all before it, when this one's write began.
  std::uint64_t durable_through = 0;

  // All but the checksum.
  void store(std::byte* to) const;
  static void store_crc(std::byte* frame, std::uint32_t crc);
  // Of a file of this version. Empty when the magic is another.
  static std::optional<WriteAheadFrameHeader> load(const std::byte* from, std::uint32_t version = kWriteAheadVersion);
};

//   0 kind u8 · 4 length u32 · 8 topic id · 24 partition i32 · 28 leader epoch i32 · 32 offset i64 · 40 end offset i64
struct WriteAheadEntry {
  static constexpr std::size_t kBytes = 48;
  enum class Kind : std::uint8_t { append = 1, truncate = 2, restart = 3 };
  Kind kind = Kind::append;
  // Of the batches behind this header.
  std::uint32_t length = 0;
  TopicPartition partition;
  LeaderEpoch leader_epoch;
  // append: the first batch's. truncate, restart: the new end.
  Offset offset;
  Offset end_offset;

  void store(std::byte* to) const;
  static Result<WriteAheadEntry> load(const std::byte* from);
};

// The checksum of an entry at `entry`, header and batch headers, continued from `seed`. Errors: corrupt (batches that do not
// fill the entry).
Result<std::uint32_t> entry_checksum(ConstBytes entry, std::uint32_t seed);

}  // namespace millrace::log
