// SimDisk: the file system of one simulated node: what its processes see, and apart from that what would be there after the
// power went.
//
// What is promised is what POSIX promises and no more:
//   - Data: a sector of 512 bytes written and not yet synced may, after a power cut, be there, be missing or be torn, each
//     sector for itself; a file's size likewise. A sync covers what was written before it was issued.
//   - Names: creating, renaming and removing an entry is durable once its directory is synced, not before. Of one directory's
//     unsynced changes some first ones survive; other directories' independently. Syncing a file does not save its name.
//   - A write to a file opened with direct_sync is durable when it completes; before, its sectors are as good as unsynced.
//   - A failed sync loses what it should have written: the pages count as clean, and no later sync writes them.
//
// A crash does not stop the node that runs on a disk: it makes an image, a disk of its own, as another node would find it. The
// old one runs on into nothing until the test ends it in good order. Handles do not carry over to the image.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"
#include "base/result.h"
#include "io/proactor.h"
#include "tests/sim/sim_file.h"

namespace millrace::sim {

// Chances are "one in so many operations"; 0 is never. Latency faults are SimProactor's.
struct DiskFaults {
  std::uint64_t write_error_one_in = 0;   // EIO; some first part may have been written. A truncate's as well, which does nothing
  std::uint64_t name_error_one_in = 0;    // EIO of a rename, a removal, the making of a file; nothing has happened
  std::uint64_t read_error_one_in = 0;    // EIO
  std::uint64_t sync_error_one_in = 0;    // EIO; what was to be written is lost
  std::uint64_t read_flip_one_in = 0;     // one bit of what is read is wrong, this time only
  std::uint64_t open_error_one_in = 0;    // no handles left
  std::uint64_t short_transfer_one_in = 0;  // a queued read or write does a part
  std::uint64_t cold_one_in = 4;          // resident() says no
  // When not empty, errors and flips strike only files whose path contains it.
  std::string only;
};

class SimDisk {
 public:
  explicit SimDisk(Prng prng, std::uint64_t capacity_bytes = std::uint64_t{1} << 40);
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;

  DiskFaults faults;
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  std::uint64_t used_bytes() const { return used_; }

  // ---- Crashes
  // The disk after the power went now.
  std::unique_ptr<SimDisk> power_cut(Prng& prng) const;
  // The disk after the process was killed now: the page cache is intact. A queued write has happened or has not.
  std::unique_ptr<SimDisk> process_kill(Prng& prng) const;
  // Called before every change, queued or inline: the place for a test to take an image anywhere.
  void set_observer(std::function<void()> before_change) { before_change_ = std::move(before_change); }

  // ---- Rot
  // Inverts one bit, on the platter and in the cache. Requires: the file is that long.
  void flip_bit(const std::string& path, std::uint64_t position, unsigned bit);

  // ---- What SimProactor asks; as Proactor describes them.
  Result<io::FileHandle> open(const std::string& path, io::OpenOptions options);
  void close(io::FileHandle handle);
  Result<std::uint64_t> size(io::FileHandle handle) const;
  Result<void> write(io::FileHandle handle, std::uint64_t position, ConstBytes bytes);
  Result<std::size_t> read(io::FileHandle handle, std::uint64_t position, Bytes bytes);
  Result<void> truncate(io::FileHandle handle, std::uint64_t size);
  Result<void> reserve(io::FileHandle handle, std::uint64_t position, std::uint64_t length);
  Result<void> sync(io::FileHandle handle);
  bool resident(io::FileHandle handle);
  bool writes_durably(io::FileHandle handle) const;
  Result<void> rename(const std::string& from, const std::string& to);
  Result<void> remove(const std::string& path);
  Result<void> make_directory(const std::string& path);
  Result<void> remove_directory(const std::string& path);
  Result<std::vector<io::DirectoryEntry>> list(const std::string& path) const;
  Result<void> sync_directory(const std::string& path);
  std::uint64_t capacity() const { return capacity_; }
  std::uint64_t free_bytes() const { return capacity_ > used_ ? capacity_ - used_ : 0; }

  // ---- Queued operations, in two parts: what is fixed at submission, and what happens at completion. Results are counts of
  // bytes or negative errno.
  // The bytes are copied, so that an image taken meanwhile can have a part of them.
  std::uint64_t begin_write(io::FileHandle handle, std::uint64_t position, ConstBytes bytes);
  std::int64_t end_write(std::uint64_t write);
  // Takes a queued write back; it has happened or it has not.
  void abandon_write(std::uint64_t write);
  struct QueuedSync {
    std::uint64_t inode = 0;
    std::string path;
    SimFile::Sync sync;
    int error = 0;  // already known: a bad handle
  };
  QueuedSync begin_sync(io::FileHandle handle) const;
  std::int64_t end_sync(const QueuedSync& queued);
  struct QueuedNames {
    std::uint64_t inode = 0;
    std::string path;
    std::uint64_t through = 0;  // the last change it covers
    int error = 0;
  };
  QueuedNames begin_sync_names(io::FileHandle handle) const;
  std::int64_t end_sync_names(const QueuedNames& queued);
  std::int64_t queued_read(io::FileHandle handle, std::uint64_t position, Bytes bytes);
  // Some dirty sectors reach the platter; or it fails as a sync does, and the next sync need not say so.
  std::int64_t end_write_back(const QueuedSync& queued);

 private:
  using InodeId = std::uint64_t;
  using Names = std::map<std::string, InodeId>;
  struct Inode {
    InodeId id = 0;
    bool is_directory = false;
    SimFile file;
    Names names;                  // of a directory
    std::uint64_t reserved = 0;   // bytes promised by reserve()
    std::uint64_t allocated = 0;  // bytes counted in used_
    bool removed = false;         // no name leads here any more; freed when the last handle goes
  };
  // A change of names not yet durable: a rename has both parts, creating and removing have one.
  struct Name {
    InodeId directory = 0;
    std::string name;
  };
  struct NameChange {
    std::optional<Name> removed;
    std::optional<Name> added;
    InodeId inode = 0;
    std::uint64_t sequence = 0;
    bool touches(InodeId directory) const {
      return (removed && removed->directory == directory) || (added && added->directory == directory);
    }
  };
  struct OpenEntry {
    InodeId inode = 0;
    std::string path;
    io::OpenOptions options;
  };
  struct QueuedWrite {
    io::FileHandle handle;
    InodeId inode = 0;
    std::string path;
    bool direct = false;
    int error = 0;
    std::uint64_t position = 0;
    std::vector<std::byte> bytes;
  };

  Inode& inode(InodeId id) const;
  Result<const OpenEntry*> entry(io::FileHandle handle) const;
  Result<Name> parent_of(const std::string& path) const;
  std::optional<InodeId> find(const std::string& path) const;
  Inode& add_inode(bool is_directory);
  Inode& create(const Name& name, bool is_directory);
  void changing() const;
  bool strikes(std::uint64_t one_in, const std::string& path);
  void account(Inode& file);
  void drop_name(InodeId id);
  void note_change(NameChange change);
  void settle_names(InodeId directory, std::uint64_t through);
  void free_if_unused(InodeId id);
  Result<void> write_to(const std::string& path, Inode& file, bool direct, std::uint64_t position,
                        ConstBytes bytes);
  static void apply(const NameChange& change, std::map<InodeId, Names>& names);
  std::unique_ptr<SimDisk> image(std::map<InodeId, Names> names, Prng& prng) const;

  std::map<InodeId, std::unique_ptr<Inode>> inodes_;
  std::set<InodeId> removed_;               // no name leads to them, and they are not freed yet
  std::map<InodeId, Names> durable_names_;  // as they would be after a power cut, by directory
  std::vector<NameChange> changes_;         // since then, in order
  std::uint64_t last_change_ = 0;
  std::map<std::int32_t, OpenEntry> handles_;
  std::map<std::uint64_t, QueuedWrite> queued_;
  std::int32_t next_handle_ = 1000;
  InodeId next_inode_ = 1;
  std::uint64_t next_write_ = 1;
  std::uint64_t capacity_;
  std::uint64_t used_ = 0;
  Prng prng_;
  std::function<void()> before_change_;
};

}  // namespace millrace::sim
