// IndexFile: a segment's index of one kind: entries in growing order, the older ones in a file, the newest in memory
// until there are enough for a write. Used as OffsetIndex, TimeIndex and TransactionIndex.
//
// Shard:      its log's.
// Trust:      none. What the file says is checked when it is first used, and a position it gives is checked again where it is
//             used (Segment); an index that fails is thrown away and built anew from the data file.
// Files:      opened for a look or a write and closed again: an idle log holds no handle. Pages that were looked at can be kept.
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
#include "engine/log/kept_pages.h"
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
  // The last entry for which `at_or_before` holds; it must hold for a prefix. Looks at what is in `kept` first, and leaves there
  // what it reads of the file at path(). Errors: corrupt, io_error.
  template <class Path, class Predicate>
  Result<std::optional<Entry>> find_last(io::Proactor& proactor, Path path, Predicate at_or_before,
                                         KeptPages<Entry>* kept = nullptr);
  // For who was misled: what was kept may not be what the file says.
  void forget_kept() { kept_key_ = 0; }
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

  using Page = typename KeptPages<Entry>::Page;

  Result<std::vector<Entry>> read_entries(io::Proactor& proactor, io::FileHandle file,
                                          std::uint64_t first, std::size_t count) const;
  Result<Page> read_page(io::Proactor& proactor, io::FileHandle file, std::uint64_t number) const;
  // Whether the last entry for which `at_or_before` holds, or that there is none, can be told from this page of the file.
  template <class Predicate>
  bool tells(const Page& page, Predicate at_or_before) const;
  // The page of the file that tells. `last_used`: the one that did the last time, of which this may be the next.
  template <class Predicate>
  Result<Page> find_page(io::Proactor& proactor, io::FileHandle file, Predicate at_or_before,
                         const Page* last_used) const;
  // The last of the entries for which it holds.
  template <class Predicate>
  static std::optional<Entry> last_of(const std::vector<Entry>& entries, Predicate at_or_before);
  // How many of the file's entries are in the prefix for which `holds` does.
  template <class Predicate>
  Result<std::uint64_t> prefix_in_file(io::Proactor& proactor, io::FileHandle file, Predicate holds) const;

  std::uint64_t file_entries_ = 0;
  // The file is longer than file_entries_ says, or was never cut.
  bool file_has_rest_ = false;
  std::optional<Entry> last_;
  std::vector<Entry> tail_;
  // What pages of the file are kept under; 0: none are.
  std::uint64_t kept_key_ = 0;
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
template <class Path, class Predicate>
Result<std::optional<Entry>> IndexFile<Entry>::find_last(io::Proactor& proactor, Path path,
                                                         Predicate at_or_before, KeptPages<Entry>* kept) {
  if (!tail_.empty() && at_or_before(tail_.front())) return last_of(tail_, at_or_before);
  if (file_entries_ == 0) return std::optional<Entry>();
  const Page* last_used = nullptr;
  if (kept != nullptr && kept_key_ != 0) {
    const Page* const found = kept->find(kept_key_, [&](const Page& page) { return tells(page, at_or_before); });
    if (found != nullptr) return last_of(found->entries, at_or_before);
    last_used = kept->find(kept_key_, [](const Page&) { return true; });
  }
  TRY(handle, proactor.open(path(), {}));
  const ScopedFile file(proactor, handle);
  TRY(page, find_page(proactor, file.handle(), at_or_before, last_used));
  const auto found = last_of(page.entries, at_or_before);
  if (kept != nullptr) {
    if (kept_key_ == 0) kept_key_ = kept->new_key();
    page.key = kept_key_;
    kept->keep(std::move(page));
  }
  return found;
}

template <class Entry>
template <class Predicate>
std::optional<Entry> IndexFile<Entry>::last_of(const std::vector<Entry>& entries, Predicate at_or_before) {
  const auto behind = std::ranges::partition_point(entries, at_or_before);
  if (behind == entries.begin()) return std::nullopt;
  return *std::prev(behind);
}

template <class Entry>
template <class Predicate>
bool IndexFile<Entry>::tells(const Page& page, Predicate at_or_before) const {
  if (!at_or_before(page.entries.front())) return page.number == 0;
  const std::uint64_t end = page.number * kPageEntries + page.entries.size();
  return end == file_entries_ || !at_or_before(page.entries.back());
}

template <class Entry>
template <class Predicate>
auto IndexFile<Entry>::find_page(io::Proactor& proactor, io::FileHandle file, Predicate at_or_before,
                                 const Page* last_used) const -> Result<Page> {
  // By the first entry of each.
  std::uint64_t low = 0;
  std::uint64_t high = (file_entries_ + kPageEntries - 1) / kPageEntries;
  if (last_used != nullptr) {
    (at_or_before(last_used->entries.front()) ? low : high) = last_used->number;
    if (low + 1 < high && low == last_used->number) {
      TRY(next, read_page(proactor, file, low + 1));
      if (at_or_before(next.entries.front()) && tells(next, at_or_before)) return next;
    }
  }
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    TRY(first, read_entries(proactor, file, middle * kPageEntries, 1));
    (at_or_before(first.front()) ? low : high) = middle;
  }
  return read_page(proactor, file, low);
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
  forget_kept();  // others will stand where those did that are dropped
  file_has_rest_ = file_has_rest_ || kept < file_entries_;
  file_entries_ = kept;
  if (kept > 0) {
    TRY(entry, read_entries(proactor, file.handle(), kept - 1, 1));
    last_ = entry.front();
  }
  return {};
}

}  // namespace millrace::log
