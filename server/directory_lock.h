// DirectoryLock: this process is the only one that writes to a directory of `log.dirs`, for as long as the object lives. By the
// file ".lock" in it, as Kafka does it and so that Kafka is kept out too.
//
// Shard:      any; made and destroyed on the one that starts the broker.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace millrace::server {

class DirectoryLock {
 public:
  DirectoryLock() = default;
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  // Locks those of `directories` that are there and not locked by this object yet. Errors: already_exists (another process has
  // it), refused (it cannot be written to); both say what to do. What was locked before stays so.
  Result<void> take(const std::vector<std::string>& directories);

 private:
  struct Held {
    std::string directory;
    int descriptor = -1;
  };
  std::vector<Held> held_;
};

}  // namespace millrace::server
