#include "cli/config_change.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

using Operation = ConfigChange::Operation;

TEST(ConfigChange, reads_set_append_subtract_and_delete) {
  const auto changes = parse_config_changes({"a=1", "b=", "c+=x", "d-=y", "e=f=g"}, {"h"});
  ASSERT_TRUE(changes);
  EXPECT_EQ(*changes, (std::vector<ConfigChange>{{"a", Operation::set, "1"},
                                                 {"b", Operation::set, ""},
                                                 {"c", Operation::append, "x"},
                                                 {"d", Operation::subtract, "y"},
                                                 {"e", Operation::set, "f=g"},
                                                 {"h", Operation::unset, std::nullopt}}));
}

TEST(ConfigChange, refuses_what_has_no_name_or_no_value) {
  EXPECT_FALSE(parse_config_changes({"a"}));
  EXPECT_FALSE(parse_config_changes({"=1"}));
  EXPECT_FALSE(parse_config_changes({}, {"a=1"}));
}

}  // namespace
}  // namespace millrace::cli
