#include "server/segment_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <utility>

#include "engine/log/format/index_entry.h"
#include "engine/log/format/record.h"

namespace millrace::server {
namespace {

constexpr std::size_t kOffsetDigits = 20;
constexpr std::uint64_t kZerosAtOnce = std::uint64_t{64} << 10;
constexpr std::uint64_t kPayloadBytesMax = std::uint64_t{1} << 30;

// Which batch ends at which offset, and where it begins: what an index must agree with.
using BatchEnds = std::vector<std::pair<std::int64_t, std::uint64_t>>;

std::vector<std::byte> read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  std::vector<std::byte> bytes(text.size());
  std::ranges::copy(as_bytes(text), bytes.begin());
  return bytes;
}

std::string beside(const std::string& log_path, std::string_view ending) {
  return std::filesystem::path(log_path).replace_extension(ending).string();
}

Result<void> walk_records(const log::RecordBatch& batch, log::Compression& codecs) {
  std::vector<std::byte> storage;
  TRY(payload, log::open_payload(batch, codecs, kPayloadBytesMax, storage));
  for (log::RecordWalk walk(batch, payload); !walk.at_end();) {
    auto record = walk.next();
    if (!record) return fail(std::move(record).error());
  }
  return {};
}

// A live index is longer than what it holds; the rest is zeros.
std::size_t used_entries(ConstBytes bytes, std::size_t entry_bytes) {
  std::size_t entries = bytes.size() / entry_bytes;
  const auto is_zero = [&](std::size_t entry) {
    return std::ranges::all_of(bytes.subspan(entry * entry_bytes, entry_bytes),
                               [](std::byte b) { return b == std::byte{0}; });
  };
  while (entries > 0 && is_zero(entries - 1)) --entries;
  return entries;
}

void check_offset_index(const std::string& path, Offset base, const BatchEnds& ends,
                        std::vector<Problem>& problems) {
  const std::vector<std::byte> bytes = read_file(path);
  if (bytes.size() % log::OffsetIndexEntry::kBytes != 0) {
    problems.push_back({path, bytes.size(), "the size is no multiple of an entry's"});
  }
  for (std::size_t i = 0; i < used_entries(bytes, log::OffsetIndexEntry::kBytes); ++i) {
    const auto entry =
        log::OffsetIndexEntry::load(bytes.data() + i * log::OffsetIndexEntry::kBytes);
    const std::int64_t offset = base.value() + entry.relative_offset;
    const auto found = std::ranges::lower_bound(ends, offset, {}, &BatchEnds::value_type::first);
    const bool agrees = found != ends.end() && found->first == offset &&
                        std::cmp_equal(found->second, entry.position);
    if (agrees) continue;
    problems.push_back({path, i * log::OffsetIndexEntry::kBytes,
                        fmt::format("no batch ends at offset {} and begins at {}; the broker "
                                    "rebuilds the index when the file is gone",
                                    offset, entry.position)});
    return;
  }
}

void check_time_index(const std::string& path, Offset base, Offset end,
                      std::vector<Problem>& problems) {
  const std::vector<std::byte> bytes = read_file(path);
  std::int64_t before = std::numeric_limits<std::int64_t>::min();
  for (std::size_t i = 0; i < used_entries(bytes, log::TimeIndexEntry::kBytes); ++i) {
    const auto entry = log::TimeIndexEntry::load(bytes.data() + i * log::TimeIndexEntry::kBytes);
    const std::uint64_t position = i * log::TimeIndexEntry::kBytes;
    if (entry.timestamp < before) problems.push_back({path, position, "timestamps go back"});
    if (base.value() + entry.relative_offset >= end.value())
      problems.push_back({path, position, "an offset behind the end of the segment"});
    before = std::max(before, entry.timestamp);
  }
}

// What one batch must be where it stands.
void check_batch(const log::RecordBatch& batch, Offset wanted_from, bool deep,
                 log::Compression& codecs, const Problem& place, std::vector<Problem>& problems) {
  const auto add = [&](std::string what) {
    problems.push_back({place.file, place.position, std::move(what)});
  };
  if (const auto verified = batch.verify(); !verified) {
    add(verified.error().message);
    return;
  }
  if (batch.base_offset() < wanted_from) {
    add(fmt::format("begins at offset {}, before {}", batch.base_offset().value(),
                    wanted_from.value()));
  }
  if (!deep) return;
  if (const auto walked = walk_records(batch, codecs); !walked) add(walked.error().message);
}

}  // namespace

Result<SegmentReader> SegmentReader::open(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (!file || error) return fail(error_from_errno(error ? error.value() : errno, path));
  return SegmentReader(std::move(file), size);
}

Result<void> SegmentReader::read_at(std::uint64_t position, std::size_t bytes) {
  buffer_.resize(bytes);
  file_.clear();
  file_.seekg(static_cast<std::streamoff>(position));
  file_.read(reinterpret_cast<char*>(buffer_.data()), static_cast<std::streamsize>(bytes));
  if (!file_)
    return fail(Errc::io_error, fmt::format("reading {} bytes at {} failed", bytes, position));
  return {};
}

// A batch with 12 zeros in front would have a length of 0.
Result<bool> SegmentReader::only_zeros_follow() {
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  for (std::uint64_t at = position_; at < size_;) {
    const std::uint64_t step = at == position_ ? log::kBatchPrefixBytes : kZerosAtOnce;
    TRY_DONE(read_at(at, std::min(step, size_ - at)));
    if (!std::ranges::all_of(buffer_, is_zero)) return false;
    at += buffer_.size();
  }
  return true;
}

Result<std::optional<log::RecordBatch>> SegmentReader::next() {
  position_ = next_;
  const std::uint64_t left = size_ - position_;
  if (left == 0) return std::nullopt;
  TRY(at_end, only_zeros_follow());
  if (at_end) return std::nullopt;
  if (left < log::kBatchPrefixBytes)
    return fail(Errc::truncated, fmt::format("{} bytes are no batch", left));
  TRY_DONE(read_at(position_, log::kBatchPrefixBytes));
  TRY(size, log::RecordBatch::size_at(buffer_));
  if (size > left)
    return fail(Errc::truncated,
                fmt::format("a batch of {} bytes, of which {} are there", size, left));
  TRY_DONE(read_at(position_, size));
  TRY(batch, log::RecordBatch::parse(buffer_));
  next_ = position_ + size;
  return batch;
}

std::optional<Offset> base_offset_of(const std::string& file_name) {
  const auto dot = file_name.find('.');
  if (dot != kOffsetDigits) return std::nullopt;
  std::int64_t offset = 0;
  const auto [end, error] = std::from_chars(file_name.data(), file_name.data() + dot, offset);
  if (error != std::errc{} || end != file_name.data() + dot || offset < 0) return std::nullopt;
  return Offset(offset);
}

SegmentReport check_segment(const std::string& path, const SegmentCheckOptions& options,
                            log::Compression& codecs, std::vector<Problem>& problems) {
  SegmentReport report;
  const Offset base =
      base_offset_of(std::filesystem::path(path).filename().string()).value_or(Offset(0));
  report.end = base;
  auto reader = SegmentReader::open(path);
  if (!reader) {
    problems.push_back({path, 0, reader.error().message});
    return report;
  }
  report.bytes = reader->size();
  BatchEnds ends;
  while (true) {
    const auto next = reader->next();
    if (!next) {
      const bool torn = next.error() == Errc::truncated && options.is_last;
      if (torn) {
        report.torn_bytes = reader->size() - reader->position();
      } else {
        problems.push_back({path, reader->position(), next.error().message});
      }
      break;
    }
    if (!*next) break;
    const log::RecordBatch& batch = **next;
    check_batch(batch, report.end, options.deep, codecs, {path, reader->position(), {}}, problems);
    ++report.batches;
    report.records += batch.record_count();
    if (!report.start) report.start = batch.base_offset();
    report.end = std::max(report.end, batch.end_offset());
    ends.emplace_back(batch.last_offset().value(), reader->position());
  }
  if (const auto index = beside(path, ".index"); std::filesystem::exists(index))
    check_offset_index(index, base, ends, problems);
  if (const auto index = beside(path, ".timeindex"); std::filesystem::exists(index))
    check_time_index(index, base, report.end, problems);
  return report;
}

}  // namespace millrace::server
