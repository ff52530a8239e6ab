#include "engine/log/write_ahead_format.h"

#include <algorithm>

#include "base/crc32c.h"
#include "engine/log/format/record_batch.h"

namespace millrace::log {
namespace {

constexpr std::uint64_t kFileMagic = 0x4d494c4c57414c31;  // "MILLWAL1"
constexpr std::uint32_t kFrameMagic = 0x4d57464d;         // "MWFM"
constexpr std::uint32_t kFirstVersion = 1;

// Of the file header.
constexpr std::size_t kCoveredFrom = 16;

}  // namespace

void WriteAheadFileHeader::store(std::byte* to) const {
  std::memset(to, 0, kBytes);
  store_big_endian(to, kFileMagic);
  store_big_endian(to + 8, state == FileState::empty ? kFirstVersion : kWriteAheadVersion);
  store_big_endian(to + 16, generation);
  store_big_endian(to + 24, static_cast<std::uint32_t>(state));
  store_big_endian(to + 28, shard);
  store_big_endian(to + 32, live_from);
  store_big_endian(to + 40, serial);
  store_big_endian(to + 12, crc32c(ConstBytes(to + kCoveredFrom, kBytes - kCoveredFrom)));
}

Result<std::optional<WriteAheadFileHeader>> WriteAheadFileHeader::load(ConstBytes blocks) {
  if (blocks.size() < kWriteAheadFramesFrom) return std::optional<WriteAheadFileHeader>();
  auto first = load_one(blocks);
  auto second = load_one(blocks.subspan(kWriteAheadBlock));
  // One torn write leaves the other header as it was.
  if (!first && !second) return first;
  if (!first && second->has_value()) return second;
  if (!second && first->has_value()) return first;
  if (!first) return first;
  if (!second) return second;
  if (!first->has_value()) return second;
  if (!second->has_value()) return first;
  return (*first)->serial > (*second)->serial ? first : second;
}

Result<std::optional<WriteAheadFileHeader>> WriteAheadFileHeader::load_one(ConstBytes from) {
  const auto header = from.first(kBytes);
  if (std::ranges::all_of(header, [](std::byte byte) { return byte == std::byte{0}; })) {
    return std::optional<WriteAheadFileHeader>();
  }
  if (load_big_endian<std::uint64_t>(header.data()) != kFileMagic) {
    return fail(Errc::corrupt, "not a write-ahead log");
  }
  const auto version = load_big_endian<std::uint32_t>(header.data() + 8);
  if (version < kFirstVersion || version > kWriteAheadVersion) {
    return fail(Errc::unsupported, "write-ahead log of another version");
  }
  if (load_big_endian<std::uint32_t>(header.data() + 12) != crc32c(header.subspan(kCoveredFrom))) {
    return fail(Errc::corrupt, "write-ahead log header with a wrong checksum");
  }
  WriteAheadFileHeader result;
  result.version = version;
  result.generation = load_big_endian<std::uint64_t>(header.data() + 16);
  const auto state = load_big_endian<std::uint32_t>(header.data() + 24);
  if (state > static_cast<std::uint32_t>(FileState::in_use)) {
    return fail(Errc::corrupt, "write-ahead log in no known state");
  }
  result.state = static_cast<FileState>(state);
  result.shard = load_big_endian<std::uint32_t>(header.data() + 28);
  result.live_from = load_big_endian<std::uint64_t>(header.data() + 32);
  result.serial = load_big_endian<std::uint64_t>(header.data() + 40);
  return std::optional<WriteAheadFileHeader>(result);
}

void WriteAheadFrameHeader::store(std::byte* to) const {
  std::memset(to, 0, kBytes);
  store_big_endian(to, kFrameMagic);
  store_big_endian(to + 8, generation);
  store_big_endian(to + 16, sequence);
  store_big_endian(to + 24, bytes);
  store_big_endian(to + 28, entries);
  store_big_endian(to + 32, durable_through);
}

void WriteAheadFrameHeader::store_crc(std::byte* frame, std::uint32_t crc) {
  store_big_endian(frame + 4, crc);
}

std::optional<WriteAheadFrameHeader> WriteAheadFrameHeader::load(const std::byte* from, std::uint32_t version) {
  if (load_big_endian<std::uint32_t>(from) != kFrameMagic) return std::nullopt;
  WriteAheadFrameHeader header;
  header.crc = load_big_endian<std::uint32_t>(from + 4);
  header.generation = load_big_endian<std::uint64_t>(from + 8);
  header.sequence = load_big_endian<std::uint64_t>(from + 16);
  header.bytes = load_big_endian<std::uint32_t>(from + 24);
  header.entries = load_big_endian<std::uint32_t>(from + 28);
  header.durable_through = version < 2 ? header.sequence - 1 : load_big_endian<std::uint64_t>(from + 32);
  return header;
}

void WriteAheadEntry::store(std::byte* to) const {
  std::memset(to, 0, kBytes);
  to[0] = static_cast<std::byte>(kind);
  store_big_endian(to + 4, length);
  std::memcpy(to + 8, partition.topic_id.bytes.data(), partition.topic_id.bytes.size());
  store_big_endian(to + 24, partition.partition.value());
  store_big_endian(to + 28, leader_epoch.value());
  store_big_endian(to + 32, offset.value());
  store_big_endian(to + 40, end_offset.value());
}

Result<WriteAheadEntry> WriteAheadEntry::load(const std::byte* from) {
  WriteAheadEntry entry;
  const auto kind = std::to_integer<std::uint8_t>(from[0]);
  if (kind < 1 || kind > 3) return fail(Errc::corrupt, "write-ahead entry of no known kind");
  entry.kind = static_cast<Kind>(kind);
  entry.length = load_big_endian<std::uint32_t>(from + 4);
  std::memcpy(entry.partition.topic_id.bytes.data(), from + 8, 16);
  entry.partition.partition = PartitionIndex(load_big_endian<std::int32_t>(from + 24));
  entry.leader_epoch = LeaderEpoch(load_big_endian<std::int32_t>(from + 28));
  entry.offset = Offset(load_big_endian<std::int64_t>(from + 32));
  entry.end_offset = Offset(load_big_endian<std::int64_t>(from + 40));
  return entry;
}

Result<std::uint32_t> entry_checksum(ConstBytes entry, std::uint32_t seed) {
  std::uint32_t crc = crc32c(entry.first(WriteAheadEntry::kBytes), seed);
  for (ConstBytes rest = entry.subspan(WriteAheadEntry::kBytes); !rest.empty();) {
    TRY(size, RecordBatch::size_at(rest));
    if (size < kBatchHeaderBytes || size > rest.size()) {
      return fail(Errc::corrupt, "write-ahead entry with a batch that does not fit");
    }
    crc = crc32c(rest.first(kBatchHeaderBytes), crc);
    rest = rest.subspan(size);
  }
  return crc;
}

}  // namespace millrace::log
