// WriteAhead's copies of what logs could not sync (write_ahead.h).
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/logging.h"
#include "engine/log/log_directory.h"
#include "engine/log/write_ahead.h"
#include "engine/log/write_ahead_replay.h"
#include "io/file.h"

namespace millrace::log {
namespace {

// A frame is written when it has as many.
constexpr std::size_t kUnreplayedFrameBytes = std::size_t{1} << 20;

WriteAheadEntry::Kind entry_kind(WriteAheadStep::Kind kind) {
  switch (kind) {
    case WriteAheadStep::Kind::truncate: return WriteAheadEntry::Kind::truncate;
    case WriteAheadStep::Kind::restart: return WriteAheadEntry::Kind::restart;
    case WriteAheadStep::Kind::append: break;
  }
  return WriteAheadEntry::Kind::append;
}

// A write-ahead log that is written once: frames as they come, then the header that makes them count.
class KeptFile {
 public:
  KeptFile(io::Proactor& proactor, io::FileHandle file) : proactor_(proactor), file_(file) {}

  // Adds the frame's entries of these partitions, if it has any, as one frame. `frame` was written by this process and read back.
  io::Task<Result<void>> add(ConstBytes frame, const std::unordered_map<TopicPartition, std::uint64_t>& partitions);
  // Adds everything that was read of a partition.
  io::Task<Result<void>> add(const TopicPartition& partition, const std::vector<WriteAheadStep>& steps);
  io::Task<Result<void>> finish(std::uint32_t shard);
  std::uint64_t bytes() const { return position_ - kWriteAheadFramesFrom; }

 private:
  io::Task<Result<void>> write(std::vector<std::byte> frame, std::uint32_t entries, std::uint32_t crc);

  io::Proactor& proactor_;
  io::FileHandle file_;
  std::uint64_t position_ = kWriteAheadFramesFrom;
  std::uint64_t sequence_ = 0;
};

io::Task<Result<void>> KeptFile::add(ConstBytes frame, const std::unordered_map<TopicPartition, std::uint64_t>& partitions) {
  const auto header = WriteAheadFrameHeader::load(frame.data());
  if (!header || header->bytes > frame.size()) co_return fail(Errc::corrupt, "a frame does not read back as it was written");
  std::vector<std::byte> kept(WriteAheadFrameHeader::kBytes);
  std::uint32_t entries = 0;
  std::uint32_t crc = 0;
  for (std::size_t at = WriteAheadFrameHeader::kBytes; at < header->bytes;) {
    CO_TRY(entry, WriteAheadEntry::load(frame.data() + at));
    const std::size_t size = WriteAheadEntry::kBytes + entry.length;
    if (size > header->bytes - at) co_return fail(Errc::corrupt, "a frame does not read back as it was written");
    if (partitions.contains(entry.partition)) {
      const ConstBytes whole = frame.subspan(at, size);
      CO_TRY(checksum, entry_checksum(whole, crc));
      crc = checksum;
      kept.insert(kept.end(), whole.begin(), whole.end());
      ++entries;
    }
    at += size;
  }
  if (entries == 0) co_return Result<void>{};
  co_return co_await write(std::move(kept), entries, crc);
}

io::Task<Result<void>> KeptFile::add(const TopicPartition& partition, const std::vector<WriteAheadStep>& steps) {
  std::vector<std::byte> frame;
  std::uint32_t entries = 0;
  std::uint32_t crc = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (entries == 0) frame.assign(WriteAheadFrameHeader::kBytes, std::byte{0});
    const WriteAheadStep& step = steps[i];
    const std::size_t at = frame.size();
    frame.resize(at + WriteAheadEntry::kBytes);
    WriteAheadEntry{.kind = entry_kind(step.kind),
                    .length = static_cast<std::uint32_t>(step.batches.size()),
                    .partition = partition,
                    .offset = step.offset,
                    .end_offset = step.offset}
        .store(frame.data() + at);
    frame.insert(frame.end(), step.batches.begin(), step.batches.end());
    CO_TRY(checksum, entry_checksum(ConstBytes(frame).subspan(at), crc));
    crc = checksum;
    ++entries;
    if (frame.size() < kUnreplayedFrameBytes && i + 1 < steps.size()) continue;
    CO_TRY_DONE(co_await write(std::move(frame), entries, crc));
    entries = 0;
    crc = 0;
  }
  co_return Result<void>{};
}

io::Task<Result<void>> KeptFile::write(std::vector<std::byte> frame, std::uint32_t entries, std::uint32_t crc) {
  const auto bytes = static_cast<std::uint32_t>(frame.size());
  frame.resize(round_up_to_block(bytes));
  ++sequence_;
  // They count once all of them are synced.
  WriteAheadFrameHeader{.generation = 1,
                        .sequence = sequence_,
                        .bytes = bytes,
                        .entries = entries,
                        .durable_through = sequence_ - 1}
      .store(frame.data());
  constexpr std::size_t kFrom = WriteAheadFrameHeader::kCoveredFrom;
  WriteAheadFrameHeader::store_crc(
      frame.data(), crc32c(ConstBytes(frame).subspan(kFrom, WriteAheadFrameHeader::kBytes - kFrom), crc));
  CO_TRY_DONE(co_await io::write_all(proactor_, file_, position_, frame));
  position_ += frame.size();
  co_return Result<void>{};
}

io::Task<Result<void>> KeptFile::finish(std::uint32_t shard) {
  CO_TRY_DONE(co_await io::sync(proactor_, file_));
  std::vector<std::byte> blocks(kWriteAheadFramesFrom);
  const WriteAheadFileHeader header{
      .generation = 1, .state = FileState::in_use, .shard = shard, .live_from = 1, .serial = 1};
  header.store(blocks.data() + header.position());
  CO_TRY_DONE(co_await io::write_all(proactor_, file_, 0, blocks));
  co_return co_await io::sync(proactor_, file_);
}

}  // namespace

io::Task<bool> WriteAhead::keep_doubtful(std::uint64_t live_from) {
  if (in_doubt_.empty() || placed_.empty()) co_return true;
  const std::string path = fmt::format("{}-{}", options_.path.substr(0, options_.path.rfind('-')),
                                       kKeptShardFrom + options_.shard * kKeptFilesMax + files_kept_);
  Result<std::uint64_t> kept = fail(Errc::refused, "too much is kept already");
  if (files_kept_ < kKeptFilesMax) kept = co_await copy_doubtful(live_from, path);
  if (kept) std::erase_if(in_doubt_, [&](const auto& entry) { return entry.second <= live_from; });
  if (kept && *kept == 0) co_return true;
  if (kept) {
    ++files_kept_;
    LOG(warn, "write_ahead.kept", "path={} bytes={} reason=\"partitions are offline; the next start replays it\"", path, *kept);
    co_return true;
  }
  LOG(error, "write_ahead.not_kept", "path={} partitions={} reason=\"{}\"", path, in_doubt_.size(), kept.error().message);
  co_return false;
}

// Gives the bytes of the frames; a file without any is removed again.
io::Task<Result<std::uint64_t>> WriteAhead::copy_doubtful(std::uint64_t live_from, const std::string& path) {
  // What is written while this waits is behind live_from.
  std::vector<Placed> frames;
  for (const Placed& placed : placed_) {
    if (placed.sequence < live_from) frames.push_back(placed);
  }
  CO_TRY(file, io::OpenFile::open(proactor_, path, {.write = true, .create = true, .truncate = true}));
  KeptFile copy(proactor_, file->handle());
  AlignedBuffer frame;
  Result<void> done;
  for (const Placed& placed : frames) {
    frame.resize(placed.bytes);
    const auto got = co_await io::read_all(proactor_, file_, placed.position, Bytes(frame.data(), frame.size()));
    done = got && *got == frame.size() ? Result<void>{} : fail(Errc::io_error, "the write-ahead log cannot be read");
    if (done) done = co_await copy.add(ConstBytes(frame.data(), frame.size()), in_doubt_);
    if (!done) break;
  }
  if (done && copy.bytes() > 0) done = co_await copy.finish(options_.shard);
  if (done && copy.bytes() > 0) done = co_await io::sync_directory(proactor_, io::directory_of(path));
  if (done && copy.bytes() > 0) co_return copy.bytes();
  (void)co_await io::remove_file(proactor_, path);
  CO_TRY_DONE(std::move(done));
  co_return std::uint64_t{0};
}

// ---- What a start could not replay

namespace {

io::Task<Result<void>> write_unreplayed(io::Proactor& proactor, std::string path, const WriteAheadTail& tail,
                                        const std::vector<TopicPartition>& partitions) {
  CO_TRY(file, io::OpenFile::open(proactor, path, {.write = true, .create = true, .truncate = true}));
  KeptFile copy(proactor, file->handle());
  for (const TopicPartition& partition : partitions) {
    if (const auto* steps = tail.find(partition)) CO_TRY_DONE(co_await copy.add(partition, *steps));
  }
  CO_TRY_DONE(co_await copy.finish(0));
  co_return proactor.sync_directory(io::directory_of(path));
}

}  // namespace

io::Task<Result<std::string>> keep_unreplayed(io::Proactor& proactor, std::string directory, const WriteAheadTail& tail,
                                              std::vector<TopicPartition> partitions) {
  // A name of its own: the file of the start before goes when this one is there.
  std::uint32_t number = kUnreplayedShardFrom;
  CO_TRY(entries, proactor.list(directory));
  for (const auto& entry : entries) {
    if (const auto shard = write_ahead_shard(entry.name); shard && *shard >= number) number = *shard + 1;
  }
  std::string name = fmt::format("{}{}", kWriteAheadPrefix, number);
  const std::string path = directory + "/" + name;
  auto written = co_await write_unreplayed(proactor, path, tail, partitions);
  if (!written) (void)proactor.remove(path);
  CO_TRY_DONE(std::move(written));
  co_return name;
}

}  // namespace millrace::log
