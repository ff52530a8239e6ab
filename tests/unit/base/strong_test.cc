#include <gtest/gtest.h>

#include "base/ids.h"

namespace millrace {
namespace {

TEST(Strong, points_move_by_differences_and_ids_only_compare) {
  EXPECT_EQ(Offset{5} + 3, Offset{8});
  EXPECT_EQ(Offset{8} - Offset{5}, 3);
  static_assert(!std::is_convertible_v<Offset, std::int64_t>);
  static_assert(!std::is_convertible_v<std::int64_t, Offset>);
  EXPECT_LT(BrokerId{1}, BrokerId{2});
}

}  // namespace
}  // namespace millrace
