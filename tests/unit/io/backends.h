// Runs a test on every real backend: TEST_P(ProactorTest, ...) with `proactor()` and a fresh directory.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "io/epoll_proactor.h"
#include "io/proactor.h"
#include "io/run.h"
#include "io/uring_features.h"
#include "io/uring_proactor.h"

namespace millrace::io {

inline std::unique_ptr<Proactor> make_backend(const std::string& name) {
  if (name == "io_uring") {
    auto made = UringProactor::create();
    if (!made) return nullptr;
    return std::move(*made);
  }
  auto made = EpollProactor::create();
  if (!made) return nullptr;
  return std::move(*made);
}

class ProactorTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "io_uring" && !probe_uring().usable) {
      GTEST_SKIP() << probe_uring().reason;
    }
    proactor_ = make_backend(GetParam());
    ASSERT_TRUE(proactor_);
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace_io_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    proactor_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }
  Proactor& proactor() { return *proactor_; }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  const std::string& directory() const { return directory_; }

 private:
  std::unique_ptr<Proactor> proactor_;
  std::string directory_;
};

inline auto every_backend() { return testing::Values("io_uring", "epoll"); }

}  // namespace millrace::io
