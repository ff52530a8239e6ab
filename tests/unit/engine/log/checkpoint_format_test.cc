#include "engine/log/checkpoint_format.h"

#include <gtest/gtest.h>

namespace millrace::log {
namespace {

TEST(CheckpointFormat, writes_kafkas_text) {
  const std::vector<CheckpointEntry> entries = {
      {"a", PartitionIndex(0), Offset(5)},
      {"b.c_d-e", PartitionIndex(12), Offset(1) + 6'000'000'000}};
  const std::string text = "0\n2\na 0 5\nb.c_d-e 12 6000000001\n";
  EXPECT_EQ(encode_checkpoint(entries), text);
  EXPECT_EQ(*decode_checkpoint(text), entries);
  EXPECT_EQ(*decode_checkpoint("0\n0\n"), std::vector<CheckpointEntry>{});
}

TEST(CheckpointFormat, an_empty_file_as_kafka_makes_it_at_its_first_start_has_no_entries) {
  EXPECT_EQ(*decode_checkpoint(""), std::vector<CheckpointEntry>{});
}

TEST(CheckpointFormat, an_unfinished_or_damaged_text_is_malformed) {
  for (const char* text :
       {"0\n", "x\n0\n", "0\n1\n", "0\n1\na 0\n", "0\n1\na 0 5 6\n", "0\n1\na -1 5\n",
        "0\n1\na 0 -5\n", "0\n1\n 0 5\n", "0\n1\na 0 5\nb 0 6\n", "0\n2\na 0 5\n",
        "0\n1\na 0 99999999999999999999\n"}) {
    EXPECT_EQ(decode_checkpoint(text).error(), Errc::malformed) << text;
  }
  EXPECT_EQ(decode_checkpoint("1\n0\n").error(), Errc::unsupported);
}

}  // namespace
}  // namespace millrace::log
