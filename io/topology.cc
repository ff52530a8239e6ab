#include "io/topology.h"

#include <sched.h>

#include <algorithm>
#include <tuple>

#include "base/check.h"

// Present when the executable is linked with jemalloc; sanitizers bring an allocator of their own.
extern "C" int mallctl(const char* name, void* old_value, std::size_t* old_bytes, void* new_value,
                       std::size_t new_bytes) __attribute__((weak));

namespace millrace::io {

Topology::Topology(const std::string& description) {
  CHECK(hwloc_topology_init(&topology_) == 0);
  if (!description.empty()) {
    CHECK(hwloc_topology_set_synthetic(topology_, description.c_str()) == 0, "no machine: {}", description);
  }
  CHECK(hwloc_topology_load(topology_) == 0);
  allowed_ = hwloc_bitmap_alloc();
  if (hwloc_get_cpubind(topology_, allowed_, HWLOC_CPUBIND_PROCESS) != 0) {
    hwloc_bitmap_copy(allowed_, hwloc_topology_get_allowed_cpuset(topology_));
  }
}

Topology::~Topology() {
  hwloc_bitmap_free(allowed_);
  hwloc_topology_destroy(topology_);
}

std::vector<Place> Topology::places(std::uint32_t shards) const {
  struct Candidate {
    Place place;
    unsigned sibling;  // which hardware thread of its core
    std::size_t position;
  };
  std::vector<Candidate> candidates;
  hwloc_obj_t unit = nullptr;
  while ((unit = hwloc_get_next_obj_inside_cpuset_by_type(topology_, allowed_, HWLOC_OBJ_PU,
                                                          unit)) != nullptr) {
    const int node =
        unit->nodeset == nullptr ? -1 : hwloc_bitmap_first(unit->nodeset);
    candidates.push_back({{static_cast<int>(unit->os_index), node < 0 ? 0U : static_cast<unsigned>(node)},
                          unit->sibling_rank, candidates.size()});
  }
  // std::stable_sort of this library version warns of itself; position breaks ties instead.
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return std::tie(a.sibling, a.position) < std::tie(b.sibling, b.position);
  });
  std::vector<Place> places;
  for (std::uint32_t i = 0; i < shards; ++i) {
    places.push_back(candidates.empty() ? Place{} : candidates[i % candidates.size()].place);
  }
  return places;
}

std::uint32_t Topology::cores() const {
  return static_cast<std::uint32_t>(std::max(1, hwloc_bitmap_weight(allowed_)));
}

bool Topology::settle(const Place& place) const {
  if (place.core < 0) return false;
  hwloc_cpuset_t set = hwloc_bitmap_alloc();
  hwloc_bitmap_only(set, static_cast<unsigned>(place.core));
  const bool pinned = hwloc_set_cpubind(topology_, set, HWLOC_CPUBIND_THREAD) == 0;
  if (hwloc_get_nbobjs_by_type(topology_, HWLOC_OBJ_NUMANODE) > 1) {
    hwloc_bitmap_only(set, place.node);
    // A preference: a full node is better served by its neighbour than by an out-of-memory kill.
    (void)hwloc_set_membind(topology_, set, HWLOC_MEMBIND_BIND,
                            HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET);
  }
  hwloc_bitmap_free(set);
  return pinned;
}

std::uint32_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&set)));
}

bool use_own_arena() {
  if (mallctl == nullptr) return false;
  unsigned arena = 0;
  std::size_t bytes = sizeof arena;
  if (mallctl("arenas.create", &arena, &bytes, nullptr, 0) != 0) return false;
  return mallctl("thread.arena", nullptr, nullptr, &arena, sizeof arena) == 0;
}

}  // namespace millrace::io
