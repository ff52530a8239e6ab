#include "engine/log/write_ahead.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/logging.h"
#include "io/file.h"

namespace millrace::log {
namespace {

// Scaled down to the free space, but not below this.
constexpr std::uint64_t kBytesMin = std::uint64_t{8} << 20;
// No more of the free space than this share.
constexpr std::uint64_t kFreeShare = 8;
constexpr std::size_t kFillStep = std::size_t{1} << 20;
// Growing holds the file's lock for as long as one write takes, and frames wait for it meanwhile: small ones, and a pause
// between two as long as no more than such a share of the file is in use.
constexpr std::size_t kGrowStep = std::size_t{128} << 10;
constexpr Duration kGrowPause = std::chrono::milliseconds(1);
constexpr std::uint64_t kPauseShare = 3;
// A frame takes no more than this share of the file. An append that is larger is synced in its segment instead.
constexpr std::uint64_t kFrameShare = 8;
constexpr std::uint64_t kFrameBytesMax = std::uint64_t{4} << 20;
constexpr std::size_t kSpareBuffers = kFramesInFlight + 1;

}  // namespace

// ---- Start and stop

WriteAhead::WriteAhead(io::Proactor& proactor, WriteAheadOptions options)
    : proactor_(proactor), options_(std::move(options)) {}

WriteAhead::~WriteAhead() {
  dirty_.clear();
  if (file_ != io::kNoFile) proactor_.close(file_);
}

io::Task<Result<void>> WriteAhead::start() {
  CO_TRY_DONE(co_await open_file());
  ++generation_;
  CO_TRY_DONE(co_await write_file_header(FileState::in_use, next_sequence_));
  started_ = true;
  LOG(info, "write_ahead.open", "path={} bytes={} bytes_max={} direct={}", options_.path, capacity_,
      bytes_max_, direct_);
  co_return Result<void>{};
}

io::Task<Result<void>> WriteAhead::open_file() {
  auto opened = proactor_.open(options_.path, {.write = true, .create = true, .direct_sync = true});
  if (!opened && opened.error() == Errc::invalid_argument) {
    // A file system without direct I/O: buffered writes, each followed by a sync.
    direct_ = false;
    opened = proactor_.open(options_.path, {.write = true, .create = true});
  }
  if (!opened) co_return fail(std::move(opened).error());
  file_ = *opened;
  CO_TRY(size, proactor_.size(file_));
  const std::string directory = io::directory_of(options_.path);
  CO_TRY(free, proactor_.free_bytes(directory));
  const std::uint64_t share = std::max(kBytesMin, (free + size) / kFreeShare / kWriteAheadBlock * kWriteAheadBlock);
  bytes_max_ = std::min(options_.bytes_max, share);
  AlignedBuffer blocks;
  blocks.resize(kWriteAheadFramesFrom);
  if (size >= kWriteAheadFramesFrom) {
    CO_TRY(got, co_await io::read_all(proactor_, file_, 0, Bytes(blocks.data(), blocks.size())));
    CO_TRY(header, WriteAheadFileHeader::load(ConstBytes(blocks.data(), got)));
    if (header) generation_ = header->generation;
    if (header) header_serial_ = header->serial;
    if (header && header->state == FileState::in_use) {
      co_return fail(Errc::invalid_argument, options_.path + " holds records that were not replayed");
    }
  }
  capacity_ = size / kWriteAheadBlock * kWriteAheadBlock;
  const std::uint64_t first = std::min(options_.bytes_first, bytes_max_);
  if (capacity_ >= first) co_return Result<void>{};
  auto filled = co_await fill(capacity_, first, kFillStep);
  if (!filled && filled.error() == Errc::disk_full) {
    co_return fail(Errc::disk_full,
                   fmt::format("the write-ahead log {} needs {} bytes, the file system has {}",
                               options_.path, first, free));
  }
  CO_TRY_DONE(std::move(filled));
  co_return proactor_.sync_directory(directory);
}

io::Task<Result<void>> WriteAhead::fill(std::uint64_t from, std::uint64_t to, std::size_t at_once) {
  AlignedBuffer zeros;
  zeros.resize(at_once);
  while (from < to && !gate_.closing()) {
    const auto step = std::min<std::uint64_t>(at_once, to - from);
    CO_TRY_DONE(co_await write_durably(from, ConstBytes(zeros.data(), step)));
    from += step;
    capacity_ = from;
    room_.notify_all();
    if (growing_ && live_bytes_ < capacity_ / kPauseShare) co_await io::sleep_for(kGrowPause);
  }
  co_return Result<void>{};
}

io::Task<Result<void>> WriteAhead::write_durably(std::uint64_t position, ConstBytes bytes) {
  CO_TRY_DONE(co_await io::write_all(proactor_, file_, position, bytes));
  if (!direct_) CO_TRY_DONE(co_await io::sync(proactor_, file_));
  co_return Result<void>{};
}

io::Task<Result<void>> WriteAhead::write_file_header(FileState state,
                                                       std::uint64_t live_from) {
  AlignedBuffer block;
  block.resize(kWriteAheadBlock);
  const WriteAheadFileHeader header{.generation = generation_,
                                    .state = state,
                                    .shard = options_.shard,
                                    .live_from = live_from,
                                    .serial = ++header_serial_};
  header.store(block.data());
  co_return co_await write_durably(header.position(), ConstBytes(block.data(), kWriteAheadBlock));
}

io::Task<void> WriteAhead::stop() {
  if (!started_) co_return;
  co_await gate_.close();
  CHECK(dirty_.empty(), "a log was left open");
  CHECK(frames_.empty());
  // What could not be kept elsewhere stays in use, for the next start.
  if (!failed_ && co_await keep_doubtful(next_sequence_)) {
    auto written = co_await write_file_header(FileState::empty, next_sequence_);
    if (!written) LOG(error, "write_ahead.stop_failed", "path={} reason=\"{}\"", options_.path, written.error().message);
  }
  proactor_.close(std::exchange(file_, io::kNoFile));
  started_ = false;
}

// ---- Gathering

std::uint64_t WriteAhead::frame_bytes_max() const {
  return std::min(kFrameBytesMax, capacity_ / kFrameShare);
}

std::uint64_t WriteAhead::append_bytes_max() const {
  return capacity_ / kFrameShare - kWriteAheadBlock;
}

WriteAhead::Frame& WriteAhead::frame_with_room(std::size_t bytes) {
  if (frames_.size() > in_flight_ && frames_.back().bytes.size() + bytes <= frame_bytes_max()) return frames_.back();
  Frame& frame = frames_.emplace_back();
  if (!spare_.empty()) {
    frame.bytes = std::move(spare_.back());
    spare_.pop_back();
  }
  frame.bytes.resize(WriteAheadFrameHeader::kBytes);
  frame.sequence = next_sequence_++;
  io::Reactor::current().arm_turn_end(*this);
  return frame;
}

std::byte* WriteAhead::add_entry(Frame& frame, const WriteAheadEntry& entry) {
  const std::size_t at = frame.bytes.size();
  frame.bytes.resize(at + WriteAheadEntry::kBytes + entry.length);
  entry.store(frame.bytes.data() + at);
  ++frame.entries;
  return frame.bytes.data() + at;
}

void WriteAhead::add_client(Frame& frame, WriteAheadClient& client, Offset end) {
  frame.notices.push_back({.client = &client, .end = end});
  if (!client.is_linked()) dirty_.push_back(client);
}

std::uint64_t WriteAhead::append(WriteAheadClient& client, const TopicPartition& partition,
                                 LeaderEpoch epoch, Offset base_offset, Offset end_offset,
                                 std::span<const ::iovec> slices, std::uint64_t bytes) {
  CHECK(!failed_);
  CHECK(bytes <= append_bytes_max(), "{} bytes", bytes);
  Frame& frame = frame_with_room(WriteAheadEntry::kBytes + bytes);
  std::byte* const entry = add_entry(frame, {.kind = WriteAheadEntry::Kind::append,
                                             .length = static_cast<std::uint32_t>(bytes),
                                             .partition = partition,
                                             .leader_epoch = epoch,
                                             .offset = base_offset,
                                             .end_offset = end_offset});
  std::byte* to = entry + WriteAheadEntry::kBytes;
  for (const ::iovec& slice : slices) {
    std::memcpy(to, slice.iov_base, slice.iov_len);
    to += slice.iov_len;
  }
  const auto checksum = entry_checksum(ConstBytes(entry, to), frame.crc);
  CHECK(checksum.has_value(), "whole batches were promised");
  frame.crc = *checksum;
  add_client(frame, client, end_offset);
  return frame.sequence;
}

std::uint64_t WriteAhead::note(WriteAheadClient& client, const TopicPartition& partition,
                               WriteAheadEntry::Kind kind, Offset offset) {
  CHECK(!failed_);
  Frame& frame = frame_with_room(WriteAheadEntry::kBytes);
  std::byte* const entry = add_entry(
      frame, {.kind = kind, .partition = partition, .offset = offset, .end_offset = offset});
  frame.crc = *entry_checksum(ConstBytes(entry, WriteAheadEntry::kBytes), frame.crc);
  add_client(frame, client, offset);
  return frame.sequence;
}

io::Task<void> WriteAhead::completed(std::uint64_t sequence) {
  while (completed_ < sequence) co_await progress_.wait();
}

void WriteAhead::forget(WriteAheadClient& client) {
  if (client.is_linked()) dirty_.erase(dirty_.iterator_to(client));
}

// ---- Writing

void WriteAhead::at_turn_end() { start_writing(); }

void WriteAhead::start_writing() {
  if (placing_ || !may_write()) return;
  placing_ = true;
  gate_.spawn(place_frames());
}

// One after the other: frames stand in the file in the order of their numbers.
io::Task<void> WriteAhead::place_frames() {
  while (may_write()) {
    Frame& frame = frames_[in_flight_++];
    if (co_await place_frame(frame)) {
      gate_.spawn(write_frame(frame, placed_.back().position));
    } else {
      frame.done = true;
      finish_frames();
    }
  }
  placing_ = false;
}

io::Task<bool> WriteAhead::place_frame(Frame& frame) {
  const std::size_t bytes = frame.bytes.size();
  const std::size_t padded = round_up_to_block(bytes);
  const auto position = co_await wait_for_room(padded);
  if (!position) co_return false;
  frame.bytes.resize(padded);
  std::byte* const data = frame.bytes.data();
  std::memset(data + bytes, 0, padded - bytes);
  WriteAheadFrameHeader{.generation = generation_,
                        .sequence = frame.sequence,
                        .bytes = static_cast<std::uint32_t>(bytes),
                        .entries = frame.entries,
                        .durable_through = completed_}
      .store(data);
  constexpr std::size_t kFrom = WriteAheadFrameHeader::kCoveredFrom;
  const std::uint32_t crc =
      crc32c(ConstBytes(data + kFrom, WriteAheadFrameHeader::kBytes - kFrom), frame.crc);
  WriteAheadFrameHeader::store_crc(data, crc);
  placed_.push_back({.sequence = frame.sequence, .position = *position, .bytes = padded});
  live_bytes_ += padded;
  head_ = *position + padded;
  co_return true;
}

io::Task<void> WriteAhead::write_frame(Frame& frame, std::uint64_t position) {
  const auto written =
      co_await write_durably(position, ConstBytes(frame.bytes.data(), frame.bytes.size()));
  if (written) {
    ++counters_.writes;
    counters_.bytes += frame.bytes.size();
  } else {
    fail_all(written.error());
  }
  frame.done = true;
  finish_frames();
}

void WriteAhead::finish_frames() {
  while (in_flight_ > 0 && frames_.front().done) {
    // Taken off first: a client that is told may come back here.
    Frame frame = std::move(frames_.front());
    frames_.pop_front();
    --in_flight_;
    completed_ = frame.sequence;
    for (const Notice& notice : frame.notices) {
      // What stands behind a failed write is not replayed.
      if (failed_) notice.client->on_write_ahead_failed();
      else notice.client->on_write_ahead_durable(notice.end);
    }
    frame.bytes.clear();
    if (spare_.size() < kSpareBuffers) spare_.push_back(std::move(frame.bytes));
    progress_.notify_all();
    if (failed_) continue;
    // Room is made while there is still some: by growing, which is quick, before segments have to be synced for it.
    if (live_bytes_ > capacity_ / 4) start_growing();
    if (live_bytes_ > capacity_ / 2) start_recycling();
  }
  start_writing();
}

io::Task<std::optional<std::uint64_t>> WriteAhead::wait_for_room(std::uint64_t bytes) {
  while (!failed_) {
    if (const auto position = place(bytes)) co_return position;
    start_growing();
    start_recycling();
    co_await room_.wait();
  }
  co_return std::nullopt;
}

std::optional<std::uint64_t> WriteAhead::place(std::uint64_t bytes) const {
  constexpr std::uint64_t kFirst = kWriteAheadFramesFrom;
  if (placed_.empty()) return kFirst + bytes <= capacity_ ? std::optional(kFirst) : std::nullopt;
  const std::uint64_t tail = placed_.front().position;
  if (head_ <= tail) return head_ + bytes <= tail ? std::optional(head_) : std::nullopt;
  if (head_ + bytes <= capacity_) return head_;
  return kFirst + bytes <= tail ? std::optional(kFirst) : std::nullopt;
}

// The file is in doubt: nothing more is written to it, and every log that waits for it syncs its own segments instead.
void WriteAhead::fail_all(const Error& error) {
  if (failed_) return;
  failed_ = true;
  LOG(error, "write_ahead.failed",
      "path={} reason=\"{}\" consequence=\"segments are synced one by one\"", options_.path,
      error.message);
  while (!dirty_.empty()) {
    WriteAheadClient& client = dirty_.front();
    dirty_.pop_front();
    client.on_write_ahead_failed();
  }
  room_.notify_all();
}

// ---- Recycling

void WriteAhead::start_recycling() {
  if (recycling_) return;
  recycling_ = true;
  gate_.spawn(recycle());
}

io::Task<void> WriteAhead::recycle() {
  co_await io::yield();
  ++counters_.recycle_rounds;
  // Room is given up only when nothing is on its way there any more. A frame still being gathered may get more after its logs
  // were synced.
  const std::uint64_t live_from = placed_.empty() ? completed_ + 1 : placed_.back().sequence + 1;
  co_await completed(live_from - 1);
  // Whoever appends from now on is linked again, behind those of this round.
  for (std::size_t left = dirty_.size(); left > 0 && !dirty_.empty(); --left) {
    WriteAheadClient& client = dirty_.front();
    dirty_.pop_front();
    // A log whose sync fails goes offline and says so; the space is not held for it, what is in it is.
    const TopicPartition id = client.write_ahead_id();
    const auto synced = co_await client.sync_segments();
    if (!synced) in_doubt_.emplace(id, next_sequence_);
  }
  // A write that failed meanwhile took the rest of this round off the list: they sync their segments now, and until they have,
  // what the file holds of them stays.
  if (failed_) {
    recycling_ = false;
    co_return;
  }
  if (co_await keep_doubtful(live_from)) {
    const auto written = co_await write_file_header(FileState::in_use, live_from);
    if (!written) fail_all(written.error());
    while (!placed_.empty() && placed_.front().sequence < live_from) {
      live_bytes_ -= placed_.front().bytes;
      placed_.pop_front();
    }
  } else {
    // Nothing may be written over any more.
    fail_all({Errc::io_error, "what it holds of partitions that are offline cannot be kept elsewhere"});
  }
  recycling_ = false;
  room_.notify_all();
}

// ---- Growing

void WriteAhead::start_growing() {
  if (growing_ || failed_ || capacity_ >= bytes_max_) return;
  growing_ = true;
  gate_.spawn(grow());
}

io::Task<void> WriteAhead::grow() {
  const auto filled = co_await fill(capacity_, std::min(bytes_max_, capacity_ * 2), kGrowStep);
  if (!filled) {
    bytes_max_ = capacity_;
    LOG(warn, "write_ahead.stays_small", "path={} bytes={} reason=\"{}\"", options_.path, capacity_,
        filled.error().message);
  }
  growing_ = false;
  room_.notify_all();
}

}  // namespace millrace::log
