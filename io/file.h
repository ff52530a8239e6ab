// OpenFile: a file handle with an owner. Shared by those who read it, so that it stays open while one of them sends from it.
//
// Shard:      the one whose proactor opened it.
// Lifetime:   closes the handle when the last holder goes; the proactor outlives it.
#pragma once

#include "io/proactor.h"

namespace millrace::io {

class OpenFile {
 public:
  OpenFile(Proactor& proactor, FileHandle handle) : proactor_(proactor), handle_(handle) {}
  ~OpenFile() { proactor_.close(handle_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  FileHandle handle() const { return handle_; }

 private:
  Proactor& proactor_;
  FileHandle handle_;
};

}  // namespace millrace::io
