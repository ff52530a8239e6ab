// What must hold of every message in every version, tried with values drawn at random from fixed
// seeds.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/wire/api_versions.h"
#include "net/wire/fetch.h"
#include "net/wire/metadata.h"
#include "net/wire/produce.h"
#include "tests/support/any_message.h"

namespace millrace::wire {
namespace {

constexpr int kDrawsPerVersion = 25;

template <class T>
std::vector<std::byte> encoded(const T& message, std::int16_t version) {
  std::vector<std::byte> bytes(encoded_size(message, version));
  Writer out(bytes);
  encode(message, version, out);
  return bytes;
}

// Calls f(message, version, drawn, prng) for draws of every message in every version.
template <class F>
void for_each_draw(int draws, F&& f) {
  for (const test::AnyMessage& message : test::any_messages()) {
    for (std::int16_t version = message.versions.min; version <= message.versions.max; ++version) {
      SCOPED_TRACE(std::string(message.name) + " " + std::to_string(version));
      for (int draw = 0; draw < draws; ++draw) {
        Prng prng(static_cast<std::uint64_t>(version * 1000 + draw));
        f(message, version, message.random(version, prng), prng);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(RoundTrip, what_was_encoded_decodes_to_the_same) {
  for_each_draw(kDrawsPerVersion, [](const test::AnyMessage& message, std::int16_t version,
                                     const test::Drawn& drawn, Prng&) {
    EXPECT_TRUE(drawn.size_is_exact);
    EXPECT_TRUE(drawn.reads_back) << drawn.text;
    const auto again = message.reread(drawn.body, version);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(again->body, drawn.body) << drawn.text;
  });
}

// The bytes are copied to a block of exactly their size, so that AddressSanitizer sees a read past
// it.
TEST(RoundTrip, a_body_cut_short_anywhere_is_refused) {
  for_each_draw(3, [](const test::AnyMessage& message, std::int16_t version,
                      const test::Drawn& drawn, Prng&) {
    for (std::size_t size = 0; size < drawn.body.size(); ++size) {
      const ConstBytes front = ConstBytes(drawn.body).first(size);
      const std::vector<std::byte> cut(front.begin(), front.end());
      const auto again = message.reread(cut, version);
      ASSERT_FALSE(again.has_value()) << "cut to " << size;
      EXPECT_EQ(again.error().code, Errc::malformed);
    }
  });
}

TEST(RoundTrip, bytes_left_over_are_refused) {
  for_each_draw(1, [](const test::AnyMessage& message, std::int16_t version,
                      const test::Drawn& drawn, Prng&) {
    auto bytes = drawn.body;
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(message.decodes(bytes, version));
  });
}

// Whatever is accepted of damaged bytes has one canonical form.
TEST(RoundTrip, damaged_bytes_are_refused_or_read_as_something_that_can_be_written) {
  for_each_draw(kDrawsPerVersion, [](const test::AnyMessage& message, std::int16_t version,
                                     const test::Drawn& drawn, Prng& prng) {
    auto bytes = drawn.body;
    if (bytes.empty()) return;
    for (std::uint64_t flips = 1 + prng.below(3); flips > 0; --flips) {
      bytes[prng.below(bytes.size())] = static_cast<std::byte>(prng.next());
    }
    const auto read = message.reread(bytes, version);
    if (!read) return;
    const auto again = message.reread(read->body, version);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(again->body, read->body);
    EXPECT_EQ(again->text, read->text);
  });
}

TEST(RoundTrip, versions_a_message_does_not_have_are_unsupported) {
  for (const test::AnyMessage& message : test::any_messages()) {
    for (const int version : {message.versions.min - 1, message.versions.max + 1}) {
      const auto read = message.reread({}, static_cast<std::int16_t>(version));
      ASSERT_FALSE(read.has_value());
      EXPECT_EQ(read.error().code, Errc::unsupported) << message.name << " " << version;
    }
  }
}

TEST(RoundTrip, unknown_tags_are_skipped) {
  ApiVersionsRequest request;
  request.client_software_name = "a";
  request.client_software_version = "b";
  auto bytes = encoded(request, 3);
  bytes.back() = std::byte{2};  // two tags: 7 with three bytes, 300 with none
  for (const int byte : {7, 3, 1, 2, 3, 0xac, 2, 0}) bytes.push_back(static_cast<std::byte>(byte));
  const auto decoded = decode<ApiVersionsRequest>(bytes, 3);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_TRUE(*decoded == request);
}

TEST(RoundTrip, a_tag_named_twice_is_refused) {
  FetchRequest request;
  request.cluster_id = "x";
  auto bytes = encoded(request, 18);
  ASSERT_EQ(bytes[bytes.size() - 5], std::byte{1});  // one tag: 0, three bytes, length + 1, "x"
  bytes[bytes.size() - 5] = std::byte{2};
  for (const int byte : {0, 2, 2, 0x79}) bytes.push_back(static_cast<std::byte>(byte));
  const auto decoded = decode<FetchRequest>(bytes, 18);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_NE(decoded.error().message.find("ascending"), std::string::npos)
      << decoded.error().message;
}

TEST(RoundTrip, null_where_a_version_has_none_is_written_as_empty) {
  MetadataRequest request;
  request.topics.reset();
  const auto decoded = decode<MetadataRequest>(encoded(request, 0), 0);
  ASSERT_TRUE(decoded.has_value());
  ASSERT_TRUE(decoded->topics.has_value());
  EXPECT_TRUE(decoded->topics->empty());
}

TEST(RoundTrip, null_where_a_version_has_none_is_refused) {
  const std::vector<std::byte> null_count(4, std::byte{0xff});
  const auto decoded = decode<MetadataRequest>(null_count, 0);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().message,
            "MetadataRequest version 0, at topics: null where this version has none");
}

TEST(RoundTrip, records_of_a_produce_stay_in_the_frame) {
  ProduceRequest request;
  const std::string records = "not really records";
  request.topic_data.push_back(
      {.name = "t", .partition_data = {{.index = 3, .records = as_bytes(records)}}});
  const auto bytes = encoded(request, 9);
  const auto decoded = decode<ProduceRequest>(bytes, 9);
  ASSERT_TRUE(decoded.has_value());
  const WireBytes found = decoded->topic_data[0].partition_data[0].records.value();
  EXPECT_GE(found.data(), bytes.data());
  EXPECT_LE(found.data() + found.size(), bytes.data() + bytes.size());
  EXPECT_EQ(as_text(found), records);
}

TEST(RoundTrip, text_is_one_line_of_json_with_the_fields_of_the_version) {
  MetadataRequest request;
  request.topics->push_back({.name = "with \"quotes\"\n"});
  EXPECT_EQ(to_text(request, 3), R"({"topics":[{"name":"with \"quotes\"\u000a"}]})");
  EXPECT_EQ(to_text(request, 4),
            R"({"topics":[{"name":"with \"quotes\"\u000a"}],"allow_auto_topic_creation":true})");
}

}  // namespace
}  // namespace millrace::wire
