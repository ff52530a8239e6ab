#include "tests/sim/sim_proactor.h"

#include <cerrno>

#include "base/check.h"

namespace millrace::sim {
namespace {

constexpr unsigned kReadAheadsAtOnce = 2;

std::unexpected<Error> no_sockets() {
  return fail(Errc::unsupported, "the simulated disk has no sockets; use the simulated stack");
}

}  // namespace

SimProactor::SimProactor(World& world, SimDisk& disk, std::string_view name, DiskTiming disk_timing)
    : timing(disk_timing),
      world_(world),
      disk_(disk),
      prng_(world.stream(name)),
      background_reads_(std::make_shared<io::DurableWrites>(), kReadAheadsAtOnce,
                        [this](io::BackgroundReads::Read& read) { start_read_ahead(static_cast<Ahead&>(read)); }) {}

SimProactor::~SimProactor() {
  for (const auto& [done, pending] : pending_) world_.cancel(pending.event);
  for (const auto& [done, ahead] : aheads_) {
    if (!ahead.is_linked()) world_.cancel(ahead.event);
  }
}

Duration SimProactor::draw_latency() {
  const auto draw = [this](Duration bound) {
    return Duration(bound.count() > 0
                        ? static_cast<std::int64_t>(prng_.below(static_cast<std::uint64_t>(bound.count())))
                        : 0);
  };
  Duration latency = timing.least + draw(timing.spread);
  if (timing.stall_one_in > 0 && prng_.chance(timing.stall_one_in)) latency += draw(timing.stall_max);
  return latency;
}

void SimProactor::queue(io::Completion& done, std::function<std::int64_t()> effect,
                        std::function<void()> abandon) {
  CHECK(done.pending == nullptr, "an operation was queued twice");
  ++operations_;
  done.pending = this;
  const World::Event event = world_.at(world_.now() + draw_latency(), [this, &done] {
    auto node = pending_.extract(&done);
    finished_.emplace_back(&done, node.mapped().effect());
  });
  pending_.emplace(&done, Pending{event, std::move(effect), std::move(abandon)});
}

void SimProactor::cancel(io::Completion& completion) {
  if (const auto found = aheads_.find(&completion); found != aheads_.end()) {
    Ahead& ahead = found->second;
    if (background_reads_.cancel(ahead)) {
      aheads_.erase(found);
      finished_.emplace_back(&completion, -ECANCELED);
    } else {
      world_.cancel(ahead.event);
      end_read_ahead(ahead, -ECANCELED);
    }
    return;
  }
  auto node = pending_.extract(&completion);
  if (node.empty()) return;
  world_.cancel(node.mapped().event);
  if (node.mapped().abandon) node.mapped().abandon();
  finished_.emplace_back(&completion, -ECANCELED);
}

std::size_t SimProactor::run_once(std::optional<Instant> sleep_until) {
  if (sleep_until && finished_.empty()) world_.advance(*sleep_until);
  std::vector<std::pair<io::Completion*, std::int64_t>> completing;
  completing.swap(finished_);
  for (const auto& [done, result] : completing) {
    done->pending = nullptr;
    done->complete(result);
  }
  return completing.size();
}

Result<io::FileHandle> SimProactor::open(const std::string& path, io::OpenOptions options) {
  ++operations_;
  return disk_.open(path, options);
}
void SimProactor::close(io::FileHandle file) { disk_.close(file); }
Result<std::uint64_t> SimProactor::size(io::FileHandle file) { return disk_.size(file); }

Result<void> SimProactor::write_inline(io::FileHandle file, std::uint64_t position,
                                       std::span<const ::iovec> slices) {
  ++operations_;
  for (const ::iovec& slice : slices) {
    TRY_DONE(disk_.write(file, position,
                         ConstBytes(static_cast<const std::byte*>(slice.iov_base), slice.iov_len)));
    position += slice.iov_len;
  }
  return {};
}

Result<std::size_t> SimProactor::read_inline(io::FileHandle file, std::uint64_t position,
                                             Bytes bytes) {
  return disk_.read(file, position, bytes);
}

Result<void> SimProactor::truncate(io::FileHandle file, std::uint64_t size) {
  ++operations_;
  return disk_.truncate(file, size);
}

Result<void> SimProactor::reserve(io::FileHandle file, std::uint64_t position,
                                  std::uint64_t length) {
  return disk_.reserve(file, position, length);
}

Result<void> SimProactor::sync_inline(io::FileHandle file) {
  ++operations_;
  return disk_.sync(file);
}

bool SimProactor::resident(io::FileHandle file, std::uint64_t, std::uint64_t) {
  return disk_.resident(file);
}

Result<void> SimProactor::rename(const std::string& from, const std::string& to) {
  ++operations_;
  return disk_.rename(from, to);
}
Result<void> SimProactor::remove(const std::string& path) {
  ++operations_;
  return disk_.remove(path);
}
Result<void> SimProactor::make_directory(const std::string& path) {
  ++operations_;
  return disk_.make_directory(path);
}
Result<void> SimProactor::remove_directory(const std::string& path) {
  ++operations_;
  return disk_.remove_directory(path);
}
Result<std::vector<io::DirectoryEntry>> SimProactor::list(const std::string& path) {
  return disk_.list(path);
}
Result<void> SimProactor::sync_directory(const std::string& path) {
  ++operations_;
  return disk_.sync_directory(path);
}
Result<std::uint64_t> SimProactor::free_bytes(const std::string&) { return disk_.free_bytes(); }

Result<std::uint64_t> SimProactor::total_bytes(const std::string&) { return disk_.capacity(); }

void SimProactor::read(io::FileHandle file, std::uint64_t position, Bytes bytes,
                       io::Completion& done) {
  queue(done, [this, file, position, bytes] { return disk_.queued_read(file, position, bytes); });
}

void SimProactor::write(io::FileHandle file, std::uint64_t position, ConstBytes bytes,
                        io::Completion& done) {
  const bool durable = disk_.writes_durably(file);
  if (durable) background_reads_.durable_writes().begin(now());
  const std::uint64_t write = disk_.begin_write(file, position, bytes);
  const auto ended = [this, durable] {
    if (durable) background_reads_.durable_writes().end();
  };
  queue(
      done,
      [this, write, ended] {
        ended();
        return disk_.end_write(write);
      },
      [this, write, ended] {
        ended();
        disk_.abandon_write(write);
      });
}

void SimProactor::sync(io::FileHandle file, io::Completion& done) {
  auto queued = std::make_shared<const SimDisk::QueuedSync>(disk_.begin_sync(file));
  queue(done, [this, queued] { return disk_.end_sync(*queued); });
}

void SimProactor::sync_names(io::FileHandle directory, io::Completion& done) {
  auto queued = std::make_shared<const SimDisk::QueuedNames>(disk_.begin_sync_names(directory));
  queue(done, [this, queued] { return disk_.end_sync_names(*queued); });
}

void SimProactor::start_write_back(io::FileHandle file, std::uint64_t, std::uint64_t,
                                   io::Completion& done) {
  auto queued = std::make_shared<const SimDisk::QueuedSync>(disk_.begin_sync(file));
  queue(done, [this, queued] { return disk_.end_write_back(*queued); });
}

void SimProactor::remove_queued(const std::string& path, io::Completion& done) {
  queue(done, [this, &path]() -> std::int64_t {
    const auto removed = disk_.remove(path);
    if (removed) return 0;
    return removed.error() == Errc::not_found ? -ENOENT : -EIO;
  });
}

void SimProactor::read_ahead(io::FileHandle file, std::uint64_t position, std::uint64_t length,
                             io::Completion& done) {
  CHECK(done.pending == nullptr, "an operation was queued twice");
  ++operations_;
  done.pending = this;
  Ahead& ahead = aheads_[&done];
  ahead.done = &done;
  background_reads_.add(ahead, file, position, length, now());
}

void SimProactor::start_read_ahead(Ahead& ahead) {
  ahead.event = world_.at(world_.now() + draw_latency(), [this, &ahead] {
    std::vector<std::byte> sink(ahead.piece);
    end_read_ahead(ahead, disk_.queued_read(ahead.file, ahead.position, sink));
  });
}

void SimProactor::end_read_ahead(Ahead& ahead, std::int64_t result) {
  const auto whole = background_reads_.ended(ahead, result, now());
  if (!whole) return;
  io::Completion* const done = ahead.done;
  aheads_.erase(done);
  finished_.emplace_back(done, *whole);
}

void SimProactor::accept(io::SocketHandle, io::Completion& done) {
  queue(done, [] { return std::int64_t{-EOPNOTSUPP}; });
}
void SimProactor::receive(io::SocketHandle, Bytes, io::Completion& done) {
  queue(done, [] { return std::int64_t{-EOPNOTSUPP}; });
}
void SimProactor::send(io::SocketHandle, std::span<const ::iovec>, bool, io::Completion& done) {
  queue(done, [] { return std::int64_t{-EOPNOTSUPP}; });
}
void SimProactor::poll(io::SocketHandle, short, io::Completion& done) {
  queue(done, [] { return std::int64_t{-EOPNOTSUPP}; });
}
void SimProactor::connect(io::SocketHandle, const void*, unsigned, io::Completion& done) {
  queue(done, [] { return std::int64_t{-EOPNOTSUPP}; });
}
Result<std::size_t> SimProactor::send_file_inline(io::SocketHandle, io::FileHandle, std::uint64_t,
                                                  std::size_t) {
  return no_sockets();
}
Result<std::size_t> SimProactor::send_inline(io::SocketHandle, std::span<const ::iovec>, bool) {
  return no_sockets();
}
Result<std::size_t> SimProactor::receive_inline(io::SocketHandle, Bytes) { return no_sockets(); }
void SimProactor::close_socket(io::SocketHandle) {}

}  // namespace millrace::sim
