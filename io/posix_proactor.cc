#include "io/posix_proactor.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>

#include "base/check.h"

namespace millrace::io {
namespace {

constexpr long kCachestatNumber = 451;
constexpr std::uint64_t kPageBytes = 4096;
constexpr std::size_t kSlicesPerCall = IOV_MAX;

// As linux/mman.h of 6.5 has them; Debian 12's headers are older.
struct CachestatRange {
  std::uint64_t offset;
  std::uint64_t length;
};
struct Cachestat {
  std::uint64_t pages_cached;
  std::uint64_t pages_dirty;
  std::uint64_t pages_writeback;
  std::uint64_t pages_evicted;
  std::uint64_t pages_recently_evicted;
};

std::unexpected<Error> fail_errno(std::string_view what) {
  return fail(error_from_errno(errno, what));
}
std::unexpected<Error> fail_errno(std::string_view what, const std::string& path) {
  const int number = errno;
  return fail(error_from_errno(number, std::string(what) + " " + path));
}

std::int64_t clock_ns(clockid_t clock) {
  timespec time{};
  CHECK(::clock_gettime(clock, &time) == 0);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// A positional write of all slices, continued after short writes. `slices` is used up.
Result<void> write_slices(int descriptor, std::uint64_t position, std::span<::iovec> slices) {
  while (!slices.empty()) {
    const auto count = static_cast<int>(std::min(slices.size(), kSlicesPerCall));
    const ssize_t written =
        ::pwritev(descriptor, slices.data(), count, static_cast<off_t>(position));
    if (written < 0) {
      if (errno == EINTR) continue;
      return fail_errno("write");
    }
    position += static_cast<std::uint64_t>(written);
    auto left = static_cast<std::size_t>(written);
    while (!slices.empty() && left >= slices.front().iov_len) {
      left -= slices.front().iov_len;
      slices = slices.subspan(1);
    }
    if (left > 0) {
      slices.front().iov_base = static_cast<std::byte*>(slices.front().iov_base) + left;
      slices.front().iov_len -= left;
    }
  }
  return {};
}

// Says nothing about pages beyond the end of the file.
Result<bool> resident_by_mincore(int descriptor, std::uint64_t begin, std::uint64_t end) {
  void* const mapped = ::mmap(nullptr, end - begin, PROT_READ, MAP_SHARED, descriptor,
                              static_cast<off_t>(begin));
  if (mapped == MAP_FAILED) return fail_errno("mmap");
  std::vector<unsigned char> pages((end - begin + kPageBytes - 1) / kPageBytes);
  const int answer = ::mincore(mapped, end - begin, pages.data());
  ::munmap(mapped, end - begin);
  if (answer != 0) return fail_errno("mincore");
  return std::ranges::all_of(pages, [](unsigned char page) { return (page & 1) != 0; });
}

}  // namespace

bool cachestat_works() {
  // A bad descriptor is refused as such by a kernel that knows the call.
  return ::syscall(kCachestatNumber, -1, nullptr, nullptr, 0) != 0 && errno == EBADF;
}

PosixProactor::PosixProactor(std::shared_ptr<DurableWrites> durable_writes)
    : has_cachestat_(cachestat_works()),
      durable_writes_(durable_writes ? std::move(durable_writes) : std::make_shared<DurableWrites>()) {
  // A peer that goes away is an error of the operation, not a signal; sendfile(2) has no flag to say so.
  std::signal(SIGPIPE, SIG_IGN);
}

Instant PosixProactor::now() { return Instant(Duration(clock_ns(CLOCK_MONOTONIC))); }

WallTime PosixProactor::wall_now() { return WallTime{clock_ns(CLOCK_REALTIME) / 1'000'000}; }

Result<FileHandle> PosixProactor::open(const std::string& path, OpenOptions options) {
  int flags = O_CLOEXEC | (options.write ? O_RDWR : O_RDONLY);
  if (options.directory) flags |= O_DIRECTORY;
  if (options.write && options.create) flags |= O_CREAT;
  if (options.exclusive) flags |= O_EXCL;
  if (options.truncate) flags |= O_TRUNC;
  int direct = (options.direct || options.direct_sync ? O_DIRECT : 0) | (options.direct_sync ? O_DSYNC : 0);
  int descriptor = ::open(path.c_str(), flags | direct, 0644);
  if (descriptor < 0 && errno == EINVAL && direct != 0) {
    // A file system without direct I/O: as durable, by way of the page cache. The refused call may have made the file.
    direct &= ~O_DIRECT;
    descriptor = ::open(path.c_str(), (flags & ~O_EXCL) | direct, 0644);
  }
  if (descriptor < 0) return fail_errno("open", path);
  durable_writes_->bounded_files().opened(FileHandle{descriptor});
  return FileHandle{descriptor};
}

void PosixProactor::close(FileHandle file) { ::close(file.value()); }

Result<std::uint64_t> PosixProactor::size(FileHandle file) {
  struct stat status{};
  if (::fstat(file.value(), &status) != 0) return fail_errno("fstat");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> PosixProactor::write_inline(FileHandle file, std::uint64_t position,
                                         std::span<const ::iovec> slices) {
  // Most writes have few slices: no allocation for those.
  std::array<::iovec, 64> few;
  if (slices.size() <= few.size()) {
    std::ranges::copy(slices, few.begin());
    return write_slices(file.value(), position, std::span(few).first(slices.size()));
  }
  std::vector<::iovec> many(slices.begin(), slices.end());
  return write_slices(file.value(), position, many);
}

Result<std::size_t> PosixProactor::read_inline(FileHandle file, std::uint64_t position,
                                               Bytes bytes) {
  bound_read_ahead_of(file);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(file.value(), bytes.data() + done, bytes.size() - done,
                                static_cast<off_t>(position + done));
    if (got == 0) break;
    if (got < 0) {
      if (errno == EINTR) continue;
      return fail_errno("read");
    }
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> PosixProactor::truncate(FileHandle file, std::uint64_t size) {
  if (::ftruncate(file.value(), static_cast<off_t>(size)) != 0) return fail_errno("ftruncate");
  return {};
}

Result<void> PosixProactor::reserve(FileHandle file, std::uint64_t position, std::uint64_t length) {
  if (length == 0) return {};
  if (::fallocate(file.value(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(position),
                  static_cast<off_t>(length)) == 0) {
    return {};
  }
  // A file system that cannot reserve finds out at the write.
  if (errno == EOPNOTSUPP) return {};
  return fail_errno("fallocate");
}

Result<void> PosixProactor::sync_inline(FileHandle file) {
  if (::fdatasync(file.value()) != 0) return fail_errno("fdatasync");
  return {};
}

bool PosixProactor::resident(FileHandle file, std::uint64_t position, std::uint64_t length) {
  if (length == 0) return true;
  const std::uint64_t begin = position / kPageBytes * kPageBytes;
  const std::uint64_t end = (position + length + kPageBytes - 1) / kPageBytes * kPageBytes;
  if (has_cachestat_) {
    CachestatRange range{begin, end - begin};
    Cachestat found{};
    if (::syscall(kCachestatNumber, file.value(), &range, &found, 0) == 0) {
      const std::uint64_t pages = found.pages_cached;
      if (pages >= (end - begin) / kPageBytes) return true;
      // Only now is the size worth a call: the range may end beyond the file.
      const auto bytes = size(file);
      if (!bytes || *bytes <= begin) return true;
      return pages >= (std::min(end, *bytes) - begin + kPageBytes - 1) / kPageBytes;
    }
    // Newer kernels answer only for files the caller may write to; the others are asked the old way.
  }
  const auto bytes = size(file);
  if (!bytes || *bytes <= begin) return true;
  return resident_by_mincore(file.value(), begin, std::min(end, *bytes)).value_or(true);
}

Result<void> PosixProactor::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno("rename", from + " to " + to);
  return {};
}

Result<void> PosixProactor::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return fail_errno("unlink", path);
  return {};
}

Result<void> PosixProactor::make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0) return fail_errno("mkdir", path);
  return {};
}

Result<void> PosixProactor::remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) != 0) return fail_errno("rmdir", path);
  return {};
}

Result<std::vector<DirectoryEntry>> PosixProactor::list(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (!directory) return fail_errno("opendir", path);
  std::vector<DirectoryEntry> entries;
  while (true) {
    errno = 0;
    const dirent* const found = ::readdir(directory.get());
    if (found == nullptr) {
      if (errno != 0) return fail_errno("readdir", path);
      return entries;
    }
    const std::string_view name(found->d_name);
    if (name == "." || name == "..") continue;
    bool is_directory = found->d_type == DT_DIR;
    if (found->d_type == DT_UNKNOWN || found->d_type == DT_LNK) {
      struct stat status{};
      if (::fstatat(::dirfd(directory.get()), found->d_name, &status, 0) == 0) {
        is_directory = S_ISDIR(status.st_mode);
      }
    }
    entries.push_back({std::string(name), is_directory});
  }
}

Result<void> PosixProactor::sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fail_errno("open", path);
  const int answer = ::fsync(descriptor);
  const int number = errno;
  ::close(descriptor);
  if (answer != 0) return fail(error_from_errno(number, "fsync " + path));
  return {};
}

Result<std::uint64_t> PosixProactor::free_bytes(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) return fail_errno("statvfs", path);
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

Result<std::uint64_t> PosixProactor::total_bytes(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) return fail_errno("statvfs", path);
  return std::uint64_t{status.f_blocks} * status.f_frsize;
}

Result<std::size_t> PosixProactor::send_file_inline(SocketHandle socket, FileHandle file,
                                                    std::uint64_t position, std::size_t length) {
  bound_read_ahead_of(file);
  auto offset = static_cast<off_t>(position);
  while (true) {
    const ssize_t sent = ::sendfile(socket.value(), file.value(), &offset, length);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno != EINTR) return fail_errno("sendfile");
  }
}

Result<std::size_t> PosixProactor::send_inline(SocketHandle socket, std::span<const ::iovec> slices,
                                               bool more) {
  ::msghdr message{};
  message.msg_iov = const_cast<::iovec*>(slices.data());
  message.msg_iovlen = std::min(slices.size(), kSlicesPerCall);
  while (true) {
    const ssize_t sent = ::sendmsg(socket.value(), &message,
                                   MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno != EINTR) return fail_errno("send");
  }
}

Result<std::size_t> PosixProactor::receive_inline(SocketHandle socket, Bytes bytes) {
  while (true) {
    const ssize_t got = ::recv(socket.value(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return fail_errno("receive");
  }
}

void PosixProactor::close_socket(SocketHandle socket) { ::close(socket.value()); }

void PosixProactor::bound_read_ahead_of(FileHandle file) {
  if (!durable_writes_->expected(now()) || !durable_writes_->bounded_files().bound(file)) return;
  ::posix_fadvise(file.value(), 0, 0, POSIX_FADV_RANDOM);
}

void PosixProactor::bound_read_ahead(const BackgroundReads::Read& read) {
  BoundedFiles& files = durable_writes_->bounded_files();
  if (!read.in_pieces) {
    ::posix_fadvise(read.file.value(), 0, 0, POSIX_FADV_NORMAL);
    files.unbounded(read.file);
  } else if (files.bound(read.file)) {
    ::posix_fadvise(read.file.value(), 0, 0, POSIX_FADV_RANDOM);
  }
}

bool writes_durably(FileHandle file) {
  const int flags = ::fcntl(file.value(), F_GETFL);
  return flags >= 0 && (flags & O_DSYNC) != 0;
}

std::span<const ::iovec> ReadAheadSink::slices(std::uint64_t length) {
  if (chunk_.empty()) {
    chunk_.resize(kReadAheadChunk);
    slices_.assign(kReadAheadBytesMax / kReadAheadChunk, {chunk_.data(), chunk_.size()});
  }
  const std::uint64_t chunks = (length + kReadAheadChunk - 1) / kReadAheadChunk;
  return std::span(slices_).first(std::min<std::uint64_t>(chunks, slices_.size()));
}

}  // namespace millrace::io
