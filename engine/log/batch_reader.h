// BatchReader: whole batches of a data file, read in large pieces through the ring. For recovery, the cleaner and the offline tools.
// Who reads in the background gives a second handle of the file, opened for direct reads: what is not in the page cache
// then comes past it, in pieces, so that it costs no copies in the kernel and pushes nothing out.
//
// Shard:     the caller's.
// Use:       next() until stopped(); the batches it gives are valid until the next call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/log/aligned_buffer.h"
#include "engine/log/format/record_batch.h"
#include "io/proactor.h"
#include "io/task.h"

namespace millrace::log {

class BatchReader {
 public:
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
  // No request that could have brought a larger one is accepted; a longer length is damage.
  static constexpr std::size_t kBatchBytesMax = std::size_t{256} << 20;

  // Reads the bytes [position, end) of the file, which begin with a batch.
  BatchReader(io::Proactor& proactor, io::FileHandle file, std::uint64_t position, std::uint64_t end,
              io::FileHandle direct = io::kNoFile)
      : proactor_(proactor), file_(file), direct_(direct), position_(position), end_(end) {}

  // The next whole batches, their checksums not tested. Errors: io_error. Bytes that are no batch are no error here: they
  // stop the reader.
  io::Task<Result<std::vector<RecordBatch>>> next();
  // There are no more batches.
  bool stopped() const { return stopped_; }
  // Why not; empty at the end of the file.
  const std::string& problem() const { return problem_; }
  // What stands there is of message format v0 or v1.
  bool old_format() const { return old_format_; }
  // The file position behind the last batch given.
  std::uint64_t position() const { return position_; }
  // Looks for the next batch behind a damaged one: format v2, checksum right, offsets from `least` on and not far from it.
  // Afterwards the reader gives that batch next, and the position is its own. False when there is none.
  io::Task<Result<bool>> skip_damage(std::uint64_t damaged_at, Offset least);
  // Whether everything from `from` to the end is zero: room that was reserved and never written.
  io::Task<Result<bool>> only_zeros(std::uint64_t from);

 private:
  io::Task<Result<void>> fill(std::size_t wanted);
  io::Task<Result<std::size_t>> read(std::uint64_t at, Bytes bytes, std::size_t needed);
  // What is held from position_ on.
  ConstBytes held() const;
  void restart_at(std::uint64_t position);
  void stop(std::string problem);

  io::Proactor& proactor_;
  io::FileHandle file_;
  io::FileHandle direct_;
  std::uint64_t position_;
  std::uint64_t end_;
  // Holds the file's bytes from buffer_from_ on, which is the start of a block: whole blocks, unless the file ends there.
  AlignedBuffer buffer_;
  std::uint64_t buffer_from_ = 0;
  std::size_t given_ = 0;
  bool stopped_ = false;
  bool old_format_ = false;
  std::string problem_;
};

}  // namespace millrace::log
