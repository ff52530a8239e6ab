#include "engine/log/batch_reader.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "io/file.h"

namespace millrace::log {

namespace {

// Whether a whole message of format v0 or v1 stands there: offset, size, CRC-32 of what follows it, magic 0 or 1.
bool is_old_message(ConstBytes bytes) {
  constexpr std::size_t kPrefix = 12;
  constexpr std::size_t kCovered = 16;
  if (bytes.size() <= kCovered) return false;
  const auto size = load_big_endian<std::int32_t>(bytes.data() + 8);
  if (size <= 4 || static_cast<std::size_t>(size) > bytes.size() - kPrefix) return false;
  const ConstBytes covered = bytes.subspan(kCovered, static_cast<std::size_t>(size) - 4);
  const auto crc = ::crc32_z(0, reinterpret_cast<const unsigned char*>(covered.data()), covered.size());
  return crc == load_big_endian<std::uint32_t>(bytes.data() + kPrefix);
}

}  // namespace

void BatchReader::stop(std::string problem) {
  stopped_ = true;
  problem_ = std::move(problem);
}

ConstBytes BatchReader::held() const {
  const std::uint64_t end = std::min(buffer_from_ + buffer_.size(), end_);
  if (position_ < buffer_from_ || position_ >= end) return {};
  return buffer_.bytes().subspan(position_ - buffer_from_, end - position_);
}

void BatchReader::restart_at(std::uint64_t position) {
  position_ = position;
  given_ = 0;
  buffer_.clear();
  buffer_from_ = blocks_below(position);
}

// Fewer than `needed` bytes only where the file ends.
io::Task<Result<std::size_t>> BatchReader::read(std::uint64_t at, Bytes bytes, std::size_t needed) {
  if (direct_ == io::kNoFile || proactor_.resident(file_, at, needed)) {
    co_return co_await io::read_all(proactor_, file_, at, bytes);
  }
  std::size_t done = 0;
  while (done < needed) {
    const Bytes piece = bytes.subspan(done, std::min(bytes.size() - done, kDirectPiece));
    CO_TRY(got, co_await io::read_once(proactor_, direct_, at + done, piece));
    if (done + got >= needed) co_return done + got;
    // The next one must begin at a block again; a file that ends inside of one has nothing behind.
    if (got < kDirectBlock) co_return done + got;
    done += blocks_below(got);
  }
  co_return done;
}

// Holds at least `wanted` bytes from position_ on, or all there are.
io::Task<Result<void>> BatchReader::fill(std::size_t wanted) {
  if (buffer_.size() == 0) buffer_from_ = blocks_below(position_);
  const std::uint64_t end = std::min<std::uint64_t>(end_, position_ + std::max(wanted, kChunkBytes));
  if (end <= buffer_from_ + buffer_.size()) co_return Result<void>{};
  const std::size_t have = blocks_below(buffer_.size());
  const std::uint64_t at = buffer_from_ + have;
  buffer_.resize(blocks_above(end) - buffer_from_);
  const auto room = Bytes(buffer_.data() + have, buffer_.size() - have);
  CO_TRY(got, co_await read(at, room, end - at));
  buffer_.resize(have + got);
  if (at + got < end) end_ = at + got;
  co_return Result<void>{};
}

io::Task<Result<std::vector<RecordBatch>>> BatchReader::next() {
  std::vector<RecordBatch> batches;
  given_ = 0;
  const std::uint64_t done = std::min<std::uint64_t>(blocks_below(position_) - buffer_from_, buffer_.size());
  buffer_.drop_front(done);
  buffer_from_ += done;
  std::size_t wanted = kChunkBytes;
  while (batches.empty() && !stopped_) {
    CO_TRY_DONE(co_await fill(wanted));
    ConstBytes rest = held();
    while (!rest.empty()) {
      auto batch = RecordBatch::parse(rest);
      if (!batch) {
        const auto size = RecordBatch::size_at(rest);
        const std::uint64_t left = end_ - position_ - given_;
        if (batch.error() == Errc::truncated && size && *size <= left && *size <= kBatchBytesMax) {
          wanted = *size;  // it goes on behind what was read
        } else if (batch.error() == Errc::truncated && !size && rest.size() < left) {
          wanted = kChunkBytes;
        } else {
          old_format_ = batch.error() == Errc::unsupported && is_old_message(rest);
          stop(batch.error().message);
        }
        break;
      }
      batches.push_back(*batch);
      given_ += batch->size();
      rest = rest.subspan(batch->size());
    }
    if (rest.empty() && position_ + given_ >= end_) stop({});
  }
  position_ += given_;
  co_return batches;
}

namespace {

// Cheap tests first: the checksum is computed for few wrong places.
bool plausible(ConstBytes bytes, Offset least) {
  if (bytes.size() < kBatchHeaderBytes) return false;
  if (std::to_integer<int>(bytes[batch_field::kMagic]) != kBatchMagic) return false;
  const Offset base(load_big_endian<std::int64_t>(bytes.data() + batch_field::kBaseOffset));
  return base >= least && base - least < std::numeric_limits<std::int32_t>::max();
}

}  // namespace

io::Task<Result<bool>> BatchReader::skip_damage(std::uint64_t damaged_at, Offset least) {
  std::uint64_t at = damaged_at + 1;
  while (at + kBatchHeaderBytes <= end_) {
    restart_at(at);
    CO_TRY_DONE(co_await fill(kChunkBytes));
    const ConstBytes chunk = held();
    if (chunk.size() < kBatchHeaderBytes) break;
    std::size_t i = 0;
    for (; i + kBatchHeaderBytes <= chunk.size(); ++i) {
      if (!plausible(chunk.subspan(i), least)) continue;
      const auto size = RecordBatch::size_at(chunk.subspan(i));
      if (!size || *size > end_ - at - i || *size > kBatchBytesMax) continue;
      std::vector<std::byte> whole(*size);
      CO_TRY(got, co_await io::read_all(proactor_, file_, at + i, whole));
      const auto batch = RecordBatch::parse(ConstBytes(whole).first(got));
      if (!batch || !batch->verify()) continue;
      restart_at(at + i);
      stopped_ = false;
      old_format_ = false;
      problem_.clear();
      co_return true;
    }
    at += i;
  }
  co_return false;
}

io::Task<Result<bool>> BatchReader::only_zeros(std::uint64_t from) {
  std::vector<std::byte> chunk(kChunkBytes);
  while (from < end_) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(end_ - from, chunk.size()));
    CO_TRY(got, co_await io::read_all(proactor_, file_, from, Bytes(chunk).first(wanted)));
    if (got == 0) break;
    const auto read = ConstBytes(chunk).first(got);
    if (std::ranges::any_of(read, [](std::byte byte) { return byte != std::byte{0}; })) co_return false;
    from += got;
  }
  co_return true;
}

}  // namespace millrace::log
