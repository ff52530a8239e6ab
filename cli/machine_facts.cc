#include "cli/machine_facts.h"

#include <fmt/core.h>
#include <hwloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string_view>

#include "io/uring_features.h"

namespace millrace::cli {
namespace {

struct Magic {
  long number;
  std::string_view name;
};
constexpr std::array kFileSystems = std::to_array<Magic>({
    {0xEF53, "ext4"},
    {0x58465342, "xfs"},
    {0x01021994, "tmpfs"},
    {0x858458f6, "ramfs"},
    {0x794c7630, "overlayfs"},
    {0x9123683E, "btrfs"},
    {0x2FC12FC1, "zfs"},
    {0x6969, "nfs"},
    {0xFF534D42, "cifs"},
    {0x65735546, "fuse"},
    {0xF2F52010, "f2fs"},
});

// The first line of a small file of the kernel; empty when it cannot be read.
std::string read_line(const std::string& path) {
  std::ifstream stream(path);
  std::string line;
  std::getline(stream, line);
  return line;
}

std::int64_t read_number(const std::string& path, std::int64_t otherwise) {
  std::ifstream stream(path);
  std::int64_t number = otherwise;
  stream >> number;
  return stream ? number : otherwise;
}

// The word in brackets, as in "always [madvise] never".
std::string chosen_word(const std::string& line) {
  const auto open = line.find('[');
  const auto close = line.find(']');
  return open == std::string::npos || close < open ? "" : line.substr(open + 1, close - open - 1);
}

std::uint64_t open_files_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return limit.rlim_max == RLIM_INFINITY ? std::numeric_limits<std::uint64_t>::max()
                                         : limit.rlim_max;
}

bool has_swap() {
  std::ifstream stream("/proc/swaps");
  std::string line;
  std::getline(stream, line);  // the head of the table
  return static_cast<bool>(std::getline(stream, line));
}

void count_cores(MachineFacts& facts) {
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) return;
  if (hwloc_topology_load(topology) == 0) {
    facts.cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
    facts.threads = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
    facts.numa_nodes = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
  }
  hwloc_topology_destroy(topology);
}

// Whether the disk under a device turns. A partition has its queue one folder up. A virtual disk says what its driver was
// written with, which means nothing.
std::optional<bool> is_rotational(dev_t device) {
  const std::string base = fmt::format("/sys/dev/block/{}:{}", major(device), minor(device));
  std::error_code error;
  const std::string name = std::filesystem::read_symlink(base, error).filename().string();
  if (error || name.starts_with("vd") || name.starts_with("xvd")) return std::nullopt;
  for (const char* place : {"/queue/rotational", "/../queue/rotational"}) {
    const std::string line = read_line(base + place);
    if (!line.empty()) return line == "1";
  }
  return std::nullopt;
}

// Whether the file system on a device is mounted with `discard`. A line of mountinfo: id, parent, device, root, place, options,
// optional fields, a dash, type, source, options of the file system.
bool discards_at_once(dev_t device) {
  const std::string wanted = fmt::format("{}:{}", major(device), minor(device));
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string id, parent, found;
    words >> id >> parent >> found;
    const auto dash = line.find(" - ");
    if (found != wanted || dash == std::string::npos) continue;
    std::istringstream rest(line.substr(dash + 3));
    std::string type, source, options;
    rest >> type >> source >> options;
    return ("," + options + ",").find(",discard,") != std::string::npos;
  }
  return false;
}

DirectoryFacts look_at(const std::string& path) {
  DirectoryFacts facts{.path = path};
  // A directory that is still to be made is judged by where it would be.
  std::error_code error;
  std::filesystem::path place = std::filesystem::absolute(path, error);
  if (error) {
    facts.error = error.message();
    return facts;
  }
  while (!std::filesystem::exists(place, error) && place.has_relative_path())
    place = place.parent_path();
  struct statfs system{};
  struct stat status{};
  if (statfs(place.c_str(), &system) != 0 || stat(place.c_str(), &status) != 0) {
    facts.error = std::strerror(errno);
    return facts;
  }
  const auto known =
      std::ranges::find(kFileSystems, static_cast<long>(system.f_type), &Magic::number);
  facts.file_system = known != kFileSystems.end()
                          ? std::string(known->name)
                          : fmt::format("{:#x}", static_cast<unsigned long>(system.f_type));
  facts.bytes_total =
      static_cast<std::uint64_t>(system.f_blocks) * static_cast<std::uint64_t>(system.f_bsize);
  facts.bytes_free =
      static_cast<std::uint64_t>(system.f_bavail) * static_cast<std::uint64_t>(system.f_bsize);
  facts.rotational = is_rotational(status.st_dev);
  facts.discards = discards_at_once(status.st_dev);
  return facts;
}

}  // namespace

MachineFacts gather_facts(const std::vector<std::string>& directories) {
  MachineFacts facts;
  const io::UringFeatures uring = io::probe_uring();
  facts.kernel = uring.kernel;
  facts.uring_usable = uring.usable;
  facts.uring_complete = uring.single_issuer && uring.defer_taskrun && uring.missing.empty();
  facts.uring_reason = uring.reason;
  facts.open_files = open_files_limit();
  count_cores(facts);
  facts.clock_source =
      read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  facts.governor = read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  facts.huge_pages = chosen_word(read_line("/sys/kernel/mm/transparent_hugepage/enabled"));
  facts.max_map_count = read_number("/proc/sys/vm/max_map_count", 0);
  facts.somaxconn = read_number("/proc/sys/net/core/somaxconn", 0);
  facts.swappiness = read_number("/proc/sys/vm/swappiness", -1);
  facts.swap_in_use = has_swap();
  facts.congestion = read_line("/proc/sys/net/ipv4/tcp_congestion_control");
  std::istringstream names(read_line("/proc/sys/net/ipv4/tcp_available_congestion_control"));
  for (std::string name; names >> name;) facts.congestion_available.push_back(name);
  for (const std::string& path : directories) facts.directories.push_back(look_at(path));
  return facts;
}

}  // namespace millrace::cli
