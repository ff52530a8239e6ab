#include "io/uring_features.h"

#include <liburing.h>
#include <sys/utsname.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "io/posix_proactor.h"
#include "io/uring_proactor.h"

namespace millrace::io {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 11> kNeeded{{
    {IORING_OP_READ, "READ"},
    {IORING_OP_READV, "READV"},
    {IORING_OP_WRITE, "WRITE"},
    {IORING_OP_FSYNC, "FSYNC"},
    {IORING_OP_SYNC_FILE_RANGE, "SYNC_FILE_RANGE"},
    {IORING_OP_UNLINKAT, "UNLINKAT"},
    {IORING_OP_ACCEPT, "ACCEPT"},
    {IORING_OP_RECV, "RECV"},
    {IORING_OP_SENDMSG, "SENDMSG"},
    {IORING_OP_CONNECT, "CONNECT"},
    {IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"},
}};

// 0 allowed, 1 for a group only, 2 for nobody; -1 when the kernel has no such switch.
int disabled_by_sysctl() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen("/proc/sys/kernel/io_uring_disabled", "re"), std::fclose);
  int value = -1;
  if (!file || std::fscanf(file.get(), "%d", &value) != 1) return -1;
  return value;
}

std::string reason_of(int error_number) {
  switch (error_number) {
    case EPERM:
    case EACCES:
      if (const int value = disabled_by_sysctl(); value > 0) {
        return "forbidden by sysctl kernel.io_uring_disabled=" + std::to_string(value) +
               "; set it to 0 to allow io_uring";
      }
      return "forbidden by a seccomp filter or security module, as container runtimes do by "
             "default; allow io_uring_setup, io_uring_enter and io_uring_register";
    case ENOSYS:
      return "this kernel has no io_uring, or a seccomp filter hides it";
    case EINVAL:
      return "this kernel's io_uring is too old; Millrace needs 5.19 or newer";
    case ENOMEM:
      return "the locked memory limit is too low for a ring; raise ulimit -l (LimitMEMLOCK)";
    default:
      return std::string("io_uring failed: ") + std::strerror(error_number);
  }
}

// A ring that can be made may still not be allowed to be entered.
int round_trip(::io_uring& ring) {
  if (const int failed = enable_ring(ring); failed != 0) return failed;
  ::io_uring_sqe* const entry = io_uring_get_sqe(&ring);
  io_uring_prep_nop(entry);
  if (const int submitted = io_uring_submit_and_wait(&ring, 1); submitted < 0) return -submitted;
  ::io_uring_cqe* completed = nullptr;
  if (const int waited = io_uring_wait_cqe(&ring, &completed); waited < 0) return -waited;
  io_uring_cqe_seen(&ring, completed);
  return 0;
}

void note_missing(::io_uring& ring, UringFeatures& features) {
  ::io_uring_probe* const probe = io_uring_get_probe_ring(&ring);
  if (probe == nullptr) return;
  for (const auto& [operation, name] : kNeeded) {
    if (!io_uring_opcode_supported(probe, operation)) features.missing.emplace_back(name);
  }
  io_uring_free_probe(probe);
}

}  // namespace

UringFeatures probe_uring() {
  UringFeatures features;
  ::utsname system{};
  if (::uname(&system) == 0) features.kernel = system.release;
  features.cachestat = cachestat_works();
  ::io_uring ring{};
  const auto made = make_ring(8, 16, ring);
  if (!made) {
    features.reason = reason_of(made.error());
    return features;
  }
  features.single_issuer = (*made & IORING_SETUP_SINGLE_ISSUER) != 0;
  features.defer_taskrun = (*made & IORING_SETUP_DEFER_TASKRUN) != 0;
  note_missing(ring, features);
  const int failed = round_trip(ring);
  features.registered_ring = failed == 0 && io_uring_register_ring_fd(&ring) == 1;
  io_uring_queue_exit(&ring);
  if (failed != 0) {
    features.reason = reason_of(failed);
  } else if (!features.missing.empty()) {
    features.reason = "this kernel's io_uring lacks " + features.missing.front();
  } else {
    features.usable = true;
    features.reason = "io_uring works on kernel " + features.kernel +
                      (features.defer_taskrun ? "" : ", without DEFER_TASKRUN (older than 6.1)");
  }
  return features;
}

}  // namespace millrace::io
