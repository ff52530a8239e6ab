#include "server/directory_lock.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/storage_format.h"

namespace millrace::server {
namespace {

// A record lock is what Java takes and so what keeps Kafka out; that of the open file, so that a second one of this process
// does not get it either.
bool lock(int descriptor) {
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && ::fcntl(descriptor, F_OFD_SETLK, &whole) == 0;
}

}  // namespace

DirectoryLock::~DirectoryLock() {
  for (const Held& held : held_) ::close(held.descriptor);
}

Result<void> DirectoryLock::take(const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    if (std::ranges::find(held_, directory, &Held::directory) != held_.end()) continue;
    const std::string path = fmt::format("{}/{}", directory, engine::kLockFile);
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0 && errno == ENOENT) continue;  // not made yet
    if (descriptor < 0) {
      return fail(Errc::refused,
                  fmt::format("{} cannot be written to: {}; a broker needs to write to every directory of log.dirs: "
                              "give this user the right to, or name others in log.dirs",
                              directory, std::strerror(errno)));
    }
    if (!lock(descriptor)) {
      ::close(descriptor);
      return fail(Errc::already_exists,
                  fmt::format("{} is in use by another process, which holds {}; stop that broker, or name another "
                              "directory in log.dirs",
                              directory, path));
    }
    held_.push_back({.directory = directory, .descriptor = descriptor});
  }
  return {};
}

}  // namespace millrace::server
