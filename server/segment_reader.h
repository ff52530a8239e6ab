// SegmentReader walks the batches of a data file offline, one batch in memory at a time.
// SegmentCheck says what is wrong with a data file and its indexes. For tools: a running broker
// reads through engine/log.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "engine/log/compression.h"
#include "engine/log/format/record_batch.h"

namespace millrace::server {

class SegmentReader {
 public:
  // Errors: not_found, io_error.
  static Result<SegmentReader> open(const std::string& path);

  // The next batch, valid until the next call; nothing at the end of the file, or where only zeros
  // follow: the room a broker that did not stop cleanly had written ahead.
  // Errors: truncated (the file ends inside of a batch), corrupt, unsupported, io_error. There is
  // no going on after one.
  Result<std::optional<log::RecordBatch>> next();

  // Where the batch that next() last returned begins; after an error, where the bad bytes begin.
  std::uint64_t position() const { return position_; }
  std::uint64_t size() const { return size_; }

 private:
  SegmentReader(std::ifstream file, std::uint64_t size) : file_(std::move(file)), size_(size) {}
  Result<void> read_at(std::uint64_t position, std::size_t bytes);
  Result<bool> only_zeros_follow();

  std::ifstream file_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
  std::uint64_t next_ = 0;
  std::vector<std::byte> buffer_;
};

// The offset in a name such as 00000000000000000042.log; nothing when it is no such name.
std::optional<Offset> base_offset_of(const std::string& file_name);

struct Problem {
  std::string file;
  std::uint64_t position = 0;
  std::string what;
};

// What a walk over one data file and its indexes found.
struct SegmentReport {
  std::uint64_t bytes = 0;
  std::int64_t batches = 0;
  std::int64_t records = 0;
  std::optional<Offset> start;  // of the first record
  Offset end{0};                // behind the last
  // Bytes at the end of the file that are no whole batch, which a start after a crash cuts off.
  // Nothing: none, or the damage is not at the end.
  std::uint64_t torn_bytes = 0;
};

struct SegmentCheckOptions {
  bool is_last = false;  // of its partition: may end in the middle of a batch
  bool deep = false;     // open every batch and walk its records
};

// Walks `path`, a .log file, and the .index and .timeindex beside it; what is wrong is added to
// `problems`.
SegmentReport check_segment(const std::string& path, const SegmentCheckOptions& options,
                            log::Compression& codecs, std::vector<Problem>& problems);

}  // namespace millrace::server
