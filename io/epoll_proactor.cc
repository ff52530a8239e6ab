#include "io/epoll_proactor.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace millrace::io {
namespace {

constexpr std::size_t kTransferBytesMax = std::size_t{1} << 30;
constexpr std::size_t kEventsPerTurn = 256;

std::optional<std::int64_t> unless_blocked(long answer) {
  if (answer >= 0) return answer;
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return std::nullopt;
  return -errno;
}

}  // namespace

struct EpollProactor::Pending : FileJob {
  struct Ahead : BackgroundReads::Read {
    Pending* owner = nullptr;
  };
  Ahead ahead;
  Completion* done = nullptr;
  bool durable = false;  // a write that is when it completes
  EpollProactor::Kind operation = EpollProactor::Kind::file;
  SocketHandle socket = kNoSocket;
  Bytes into;
  std::span<const ::iovec> slices;
  bool more = false;
  short events = 0;
  std::int64_t outcome = 0;
};

Result<std::unique_ptr<EpollProactor>> EpollProactor::create(EpollOptions options) {
  std::unique_ptr<EpollProactor> proactor(new EpollProactor(std::move(options)));
  proactor->epoll_descriptor_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (proactor->epoll_descriptor_ < 0) return fail(error_from_errno(errno, "epoll_create1"));
  proactor->wake_descriptor_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (proactor->wake_descriptor_ < 0) return fail(error_from_errno(errno, "eventfd"));
  ::epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = proactor->wake_descriptor_;
  if (::epoll_ctl(proactor->epoll_descriptor_, EPOLL_CTL_ADD, proactor->wake_descriptor_, &event) !=
      0) {
    return fail(error_from_errno(errno, "epoll_ctl"));
  }
  return proactor;
}

EpollProactor::EpollProactor(EpollOptions options)
    : PosixProactor(std::move(options.durable_writes)),
      threads_(std::make_unique<FileThreads>(options.file_threads_max, [this] { wake(); })),
      // One thread is left for those who wait.
      background_reads_(durable_writes(), std::max(1U, options.file_threads_max - 1),
                        [this](BackgroundReads::Read& read) { submit_read_ahead(read); }) {}

EpollProactor::~EpollProactor() {
  threads_.reset();  // before the descriptor its threads wake us by
  // The process's count outlives this shard.
  for (const auto& pending : all_) {
    if (pending->durable) durable_writes()->end();
  }
  for (auto& [descriptor, waiting] : sockets_) waiting.clear();
  if (epoll_descriptor_ >= 0) ::close(epoll_descriptor_);
  if (wake_descriptor_ >= 0) ::close(wake_descriptor_);
}

EpollProactor::Pending& EpollProactor::track(Completion& done, Kind kind) {
  if (free_.empty()) {
    all_.push_back(std::make_unique<Pending>());
    free_.push_back(all_.back().get());
  }
  Pending& pending = *free_.back();
  free_.pop_back();
  pending.done = &done;
  pending.operation = kind;
  pending.durable = false;
  done.pending = &pending;
  return pending;
}

void EpollProactor::submit_file(FileJob::Work work, FileHandle file, std::uint64_t position,
                                void* buffer, std::size_t bytes, Completion& done) {
  Pending& pending = track(done, Kind::file);
  pending.durable = work == FileJob::Work::write && writes_durably(file);
  if (pending.durable) durable_writes()->begin(now());
  pending.work = work;
  pending.descriptor = file.value();
  pending.position = position;
  pending.buffer = buffer;
  pending.bytes = bytes;
  threads_->submit(pending);
}

void EpollProactor::read(FileHandle file, std::uint64_t position, Bytes bytes, Completion& done) {
  bound_read_ahead_of(file);
  submit_file(FileJob::Work::read, file, position, bytes.data(),
              std::min(bytes.size(), kTransferBytesMax), done);
}

void EpollProactor::write(FileHandle file, std::uint64_t position, ConstBytes bytes,
                          Completion& done) {
  submit_file(FileJob::Work::write, file, position, const_cast<std::byte*>(bytes.data()),
              std::min(bytes.size(), kTransferBytesMax), done);
}

void EpollProactor::sync(FileHandle file, Completion& done) {
  submit_file(FileJob::Work::sync, file, 0, nullptr, 0, done);
}

void EpollProactor::sync_names(FileHandle directory, Completion& done) {
  submit_file(FileJob::Work::sync_names, directory, 0, nullptr, 0, done);
}

void EpollProactor::start_write_back(FileHandle file, std::uint64_t position, std::uint64_t length,
                                     Completion& done) {
  submit_file(FileJob::Work::write_back, file, position, nullptr, length, done);
}

void EpollProactor::remove_queued(const std::string& path, Completion& done) {
  submit_file(FileJob::Work::remove, kNoFile, 0, const_cast<char*>(path.c_str()), 0, done);
}

void EpollProactor::read_ahead(FileHandle file, std::uint64_t position, std::uint64_t length,
                               Completion& done) {
  Pending& pending = track(done, Kind::file);
  pending.work = FileJob::Work::read_ahead;
  pending.ahead.owner = &pending;
  background_reads_.add(pending.ahead, file, position, std::min<std::uint64_t>(length, kReadAheadBytesMax), now());
}

void EpollProactor::submit_read_ahead(BackgroundReads::Read& read) {
  Pending& pending = *static_cast<Pending::Ahead&>(read).owner;
  bound_read_ahead(read);
  pending.descriptor = read.file.value();
  pending.position = read.position;
  pending.bytes = read.piece;
  threads_->submit(pending);
}

void EpollProactor::accept(SocketHandle listener, Completion& done) {
  Pending& pending = track(done, Kind::accept);
  pending.socket = listener;
  start_on_socket(pending);
}

void EpollProactor::receive(SocketHandle socket, Bytes bytes, Completion& done) {
  Pending& pending = track(done, Kind::receive);
  pending.socket = socket;
  pending.into = bytes.first(std::min(bytes.size(), kTransferBytesMax));
  start_on_socket(pending);
}

void EpollProactor::send(SocketHandle socket, std::span<const ::iovec> slices, bool more,
                         Completion& done) {
  Pending& pending = track(done, Kind::send);
  pending.socket = socket;
  pending.slices = slices;
  pending.more = more;
  start_on_socket(pending);
}

void EpollProactor::poll(SocketHandle socket, short events, Completion& done) {
  Pending& pending = track(done, Kind::poll);
  pending.socket = socket;
  pending.events = events;
  start_on_socket(pending);
}

void EpollProactor::connect(SocketHandle socket, const void* address, unsigned address_bytes,
                            Completion& done) {
  Pending& pending = track(done, Kind::connect);
  pending.socket = socket;
  if (::connect(socket.value(), static_cast<const ::sockaddr*>(address), address_bytes) == 0) {
    finish_later(pending, 0);
  } else if (errno == EINPROGRESS || errno == EINTR) {
    start_on_socket(pending);
  } else {
    finish_later(pending, -errno);
  }
}

std::optional<std::int64_t> EpollProactor::attempt(Pending& pending) {
  const int descriptor = pending.socket.value();
  switch (pending.operation) {
    case Kind::accept:
      return unless_blocked(::accept4(descriptor, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    case Kind::receive:
      return unless_blocked(
          ::recv(descriptor, pending.into.data(), pending.into.size(), MSG_DONTWAIT));
    case Kind::send: {
      ::msghdr message{};
      message.msg_iov = const_cast<::iovec*>(pending.slices.data());
      message.msg_iovlen = std::min<std::size_t>(pending.slices.size(), UIO_MAXIOV);
      const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (pending.more ? MSG_MORE : 0);
      return unless_blocked(::sendmsg(descriptor, &message, flags));
    }
    case Kind::poll: {
      ::pollfd question{.fd = descriptor, .events = pending.events, .revents = 0};
      if (::poll(&question, 1, 0) <= 0) return std::nullopt;
      return question.revents;
    }
    case Kind::connect: {
      ::pollfd question{.fd = descriptor, .events = POLLOUT, .revents = 0};
      if (::poll(&question, 1, 0) <= 0) return std::nullopt;
      int error = 0;
      ::socklen_t bytes = sizeof error;
      if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) return -errno;
      return -error;
    }
    case Kind::file: break;
  }
  return -EINVAL;
}

void EpollProactor::start_on_socket(Pending& pending) {
  if (const auto outcome = attempt(pending)) {
    finish_later(pending, *outcome);
    return;
  }
  const int descriptor = pending.socket.value();
  const auto [found, is_new] = sockets_.try_emplace(descriptor);
  found->second.push_back(pending);
  if (!is_new) return;
  ::epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.fd = descriptor;
  // Registering reports an edge that came between the attempt and here.
  if (::epoll_ctl(epoll_descriptor_, EPOLL_CTL_ADD, descriptor, &event) == 0 || errno == EEXIST) {
    return;
  }
  const int error = errno;
  found->second.clear();
  sockets_.erase(found);
  finish_later(pending, -error);
}

void EpollProactor::finish_later(Pending& pending, std::int64_t outcome) {
  pending.outcome = outcome;
  finished_.push_back(&pending);
}

void EpollProactor::finish_file(Pending& pending, std::int64_t result) {
  if (std::exchange(pending.durable, false)) durable_writes()->end();
  if (pending.work != FileJob::Work::read_ahead) return finish_later(pending, result);
  if (const auto whole = background_reads_.ended(pending.ahead, result, now())) finish_later(pending, *whole);
}

void EpollProactor::on_edge(int descriptor) {
  const auto found = sockets_.find(descriptor);
  if (found == sockets_.end()) return;
  FileJobs& waiting = found->second;
  for (auto next = waiting.begin(); next != waiting.end();) {
    auto& pending = static_cast<Pending&>(*next);
    const auto outcome = attempt(pending);
    if (!outcome) {
      ++next;
      continue;
    }
    next = waiting.erase(next);
    finish_later(pending, *outcome);
  }
}

void EpollProactor::close_socket(SocketHandle socket) {
  if (const auto found = sockets_.find(socket.value()); found != sockets_.end()) {
    CHECK(found->second.empty(), "socket {} closed with operations pending", socket.value());
    sockets_.erase(found);
  }
  PosixProactor::close_socket(socket);
}

void EpollProactor::cancel(Completion& completion) {
  auto* const pending = static_cast<Pending*>(completion.pending);
  if (pending == nullptr) return;
  if (pending->operation == Kind::file) {
    const bool reads_ahead = pending->work == FileJob::Work::read_ahead;
    if (reads_ahead && background_reads_.cancel(pending->ahead)) finish_later(*pending, -ECANCELED);
    else if (threads_->cancel(*pending)) finish_file(*pending, -ECANCELED);
    return;
  }
  const auto found = sockets_.find(pending->socket.value());
  if (found == sockets_.end() || !pending->is_linked()) return;
  found->second.erase(found->second.iterator_to(*pending));
  finish_later(*pending, -ECANCELED);
}

void EpollProactor::wake() {
  const std::uint64_t one = 1;
  const ssize_t written = ::write(wake_descriptor_, &one, sizeof one);
  CHECK(written == sizeof one || errno == EAGAIN, "eventfd: {}", std::strerror(errno));
}

std::size_t EpollProactor::complete_finished() {
  // What is finished meanwhile is completed in the next turn.
  completing_.swap(finished_);
  for (Pending* const pending : completing_) {
    Completion& done = *pending->done;
    const std::int64_t outcome = pending->outcome;
    free_.push_back(pending);
    done.pending = nullptr;
    done.complete(outcome);
  }
  const std::size_t completed = completing_.size();
  completing_.clear();
  return completed;
}

void EpollProactor::wait_for_events(std::optional<Instant> sleep_until) {
  ::timespec timeout{};
  if (sleep_until && finished_.empty()) {
    const Duration left = std::max(*sleep_until - now(), Duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    timeout.tv_sec = seconds.count();
    timeout.tv_nsec = (left - seconds).count();
  }
  std::array<::epoll_event, kEventsPerTurn> events;
  int count = ::epoll_pwait2(epoll_descriptor_, events.data(), events.size(), &timeout, nullptr);
  if (count < 0 && errno == ENOSYS) {
    // Kernels before 5.11: milliseconds, rounded up so that a timer is due when the sleep ends.
    const std::int64_t ms = std::int64_t{timeout.tv_sec} * 1000 + (timeout.tv_nsec + 999'999) / 1'000'000;
    count = ::epoll_wait(epoll_descriptor_, events.data(), events.size(), static_cast<int>(ms));
  }
  CHECK(count >= 0 || errno == EINTR, "epoll_wait: {}", std::strerror(errno));
  for (int i = 0; i < count; ++i) {
    const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
    if (descriptor != wake_descriptor_) {
      on_edge(descriptor);
      continue;
    }
    std::uint64_t wakes = 0;
    (void)!::read(wake_descriptor_, &wakes, sizeof wakes);
  }
}

std::size_t EpollProactor::run_once(std::optional<Instant> sleep_until) {
  wait_for_events(sleep_until);
  if (threads_->busy()) {
    FileJobs jobs = threads_->take_finished();
    while (!jobs.empty()) {
      auto& pending = static_cast<Pending&>(jobs.front());
      jobs.pop_front();
      finish_file(pending, pending.result);
    }
  }
  return complete_finished();
}

}  // namespace millrace::io
