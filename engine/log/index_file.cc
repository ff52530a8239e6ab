#include "engine/log/index_file.h"

#include <fmt/format.h>

namespace millrace::log {
namespace {

// Whether `next` may follow `before` in an index of its kind.
bool grows(const OffsetIndexEntry& before, const OffsetIndexEntry& next) {
  return next.relative_offset > before.relative_offset && next.position > before.position;
}
bool grows(const TimeIndexEntry& before, const TimeIndexEntry& next) {
  return next.timestamp > before.timestamp && next.relative_offset >= before.relative_offset;
}
bool grows(const AbortedTransaction& before, const AbortedTransaction& next) {
  return next.last_offset > before.last_offset;
}

template <class Entry>
Result<Entry> load_entry(const std::byte* from) {
  return Entry::load(from);
}
template <>
Result<AbortedTransaction> load_entry(const std::byte* from) {
  const auto entry = AbortedTransaction::load(ConstBytes(from, AbortedTransaction::kBytes));
  if (!entry) return fail(Errc::corrupt, entry.error().message);
  if (entry->first_offset > entry->last_offset) return fail(Errc::corrupt, "a transaction that ends before it begins");
  return *entry;
}

}  // namespace

template <class Entry>
Result<std::vector<Entry>> IndexFile<Entry>::read_entries(io::Proactor& proactor,
                                                          io::FileHandle file, std::uint64_t first,
                                                          std::size_t count) const {
  std::array<std::byte, kPageEntries * Entry::kBytes> page;
  const Bytes wanted(page.data(), count * Entry::kBytes);
  TRY(got, proactor.read_inline(file, first * Entry::kBytes, wanted));
  if (got < wanted.size()) return fail(Errc::corrupt, "index ends early");
  std::vector<Entry> entries;
  entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    TRY(entry, load_entry<Entry>(page.data() + i * Entry::kBytes));
    entries.push_back(entry);
    if (i > 0 && !grows(entries[i - 1], entries[i])) {
      return fail(Errc::corrupt, fmt::format("index entry {} is not above the one before it", first + i));
    }
  }
  return entries;
}

template <class Entry>
auto IndexFile<Entry>::read_page(io::Proactor& proactor, io::FileHandle file, std::uint64_t number) const
    -> Result<Page> {
  const std::uint64_t first = number * kPageEntries;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kPageEntries, file_entries_ - first));
  TRY(entries, read_entries(proactor, file, first, count));
  return Page{.number = number, .entries = std::move(entries)};
}

template <class Entry>
Result<void> IndexFile<Entry>::load(io::Proactor& proactor, const std::string& path) {
  begin_anew();
  auto handle = proactor.open(path, {});
  if (!handle) {
    if (handle.error() == Errc::not_found) return {};
    return fail(std::move(handle).error());
  }
  const ScopedFile file(proactor, *handle);
  TRY(size, proactor.size(file.handle()));
  if (size % Entry::kBytes != 0) return fail(Errc::corrupt, "index size is no multiple of an entry's");
  const std::uint64_t entries = size / Entry::kBytes;
  if (entries > 0) {
    TRY(last, read_entries(proactor, file.handle(), entries - 1, 1));
    last_ = last.front();
  }
  file_entries_ = entries;
  file_has_rest_ = false;
  return {};
}

template <class Entry>
void IndexFile<Entry>::begin_anew() {
  file_entries_ = 0;
  file_has_rest_ = true;
  last_.reset();
  tail_.clear();
  forget_kept();
}

template <class Entry>
void IndexFile<Entry>::append(const Entry& entry) {
  if (last_ && !grows(*last_, entry)) return;
  tail_.push_back(entry);
  last_ = entry;
}

template <class Entry>
Result<void> IndexFile<Entry>::write_out(io::Proactor& proactor, const std::string& path) {
  if (tail_.empty() && !file_has_rest_) return {};
  TRY(handle, proactor.open(path, {.write = true, .create = true}));
  const ScopedFile file(proactor, handle);
  std::vector<std::byte> bytes(tail_.size() * Entry::kBytes);
  for (std::size_t i = 0; i < tail_.size(); ++i) tail_[i].store(bytes.data() + i * Entry::kBytes);
  if (!bytes.empty()) {
    const ::iovec slice{bytes.data(), bytes.size()};
    TRY_DONE(proactor.write_inline(file.handle(), file_entries_ * Entry::kBytes, {&slice, 1}));
  }
  if (file_has_rest_) {
    TRY_DONE(proactor.truncate(file.handle(), (file_entries_ + tail_.size()) * Entry::kBytes));
  }
  file_entries_ += tail_.size();
  file_has_rest_ = false;
  tail_.clear();
  tail_.shrink_to_fit();
  return {};
}

template class IndexFile<OffsetIndexEntry>;
template class IndexFile<TimeIndexEntry>;
template class IndexFile<AbortedTransaction>;

}  // namespace millrace::log
