#include "engine/log/write_ahead_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "base/crc32c.h"
#include "base/logging.h"
#include "engine/log/format/record_batch.h"
#include "engine/log/log_directory.h"
#include "engine/log/write_ahead_format.h"
#include "io/file.h"

namespace millrace::log {
namespace {

constexpr std::size_t kReadBytes = std::size_t{4} << 20;

// In the order in which they are to be read: what was kept comes before what was written after it.
Result<std::vector<std::string>> write_ahead_files(io::Proactor& proactor, const std::string& directory) {
  std::vector<std::string> names;
  auto entries = proactor.list(directory);
  if (!entries && entries.error() == Errc::not_found) return names;
  if (!entries) return fail(std::move(entries).error());
  for (auto& entry : *entries) {
    if (!entry.is_directory && write_ahead_shard(entry.name)) names.push_back(std::move(entry.name));
  }
  std::ranges::sort(names, {}, [](const std::string& name) {
    const std::uint32_t shard = *write_ahead_shard(name);
    const int turn = shard >= kUnreplayedShardFrom ? 0 : shard >= kKeptShardFrom ? 1 : 2;
    return std::make_pair(turn, shard);
  });
  return names;
}

struct FoundFrame {
  std::uint64_t position = 0;
  std::uint32_t bytes = 0;
  std::uint64_t durable_through = 0;
};

// One write-ahead log being read.
class FrameReader {
 public:
  FrameReader(io::Proactor& proactor, io::FileHandle file, std::uint64_t size)
      : proactor_(proactor), file_(file), size_(size) {}

  io::Task<Result<std::optional<WriteAheadFileHeader>>> file_header() {
    CO_TRY_DONE(co_await load(0, kWriteAheadFramesFrom));
    if (buffer_.empty()) co_return std::optional<WriteAheadFileHeader>();
    co_return WriteAheadFileHeader::load(buffer_);
  }
  // Every frame of the generation whose checksums hold, by sequence number. A frame is one write, so a block inside of a
  // good one begins no other.
  io::Task<Result<std::map<std::uint64_t, FoundFrame>>> frames(const WriteAheadFileHeader& header);
  // The steps of a frame that frames() has found.
  io::Task<Result<void>> take(const FoundFrame& frame, std::uint32_t version, WriteAheadTail& tail);

 private:
  // Holds [position, position + bytes) in buffer_, or what there is of it.
  io::Task<Result<void>> load(std::uint64_t position, std::size_t bytes);
  bool holds(std::uint64_t position, std::size_t bytes) const {
    return position >= start_ && position + bytes <= start_ + buffer_.size();
  }
  ConstBytes at(std::uint64_t position) const { return ConstBytes(buffer_).subspan(position - start_); }

  io::Proactor& proactor_;
  io::FileHandle file_;
  std::uint64_t size_;
  std::uint64_t start_ = 0;
  std::vector<std::byte> buffer_;
};

io::Task<Result<void>> FrameReader::load(std::uint64_t position, std::size_t bytes) {
  const auto left = size_ - std::min(size_, position);
  start_ = position;
  buffer_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes)));
  CO_TRY(got, co_await io::read_all(proactor_, file_, position, buffer_));
  buffer_.resize(got);
  co_return Result<void>{};
}

// Whether the whole frame at the start of `bytes` is as it was written.
bool frame_holds(ConstBytes bytes, const WriteAheadFrameHeader& header, std::size_t header_bytes) {
  std::uint32_t crc = 0;
  std::size_t position = header_bytes;
  for (std::uint32_t i = 0; i < header.entries; ++i) {
    if (header.bytes - position < WriteAheadEntry::kBytes) return false;
    const auto entry = WriteAheadEntry::load(bytes.data() + position);
    if (!entry || entry->length > header.bytes - position - WriteAheadEntry::kBytes) return false;
    const ConstBytes whole = bytes.subspan(position, WriteAheadEntry::kBytes + entry->length);
    const auto checksum = entry_checksum(whole, crc);
    if (!checksum) return false;
    crc = *checksum;
    for (BatchWalk walk(whole.subspan(WriteAheadEntry::kBytes)); !walk.at_end();) {
      const auto batch = walk.next();
      if (!batch || !batch->crc_valid()) return false;
    }
    position += whole.size();
  }
  constexpr std::size_t kFrom = WriteAheadFrameHeader::kCoveredFrom;
  return position == header.bytes &&
         crc32c(bytes.subspan(kFrom, header_bytes - kFrom), crc) == header.crc;
}

io::Task<Result<std::map<std::uint64_t, FoundFrame>>> FrameReader::frames(
    const WriteAheadFileHeader& header) {
  std::map<std::uint64_t, FoundFrame> found;
  const std::size_t header_bytes = WriteAheadFrameHeader::bytes_in(header.version);
  std::uint64_t position = kWriteAheadFramesFrom;
  while (position + kWriteAheadBlock <= size_) {
    if (!holds(position, kWriteAheadBlock)) CO_TRY_DONE(co_await load(position, kReadBytes));
    if (!holds(position, kWriteAheadBlock)) break;
    const auto frame = WriteAheadFrameHeader::load(at(position).data(), header.version);
    const bool ours = frame && frame->generation == header.generation &&
                      frame->bytes >= header_bytes && frame->bytes <= size_ - position;
    if (ours && !holds(position, frame->bytes)) {
      CO_TRY_DONE(co_await load(position, std::max<std::size_t>(kReadBytes, frame->bytes)));
    }
    if (!ours || !holds(position, frame->bytes) ||
        !frame_holds(at(position).first(frame->bytes), *frame, header_bytes)) {
      position += kWriteAheadBlock;
      continue;
    }
    if (frame->sequence >= header.live_from) {
      found[frame->sequence] = {
          .position = position, .bytes = frame->bytes, .durable_through = frame->durable_through};
    }
    position += round_up_to_block(frame->bytes);
  }
  co_return found;
}

io::Task<Result<void>> FrameReader::take(const FoundFrame& frame, std::uint32_t version,
                                         WriteAheadTail& tail) {
  if (!holds(frame.position, frame.bytes)) {
    CO_TRY_DONE(co_await load(frame.position, std::max<std::size_t>(kReadBytes, frame.bytes)));
  }
  if (!holds(frame.position, frame.bytes)) co_return fail(Errc::io_error, "a frame read once cannot be read again");
  const ConstBytes bytes = at(frame.position).first(frame.bytes);
  for (std::size_t position = WriteAheadFrameHeader::bytes_in(version); position < bytes.size();) {
    CO_TRY(entry, WriteAheadEntry::load(bytes.data() + position));
    WriteAheadStep step{.offset = entry.offset};
    using Kind = WriteAheadEntry::Kind;
    if (entry.kind == Kind::truncate) step.kind = WriteAheadStep::Kind::truncate;
    if (entry.kind == Kind::restart) step.kind = WriteAheadStep::Kind::restart;
    const ConstBytes batches = bytes.subspan(position + WriteAheadEntry::kBytes, entry.length);
    step.batches.assign(batches.begin(), batches.end());
    tail.add(entry.partition, std::move(step));
    position += WriteAheadEntry::kBytes + entry.length;
  }
  co_return Result<void>{};
}

io::Task<Result<void>> read_one(io::Proactor& proactor, std::string path, WriteAheadTail& tail) {
  CO_TRY(file, io::OpenFile::open(proactor, path, {}));
  CO_TRY(size, proactor.size(file->handle()));
  tail.note_file(size);
  FrameReader reader(proactor, file->handle(), size);
  CO_TRY(header, co_await reader.file_header());
  if (!header || header->state == FileState::empty) co_return Result<void>{};
  CO_TRY(frames, co_await reader.frames(*header));
  std::uint64_t durable_through = 0;
  for (const auto& [sequence, frame] : frames) durable_through = std::max(durable_through, frame.durable_through);
  std::uint64_t next = header->live_from;
  for (const auto& [sequence, frame] : frames) {
    if (sequence != next) break;
    ++next;
    CO_TRY_DONE(co_await reader.take(frame, header->version, tail));
  }
  if (next <= durable_through) {
    co_return fail(Errc::corrupt, fmt::format("{}: write {} is missing or damaged, write {} was durable", path, next,
                                              durable_through));
  }
  // Behind a write that was never finished nobody was told of anything.
  const std::size_t unfinished = frames.size() - (next - header->live_from);
  LOG(info, "write_ahead.read", "path={} writes={} first={} unfinished={}", path, next - header->live_from,
      header->live_from, unfinished);
  co_return Result<void>{};
}

}  // namespace

std::optional<std::uint32_t> write_ahead_shard(std::string_view name) {
  if (!name.starts_with(kWriteAheadPrefix)) return std::nullopt;
  name.remove_prefix(kWriteAheadPrefix.size());
  std::uint32_t shard = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), shard);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return shard;
}

const std::vector<WriteAheadStep>* WriteAheadTail::find(const TopicPartition& partition) const {
  const auto found = steps_.find(partition);
  return found == steps_.end() ? nullptr : &found->second;
}

void WriteAheadTail::add(const TopicPartition& partition, WriteAheadStep step) {
  bytes_ += step.batches.size();
  steps_[partition].push_back(std::move(step));
}

std::uint64_t unsynced_bytes_max(const WriteAheadTail* tail) {
  constexpr std::uint64_t kLeast = std::uint64_t{512} << 20;
  return std::max(kLeast, tail != nullptr ? 2 * tail->file_bytes_max() : 0);
}

io::Task<Result<WriteAheadTail>> read_write_ahead(io::Proactor& proactor, std::string directory) {
  WriteAheadTail tail;
  CO_TRY(names, write_ahead_files(proactor, directory));
  for (const auto& name : names) {
    CO_TRY_DONE(co_await read_one(proactor, directory + "/" + name, tail));
  }
  co_return tail;
}

io::Task<Result<void>> retire_write_ahead(io::Proactor& proactor, std::string directory,
                                          std::uint32_t shards, std::string kept) {
  CO_TRY(names, write_ahead_files(proactor, directory));
  bool removed = false;
  for (const auto& name : names) {
    if (name == kept) continue;
    const std::string path = directory + "/" + name;
    if (write_ahead_shard(name) >= shards) {
      CO_TRY_DONE(proactor.remove(path));
      removed = true;
      continue;
    }
    CO_TRY(file, io::OpenFile::open(proactor, path, {.write = true}));
    std::vector<std::byte> blocks(kWriteAheadFramesFrom);
    CO_TRY(got, co_await io::read_all(proactor, file->handle(), 0, blocks));
    CO_TRY(header, WriteAheadFileHeader::load(ConstBytes(blocks).first(got)));
    if (!header || header->state == FileState::empty) continue;  // also one that was never finished
    header->state = FileState::empty;
    ++header->serial;
    header->store(blocks.data());
    CO_TRY_DONE(co_await io::write_all(proactor, file->handle(), header->position(),
                                       ConstBytes(blocks).first(WriteAheadFileHeader::kBytes)));
    CO_TRY_DONE(co_await io::sync(proactor, file->handle()));
  }
  if (removed) CO_TRY_DONE(proactor.sync_directory(directory));
  co_return Result<void>{};
}

Result<void> set_write_ahead_aside(io::Proactor& proactor, const std::string& directory,
                                   std::string_view suffix) {
  // A blocking listing, as at every start.
  TRY(entries, proactor.list(directory));
  for (const auto& entry : entries) {
    if (entry.is_directory || !write_ahead_shard(entry.name)) continue;
    const std::string path = directory + "/" + entry.name;
    TRY_DONE(proactor.rename(path, fmt::format("{}{}", path, suffix)));
  }
  return proactor.sync_directory(directory);
}

}  // namespace millrace::log
