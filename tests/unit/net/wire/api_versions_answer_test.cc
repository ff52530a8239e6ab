#include "net/wire/api_versions_answer.h"

#include <gtest/gtest.h>

#include "net/wire/header.h"

namespace millrace::wire {
namespace {

TEST(ApiVersionsAnswer, features_that_start_at_zero_are_named_from_version_4_on_only) {
  for (std::int16_t version = 0; version <= 4; ++version) {
    ApiVersionsResponse response;
    response.supported_features = {
        {.name = "kraft.version", .min_version = 0, .max_version = 1},
        {.name = "metadata.version", .min_version = 1, .max_version = 25}};
    omit_unsendable_features(response, version);
    EXPECT_EQ(response.supported_features.size(), version < 4 ? 1U : 2U) << version;
    EXPECT_EQ(response.supported_features.back().name, "metadata.version");
  }
}

TEST(ApiVersionsAnswer, an_unknown_version_is_answered_in_version_0_with_what_can_be_asked) {
  // What a client of a later Kafka sends first: a version we do not have, in the newest header.
  std::vector<std::byte> frame(8);
  store_big_endian(frame.data(), static_cast<std::int16_t>(ApiKey::api_versions));
  store_big_endian(frame.data() + 2, std::int16_t{99});
  store_big_endian(frame.data() + 4, std::int32_t{31});
  for (const int byte : {0, 1, 0x63, 0, 2, 0x78, 2, 0x79, 0})
    frame.push_back(static_cast<std::byte>(byte));
  const auto request = decode_request_frame(frame);
  ASSERT_TRUE(request.has_value()) << request.error().message;
  EXPECT_EQ(request->header.api_version, 99);
  EXPECT_EQ(decode<ApiVersionsRequest>(request->body, 99).error().code, Errc::unsupported);

  const auto answer =
      encode_response_frame(unsupported_api_versions_answer(), 0, request->header.correlation_id);
  const auto response =
      decode_response_frame(ConstBytes(answer).subspan(kFrameLengthBytes), ApiKey::api_versions, 0);
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->correlation_id, 31);
  const auto body = decode<ApiVersionsResponse>(response->body, 0);
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(body->error_code, ErrorCode::unsupported_version);
  ASSERT_EQ(body->api_keys.size(), 1U);
  EXPECT_EQ(body->api_keys[0].api_key, 18);
  EXPECT_EQ(body->api_keys[0].max_version, 4);
}

TEST(ApiVersionsAnswer, its_header_never_has_tags) {
  EXPECT_EQ(response_header_version(ApiKey::api_versions, 4), 0);
  EXPECT_EQ(request_header_version(ApiKey::api_versions, 3), 2);
  EXPECT_EQ(response_header_version(ApiKey::metadata, 9), 1);
}

}  // namespace
}  // namespace millrace::wire
