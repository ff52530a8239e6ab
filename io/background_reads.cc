#include "io/background_reads.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"

namespace millrace::io {

void BackgroundReads::add(Read& read, FileHandle file, std::uint64_t position, std::uint64_t length, Instant now) {
  CHECK(!read.is_linked());
  read.file = file;
  read.position = position;
  read.left = length;
  read.cancelled = false;
  read.done = 0;
  waiting_.push_back(read);
  start_more(now);
}

std::optional<std::int64_t> BackgroundReads::ended(Read& read, std::int64_t result, Instant now) {
  CHECK(running_ > 0);
  --running_;
  // More than the piece was read where whole chunks are.
  const auto got = std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(result, 0)), read.piece);
  read.done += static_cast<std::int64_t>(got);
  read.position += got;
  read.left -= got;
  // A short one is at the end of the file.
  const bool more = result >= 0 && got == read.piece && read.left > 0;
  if (more && !read.cancelled) waiting_.push_back(read);
  start_more(now);
  if (result < 0) return result;
  if (!more) return read.done;
  if (read.cancelled) return -ECANCELED;
  return std::nullopt;
}

bool BackgroundReads::cancel(Read& read) {
  read.cancelled = true;
  if (!read.is_linked()) return false;
  waiting_.erase(waiting_.iterator_to(read));
  return true;
}

void BackgroundReads::start_more(Instant now) {
  const bool in_pieces = writes_->expected(now);
  const unsigned at_once = in_pieces ? 1 : at_once_;
  while (running_ < at_once && !waiting_.empty()) {
    Read& read = waiting_.front();
    waiting_.pop_front();
    read.in_pieces = in_pieces;
    read.piece = in_pieces ? std::min(read.left, kPieceBytes - read.position % kPieceBytes) : read.left;
    ++running_;
    start_(read);
  }
}

}  // namespace millrace::io
