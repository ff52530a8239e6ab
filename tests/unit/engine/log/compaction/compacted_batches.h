// A log as a list of batches in memory, and a pass of the cleaner over it with everything around the decisions left out: no
// segments, no files. For transcripts and properties of what compaction does to batches.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/log/compaction/batch_rewrite.h"

namespace millrace::log {

struct KeyedRecord {
  Offset offset{0};
  std::int64_t timestamp = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  auto operator<=>(const KeyedRecord&) const = default;
};

class CompactedBatches {
 public:
  CompactedBatches();
  ~CompactedBatches();

  struct Appended {
    BatchOptions options;  // the base offset is the log's end
    Codec codec = Codec::none;
    std::vector<KeyedRecord> records;  // offsets are ignored
  };
  Offset append(const Appended& batch);
  Offset append_marker(ProducerId producer, std::int16_t epoch, bool commit, std::int64_t timestamp);

  struct Pass {
    WallTime now;
    std::int64_t delete_retention_ms = 1000;
    std::uint64_t map_bytes = 1 << 20;
    // Last data batch of producers that are known; kept even if it is empty.
    std::map<ProducerId, Offset> last_of_producer;
    std::size_t records_per_step = 3;
  };
  // Gives up to where it came.
  Result<Offset> clean(const Pass& pass);

  Offset end() const { return end_; }
  const std::vector<std::vector<std::byte>>& batches() const { return batches_; }
  Result<std::vector<KeyedRecord>> records();
  // One batch, as a transcript shows it.
  std::string text_of(const std::vector<std::byte>& batch);

 private:
  Result<ConstBytes> open(const RecordBatch& batch);

  std::unique_ptr<Codecs> codecs_;
  std::vector<std::byte> opened_;
  std::vector<std::vector<std::byte>> batches_;
  Offset end_{0};
  Offset cleaned_end_{0};
};

}  // namespace millrace::log
