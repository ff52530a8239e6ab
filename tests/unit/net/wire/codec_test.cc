#include "net/wire/codec.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <optional>
#include <vector>

#include "net/wire/message_codec.h"

namespace millrace::wire {
namespace {

std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

TEST(Codec, integers_are_read_and_written_in_big_endian) {
  std::array<std::byte, 15> bytes{};
  Writer out(bytes);
  out.integer<std::int8_t>(-2);
  out.integer<std::int16_t>(0x0102);
  out.integer<std::int32_t>(-3);
  out.integer<std::int64_t>(0x0102030405060708);
  EXPECT_EQ(out.remaining(), 0U);
  EXPECT_EQ(bytes[1], std::byte{1});
  EXPECT_EQ(bytes[14], std::byte{8});
  Reader reader(bytes);
  EXPECT_EQ(reader.integer<std::int8_t>(), -2);
  EXPECT_EQ(reader.integer<std::int16_t>(), 0x0102);
  EXPECT_EQ(reader.integer<std::int32_t>(), -3);
  EXPECT_EQ(reader.integer<std::int64_t>(), 0x0102030405060708);
  EXPECT_TRUE(reader.ok());
}

TEST(Codec, unsigned_varints_of_every_length_read_back) {
  for (const std::uint32_t value : {0U, 1U, 127U, 128U, 16383U, 16384U, 2097151U, 2097152U,
                                    268435455U, 268435456U, 4294967295U}) {
    std::array<std::byte, 5> bytes{};
    Writer out(bytes);
    out.uvarint(value);
    EXPECT_EQ(out.position(), uvarint_size(value));
    Reader reader(ConstBytes(bytes).first(out.position()));
    EXPECT_EQ(reader.uvarint(), value);
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.remaining(), 0U);
  }
}

struct Inner {
  std::int32_t number = 0;
  bool operator==(const Inner&) const = default;
  static void describe(auto& v, auto& m) { v.field("number", m.number, since(0)); }
};

struct Middle {
  std::optional<Inner> inner;
  std::int32_t other = 0;
  bool operator==(const Middle&) const = default;
  static void describe(auto& v, auto& m) {
    v.field("inner", m.inner, since(0).nullable(0));
    v.field("other", m.other, since(0));
  }
};

struct Outer {
  Middle middle;
  std::optional<Inner> inner;
  bool operator==(const Outer&) const = default;
  static void describe(auto& v, auto& m) {
    v.tagged(0, "middle", m.middle, since(0), Middle{});
    v.tagged(1, "inner", m.inner, since(0).nullable(0), std::optional<Inner>());
  }
};

TEST(Codec, a_structure_that_may_be_null_says_so_in_one_way_in_a_tag_and_in_another_as_a_field_also_of_a_structure_in_a_tag) {
  const Outer said{.middle = {.inner = std::nullopt, .other = 7}, .inner = Inner{.number = 9}};
  std::array<std::byte, 64> bytes{};
  Writer out(bytes);
  Encoder<Writer>(out, 0, true).structure(said);
  // Two tags; 0: a field that is null (-1), 7, no tags; 1: a value that is there (1), 9, no tags.
  const auto expected = from_hex("02" "0006" "ff0000000700" "0106" "010000000900");
  EXPECT_EQ(std::vector(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(out.position())), expected);
  Reader reader(ConstBytes(bytes).first(out.position()));
  Outer read;
  Decoder(reader, 0, true).structure(read);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(read, said);
}

TEST(Codec, varint_longer_than_32_bits_is_refused) {
  for (const auto* hex : {"ffffffff10", "808080808001", "ffffffffffffffffff01"}) {
    const auto bytes = from_hex(hex);
    Reader reader(bytes);
    reader.uvarint();
    EXPECT_FALSE(reader.ok()) << hex;
  }
}

TEST(Codec, signed_varints_are_zigzag) {
  const auto bytes = from_hex("000102feffffff0fffffffff0f");
  Reader reader(bytes);
  EXPECT_EQ(reader.varint(), 0);
  EXPECT_EQ(reader.varint(), -1);
  EXPECT_EQ(reader.varint(), 1);
  EXPECT_EQ(reader.varint(), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(reader.varint(), std::numeric_limits<std::int32_t>::min());
  EXPECT_TRUE(reader.ok());
}

TEST(Codec, after_a_failure_every_read_returns_nothing) {
  const auto bytes = from_hex("0001020304050607");
  Reader reader(bytes);
  reader.bytes(9);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.integer<std::int8_t>(), 0);
  EXPECT_EQ(reader.uvarint(), 0U);
  EXPECT_EQ(reader.text(1), "");
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_STREQ(reader.error(), "a length exceeds what remains of the frame");
}

TEST(Codec, text_points_into_the_frame) {
  const std::string frame = "hello";
  Reader reader(as_bytes(frame));
  EXPECT_EQ(reader.text(5).data(), frame.data());
}

TEST(Codec, text_longer_than_the_protocol_allows_is_refused) {
  const std::string frame(40'000, 'a');
  Reader reader(as_bytes(frame));
  reader.text(32'768);
  EXPECT_FALSE(reader.ok());
}

TEST(Codec, negative_lengths_other_than_null_are_refused) {
  const auto bytes = from_hex("fffffffe");
  Reader wide(bytes);
  wide.length32();
  EXPECT_FALSE(wide.ok());
  Reader narrow(ConstBytes(bytes).subspan(2));
  narrow.length16();
  EXPECT_FALSE(narrow.ok());
}

TEST(Codec, utf8_is_told_from_what_only_looks_like_it) {
  for (const std::string_view good : {"", "plain", "longer than eight bytes", "\xc3\xa9",
                                      "\xe2\x82\xac", "\xf0\x9f\x98\x80", "abcdefgh\xc3\xa9"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const std::string_view bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "abcdefgh\xff", "\xf0\x80\x80\x80", "\xc3g"}) {
    EXPECT_FALSE(is_utf8(bad)) << testing::PrintToString(std::string(bad));
  }
}

TEST(Codec, sendable_text_is_cut_at_a_character) {
  std::string text(32'766, 'a');
  text += "\xc3\xa9";
  EXPECT_EQ(sendable_text(text).size(), 32'766U);
  EXPECT_EQ(sendable_text("short"), "short");
}

TEST(Codec, arrays_that_cannot_be_there_are_not_admitted) {
  const std::vector<std::byte> bytes(100);
  Reader reader(bytes);
  EXPECT_TRUE(reader.admit_elements(25, 4, 4));
  EXPECT_FALSE(reader.admit_elements(26, 4, 4));
}

TEST(Codec, arrays_share_one_allowance_of_memory) {
  const std::vector<std::byte> bytes(1000);
  Reader reader(bytes);
  EXPECT_TRUE(reader.admit_elements(1000, 1, 64));
  EXPECT_FALSE(reader.admit_elements(1000, 1, 64));
  EXPECT_STREQ(reader.error(), "its arrays would take too much memory for its size");
}

TEST(CodecDeathTest, writing_past_the_end_is_a_bug) {
  std::array<std::byte, 3> bytes{};
  Writer out(bytes);
  EXPECT_DEATH(out.integer<std::int32_t>(1), "room for 3");
}

}  // namespace
}  // namespace millrace::wire
