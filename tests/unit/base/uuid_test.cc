#include <gtest/gtest.h>

#include "base/uuid.h"

namespace millrace {
namespace {

TEST(Uuid, text_form_is_kafkas) {
  EXPECT_EQ(kMetadataTopicId.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
  const auto parsed = Uuid::parse("AQIDBAUGBwgJCgsMDQ4PEA");
  ASSERT_TRUE(parsed);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(parsed->bytes[static_cast<std::size_t>(i)], i + 1);
  EXPECT_EQ(parsed->to_string(), "AQIDBAUGBwgJCgsMDQ4PEA");
}

TEST(Uuid, refuses_text_that_is_not_sixteen_bytes) {
  EXPECT_FALSE(Uuid::parse(""));
  EXPECT_FALSE(Uuid::parse("AQIDBAUGBwgJCgsMDQ4PE"));
  EXPECT_FALSE(Uuid::parse("AQIDBAUGBwgJCgsMDQ4PE+"));
  EXPECT_FALSE(Uuid::parse("AQIDBAUGBwgJCgsMDQ4PEB"));  // bits beyond the last byte
}

}  // namespace
}  // namespace millrace
