// Proactor: SEAM 1. One shard's only way to files, timers' clock and sockets. Backends: io_uring (uring_proactor), epoll with
// a small thread pool (epoll_proactor), and the simulator's (tests/sim/sim_proactor).
//
// Shard:     each shard has its own; only wake() may be called from another thread.
// Two kinds of operation. *Inline* ones have happened on return: they touch the page cache or the file system's metadata,
// take microseconds, and were measured to be cheaper than a trip through the ring. *Queued* ones finish later, through
// their Completion, never from inside the call that queued them.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/strong.h"
#include "base/time.h"
#include "io/completion.h"

namespace millrace::io {

struct FileHandleTag { static constexpr auto kind = StrongKind::id; };
struct SocketHandleTag { static constexpr auto kind = StrongKind::id; };
// An open file, an open socket. Real backends: the file descriptor.
using FileHandle = Strong<std::int32_t, FileHandleTag>;
using SocketHandle = Strong<std::int32_t, SocketHandleTag>;
inline constexpr FileHandle kNoFile{-1};
inline constexpr SocketHandle kNoSocket{-1};

struct OpenOptions {
  bool write = false;
  bool create = false;      // with write: made when missing
  bool exclusive = false;   // with create: already_exists when it is there
  bool truncate = false;
  bool directory = false;   // a directory and nothing else, for sync_names(); goes with no other option
  bool direct_sync = false; // O_DIRECT | O_DSYNC: reads and writes are 4 KiB aligned; a completed write is durable
  bool direct = false;      // O_DIRECT: aligned as well; not durable before a sync. Where it is not to be had: buffered
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
};

class Proactor {
 public:
  virtual ~Proactor() = default;

  // A name for logs and `millrace doctor`: "io_uring", "epoll", "simulated".
  virtual std::string_view name() const = 0;

  // ---- Clock
  virtual Instant now() = 0;
  virtual WallTime wall_now() = 0;

  // ---- Files, inline. Errors: disk_full, io_error, not_found, already_exists, refused (no handles left).
  virtual Result<FileHandle> open(const std::string& path, OpenOptions options) = 0;
  virtual void close(FileHandle file) = 0;
  virtual Result<std::uint64_t> size(FileHandle file) = 0;
  // Writes all slices one after the other from `position` into the page cache; not durable. A short write is continued;
  // on error an unknown part has been written.
  virtual Result<void> write_inline(FileHandle file, std::uint64_t position,
                                    std::span<const ::iovec> slices) = 0;
  // Reads up to bytes.size(); fewer only at the end of the file. May block on a cold file: start-up, tools, small reads.
  virtual Result<std::size_t> read_inline(FileHandle file, std::uint64_t position, Bytes bytes) = 0;
  virtual Result<void> truncate(FileHandle file, std::uint64_t size) = 0;
  // Reserves room for [position, position + length) without changing the size. Errors: disk_full.
  virtual Result<void> reserve(FileHandle file, std::uint64_t position, std::uint64_t length) = 0;
  // Blocks until durable; for start-up, tools and rare metadata writes.
  virtual Result<void> sync_inline(FileHandle file) = 0;
  // Whether a read of the range would not wait for the disk.
  virtual bool resident(FileHandle file, std::uint64_t position, std::uint64_t length) = 0;

  // ---- Directory entries, inline. Durable only after sync_directory of the parent.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;             // a file
  virtual Result<void> make_directory(const std::string& path) = 0;     // already_exists when it is there
  virtual Result<void> remove_directory(const std::string& path) = 0;   // must be empty
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;
  virtual Result<void> sync_directory(const std::string& path) = 0;
  // Bytes a writer could still use on the file system of `path`.
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
  // Bytes the file system of `path` holds in all.
  virtual Result<std::uint64_t> total_bytes(const std::string& path) = 0;

  // ---- Files, queued. Buffers and handles must stay valid until completion. Result: bytes done or -errno.
  virtual void read(FileHandle file, std::uint64_t position, Bytes bytes, Completion& done) = 0;
  // Short writes are possible; io::write_all continues them.
  virtual void write(FileHandle file, std::uint64_t position, ConstBytes bytes, Completion& done) = 0;
  // fdatasync. After an error the file's contents are in doubt: never retry.
  virtual void sync(FileHandle file, Completion& done) = 0;
  // What sync_directory() does, of a directory opened as one, for the changes made before the call. Errors as with sync().
  virtual void sync_names(FileHandle directory, Completion& done) = 0;
  // Starts write-back of the range; done when it is at the device, durable after a sync. An error is a failed sync's, and told once.
  virtual void start_write_back(FileHandle file, std::uint64_t position, std::uint64_t length,
                                Completion& done) = 0;
  // remove(), of what may have pages and blocks enough that giving them back takes its time. The path must stay until completion.
  virtual void remove_queued(const std::string& path, Completion& done) = 0;
  // Brings the range into the page cache, in the background class.
  virtual void read_ahead(FileHandle file, std::uint64_t position, std::uint64_t length,
                          Completion& done) = 0;

  // ---- Sockets: TCP as net/transport/uring_stack uses them. The simulator has its own Stack and refuses these.
  // Result: the new socket, or -errno. The socket is non-blocking and closed on exec.
  virtual void accept(SocketHandle listener, Completion& done) = 0;
  virtual void receive(SocketHandle socket, Bytes bytes, Completion& done) = 0;
  // One sendmsg of the slices; may send fewer bytes. `more` = MSG_MORE.
  virtual void send(SocketHandle socket, std::span<const ::iovec> slices, bool more, Completion& done) = 0;
  // Waits until the socket can be read (POLLIN) or written (POLLOUT); result: the poll mask.
  virtual void poll(SocketHandle socket, short events, Completion& done) = 0;
  virtual void connect(SocketHandle socket, const void* address, unsigned address_bytes, Completion& done) = 0;
  // Inline, non-blocking: bytes moved, would_block, or closed. Of a file: 0 when it ends before `position`; the caller asks
  // resident() first, since a cold page is waited for.
  virtual Result<std::size_t> send_file_inline(SocketHandle socket, FileHandle file, std::uint64_t position,
                                               std::size_t length) = 0;
  virtual Result<std::size_t> send_inline(SocketHandle socket, std::span<const ::iovec> slices, bool more) = 0;
  // 0 at the end of the stream, as with the queued receive.
  virtual Result<std::size_t> receive_inline(SocketHandle socket, Bytes bytes) = 0;
  // Requires: no operation is pending on it.
  virtual void close_socket(SocketHandle socket) = 0;
  // Asks for an early end of a queued operation; it completes with -ECANCELED unless it was done already.
  virtual void cancel(Completion& pending) = 0;

  // ---- The loop (io/reactor.h is its only caller)
  // Submits what is queued and completes what has finished; when nothing has, sleeps until something does, wake() is called or
  // `sleep_until` is reached. An empty `sleep_until` means: do not sleep. Returns how many operations were completed.
  virtual std::size_t run_once(std::optional<Instant> sleep_until) = 0;
  // Ends the sleep of run_once. The only call another thread may make.
  virtual void wake() = 0;
  // Whether threads that share this shard's core are at work for it: spinning would take it from them.
  virtual bool workers_busy() const { return false; }
  // Whether a write that is durable when it completes is on its way, for any shard: somebody waits for the kernel's workers, and
  // they for a core.
  virtual bool durable_write_under_way() const { return false; }
};

}  // namespace millrace::io
