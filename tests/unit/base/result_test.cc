#include <gtest/gtest.h>

#include <cerrno>

#include "base/result.h"

namespace millrace {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Errc::invalid_argument, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  TRY(once, half(value));
  TRY(twice, half(once));
  return twice;
}

TEST(Result, try_passes_the_error_up) {
  EXPECT_EQ(quarter(8), 2);
  EXPECT_EQ(quarter(6).error().code, Errc::invalid_argument);
}

TEST(Result, errno_becomes_a_named_error) {
  EXPECT_EQ(error_from_errno(-ENOSPC, "append").code, Errc::disk_full);
  EXPECT_EQ(error_from_errno(EIO, "append").message, "append: Input/output error");
}

}  // namespace
}  // namespace millrace
