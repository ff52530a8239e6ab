// The end of a command that does several things, some of which may fail.
#pragma once

#include "cli/command.h"

namespace millrace::cli {

// Reports each error, and ends in the exit code of the last one.
class Outcome {
 public:
  void take(const Result<void>& result) {
    if (!result) exit_ = finish(result);
  }
  Exit exit() const { return exit_; }

 private:
  Exit exit_ = Exit::done;
};

}  // namespace millrace::cli
