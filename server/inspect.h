// `millrace log dump|verify`: what the files of a stopped broker hold, and whether they are whole.
// Nothing is changed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "cli/command.h"
#include "server/segment_reader.h"

namespace millrace::server {

struct PartitionReport {
  std::string partition;  // its directory's name
  std::int64_t segments = 0;
  std::int64_t batches = 0;
  std::int64_t records = 0;
  std::uint64_t bytes = 0;
  Offset start{0};  // of the first record that is there
  Offset end{0};
  std::uint64_t torn_bytes = 0;
};

struct DirectoryReport {
  bool clean_stop = false;
  std::vector<PartitionReport> partitions;
  std::vector<Problem> problems;
};

// Looks at every partition of a directory of log.dirs, or at the one partition whose directory is
// given. Errors: not_found, io_error.
Result<DirectoryReport> verify_directory(const std::string& path, bool deep);

std::span<const cli::Command> log_commands();

}  // namespace millrace::server
