// IdleProactor: a Proactor whose clock jumps to the end of every sleep and that does no I/O: for tests of what stands on the
// loop alone. Every operation is refused.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "io/proactor.h"

namespace millrace::io {

class IdleProactor : public Proactor {
 public:
  std::string_view name() const override { return "idle"; }
  Instant now() override { return now_; }
  WallTime wall_now() override { return WallTime{now_.time_since_epoch().count() / 1'000'000}; }

  Result<FileHandle> open(const std::string&, OpenOptions) override { return no(); }
  void close(FileHandle) override {}
  Result<std::uint64_t> size(FileHandle) override { return no(); }
  Result<void> write_inline(FileHandle, std::uint64_t, std::span<const ::iovec>) override { return no(); }
  Result<std::size_t> read_inline(FileHandle, std::uint64_t, Bytes) override { return no(); }
  Result<void> truncate(FileHandle, std::uint64_t) override { return no(); }
  Result<void> reserve(FileHandle, std::uint64_t, std::uint64_t) override { return no(); }
  Result<void> sync_inline(FileHandle) override { return no(); }
  bool resident(FileHandle, std::uint64_t, std::uint64_t) override { return true; }
  Result<void> rename(const std::string&, const std::string&) override { return no(); }
  Result<void> remove(const std::string&) override { return no(); }
  Result<void> make_directory(const std::string&) override { return no(); }
  Result<void> remove_directory(const std::string&) override { return no(); }
  Result<std::vector<DirectoryEntry>> list(const std::string&) override { return no(); }
  Result<void> sync_directory(const std::string&) override { return no(); }
  Result<std::uint64_t> free_bytes(const std::string&) override { return no(); }
  Result<std::uint64_t> total_bytes(const std::string&) override { return no(); }

  void read(FileHandle, std::uint64_t, Bytes, Completion& done) override { refuse(done); }
  void write(FileHandle, std::uint64_t, ConstBytes, Completion& done) override { refuse(done); }
  void sync(FileHandle, Completion& done) override { refuse(done); }
  void sync_names(FileHandle, Completion& done) override { refuse(done); }
  void start_write_back(FileHandle, std::uint64_t, std::uint64_t, Completion& done) override { refuse(done); }
  void remove_queued(const std::string&, Completion& done) override { refuse(done); }
  void read_ahead(FileHandle, std::uint64_t, std::uint64_t, Completion& done) override { refuse(done); }
  void accept(SocketHandle, Completion& done) override { refuse(done); }
  void receive(SocketHandle, Bytes, Completion& done) override { refuse(done); }
  void send(SocketHandle, std::span<const ::iovec>, bool, Completion& done) override { refuse(done); }
  void poll(SocketHandle, short, Completion& done) override { refuse(done); }
  void connect(SocketHandle, const void*, unsigned, Completion& done) override { refuse(done); }
  Result<std::size_t> send_file_inline(SocketHandle, FileHandle, std::uint64_t, std::size_t) override { return no(); }
  Result<std::size_t> send_inline(SocketHandle, std::span<const ::iovec>, bool) override { return no(); }
  Result<std::size_t> receive_inline(SocketHandle, Bytes) override { return no(); }
  void close_socket(SocketHandle) override {}
  void cancel(Completion&) override {}

  std::size_t run_once(std::optional<Instant> sleep_until) override {
    std::vector<Completion*> refused;
    refused.swap(refused_);
    for (Completion* done : refused) done->complete(-38);
    if (sleep_until && refused.empty()) {
      ++sleeps_;
      now_ = std::max(now_, *sleep_until);
    }
    return refused.size();
  }
  void wake() override { ++wakes_; }

  void advance(Duration duration) { now_ += duration; }
  int sleeps() const { return sleeps_; }
  int wakes() const { return wakes_; }

 private:
  static std::unexpected<Error> no() { return fail(Errc::unsupported, "the idle backend does no I/O"); }
  void refuse(Completion& done) { refused_.push_back(&done); }

  Instant now_{Duration(1'000'000'000)};
  std::vector<Completion*> refused_;
  int sleeps_ = 0;
  int wakes_ = 0;
};

}  // namespace millrace::io
