// What must hold of every message in every version, tried with values drawn at random from fixed
// seeds.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/wire/all_messages.h"
#include "tests/support/message_filler.h"

namespace millrace::wire {
namespace {

constexpr int kDrawsPerVersion = 25;

template <class T>
std::vector<std::byte> encoded(const T& message, std::int16_t version) {
  std::vector<std::byte> bytes(encoded_size(message, version));
  Writer out(bytes);
  encode(message, version, out);
  EXPECT_EQ(out.remaining(), 0U) << T::kName << " " << version << ": encoded_size is too large";
  return bytes;
}

// Calls f(message, version, seed) for draws of every message in every version.
template <class F>
void for_each_draw(int draws, F&& f) {
  for_each_message([&]<class T>() {
    for (std::int16_t version = T::kVersions.min; version <= T::kVersions.max; ++version) {
      for (int draw = 0; draw < draws; ++draw) {
        Prng prng(static_cast<std::uint64_t>(version * 1000 + draw));
        test::RandomFiller filler(version, prng);
        T message;
        filler.structure(message);
        f(message, version, prng);
        if (testing::Test::HasFailure()) return;
      }
    }
  });
}

TEST(RoundTrip, what_was_encoded_decodes_to_the_same) {
  for_each_draw(kDrawsPerVersion, []<class T>(const T& message, std::int16_t version, Prng&) {
    const auto bytes = encoded(message, version);
    const auto decoded = decode<T>(bytes, version);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
    EXPECT_TRUE(*decoded == message) << T::kName << " " << version << "\n"
                                     << to_text(message, version) << "\n"
                                     << to_text(*decoded, version);
    EXPECT_EQ(encoded(*decoded, version), bytes);
  });
}

// The bytes are copied to a block of exactly their size, so that AddressSanitizer sees a read past
// it.
TEST(RoundTrip, a_body_cut_short_anywhere_is_refused) {
  for_each_draw(3, []<class T>(const T& message, std::int16_t version, Prng&) {
    const auto bytes = encoded(message, version);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const std::vector<std::byte> cut(bytes.begin(),
                                       bytes.begin() + static_cast<std::ptrdiff_t>(size));
      const auto decoded = decode<T>(cut, version);
      ASSERT_FALSE(decoded.has_value()) << T::kName << " " << version << " cut to " << size;
      EXPECT_EQ(decoded.error().code, Errc::malformed);
    }
  });
}

TEST(RoundTrip, bytes_left_over_are_refused) {
  for_each_draw(1, []<class T>(const T& message, std::int16_t version, Prng&) {
    auto bytes = encoded(message, version);
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(decode<T>(bytes, version).has_value()) << T::kName << " " << version;
  });
}

// Whatever is accepted of damaged bytes has one canonical form.
TEST(RoundTrip, damaged_bytes_are_refused_or_read_as_something_that_can_be_written) {
  for_each_draw(kDrawsPerVersion, []<class T>(const T& message, std::int16_t version, Prng& prng) {
    auto bytes = encoded(message, version);
    if (bytes.empty()) return;
    for (std::uint64_t flips = 1 + prng.below(3); flips > 0; --flips) {
      bytes[prng.below(bytes.size())] = static_cast<std::byte>(prng.next());
    }
    const auto decoded = decode<T>(bytes, version);
    if (!decoded) return;
    const auto canonical = encoded(*decoded, version);
    const auto again = decode<T>(canonical, version);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(encoded(*again, version), canonical) << T::kName << " " << version;
    EXPECT_EQ(to_text(*again, version), to_text(*decoded, version));
  });
}

TEST(RoundTrip, versions_a_message_does_not_have_are_unsupported) {
  for_each_message([]<class T>() {
    for (const int version : {T::kVersions.min - 1, T::kVersions.max + 1}) {
      const auto decoded = decode<T>({}, static_cast<std::int16_t>(version));
      ASSERT_FALSE(decoded.has_value());
      EXPECT_EQ(decoded.error().code, Errc::unsupported) << T::kName << " " << version;
    }
  });
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
