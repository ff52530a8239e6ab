// What io_uring of this kernel offers to this process, and why not when it does not. Asked once at start; the ready line and
// `millrace doctor` print it.
#pragma once

#include <string>
#include <vector>

namespace millrace::io {

struct UringFeatures {
  bool usable = false;
  // One sentence: what the probe found, or what forbids io_uring and how to allow it.
  std::string reason;
  std::string kernel;               // as uname -r says it
  bool single_issuer = false;       // the ring modes Millrace wants; without the last two it runs, a little slower
  bool defer_taskrun = false;
  bool registered_ring = false;
  bool cachestat = false;           // residency of file ranges without mapping them
  std::vector<std::string> missing; // operations this kernel does not know
};

// Makes a ring, sends a no-op through it and takes it down again.
UringFeatures probe_uring();

}  // namespace millrace::io
