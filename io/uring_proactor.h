// UringProactor: the Proactor over io_uring.
//
// Shard:      made anywhere; the ring is enabled by the first run_once(), whose thread is then the only one to use it.
// Overload:   a full submission queue is submitted early; completions the kernel had no room for are kept by it, counted here
//             and fetched later: none is lost.
// Memory:     records of pending operations come from a free list that grows to the most that were ever pending at once.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <vector>

#include "io/background_reads.h"
#include "io/posix_proactor.h"

namespace millrace::io {

struct UringOptions {
  unsigned submission_entries = 256;
  unsigned completion_entries = 4096;
  // Reads into the page cache that may be in the kernel's hands at once; the rest waits its turn, so that a reader of old data
  // does not take all worker threads from syncs.
  unsigned read_ahead_max = 2;
  // The process's; its own when there is none.
  std::shared_ptr<DurableWrites> durable_writes;
};

// Makes a disabled ring in the best mode this kernel knows; gives the setup flags it got, or an errno.
std::expected<unsigned, int> make_ring(unsigned submission_entries, unsigned completion_entries,
                                       ::io_uring& ring);
// Enables a ring for the calling thread; 0 or an errno.
int enable_ring(::io_uring& ring);

class UringProactor final : public PosixProactor {
 public:
  // Errors: unsupported, with the reason; probe_uring() explains it better.
  static Result<std::unique_ptr<UringProactor>> create(UringOptions options = {});
  // Operations still pending are forgotten: their completions are not called.
  ~UringProactor() override;
  UringProactor(const UringProactor&) = delete;

  std::string_view name() const override { return "io_uring"; }

  void read(FileHandle file, std::uint64_t position, Bytes bytes, Completion& done) override;
  void write(FileHandle file, std::uint64_t position, ConstBytes bytes, Completion& done) override;
  void sync(FileHandle file, Completion& done) override;
  void sync_names(FileHandle directory, Completion& done) override;
  void start_write_back(FileHandle file, std::uint64_t position, std::uint64_t length,
                        Completion& done) override;
  void remove_queued(const std::string& path, Completion& done) override;
  void read_ahead(FileHandle file, std::uint64_t position, std::uint64_t length,
                  Completion& done) override;
  void accept(SocketHandle listener, Completion& done) override;
  void receive(SocketHandle socket, Bytes bytes, Completion& done) override;
  void send(SocketHandle socket, std::span<const ::iovec> slices, bool more,
            Completion& done) override;
  void poll(SocketHandle socket, short events, Completion& done) override;
  void connect(SocketHandle socket, const void* address, unsigned address_bytes,
               Completion& done) override;
  void cancel(Completion& pending) override;

  std::size_t run_once(std::optional<Instant> sleep_until) override;
  void wake() override;
  bool workers_busy() const override { return worker_operations_ > 0; }

  // How often the kernel had completions the queue had no room for.
  std::uint64_t completion_overflows() const { return overflows_; }
  // How often the submission queue was full and had to be submitted in the middle of a turn.
  std::uint64_t submission_stalls() const { return submission_stalls_; }

 private:
  struct Pending;
  struct Reaped {
    Pending* pending;
    std::int32_t result;
  };

  explicit UringProactor(UringOptions options);

  void enable();
  ::io_uring_sqe& next_entry();
  Pending& track(Completion& done);
  void recycle(Pending& pending);
  void arm_wake();
  void submit_read_ahead(BackgroundReads::Read& read);
  // Submits and, when `wait` is set, waits at most until then. Returns 0 or a negative errno.
  int enter(std::optional<Duration> wait);
  std::size_t reap();
  void set_aside();
  void finish(Pending& pending, std::int32_t result);

  UringOptions options_;
  ::io_uring ring_{};
  unsigned setup_flags_ = 0;
  bool ring_made_ = false;
  bool enabled_ = false;
  int wake_descriptor_ = -1;
  std::uint64_t wake_count_ = 0;  // where the kernel puts the eventfd's count
  bool wake_armed_ = false;
  unsigned worker_operations_ = 0;
  ReadAheadSink sink_;
  std::vector<Reaped> set_aside_;
  std::vector<std::unique_ptr<Pending>> all_;
  std::vector<Pending*> free_;
  std::uint64_t overflows_ = 0;
  std::uint64_t submission_stalls_ = 0;
  BackgroundReads background_reads_;  // goes before what it links
};

}  // namespace millrace::io
