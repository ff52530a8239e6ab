#include "cli/offset_range.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

using Kind = RangeEnd::Kind;

OffsetRange parse(std::vector<std::string> texts) {
  const auto range = parse_offset_range(texts);
  EXPECT_TRUE(range) << (range ? "" : range.error().message);
  return range.value_or(OffsetRange{});
}

TEST(OffsetRange, without_an_option_it_is_everything) {
  EXPECT_EQ(parse({}), (OffsetRange{{Kind::beginning, 0}, std::nullopt}));
}

TEST(OffsetRange, reads_words_numbers_and_tails) {
  EXPECT_EQ(parse({"end"}).start, (RangeEnd{Kind::end, 0}));
  EXPECT_EQ(parse({"7"}).start, (RangeEnd{Kind::offset, 7}));
  EXPECT_EQ(parse({"-7"}).start, (RangeEnd{Kind::tail, 7}));
}

TEST(OffsetRange, reads_both_ends_of_a_range) {
  EXPECT_EQ(parse({"10..20"}), (OffsetRange{{Kind::offset, 10}, RangeEnd{Kind::offset, 20}}));
  EXPECT_EQ(parse({"s@1000..e@2000"}),
            (OffsetRange{{Kind::time, 1000}, RangeEnd{Kind::time, 2000}}));
  EXPECT_EQ(parse({"s@1000.."}), (OffsetRange{{Kind::time, 1000}, std::nullopt}));
  EXPECT_EQ(parse({"..20"}), (OffsetRange{{Kind::beginning, 0}, RangeEnd{Kind::offset, 20}}));
  EXPECT_EQ(parse({"s@1000", "e@2000"}),
            (OffsetRange{{Kind::time, 1000}, RangeEnd{Kind::time, 2000}}));
}

TEST(OffsetRange, refuses_what_is_no_place_in_a_log) {
  for (const std::string text : {"x", "", "5x", "s@", "s@yesterday", "1..end", "1..-5", "5..3", "s@9..e@8"}) {
    EXPECT_FALSE(parse_offset_range({text})) << text;
  }
}

TEST(OffsetRange, reads_times_with_and_without_a_zone) {
  EXPECT_EQ(parse_time("1970-01-02")->ms, 86'400'000);
  EXPECT_EQ(parse_time("1970-01-01T01:02:03.250Z")->ms, 3'723'250);
  EXPECT_EQ(parse_time("1970-01-01T02:00:00+02:00")->ms, 0);
  EXPECT_EQ(parse_time("1970-01-01T00:00-01:00")->ms, 3'600'000);
  EXPECT_EQ(parse_time("1700000000000")->ms, 1'700'000'000'000);
  EXPECT_EQ(parse_time("2000-02-29")->ms, 951'782'400'000);
}

TEST(OffsetRange, refuses_days_and_hours_that_do_not_exist) {
  for (const std::string_view text :
       {"2001-02-29", "2001-13-01", "2001-01-01T24:00", "2001-01-01T1:00", "2001-01-01X"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

}  // namespace
}  // namespace millrace::cli
