/* deny_io_uring PROGRAM [ARGUMENT]...: runs a program whose io_uring_setup fails with EPERM, as
 * container runtimes and hardened kernels make it fail. */

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: deny_io_uring PROGRAM [ARGUMENT]...\n");
    return 2;
  }
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == NULL) return 2;
  const int kIoUringSetup = 425;
  int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), kIoUringSetup, 0);
  if (error == 0) error = seccomp_load(filter);
  seccomp_release(filter);
  if (error != 0) {
    fprintf(stderr, "deny_io_uring: %s\n", strerror(-error));
    return 2;
  }
  execvp(argv[1], argv + 1);
  perror(argv[1]);
  return 2;
}
