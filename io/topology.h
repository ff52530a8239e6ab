// Which core and which memory each shard gets, as hwloc sees the machine.
//
// Shard:     made by main(); a placed thread calls settle() on itself.
#pragma once

#include <hwloc.h>

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::io {

struct Place {
  int core = -1;         // the operating system's number
  unsigned node = 0;     // NUMA node, likewise

  friend bool operator==(const Place&, const Place&) = default;
};

class Topology {
 public:
  // This machine.
  Topology() : Topology(std::string()) {}
  // A machine as hwloc's synthetic descriptions have them, "package:2 [numa] core:4 pu:2": nobody can settle on it.
  explicit Topology(const std::string& description);
  ~Topology();
  Topology(const Topology&) = delete;

  // Places for `shards` threads on the cores this process may use: first one hardware thread of each core, then the others,
  // then from the beginning again.
  std::vector<Place> places(std::uint32_t shards) const;
  // Pins the calling thread and makes its new memory come from its node. False when the kernel refuses to pin.
  bool settle(const Place& place) const;
  std::uint32_t cores() const;

 private:
  hwloc_topology_t topology_ = nullptr;
  hwloc_cpuset_t allowed_ = nullptr;
};

// Hardware threads this process may run on, without asking hwloc.
std::uint32_t usable_cores();

// With jemalloc in the process: gives the calling thread an arena of its own, so that shards neither share locks nor pages.
// False when there is no jemalloc or it refuses.
bool use_own_arena();

}  // namespace millrace::io
