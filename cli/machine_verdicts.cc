#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <string_view>

#include "cli/machine_facts.h"

namespace millrace::cli {
namespace {

constexpr std::uint64_t kOpenFilesWanted = 65'536;
constexpr std::int64_t kMapCountWanted = 65'530;
constexpr std::int64_t kBacklogWanted = 1024;
constexpr std::int64_t kSwappinessMax = 10;
constexpr std::uint64_t kFreePercentWanted = 10;

Verdict fine(std::string check, std::string found) {
  return {.check = std::move(check), .found = std::move(found)};
}

Verdict warning(std::string check, std::string found, std::string cost, std::string mend) {
  return {std::move(check), false, std::move(found), std::move(cost), std::move(mend)};
}

std::string limit_text(std::uint64_t limit) {
  return limit == std::numeric_limits<std::uint64_t>::max() ? "unlimited"
                                                            : fmt::format("{}", limit);
}

std::string bytes_text(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1024 && unit + 1 < kUnits.size(); ++unit) amount /= 1024;
  return fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

Verdict judge_kernel(const MachineFacts& facts) {
  int major = 0;
  int minor = 0;
  std::sscanf(facts.kernel.c_str(), "%d.%d", &major, &minor);
  if (major > 6 || (major == 6 && minor >= 1)) return fine("kernel", facts.kernel);
  return warning("kernel", facts.kernel,
                 "io_uring of this kernel lacks modes that save system calls per request",
                 "use Linux 6.1 or newer (Debian 12 has it)");
}

Verdict judge_uring(const MachineFacts& facts) {
  if (facts.uring_usable && facts.uring_complete) return fine("io_uring", facts.uring_reason);
  if (facts.uring_usable) {
    return warning("io_uring", facts.uring_reason,
                   "it is used, with more system calls per request than need be",
                   "use Linux 6.1 or newer");
  }
  return warning("io_uring", facts.uring_reason,
                 "Millrace falls back to epoll and a pool of threads for files: more CPU per byte, "
                 "longer tails",
                 "sysctl -w kernel.io_uring_disabled=0; in a container, allow io_uring in its "
                 "seccomp profile");
}

Verdict judge_open_files(const MachineFacts& facts) {
  const std::string found = limit_text(facts.open_files);
  if (facts.open_files >= kOpenFilesWanted) return fine("open files limit", found);
  return warning(
      "open files limit", found,
      "each connection and each open segment takes one; at the limit new ones are refused",
      "ulimit -n 1048576, or LimitNOFILE=1048576 in the systemd unit");
}

Verdict judge_cores(const MachineFacts& facts) {
  const std::string found =
      fmt::format("{} cores, {} hardware threads, {} NUMA node{}", facts.cores, facts.threads,
                  facts.numa_nodes, facts.numa_nodes == 1 ? "" : "s");
  if (facts.threads >= 2) return fine("cores", found);
  return warning("cores", found,
                 "broker and clients take turns on one core, and every hand-over costs latency",
                 "give the machine a second core");
}

Verdict judge_governor(const MachineFacts& facts) {
  if (facts.governor.empty()) return fine("frequency governor", "not visible here");
  if (facts.governor == "performance" || facts.governor == "schedutil")
    return fine("frequency governor", facts.governor);
  return warning("frequency governor", facts.governor,
                 "a core that was idle answers its first request at a low frequency",
                 "cpupower frequency-set -g performance");
}

Verdict judge_clock(const MachineFacts& facts) {
  static constexpr std::array<std::string_view, 6> kQuick = {
      "tsc", "kvm-clock",        "hyperv_clocksource_tsc_page", "arch_sys_counter",
      "xen", "riscv_clocksource"};
  const bool quick =
      facts.clock_source.empty() || std::ranges::find(kQuick, facts.clock_source) != kQuick.end();
  const std::string found = facts.clock_source.empty() ? "not visible here" : facts.clock_source;
  if (quick) return fine("clock source", found);
  return warning("clock source", found,
                 "asking for the time is a system call and takes about a microsecond",
                 "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource");
}

Verdict judge_huge_pages(const MachineFacts& facts) {
  const std::string found = facts.huge_pages.empty() ? "not visible here" : facts.huge_pages;
  if (facts.huge_pages != "always") return fine("transparent huge pages", found);
  return warning("transparent huge pages", found,
                 "the kernel may stop a shard to compact memory, and memory use grows",
                 "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
}

Verdict judge_map_count(const MachineFacts& facts) {
  const std::string found =
      facts.max_map_count == 0 ? "not visible here" : fmt::format("{}", facts.max_map_count);
  if (facts.max_map_count == 0 || facts.max_map_count >= kMapCountWanted)
    return fine("vm.max_map_count", found);
  return warning("vm.max_map_count", found,
                 "the allocator may run out of mappings (Millrace maps no log files)",
                 "sysctl -w vm.max_map_count=65530");
}

Verdict judge_backlog(const MachineFacts& facts) {
  const std::string found =
      facts.somaxconn == 0 ? "not visible here" : fmt::format("{}", facts.somaxconn);
  if (facts.somaxconn == 0 || facts.somaxconn >= kBacklogWanted)
    return fine("net.core.somaxconn", found);
  return warning("net.core.somaxconn", found,
                 "when many clients connect at once, some wait a second for their next attempt",
                 "sysctl -w net.core.somaxconn=4096");
}

Verdict judge_swap(const MachineFacts& facts) {
  if (!facts.swap_in_use) return fine("swap", "none");
  const std::string found = fmt::format("in use, vm.swappiness {}", facts.swappiness);
  if (facts.swappiness >= 0 && facts.swappiness <= kSwappinessMax) return fine("swap", found);
  return warning("swap", found,
                 "memory of the broker may be moved to disk, and the request that needs it waits",
                 "sysctl -w vm.swappiness=1");
}

Verdict judge_congestion(const MachineFacts& facts) {
  std::string available;
  for (const std::string& name : facts.congestion_available)
    available += (available.empty() ? "" : ", ") + name;
  const std::string found = facts.congestion.empty()
                                ? "not visible here"
                                : fmt::format("{} (there is {})", facts.congestion, available);
  // reno and its kin halve their rate at each loss; cubic and bbr are what the others are measured
  // against.
  static constexpr std::array<std::string_view, 4> kUsual = {"cubic", "bbr", "bbr2", "dctcp"};
  const bool usual =
      facts.congestion.empty() || std::ranges::find(kUsual, facts.congestion) != kUsual.end();
  if (usual) return fine("congestion control", found);
  return warning("congestion control", found,
                 "throughput to far clients recovers slowly after a lost packet",
                 "sysctl -w net.ipv4.tcp_congestion_control=cubic, or millrace.tcp.congestion=bbr "
                 "for the broker alone");
}

struct FileSystemTrait {
  std::string_view name;
  std::string_view cost;
};
constexpr std::array kSlowFileSystems = std::to_array<FileSystemTrait>({
    {"tmpfs", "records are gone when the machine restarts, whatever was acknowledged"},
    {"ramfs", "records are gone when the machine restarts, whatever was acknowledged"},
    {"overlayfs",
     "it belongs to a container: records are gone with it, and files are copied on their first "
     "write"},
    {"btrfs", "each overwrite copies its block: the write-ahead log cannot be written in place"},
    {"zfs", "each overwrite copies its block: the write-ahead log cannot be written in place"},
    {"nfs", "each fsync crosses the network, and locks may be lost"},
    {"cifs", "each fsync crosses the network, and locks may be lost"},
    {"fuse", "each operation passes through another process"},
});

void judge_directory(const DirectoryFacts& directory, std::vector<Verdict>& verdicts) {
  const std::string place = "file system of " + directory.path;
  if (!directory.error.empty()) {
    verdicts.push_back(warning(place, directory.error, "the broker cannot start there",
                               "mkdir -p " + directory.path));
    return;
  }
  const auto slow =
      std::ranges::find(kSlowFileSystems, directory.file_system, &FileSystemTrait::name);
  if (slow == kSlowFileSystems.end()) {
    verdicts.push_back(fine(place, directory.file_system));
  } else {
    verdicts.push_back(warning(place, directory.file_system, std::string(slow->cost),
                               "put log.dirs on xfs or ext4"));
  }
  const std::string room = fmt::format("{} of {} free", bytes_text(directory.bytes_free),
                                       bytes_text(directory.bytes_total));
  const bool enough =
      directory.bytes_free / 100 * 100 >= directory.bytes_total / 100 * kFreePercentWanted;
  verdicts.push_back(enough
                         ? fine("room in " + directory.path, room)
                         : warning("room in " + directory.path, room,
                                   "when it is full, produce is refused until there is room again",
                                   "lower retention.ms or retention.bytes, or use a larger disk"));
  if (directory.discards) {
    verdicts.push_back(warning("discards in " + directory.path, "the file system discards blocks of removed files at once",
                               "durable writes wait while a segment that was removed is discarded, many milliseconds each",
                               "mount it without discard and run fstrim once a week"));
  }
  if (!directory.rotational) return;
  verdicts.push_back(*directory.rotational
                         ? warning("disk of " + directory.path, "it turns",
                                   "each durable write waits for the disk to come round",
                                   "use a solid-state disk, or millrace.durability=replicated")
                         : fine("disk of " + directory.path, "solid state"));
}

}  // namespace

std::vector<Verdict> judge(const MachineFacts& facts) {
  std::vector<Verdict> verdicts = {
      judge_kernel(facts),     judge_uring(facts),     judge_open_files(facts), judge_cores(facts),
      judge_governor(facts),   judge_clock(facts),     judge_huge_pages(facts),
      judge_map_count(facts),  judge_swap(facts),      judge_backlog(facts),
      judge_congestion(facts)};
  for (const DirectoryFacts& directory : facts.directories) judge_directory(directory, verdicts);
  return verdicts;
}

}  // namespace millrace::cli
