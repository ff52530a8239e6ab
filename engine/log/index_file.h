// IndexFile: a segment's index of one kind: entries in growing order, the older ones in a file, the newest in memory
// until there are enough for a write. Used as OffsetIndex, TimeIndex and TransactionIndex.
//
// Shard:      its log's.
// Trust:      none. What the file says is checked when it is first used, and a position it gives is checked again where it is
//             used (Segment); an index that fails is thrown away and built anew from the data file.
// Files:      opened for a look or a write and closed again: an idle log holds no handle.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/log/format/index_entry.h"
#include "io/proactor.h"

namespace millrace::log {

template <class Entry>
class IndexFile {
 public:
  // Reads the file's size and last entry. A missing file has no entries. Errors: corrupt, io_error.
  Result<void> load(io::Proactor& proactor, const std::string& path);
  // As if the file were empty and overwritten by what is appended from now on.
  void begin_anew();

  std::uint64_t entry_count() const { return file_entries_ + tail_.size(); }
  std::uint64_t bytes() const { return entry_count() * Entry::kBytes; }
  bool empty() const { return entry_count() == 0; }
  std::optional<Entry> last() const { return last_; }

  void append(const Entry& entry);
  // The last entry for which `at_or_before` holds; it must hold for a prefix. Errors: corrupt, io_error.
  template <class Predicate>
  Result<std::optional<Entry>> find_last(io::Proactor& proactor, const std::string& path,
                                         Predicate at_or_before) const;
  // Shows the entries in their order to `visit`, from the first one on for which `is_before` does not hold (it must hold for a
  // prefix), until one is answered with false; gives whether one was. Errors: corrupt, io_error.
  template <class Predicate, class Visit>
  Result<bool> visit_from(io::Proactor& proactor, const std::string& path, Predicate is_before, Visit visit) const;
  // Drops the entries for which `keep` does not hold; they must be a suffix.
  template <class Predicate>
  Result<void> keep_while(io::Proactor& proactor, const std::string& path, Predicate keep);

  bool wants_write() const { return tail_.size() >= kTailEntriesMax; }
  // Writes what is in memory behind what is in the file and cuts off whatever stands behind it.
  Result<void> write_out(io::Proactor& proactor, const std::string& path);

 private:
  static constexpr std::size_t kTailEntriesMax = 512;
  // Whole entries read at a time.
  static constexpr std::size_t kPageEntries = 4096 / Entry::kBytes;

  Result<std::vector<Entry>> read_entries(io::Proactor& proactor, io::FileHandle file,
                                          std::uint64_t first, std::size_t count) const;
  // How many of the file's entries are in the prefix for which `holds` does.
  template <class Predicate>
  Result<std::uint64_t> prefix_in_file(io::Proactor& proactor, io::FileHandle file, Predicate holds) const;

  std::uint64_t file_entries_ = 0;
  // The file is longer than file_entries_ says, or was never cut.
  bool file_has_rest_ = false;
  std::optional<Entry> last_;
  std::vector<Entry> tail_;
};

using OffsetIndex = IndexFile<OffsetIndexEntry>;
using TimeIndex = IndexFile<TimeIndexEntry>;
using TransactionIndex = IndexFile<AbortedTransaction>;

// ---- Templates

// A file that is closed at the end of the scope.
class ScopedFile {
 public:
  ScopedFile(io::Proactor& proactor, io::FileHandle handle) : proactor_(proactor), handle_(handle) {}
  ~ScopedFile() { proactor_.close(handle_); }
  ScopedFile(const ScopedFile&) = delete;
  io::FileHandle handle() const { return handle_; }

 private:
  io::Proactor& proactor_;
  io::FileHandle handle_;
};

template <class Entry>
template <class Predicate>
Result<std::optional<Entry>> IndexFile<Entry>::find_last(io::Proactor& proactor,
                                                         const std::string& path,
                                                         Predicate at_or_before) const {
  if (!tail_.empty() && at_or_before(tail_.front())) {
    std::size_t low = 0;
    std::size_t high = tail_.size();
    while (high - low > 1) {
      const std::size_t middle = low + (high - low) / 2;
      (at_or_before(tail_[middle]) ? low : high) = middle;
    }
    return std::optional<Entry>(tail_[low]);
  }
  if (file_entries_ == 0) return std::optional<Entry>();
  TRY(handle, proactor.open(path, {}));
  const ScopedFile file(proactor, handle);
  // Pages first, by the first entry of each; then the entries of one page.
  std::uint64_t low = 0;
  std::uint64_t high = (file_entries_ + kPageEntries - 1) / kPageEntries;
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    TRY(first, read_entries(proactor, file.handle(), middle * kPageEntries, 1));
    (at_or_before(first.front()) ? low : high) = middle;
  }
  const std::uint64_t first = low * kPageEntries;
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(kPageEntries, file_entries_ - first));
  TRY(page, read_entries(proactor, file.handle(), first, count));
  std::optional<Entry> found;
  for (const Entry& entry : page) {
    if (!at_or_before(entry)) break;
    found = entry;
  }
  return found;
}

template <class Entry>
template <class Predicate>
Result<std::uint64_t> IndexFile<Entry>::prefix_in_file(io::Proactor& proactor, io::FileHandle file,
                                                       Predicate holds) const {
  std::uint64_t low = 0;
  std::uint64_t high = file_entries_;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    TRY(entry, read_entries(proactor, file, middle, 1));
    if (holds(entry.front())) low = middle + 1;
    else high = middle;
  }
  return low;
}

template <class Entry>
template <class Predicate, class Visit>
Result<bool> IndexFile<Entry>::visit_from(io::Proactor& proactor, const std::string& path, Predicate is_before,
                                          Visit visit) const {
  if (file_entries_ > 0) {
    TRY(handle, proactor.open(path, {}));
    const ScopedFile file(proactor, handle);
    TRY(first, prefix_in_file(proactor, file.handle(), is_before));
    for (std::uint64_t at = first; at < file_entries_; at += kPageEntries) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kPageEntries, file_entries_ - at));
      TRY(page, read_entries(proactor, file.handle(), at, count));
      for (const Entry& entry : page) {
        if (!visit(entry)) return true;
      }
    }
  }
  for (const Entry& entry : tail_) {
    if (!is_before(entry) && !visit(entry)) return true;
  }
  return false;
}

template <class Entry>
template <class Predicate>
Result<void> IndexFile<Entry>::keep_while(io::Proactor& proactor, const std::string& path,
                                          Predicate keep) {
  while (!tail_.empty() && !keep(tail_.back())) tail_.pop_back();
  if (!tail_.empty()) {
    last_ = tail_.back();
    return {};
  }
  last_.reset();
  if (file_entries_ == 0) return {};
  TRY(handle, proactor.open(path, {}));
  const ScopedFile file(proactor, handle);
  TRY(kept, prefix_in_file(proactor, file.handle(), keep));
  file_has_rest_ = file_has_rest_ || kept < file_entries_;
  file_entries_ = kept;
  if (kept > 0) {
    TRY(entry, read_entries(proactor, file.handle(), kept - 1, 1));
    last_ = entry.front();
  }
  return {};
}

}  // namespace millrace::log
