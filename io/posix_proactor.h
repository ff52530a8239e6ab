// PosixProactor: what the two real backends share: the clock, and everything that happens inline; and that the kernel reads no
// more of a file than it is asked for while some shard's writes are waited for (io/background_reads.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/background_reads.h"
#include "io/proactor.h"

namespace millrace::io {

class PosixProactor : public Proactor {
 public:
  // The durable writes are the process's; this one's own when there are none.
  explicit PosixProactor(std::shared_ptr<DurableWrites> durable_writes = nullptr);

  Instant now() override;
  WallTime wall_now() override;

  Result<FileHandle> open(const std::string& path, OpenOptions options) override;
  void close(FileHandle file) override;
  Result<std::uint64_t> size(FileHandle file) override;
  Result<void> write_inline(FileHandle file, std::uint64_t position,
                            std::span<const ::iovec> slices) override;
  Result<std::size_t> read_inline(FileHandle file, std::uint64_t position, Bytes bytes) override;
  Result<void> truncate(FileHandle file, std::uint64_t size) override;
  Result<void> reserve(FileHandle file, std::uint64_t position, std::uint64_t length) override;
  Result<void> sync_inline(FileHandle file) override;
  // By cachestat(2), else mincore(2), else true.
  bool resident(FileHandle file, std::uint64_t position, std::uint64_t length) override;

  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> remove_directory(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  Result<std::uint64_t> total_bytes(const std::string& path) override;

  Result<std::size_t> send_file_inline(SocketHandle socket, FileHandle file, std::uint64_t position,
                                       std::size_t length) override;
  Result<std::size_t> send_inline(SocketHandle socket, std::span<const ::iovec> slices,
                                  bool more) override;
  Result<std::size_t> receive_inline(SocketHandle socket, Bytes bytes) override;
  void close_socket(SocketHandle socket) override;
  bool durable_write_under_way() const override { return durable_writes_->under_way(); }

 protected:
  const std::shared_ptr<DurableWrites>& durable_writes() const { return durable_writes_; }
  // Before each read through the page cache, whoever it is for: a single one in order, if only of a header, makes the kernel read
  // ahead, and what it has read ahead makes it read further when it is used, without end.
  void bound_read_ahead_of(FileHandle file);
  // Tells the kernel how far beyond the piece it may read of the file on its own account: a read in order makes it ask for as much
  // as the device's read_ahead_kb says, which is megabytes on some.
  void bound_read_ahead(const BackgroundReads::Read& read);

 private:
  bool has_cachestat_ = true;
  std::shared_ptr<DurableWrites> durable_writes_;
};

// Whether a write of the file is durable once it completes, so that somebody may be waiting for it.
bool writes_durably(FileHandle file);

// Whether this kernel answers cachestat(2).
bool cachestat_works();

// A range brought into the page cache is read by way of one small buffer, again and again: the copy stays in the CPU's cache
// and no memory of the range's size is needed.
inline constexpr std::size_t kReadAheadChunk = 64 * 1024;
inline constexpr std::size_t kReadAheadBytesMax = 16 * 1024 * 1024;
class ReadAheadSink {
 public:
  // Slices that cover `length` bytes (rounded up to a chunk, at most kReadAheadBytesMax), all of them the same memory.
  std::span<const ::iovec> slices(std::uint64_t length);

 private:
  std::vector<std::byte> chunk_;
  std::vector<::iovec> slices_;
};

}  // namespace millrace::io
