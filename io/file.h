// Files as coroutines use them: whole reads and writes, sync, and the owner of an open file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "io/proactor.h"
#include "io/task.h"

namespace millrace::io {

// Owns an open file; closes it at the end. As std::shared_ptr<const OpenFile> a segment stays readable while a connection
// still sends from it, whatever becomes of the segment.
//
// Shard:     may be closed on any shard, since the last who sends may be anywhere. Operations go through the proactor of the
//            shard that asks, with handle(): a handle is good on every shard of the process.
// Lifetime:  ends before the proactor it was opened with.
class OpenFile {
 public:
  OpenFile(Proactor& proactor, FileHandle handle) : proactor_(proactor), handle_(handle) {}
  ~OpenFile() { proactor_.close(handle_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  FileHandle handle() const { return handle_; }

  // Errors: as Proactor::open.
  static Result<std::shared_ptr<const OpenFile>> open(Proactor& proactor, const std::string& path,
                                                      OpenOptions options);

 private:
  Proactor& proactor_;
  FileHandle handle_;
};

// Reads until `bytes` is full or the file ends; gives how much was read. Errors: io_error.
Task<Result<std::size_t>> read_all(Proactor& proactor, FileHandle file, std::uint64_t position,
                                   Bytes bytes);
// What one read gives; 0 at the end. For direct reads, which cannot go on from everywhere. Errors: io_error.
Task<Result<std::size_t>> read_once(Proactor& proactor, FileHandle file, std::uint64_t position, Bytes bytes);
// Writes all of `bytes`, continuing short writes. Errors: disk_full, io_error; an unknown part has been written then.
Task<Result<void>> write_all(Proactor& proactor, FileHandle file, std::uint64_t position,
                             ConstBytes bytes);
// Makes what was written durable. Errors: io_error: the file's contents are in doubt then, and a second sync proves nothing.
Task<Result<void>> sync(Proactor& proactor, FileHandle file);
// Makes the names in a directory durable, as they were at the call. Errors: not_found, refused, io_error.
Task<Result<void>> sync_directory(Proactor& proactor, std::string path);
// Removes a file. Errors: not_found, io_error.
Task<Result<void>> remove_file(Proactor& proactor, std::string path);
// Brings the range into the page cache. Errors: io_error.
Task<Result<void>> read_ahead(Proactor& proactor, FileHandle file, std::uint64_t position,
                              std::uint64_t length);
// Brings all of a file into the page cache, unless it is there. Errors: not_found, refused, io_error.
Task<Result<void>> bring_in(Proactor& proactor, std::string path);
// Starts write-back of the range and completes when it is at the device. Errors: io_error, to be taken as one of sync().
Task<Result<void>> start_write_back(Proactor& proactor, FileHandle file, std::uint64_t position,
                                    std::uint64_t length);

// ---- Small files, inline: checkpoints, properties. For start-up and rare metadata writes.

// The whole contents. Errors: not_found, io_error, too_large when above `bytes_max`.
Result<std::string> read_small_file(Proactor& proactor, const std::string& path,
                                    std::size_t bytes_max = 64 * 1024 * 1024);
// Replaces `path` so that after a crash it holds the old contents or the new, never a mixture: writes path + ".tmp", syncs it,
// renames it, syncs the directory. Errors: disk_full, io_error; the old contents are still there then.
Result<void> replace_small_file(Proactor& proactor, const std::string& path, ConstBytes contents);
// The same without holding the shard up. Of one path one at a time.
Task<Result<void>> replace_small_file_queued(Proactor& proactor, std::string path, std::string contents);

// The directory of a path: what stands before its last slash, "." when there is none.
std::string directory_of(const std::string& path);

}  // namespace millrace::io
