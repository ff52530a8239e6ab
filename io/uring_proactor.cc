#include "io/uring_proactor.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/logging.h"
#include "io/sanitizer.h"

namespace millrace::io {
namespace {

// user_data of entries that are nobody's operation; a record's address is never one of these.
constexpr std::uint64_t kIgnoredTag = 0;
constexpr std::uint64_t kWakeTag = 1;
constexpr std::size_t kTransferBytesMax = std::size_t{1} << 30;
// More completions than this wait for the next turn.
constexpr std::size_t kCompletionsPerTurn = 1024;
constexpr unsigned kReapBatch = 64;
// Best effort, lowest level: for reads nobody waits for yet.
constexpr std::uint16_t kBackgroundPriority = (2 << 13) | 7;
constexpr int kSubmitAttempts = 1000;
constexpr int kLastWaits = 50;
constexpr Duration kLastWait = std::chrono::milliseconds(100);

// From linux/io_uring.h of 5.19, in case of older headers than kernels.
#ifndef IORING_ASYNC_CANCEL_ALL
constexpr unsigned IORING_ASYNC_CANCEL_ALL = 1U << 0;
#endif
#ifndef IORING_ASYNC_CANCEL_ANY
constexpr unsigned IORING_ASYNC_CANCEL_ANY = 1U << 2;
#endif

enum class Kind : std::uint8_t { read, write, worker, read_ahead, receive, send, other };

__kernel_timespec timespec_of(Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  return {.tv_sec = seconds.count(), .tv_nsec = (duration - seconds).count()};
}

}  // namespace

// What is known of an operation from its submission to its completion.
struct UringProactor::Pending : BackgroundReads::Read {
  Completion* done = nullptr;
  Kind kind = Kind::other;
  bool durable = false;  // a write that is when it completes
  void* buffer = nullptr;
  std::size_t bytes = 0;
  ::msghdr message{};
};

std::expected<unsigned, int> make_ring(unsigned submission_entries, unsigned completion_entries,
                                       ::io_uring& ring) {
  constexpr unsigned kAlways = IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED |
                               IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG;
  constexpr std::array kModes{
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,  // 6.1
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,   // 6.0
      IORING_SETUP_COOP_TASKRUN,                                // 5.19
  };
  int error = EINVAL;
  for (const unsigned mode : kModes) {
    ::io_uring_params params{};
    params.flags = kAlways | mode;
    params.cq_entries = completion_entries;
    const int made = io_uring_queue_init_params(submission_entries, &ring, &params);
    if (made == 0) return params.flags;
    error = -made;
    if (error != EINVAL) break;
  }
  return std::unexpected(error);
}

int enable_ring(::io_uring& ring) {
  // liburing 2.3 as Debian packages it declares a function for this and does not export it.
  const long answer =
      ::syscall(__NR_io_uring_register, ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  return answer < 0 ? errno : 0;
}

Result<std::unique_ptr<UringProactor>> UringProactor::create(UringOptions options) {
  std::unique_ptr<UringProactor> proactor(new UringProactor(std::move(options)));
  const auto made =
      make_ring(proactor->options_.submission_entries, proactor->options_.completion_entries, proactor->ring_);
  if (!made) {
    return fail(Errc::unsupported, std::string("io_uring_setup: ") + std::strerror(made.error()));
  }
  proactor->ring_made_ = true;
  proactor->setup_flags_ = *made;
  // Blocking, for the ring: a read of a non-blocking one would end in EAGAIN instead of waiting.
  proactor->wake_descriptor_ = ::eventfd(0, EFD_CLOEXEC);
  if (proactor->wake_descriptor_ < 0) return fail(error_from_errno(errno, "eventfd"));
  return proactor;
}

UringProactor::UringProactor(UringOptions options)
    : PosixProactor(std::move(options.durable_writes)),
      options_(std::move(options)),
      background_reads_(durable_writes(), options_.read_ahead_max,
                        [this](BackgroundReads::Read& read) { submit_read_ahead(read); }) {}

UringProactor::~UringProactor() {
  if (enabled_) {
    // The kernel must be done with every buffer before the ring goes.
    ::io_uring_sqe& entry = next_entry();
    io_uring_prep_cancel64(&entry, 0, IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY);
    entry.user_data = kIgnoredTag;
    enter(std::nullopt);
    for (int i = 0; i < kLastWaits; ++i) {
      set_aside();
      const std::size_t ended = free_.size() + set_aside_.size() + background_reads_.waiting();
      if (ended >= all_.size() && !wake_armed_) break;
      enter(kLastWait);
    }
  }
  for (const auto& pending : all_) {
    if (pending->done == nullptr) continue;
    // The process's count outlives this shard.
    if (pending->kind == Kind::write && pending->durable) durable_writes()->end();
    if (pending->kind == Kind::read || pending->kind == Kind::receive) {
      kernel_returns(pending->buffer, pending->bytes);
    }
  }
  if (ring_made_) io_uring_queue_exit(&ring_);
  if (wake_descriptor_ >= 0) ::close(wake_descriptor_);
}

void UringProactor::enable() {
  if (enabled_) return;
  const int error = enable_ring(ring_);
  CHECK(error == 0, "the ring cannot be enabled: {}", std::strerror(error));
  enabled_ = true;
  // An index instead of a descriptor saves a lookup per system call; older kernels go on without.
  (void)io_uring_register_ring_fd(&ring_);
}

::io_uring_sqe& UringProactor::next_entry() {
  ::io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry != nullptr) [[likely]] return *entry;
  ++submission_stalls_;
  enable();
  int error = 0;
  for (int i = 0; i < kSubmitAttempts; ++i) {
    error = enter(std::nullopt);
    // Completions make room, but nobody's function is called from inside the call that queues an operation.
    set_aside();
    entry = io_uring_get_sqe(&ring_);
    if (entry != nullptr) return *entry;
  }
  CHECK(false, "the submission queue stays full: {}", std::strerror(-error));
  __builtin_unreachable();
}

UringProactor::Pending& UringProactor::track(Completion& done) {
  if (free_.empty()) {
    all_.push_back(std::make_unique<Pending>());
    free_.push_back(all_.back().get());
  }
  Pending& pending = *free_.back();
  free_.pop_back();
  pending.done = &done;
  done.pending = &pending;
  return pending;
}

void UringProactor::recycle(Pending& pending) {
  pending.done = nullptr;
  free_.push_back(&pending);
}

void UringProactor::read(FileHandle file, std::uint64_t position, Bytes bytes, Completion& done) {
  const std::size_t length = std::min(bytes.size(), kTransferBytesMax);
  Pending& pending = track(done);
  pending.kind = Kind::read;
  pending.buffer = bytes.data();
  pending.bytes = length;
  kernel_takes(bytes.data(), length);
  bound_read_ahead_of(file);
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_read(&entry, file.value(), bytes.data(), static_cast<unsigned>(length), position);
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::write(FileHandle file, std::uint64_t position, ConstBytes bytes,
                          Completion& done) {
  const std::size_t length = std::min(bytes.size(), kTransferBytesMax);
  Pending& pending = track(done);
  pending.kind = Kind::write;
  pending.buffer = const_cast<std::byte*>(bytes.data());
  pending.bytes = length;
  check_addressable(bytes.data(), length);
  pending.durable = writes_durably(file);
  if (pending.durable) durable_writes()->begin(now());
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_write(&entry, file.value(), bytes.data(), static_cast<unsigned>(length), position);
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::sync(FileHandle file, Completion& done) {
  Pending& pending = track(done);
  pending.kind = Kind::worker;
  ++worker_operations_;
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_fsync(&entry, file.value(), IORING_FSYNC_DATASYNC);
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::sync_names(FileHandle directory, Completion& done) {
  Pending& pending = track(done);
  pending.kind = Kind::worker;
  ++worker_operations_;
  ::io_uring_sqe& entry = next_entry();
  // A directory's names are no data to fdatasync.
  io_uring_prep_fsync(&entry, directory.value(), 0);
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::start_write_back(FileHandle file, std::uint64_t position, std::uint64_t length,
                                     Completion& done) {
  Pending& pending = track(done);
  pending.kind = Kind::worker;
  ++worker_operations_;
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_sync_file_range(
      &entry, file.value(), static_cast<unsigned>(std::min<std::uint64_t>(length, UINT32_MAX)),
      position, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::remove_queued(const std::string& path, Completion& done) {
  Pending& pending = track(done);
  pending.kind = Kind::worker;
  ++worker_operations_;
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_unlinkat(&entry, AT_FDCWD, path.c_str(), 0);
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::read_ahead(FileHandle file, std::uint64_t position, std::uint64_t length,
                               Completion& done) {
  Pending& pending = track(done);
  pending.kind = Kind::read_ahead;
  background_reads_.add(pending, file, position, std::min<std::uint64_t>(length, kReadAheadBytesMax), now());
}

void UringProactor::submit_read_ahead(BackgroundReads::Read& read) {
  auto& pending = static_cast<Pending&>(read);
  ++worker_operations_;
  bound_read_ahead(read);
  const auto slices = sink_.slices(read.piece);
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_readv(&entry, read.file.value(), slices.data(), static_cast<unsigned>(slices.size()), read.position);
  entry.flags |= IOSQE_ASYNC;  // inline it would hold the shard up for the whole read
  entry.ioprio = kBackgroundPriority;
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::accept(SocketHandle listener, Completion& done) {
  Pending& pending = track(done);
  pending.kind = Kind::other;
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_accept(&entry, listener.value(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::receive(SocketHandle socket, Bytes bytes, Completion& done) {
  const std::size_t length = std::min(bytes.size(), kTransferBytesMax);
  Pending& pending = track(done);
  pending.kind = Kind::receive;
  pending.buffer = bytes.data();
  pending.bytes = length;
  kernel_takes(bytes.data(), length);
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_recv(&entry, socket.value(), bytes.data(), length, 0);
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::send(SocketHandle socket, std::span<const ::iovec> slices, bool more,
                         Completion& done) {
  Pending& pending = track(done);
  pending.kind = Kind::send;
  pending.message = {};
  pending.message.msg_iov = const_cast<::iovec*>(slices.data());
  pending.message.msg_iovlen = std::min<std::size_t>(slices.size(), UIO_MAXIOV);
  for (const auto& slice : slices) check_addressable(slice.iov_base, slice.iov_len);
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_sendmsg(&entry, socket.value(), &pending.message,
                        static_cast<unsigned>(MSG_NOSIGNAL | (more ? MSG_MORE : 0)));
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::poll(SocketHandle socket, short events, Completion& done) {
  Pending& pending = track(done);
  pending.kind = Kind::other;
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_poll_add(&entry, socket.value(), static_cast<unsigned>(events));
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::connect(SocketHandle socket, const void* address, unsigned address_bytes,
                            Completion& done) {
  Pending& pending = track(done);
  pending.kind = Kind::other;
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_connect(&entry, socket.value(), static_cast<const ::sockaddr*>(address),
                        address_bytes);
  io_uring_sqe_set_data(&entry, &pending);
}

void UringProactor::cancel(Completion& completion) {
  auto* const pending = static_cast<Pending*>(completion.pending);
  if (pending == nullptr) return;
  if (pending->kind == Kind::read_ahead && background_reads_.cancel(*pending)) {
    pending->kind = Kind::other;  // it never ran
    set_aside_.push_back({pending, -ECANCELED});
    return;
  }
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_cancel(&entry, pending, 0);
  entry.user_data = kIgnoredTag;
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
}

void UringProactor::arm_wake() {
  if (wake_armed_) return;
  ::io_uring_sqe& entry = next_entry();
  io_uring_prep_read(&entry, wake_descriptor_, &wake_count_, sizeof wake_count_, 0);
  entry.user_data = kWakeTag;
  wake_armed_ = true;
}

void UringProactor::wake() {
  const std::uint64_t one = 1;
  const ssize_t written = ::write(wake_descriptor_, &one, sizeof one);
  CHECK(written == sizeof one || errno == EAGAIN, "eventfd: {}", std::strerror(errno));
}

int UringProactor::enter(std::optional<Duration> wait) {
  if (wait) {
    __kernel_timespec timeout = timespec_of(*wait);
    ::io_uring_cqe* first = nullptr;
    const int answer = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
    return answer < 0 && answer != -ETIME && answer != -EINTR ? answer : 0;
  }
  const unsigned flags = IO_URING_READ_ONCE(*ring_.sq.kflags);
  if ((flags & IORING_SQ_CQ_OVERFLOW) != 0) ++overflows_;
  // Nothing to submit, and the kernel has nothing for us: no system call.
  if (io_uring_sq_ready(&ring_) == 0 &&
      (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) == 0) {
    return 0;
  }
  const int answer = io_uring_submit_and_get_events(&ring_);
  return answer < 0 && answer != -EINTR ? answer : 0;
}

void UringProactor::set_aside() {
  std::array<::io_uring_cqe*, kReapBatch> entries;
  while (true) {
    const unsigned count = io_uring_peek_batch_cqe(&ring_, entries.data(), kReapBatch);
    if (count == 0) return;
    for (unsigned i = 0; i < count; ++i) {
      const std::uint64_t tag = entries[i]->user_data;
      if (tag == kWakeTag) wake_armed_ = false;
      else if (tag != kIgnoredTag) {
        set_aside_.push_back({reinterpret_cast<Pending*>(tag), entries[i]->res});
      }
    }
    io_uring_cq_advance(&ring_, count);
  }
}

std::size_t UringProactor::reap() {
  std::size_t completed = 0;
  if (!set_aside_.empty()) {
    std::vector<Reaped> earlier;
    earlier.swap(set_aside_);
    for (const auto& [pending, result] : earlier) finish(*pending, result);
    completed += earlier.size();
  }
  while (completed < kCompletionsPerTurn) {
    // Copied out first: a completed operation's owner may queue another and so come back here.
    std::array<::io_uring_cqe*, kReapBatch> entries;
    std::array<Reaped, kReapBatch> batch;
    const unsigned count = io_uring_peek_batch_cqe(&ring_, entries.data(), kReapBatch);
    if (count == 0) break;
    unsigned operations = 0;
    for (unsigned i = 0; i < count; ++i) {
      const std::uint64_t tag = entries[i]->user_data;
      if (tag == kWakeTag) wake_armed_ = false;
      else if (tag != kIgnoredTag) {
        batch[operations++] = {reinterpret_cast<Pending*>(tag), entries[i]->res};
      }
    }
    io_uring_cq_advance(&ring_, count);
    for (unsigned i = 0; i < operations; ++i) finish(*batch[i].pending, batch[i].result);
    completed += operations;
  }
  return completed;
}

void UringProactor::finish(Pending& pending, std::int32_t result) {
  std::int64_t answer = result;
  switch (pending.kind) {
    case Kind::read:
    case Kind::receive: kernel_returns(pending.buffer, pending.bytes); break;
    case Kind::write:
      check_addressable(pending.buffer, pending.bytes);
      if (pending.durable) durable_writes()->end();
      break;
    case Kind::worker: --worker_operations_; break;
    case Kind::read_ahead: {
      --worker_operations_;
      const auto whole = background_reads_.ended(pending, result, now());
      if (!whole) return;
      answer = *whole;
      break;
    }
    case Kind::send:
    case Kind::other: break;
  }
  Completion& done = *pending.done;
  recycle(pending);
  done.pending = nullptr;
  done.complete(answer);
}

std::size_t UringProactor::run_once(std::optional<Instant> sleep_until) {
  enable();
  arm_wake();
  const bool wait = sleep_until && set_aside_.empty() && io_uring_cq_ready(&ring_) == 0;
  const Duration left = wait ? *sleep_until - now() : Duration::zero();
  const int error = left > Duration::zero() ? enter(left) : enter(std::nullopt);
  // EBUSY: the kernel holds completions back; reaping lets it go on. EAGAIN, ENOMEM: it is short of memory; the entries
  // stay queued for the next turn.
  CHECK(error == 0 || error == -EBUSY || error == -EAGAIN || error == -ENOMEM, "io_uring_enter: {}",
        std::strerror(-error));
  return reap();
}

}  // namespace millrace::io
