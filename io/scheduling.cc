#include "io/scheduling.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace millrace::io {
namespace {

// As linux/sched/types.h has it up to version 1; with this libc's sched.h it cannot be included.
struct Attributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime;
  std::uint64_t deadline;
  std::uint64_t period;
  std::uint32_t clamp_min;
  std::uint32_t clamp_max;
};

std::optional<Attributes> attributes() {
  Attributes found{};
  if (::syscall(SYS_sched_getattr, 0, &found, sizeof found, 0) != 0) return std::nullopt;
  return found;
}

}  // namespace

bool take_short_slices(Duration slice) {
  auto wanted = attributes();
  if (!wanted || wanted->policy != SCHED_OTHER) return false;
  wanted->runtime = static_cast<std::uint64_t>(slice.count());
  if (::syscall(SYS_sched_setattr, 0, &*wanted, 0) != 0) return false;
  // Older kernels take the call and forget the number.
  return current_slice() == slice;
}

std::optional<Duration> current_slice() {
  const auto found = attributes();
  if (!found || found->runtime == 0) return std::nullopt;
  return Duration(static_cast<Duration::rep>(found->runtime));
}

}  // namespace millrace::io
