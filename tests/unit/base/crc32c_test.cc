#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"

namespace millrace {
namespace {

TEST(Crc32c, gives_the_check_value_of_the_standard) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283U);
}

TEST(Crc32c, can_be_continued) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  const auto bytes = as_bytes(text);
  EXPECT_EQ(crc32c(bytes.subspan(10), crc32c(bytes.first(10))), crc32c(bytes));
}

}  // namespace
}  // namespace millrace
