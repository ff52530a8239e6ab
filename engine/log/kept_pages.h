// KeptPages: pages of index files that were read lately. Who reads a log in order asks the same page again and again, and then
// the next one; without them each look is an open, a search and a close.
//
// Shard:      one each, for its logs' offset indexes.
// Bound:      so many pages, of so many entries as IndexFile reads at a time.
// Invariant:  what is kept under an index's key stands in its file. An index whose entries are dropped takes another key, and
//             what was kept under the old one is never asked for again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace millrace::log {

template <class Entry>
class KeptPages {
 public:
  struct Page {
    std::uint64_t key = 0;
    std::uint64_t number = 0;
    std::vector<Entry> entries;
  };

  explicit KeptPages(std::size_t pages_max = 64) : pages_max_(pages_max) {}

  // Of an index that has none yet.
  std::uint64_t new_key() { return ++last_key_; }

  // The page used last of those under `key` for which `fits` holds; null if there is none. Good until the next keep().
  template <class Fits>
  const Page* find(std::uint64_t key, Fits fits) {
    const auto found = std::ranges::find_if(
        pages_, [&](const Page& page) { return page.key == key && fits(page); });
    if (found == pages_.end()) return nullptr;
    std::rotate(pages_.begin(), found, found + 1);
    return &pages_.front();
  }

  // Instead of the same page as it was, or of the one that was not used for longest.
  const Page& keep(Page page) {
    auto place = std::ranges::find_if(pages_, [&](const Page& kept) {
      return kept.key == page.key && kept.number == page.number;
    });
    if (place == pages_.end() && pages_.size() < pages_max_) place = pages_.emplace(place);
    if (place == pages_.end()) --place;
    *place = std::move(page);
    std::rotate(pages_.begin(), place, place + 1);
    return pages_.front();
  }

 private:
  std::size_t pages_max_;
  std::uint64_t last_key_ = 0;
  std::vector<Page> pages_;  // used last first
};

}  // namespace millrace::log
