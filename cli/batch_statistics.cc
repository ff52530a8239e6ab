#include "cli/batch_statistics.h"

#include <algorithm>
#include <cmath>

namespace millrace::cli {

void BatchStatistics::add(const BatchHeader& header) {
  sizes_.push_back(header.size_bytes);
  bytes_ += header.size_bytes;
  // Markers of transactions are batches, but nobody's records.
  if (!header.is_control()) records_ += header.records_count;
  codecs_ |= static_cast<std::uint8_t>(1u << header.codec());
  if (header.max_timestamp_ms < 0) return;
  const std::int64_t begin =
      header.is_log_append_time() ? header.max_timestamp_ms : header.base_timestamp_ms;
  first_ms_ = std::min(first_ms_.value_or(begin), begin);
  last_ms_ = std::max(last_ms_.value_or(header.max_timestamp_ms), header.max_timestamp_ms);
}

void BatchStatistics::add(const BatchStatistics& other) {
  sizes_.insert(sizes_.end(), other.sizes_.begin(), other.sizes_.end());
  records_ += other.records_;
  bytes_ += other.bytes_;
  codecs_ |= other.codecs_;
  if (!other.first_ms_) return;
  first_ms_ = std::min(first_ms_.value_or(*other.first_ms_), *other.first_ms_);
  last_ms_ = std::max(last_ms_.value_or(*other.last_ms_), *other.last_ms_);
}

std::optional<double> BatchStatistics::per_second(std::int64_t count) const {
  if (!first_ms_ || *last_ms_ <= *first_ms_) return std::nullopt;
  return static_cast<double>(count) * 1000.0 / static_cast<double>(*last_ms_ - *first_ms_);
}

std::int64_t BatchStatistics::size_at(double share) const {
  std::vector<std::int32_t> sorted = sizes_;
  std::ranges::sort(sorted);
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

std::set<std::string> BatchStatistics::codecs() const {
  std::set<std::string> names;
  for (std::uint8_t codec = 0; codec < 8; ++codec) {
    if ((codecs_ & (1u << codec)) != 0) names.emplace(codec_name(codec));
  }
  return names;
}

std::optional<std::int64_t> further_back(std::int64_t from, std::int64_t seen, std::int64_t batches,
                                         std::int64_t log_start, std::int64_t log_end) {
  if (seen >= batches || from <= log_start) return std::nullopt;
  const std::int64_t window = std::max<std::int64_t>(log_end - from, 1);
  // As many as are missing at the number of offsets per batch seen so far, and a fifth more; at
  // least twice as far.
  const double per_batch =
      static_cast<double>(window) / static_cast<double>(std::max<std::int64_t>(seen, 1));
  const double wanted =
      std::max(per_batch * static_cast<double>(batches) * 1.2, static_cast<double>(window) * 2.0);
  const double most = static_cast<double>(log_end - log_start);
  return wanted >= most ? log_start : log_end - static_cast<std::int64_t>(wanted);
}

}  // namespace millrace::cli
