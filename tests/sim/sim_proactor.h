// SimProactor: the Proactor of one simulated shard: the world's clock, the node's simulated disk, no sockets (the simulated
// Stack has those).
//
// Queued operations complete after a time drawn from the seed, so in another order than they were queued. With run_task() and
// no other reactor, sleeping moves the world's time.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "io/background_reads.h"
#include "io/proactor.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/world.h"

namespace millrace::sim {

struct DiskTiming {
  Duration least = std::chrono::microseconds(20);
  Duration spread = std::chrono::microseconds(300);  // on top, uniform
  std::uint64_t stall_one_in = 500;                  // an operation that takes much longer
  Duration stall_max = std::chrono::seconds(2);
};

class SimProactor final : public io::Proactor {
 public:
  // `name` tells its stream of random numbers from others'.
  SimProactor(World& world, SimDisk& disk, std::string_view name, DiskTiming timing = {});
  // Operations still pending are forgotten.
  ~SimProactor() override;
  SimProactor(const SimProactor&) = delete;

  DiskTiming timing;
  std::uint64_t operations() const { return operations_; }
  // Reads into the page cache that are at the disk, and what they are to bring.
  std::size_t background_reads() const { return aheads_.size() - background_reads_.waiting(); }

  std::string_view name() const override { return "simulated"; }
  bool durable_write_under_way() const override { return background_reads_.durable_writes().under_way(); }
  Instant now() override { return world_.now(); }
  WallTime wall_now() override { return world_.wall_now(); }

  Result<io::FileHandle> open(const std::string& path, io::OpenOptions options) override;
  void close(io::FileHandle file) override;
  Result<std::uint64_t> size(io::FileHandle file) override;
  Result<void> write_inline(io::FileHandle file, std::uint64_t position,
                            std::span<const ::iovec> slices) override;
  Result<std::size_t> read_inline(io::FileHandle file, std::uint64_t position, Bytes bytes) override;
  Result<void> truncate(io::FileHandle file, std::uint64_t size) override;
  Result<void> reserve(io::FileHandle file, std::uint64_t position, std::uint64_t length) override;
  Result<void> sync_inline(io::FileHandle file) override;
  bool resident(io::FileHandle file, std::uint64_t position, std::uint64_t length) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> remove_directory(const std::string& path) override;
  Result<std::vector<io::DirectoryEntry>> list(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  Result<std::uint64_t> total_bytes(const std::string& path) override;

  void read(io::FileHandle file, std::uint64_t position, Bytes bytes, io::Completion& done) override;
  void write(io::FileHandle file, std::uint64_t position, ConstBytes bytes,
             io::Completion& done) override;
  void sync(io::FileHandle file, io::Completion& done) override;
  void sync_names(io::FileHandle directory, io::Completion& done) override;
  void start_write_back(io::FileHandle file, std::uint64_t position, std::uint64_t length,
                        io::Completion& done) override;
  void remove_queued(const std::string& path, io::Completion& done) override;
  void read_ahead(io::FileHandle file, std::uint64_t position, std::uint64_t length,
                  io::Completion& done) override;

  // Refused: -EOPNOTSUPP, or unsupported.
  void accept(io::SocketHandle listener, io::Completion& done) override;
  void receive(io::SocketHandle socket, Bytes bytes, io::Completion& done) override;
  void send(io::SocketHandle socket, std::span<const ::iovec> slices, bool more,
            io::Completion& done) override;
  void poll(io::SocketHandle socket, short events, io::Completion& done) override;
  void connect(io::SocketHandle socket, const void* address, unsigned address_bytes,
               io::Completion& done) override;
  Result<std::size_t> send_file_inline(io::SocketHandle socket, io::FileHandle file,
                                       std::uint64_t position, std::size_t length) override;
  Result<std::size_t> send_inline(io::SocketHandle socket, std::span<const ::iovec> slices,
                                  bool more) override;
  Result<std::size_t> receive_inline(io::SocketHandle socket, Bytes bytes) override;
  void close_socket(io::SocketHandle socket) override;

  void cancel(io::Completion& pending) override;
  std::size_t run_once(std::optional<Instant> sleep_until) override;
  void wake() override {}

 private:
  struct Pending {
    World::Event event;
    std::function<std::int64_t()> effect;
    std::function<void()> abandon;  // in place of the effect, when cancelled
  };
  struct Ahead : io::BackgroundReads::Read {
    io::Completion* done = nullptr;
    World::Event event;
  };
  void start_read_ahead(Ahead& ahead);
  void end_read_ahead(Ahead& ahead, std::int64_t result);
  // `effect` happens, and the operation completes, after a time drawn.
  void queue(io::Completion& done, std::function<std::int64_t()> effect,
             std::function<void()> abandon = {});
  Duration draw_latency();

  World& world_;
  SimDisk& disk_;
  Prng prng_;
  std::uint64_t operations_ = 0;
  std::map<io::Completion*, Pending> pending_;
  std::map<io::Completion*, Ahead> aheads_;
  std::vector<std::pair<io::Completion*, std::int64_t>> finished_;
  io::BackgroundReads background_reads_;  // goes before what it links
};

}  // namespace millrace::sim
