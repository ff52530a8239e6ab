// FileCache: a shard's open data files, bounded. A file is opened when it is used and closed when others were used since;
// whoever still holds it (a fetch answer being sent) keeps it open on its own. Of index files, which are not kept open, it keeps
// the pages that were read last.
//
// Shard:      one each.
// Lifetime:   outlives the slots of its logs' segments.
// Invariant:  at most open_max slots hold a file.
#pragma once

#include <boost/intrusive/list.hpp>

#include <memory>
#include <string>

#include "base/check.h"
#include "base/result.h"
#include "engine/log/format/index_entry.h"
#include "engine/log/kept_pages.h"
#include "io/file.h"
#include "io/proactor.h"

namespace millrace::log {

class FileCache {
 public:
  // The place where one file's handle is kept while it is open.
  class Slot : public boost::intrusive::list_base_hook<> {
   public:
    Slot() = default;
    ~Slot() { reset(); }
    Slot(const Slot&) = delete;

    // Lets go of the file; it closes when its last holder does.
    void reset();

   private:
    friend class FileCache;
    std::shared_ptr<const io::OpenFile> file_;
    FileCache* cache_ = nullptr;
  };

  FileCache(io::Proactor& proactor, std::size_t open_max) : proactor_(proactor), open_max_(open_max) {}
  ~FileCache() { CHECK(used_.empty()); }
  FileCache(const FileCache&) = delete;

  io::Proactor& proactor() { return proactor_; }
  KeptPages<OffsetIndexEntry>& index_pages() { return index_pages_; }

  // The file of `slot`, which is opened for reading and writing at path() when it is not. The file must exist.
  template <class Path>
  Result<std::shared_ptr<const io::OpenFile>> get(Slot& slot, Path path) {
    if (slot.file_ != nullptr) [[likely]] {
      used_.splice(used_.end(), used_, used_.iterator_to(slot));
      return slot.file_;
    }
    return open(slot, path(), io::OpenOptions{.write = true});
  }
  // Makes the file. Errors: already_exists, disk_full, refused.
  Result<std::shared_ptr<const io::OpenFile>> create(Slot& slot, const std::string& path) {
    return open(slot, path, io::OpenOptions{.write = true, .create = true, .exclusive = true});
  }

 private:
  Result<std::shared_ptr<const io::OpenFile>> open(Slot& slot, const std::string& path,
                                                   io::OpenOptions options);

  io::Proactor& proactor_;
  std::size_t open_max_;
  // Least recently used first.
  boost::intrusive::list<Slot> used_;
  KeptPages<OffsetIndexEntry> index_pages_;
};

}  // namespace millrace::log
