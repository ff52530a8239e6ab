// EpollProactor: the Proactor where io_uring is forbidden (containers, hardened hosts): epoll for sockets, a few threads for
// queued file operations. Same results, more system calls.
//
// Shard:      all but wake() on one thread.
// Sockets:    an operation is tried when it is queued; what would block waits for the edge that epoll reports, and is tried
//             again then. Each descriptor is registered once, for both directions.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "io/background_reads.h"
#include "io/file_threads.h"
#include "io/posix_proactor.h"

namespace millrace::io {

struct EpollOptions {
  unsigned file_threads_max = 2;
  // The process's; its own when there is none.
  std::shared_ptr<DurableWrites> durable_writes;
};

class EpollProactor final : public PosixProactor {
 public:
  // Errors: refused when the process has no descriptors left.
  static Result<std::unique_ptr<EpollProactor>> create(EpollOptions options = {});
  // Operations still pending are forgotten: their completions are not called.
  ~EpollProactor() override;
  EpollProactor(const EpollProactor&) = delete;

  std::string_view name() const override { return "epoll"; }

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
  void close_socket(SocketHandle socket) override;
  void cancel(Completion& pending) override;

  std::size_t run_once(std::optional<Instant> sleep_until) override;
  void wake() override;
  bool workers_busy() const override { return threads_->busy(); }

 private:
  enum class Kind : std::uint8_t { file, accept, receive, send, poll, connect };
  // A pending operation: a file's waits in a list of FileThreads, a socket's in the list of its descriptor.
  struct Pending;

  explicit EpollProactor(EpollOptions options);

  Pending& track(Completion& done, Kind kind);
  void submit_file(FileJob::Work work, FileHandle file, std::uint64_t position, void* buffer,
                   std::size_t bytes, Completion& done);
  void submit_read_ahead(BackgroundReads::Read& read);
  void start_on_socket(Pending& pending);
  // The operation's result, or nothing when it would block.
  static std::optional<std::int64_t> attempt(Pending& pending);
  // Completes it in run_once, never inside the call that queued it.
  void finish_later(Pending& pending, std::int64_t outcome);
  // The same of a file's, unless it goes on with its next piece.
  void finish_file(Pending& pending, std::int64_t result);
  void on_edge(int descriptor);
  std::size_t complete_finished();
  void wait_for_events(std::optional<Instant> sleep_until);

  int epoll_descriptor_ = -1;
  int wake_descriptor_ = -1;
  std::unordered_map<int, FileJobs> sockets_;  // what waits for an edge, by registered descriptor
  std::vector<Pending*> finished_;
  std::vector<Pending*> completing_;
  std::vector<std::unique_ptr<Pending>> all_;
  std::vector<Pending*> free_;
  std::unique_ptr<FileThreads> threads_;
  BackgroundReads background_reads_;  // goes before what it links
};

}  // namespace millrace::io
