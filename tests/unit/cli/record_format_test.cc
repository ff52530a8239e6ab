#include "cli/record_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

using testing::HasSubstr;

ConsumedRecord sample() {
  return {.topic = "orders",
          .partition = 3,
          .offset = 42,
          .timestamp_ms = 1700000000000,
          .key = "k",
          .value = "v",
          .headers = {{"a", "1"}, {"b", std::nullopt}}};
}

std::string format(std::string_view text, const ConsumedRecord& record) {
  const auto parsed = RecordFormat::parse(text);
  if (!parsed) return "error: " + parsed.error().message;
  std::string out;
  parsed->append(record, out);
  return out;
}

TEST(RecordFormat, every_letter_is_replaced) {
  EXPECT_EQ(format("%t [%p] @%o %T: %k=%s (%h)", sample()),
            "orders [3] @42 1700000000000: k=v (a=1,b=NULL)");
  EXPECT_EQ(format("%K %S %%", sample()), "1 1 %");
}

TEST(RecordFormat, a_missing_key_and_a_tombstone_have_length_minus_one) {
  ConsumedRecord record = sample();
  record.key.reset();
  record.value.reset();
  EXPECT_EQ(format("%K %S [%k%s]", record), "-1 -1 []");
  record.value = "";
  EXPECT_EQ(format("%S", record), "0");
}

TEST(RecordFormat, framing_is_four_bytes_in_big_endian) {
  ConsumedRecord record = sample();
  const std::string value(258, 'x');
  record.value = value;
  EXPECT_EQ(format("%R", record), std::string("\0\0\1\2", 4));
}

TEST(RecordFormat, escapes_are_those_of_c) {
  EXPECT_EQ(format("a\\tb\\n\\x41\\\\", sample()), "a\tb\nA\\");
  EXPECT_EQ(format("\\0", sample()), std::string(1, '\0'));
}

TEST(RecordFormat, an_unknown_sequence_is_named) {
  EXPECT_THAT(format("%q", sample()), HasSubstr("no %q"));
  EXPECT_THAT(format("%", sample()), HasSubstr("error"));
  EXPECT_THAT(format("\\q", sample()), HasSubstr("no \\q"));
  EXPECT_THAT(format("\\x4", sample()), HasSubstr("two hexadecimal digits"));
}

TEST(RecordFormat, json_keeps_null_apart_from_empty_and_survives_bytes_that_are_no_text) {
  ConsumedRecord record = sample();
  record.key.reset();
  record.value = "\xff";
  EXPECT_EQ(record_json(record),
            "{\"topic\":\"orders\",\"partition\":3,\"offset\":42,\"timestamp\":1700000000000,"
            "\"key\":null,\"value\":"
            "\"\xEF\xBF\xBD\",\"headers\":[{\"name\":\"a\",\"value\":\"1\"},{\"name\":\"b\","
            "\"value\":null}]}");
}

}  // namespace
}  // namespace millrace::cli
