#include "cli/interrupt.h"

#include <csignal>

namespace millrace::cli {
namespace {

volatile std::sig_atomic_t was_interrupted = 0;

void on_signal(int number) {
  was_interrupted = 1;
  std::signal(number, SIG_DFL);
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool interrupted() {
  return was_interrupted != 0;
}

}  // namespace millrace::cli
