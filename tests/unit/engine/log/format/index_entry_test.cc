#include "engine/log/format/index_entry.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/golden.h"

namespace millrace::log {
namespace {

template <class Entry>
std::string stored(const Entry& entry) {
  std::array<std::byte, Entry::kBytes> bytes{};
  entry.store(bytes.data());
  return tests::to_hex(bytes);
}

TEST(IndexEntry, fields_lie_where_kafka_puts_them) {
  EXPECT_EQ(stored(OffsetIndexEntry{7, 4096}), "0000000700001000");
  EXPECT_EQ(stored(TimeIndexEntry{0x1a201e912cb, 9}), "000001a201e912cb00000009");
  EXPECT_EQ(stored(AbortedTransaction{ProducerId(1), Offset(2), Offset(3), Offset(4)}),
            "00000000000000000001000000000000000200000000000000030000000000000004");
}

TEST(IndexEntry, what_is_stored_loads_again) {
  const AbortedTransaction entry{ProducerId(77), Offset(1) + (std::int64_t{1} << 40), Offset(5),
                                 Offset(6)};
  std::array<std::byte, AbortedTransaction::kBytes> bytes{};
  entry.store(bytes.data());
  EXPECT_EQ(*AbortedTransaction::load(bytes), entry);
  bytes[1] = std::byte{1};
  EXPECT_EQ(AbortedTransaction::load(bytes).error(), Errc::unsupported);
}

TEST(IndexEntry, a_relative_offset_must_fit_and_not_be_negative) {
  EXPECT_EQ(relative_offset(Offset(100), Offset(100)), 0);
  EXPECT_EQ(relative_offset(Offset(100), Offset(100) + std::numeric_limits<std::int32_t>::max()),
            std::numeric_limits<std::int32_t>::max());
  EXPECT_FALSE(
      relative_offset(Offset(100), Offset(101) + std::numeric_limits<std::int32_t>::max()));
  EXPECT_FALSE(relative_offset(Offset(100), Offset(99)));
}

}  // namespace
}  // namespace millrace::log
