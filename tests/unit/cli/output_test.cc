#include "cli/output.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

TEST(Output, a_table_aligns_columns_by_characters_not_bytes) {
  Table table({"name", "partition_count"});
  table.add({"orders", 3});
  table.add({"\xc3\xbc", nullptr});
  EXPECT_EQ(table.render(OutputFormat::table),
            "NAME    PARTITION COUNT\norders  3\n\xc3\xbc       -\n");
}

TEST(Output, json_keeps_types_and_the_order_of_columns) {
  Table table({"name", "replicas", "leader"});
  table.add({"orders", Cell::array({1, 2}), nullptr});
  EXPECT_EQ(Cell::parse(table.render(OutputFormat::json)),
            Cell::parse(R"([{"name":"orders","replicas":[1,2],"leader":null}])"));
  EXPECT_LT(table.render(OutputFormat::json).find("name"),
            table.render(OutputFormat::json).find("leader"));
}

TEST(Output, lists_are_joined_in_a_table) {
  Table table({"replicas"});
  table.add({Cell::array({1, 2})});
  table.add({Cell::array()});
  EXPECT_EQ(table.render(OutputFormat::table), "REPLICAS\n1,2\n-\n");
}

TEST(Output, what_a_terminal_would_obey_or_could_not_show_is_escaped) {
  EXPECT_EQ(printable("plain \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"),
            "plain \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(printable("a\tb\nc\rd\\"), "a\\tb\\nc\\rd\\\\");
  EXPECT_EQ(printable(std::string_view("\0\x1b[2J\x7f", 6)), "\\x00\\x1b[2J\\x7f");
  // The control U+9b, a form that is too long, half of a pair, beyond Unicode, a character cut short.
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");
  EXPECT_EQ(printable("\xc0\xaf\xe0\x80\xaf"), "\\xc0\\xaf\\xe0\\x80\\xaf");
  EXPECT_EQ(printable("\xed\xa0\x80\xf4\x90\x80\x80"),
            "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");
}

TEST(Output, no_rows_are_an_empty_list_in_json) {
  EXPECT_EQ(Table({"a"}).render(OutputFormat::json), "[]\n");
}

}  // namespace
}  // namespace millrace::cli
