#include "cli/produce.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(Produce, a_line_is_a_value_unless_a_delimiter_parts_it) {
  EXPECT_EQ(split_record("a:b", {}), (ProducedRecord{std::nullopt, "a:b"}));
  EXPECT_EQ(split_record("a:b:c", {.key_delimiter = ":"}), (ProducedRecord{"a", "b:c"}));
  EXPECT_EQ(split_record("ab", {.key_delimiter = ":"}), (ProducedRecord{std::nullopt, "ab"}));
  EXPECT_EQ(split_record(":b", {.key_delimiter = ":"}), (ProducedRecord{"", "b"}));
}

TEST(Produce, an_empty_value_is_a_tombstone_only_when_asked_for) {
  EXPECT_EQ(split_record("k:", {.key_delimiter = ":"}), (ProducedRecord{"k", ""}));
  EXPECT_EQ(split_record("k:", {.key_delimiter = ":", .empty_is_null = true}),
            (ProducedRecord{"k", std::nullopt}));
}

TEST(Produce, a_key_in_the_line_outweighs_the_one_for_all) {
  EXPECT_EQ(split_record("a:b", {.key = "x", .key_delimiter = ":"}).key, "a");
  EXPECT_EQ(split_record("b", {.key = "x", .key_delimiter = ":"}).key, "x");
}

TEST(Produce, a_report_is_a_line_of_two_columns_or_a_json_object) {
  EXPECT_EQ(report_line({.topic = "t"}, 3, 42), "3\t42\n");
  EXPECT_EQ(report_line({.topic = "t", .report_format = "table"}, 3, 42), "3\t42\n");
  EXPECT_EQ(report_line({.topic = "t", .report_format = "json"}, 3, 42),
            "{\"topic\":\"t\",\"partition\":3,\"offset\":42}\n");
}

}  // namespace
}  // namespace millrace::cli
