// What batches tell of a partition: how many records and bytes come in per second, in batches of
// which size.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/batch_scan.h"

namespace millrace::cli {

// Sums over batches, of one partition or of several.
//
// Invariant:  sizes() has as many elements as there are batches.
class BatchStatistics {
 public:
  void add(const BatchHeader& header);
  void add(const BatchStatistics& other);

  std::int64_t batches() const { return static_cast<std::int64_t>(sizes_.size()); }
  std::int64_t records() const { return records_; }
  std::int64_t bytes() const { return bytes_; }
  // Timestamps of the first and last record; nothing without batches that have them.
  std::optional<std::int64_t> first_ms() const { return first_ms_; }
  std::optional<std::int64_t> last_ms() const { return last_ms_; }
  // `count` per second between the first and the last record. Nothing where they have one time: then
  // there is no rate.
  std::optional<double> per_second(std::int64_t count) const;
  // The smallest size that `share` (0 to 1) of the batches do not exceed. Requires: batches() > 0.
  std::int64_t size_at(double share) const;
  std::set<std::string> codecs() const;

 private:
  std::vector<std::int32_t> sizes_;
  std::int64_t records_ = 0;
  std::int64_t bytes_ = 0;
  std::uint8_t codecs_ = 0;  // a bit for each
  std::optional<std::int64_t> first_ms_;
  std::optional<std::int64_t> last_ms_;
};

// Where to begin in a partition so that its last `batches` batches are seen. A batch has at least one
// record, and how many it has is only known once some were read: `seen` is what was found from
// `from` on. Nothing when that was enough, or the log's start was reached.
std::optional<std::int64_t> further_back(std::int64_t from, std::int64_t seen, std::int64_t batches,
                                         std::int64_t log_start, std::int64_t log_end);

}  // namespace millrace::cli
