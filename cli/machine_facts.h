// What `millrace doctor` finds out about a machine, and what it makes of that. Finding out asks the
// kernel; judging is pure, so that every verdict can be tested.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace millrace::cli {

// A directory that is to hold logs.
struct DirectoryFacts {
  std::string path;
  std::string file_system;  // "ext4", "xfs", ..., or "0x..." when it has no name here
  std::uint64_t bytes_total = 0;
  std::uint64_t bytes_free = 0;
  std::optional<bool> rotational;  // a disk that turns; nothing when the device does not tell
  bool discards = false;           // mounted so that blocks of removed files are discarded at once
  std::string error;               // not empty: nothing else is known
};

struct MachineFacts {
  std::string kernel;  // as uname -r says it
  bool uring_usable = false;
  bool uring_complete = false;  // every mode and operation that Millrace asks for
  std::string uring_reason;
  // The hard limit, to which the broker raises its own; the largest number is "unlimited".
  std::uint64_t open_files = 0;
  int cores = 0;              // physical ones this process may use
  int threads = 0;
  int numa_nodes = 0;
  std::string clock_source;
  std::string governor;            // of the first core; empty when the kernel does not tell
  std::string huge_pages;          // "always", "madvise", "never"; empty when unknown
  std::int64_t max_map_count = 0;  // 0 when unknown
  std::int64_t somaxconn = 0;
  std::int64_t swappiness = -1;
  bool swap_in_use = false;
  std::string congestion;
  std::vector<std::string> congestion_available;
  std::vector<DirectoryFacts> directories;
};

MachineFacts gather_facts(const std::vector<std::string>& directories);

struct Verdict {
  std::string check;
  bool ok = true;
  std::string found;
  std::string cost;  // what it costs to leave it so; empty when ok
  std::string mend;  // what to type
};

std::vector<Verdict> judge(const MachineFacts& facts);

}  // namespace millrace::cli
