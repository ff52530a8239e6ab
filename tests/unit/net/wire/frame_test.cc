#include "net/wire/frame.h"

#include <gtest/gtest.h>

#include <vector>

#include "net/wire/header.h"
#include "net/wire/metadata.h"

namespace millrace::wire {
namespace {

constexpr std::size_t kFrameBytesMax = 1000;

std::vector<std::byte> frame_of(std::int32_t length, std::size_t bytes_after) {
  std::vector<std::byte> frame(kFrameLengthBytes + bytes_after, std::byte{7});
  store_big_endian(frame.data(), length);
  return frame;
}

TEST(Frame, more_is_needed_until_the_last_byte_is_there) {
  const auto frame = frame_of(10, 10);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const FrameScan scan = scan_frame(ConstBytes(frame).first(size), kFrameBytesMax);
    EXPECT_EQ(scan.state, FrameScan::State::need_more) << size;
    EXPECT_EQ(scan.bytes_wanted, size < kFrameLengthBytes ? kFrameLengthBytes : frame.size());
  }
  const FrameScan whole = scan_frame(frame, kFrameBytesMax);
  EXPECT_EQ(whole.state, FrameScan::State::frame);
  EXPECT_EQ(whole.body.size(), 10U);
  EXPECT_EQ(whole.bytes_used, frame.size());
}

TEST(Frame, what_follows_a_frame_is_left_for_the_next_scan) {
  auto bytes = frame_of(2, 2);
  const auto second = frame_of(0, 0);
  bytes.insert(bytes.end(), second.begin(), second.end());
  const FrameScan first = scan_frame(bytes, kFrameBytesMax);
  ASSERT_EQ(first.state, FrameScan::State::frame);
  const FrameScan next = scan_frame(ConstBytes(bytes).subspan(first.bytes_used), kFrameBytesMax);
  EXPECT_EQ(next.state, FrameScan::State::frame);
  EXPECT_TRUE(next.body.empty());
}

TEST(Frame, a_length_at_the_limit_is_taken_and_one_above_refused_before_its_bytes_arrive) {
  EXPECT_EQ(scan_frame(frame_of(1000, 0), kFrameBytesMax).state, FrameScan::State::need_more);
  const FrameScan refused = scan_frame(frame_of(1001, 0), kFrameBytesMax);
  EXPECT_EQ(refused.state, FrameScan::State::refused);
  EXPECT_EQ(refusal_text(refused, kFrameBytesMax),
            "a frame announces 1001 bytes, socket.request.max.bytes is 1000");
}

TEST(Frame, a_negative_length_is_refused) {
  const FrameScan refused = scan_frame(frame_of(-1, 0), kFrameBytesMax);
  EXPECT_EQ(refused.state, FrameScan::State::refused);
  EXPECT_EQ(refusal_text(refused, kFrameBytesMax), "a frame announces -1 bytes");
}

// An HTTP request on the Kafka port reads as a frame of more than a gigabyte.
TEST(Frame, text_of_another_protocol_is_refused) {
  EXPECT_EQ(scan_frame(as_bytes("GET / HTTP/1.1"), std::size_t{100} * 1024 * 1024).state,
            FrameScan::State::refused);
}

TEST(Header, request_headers_read_back_in_both_forms) {
  for (const std::int16_t version : {std::int16_t{8}, std::int16_t{9}}) {
    for (const std::optional<std::string_view> client_id :
         {std::optional<std::string_view>("me"), std::optional<std::string_view>("")}) {
      RequestHeader header{.api_version = version, .correlation_id = 77, .client_id = client_id};
      const auto bytes = encode_request_frame(header, MetadataRequest{});
      const FrameScan scan = scan_frame(bytes, kFrameBytesMax);
      ASSERT_EQ(scan.state, FrameScan::State::frame);
      EXPECT_EQ(scan.bytes_used, bytes.size());
      const auto frame = decode_request_frame(scan.body);
      ASSERT_TRUE(frame.has_value()) << frame.error().message;
      header.api_key = ApiKey::metadata;
      EXPECT_EQ(frame->header, header);
      EXPECT_TRUE(decode<MetadataRequest>(frame->body, version).has_value());
    }
  }
}

// Bytes from the protocol's definition: key 3, version 1, correlation 5, no client id.
TEST(Header, a_null_client_id_is_read) {
  const std::vector<std::byte> frame = {std::byte{0},    std::byte{3},   std::byte{0}, std::byte{1},
                                        std::byte{0},    std::byte{0},   std::byte{0}, std::byte{5},
                                        std::byte{0xff}, std::byte{0xff}};
  const auto request = decode_request_frame(frame);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->header.client_id, std::nullopt);
  EXPECT_EQ(request->header.correlation_id, 5);
}

TEST(Header, a_header_cut_short_anywhere_is_refused) {
  const auto bytes =
      encode_request_frame({.api_version = 12, .client_id = "client"}, MetadataRequest{});
  const std::size_t header_size = 2 + 2 + 4 + 2 + 6 + 1;
  for (std::size_t size = 0; size < header_size; ++size) {
    EXPECT_FALSE(decode_request_frame(ConstBytes(bytes).subspan(kFrameLengthBytes, size))) << size;
  }
  EXPECT_TRUE(decode_request_frame(ConstBytes(bytes).subspan(kFrameLengthBytes, header_size)));
}

TEST(Header, an_api_that_is_not_served_is_unsupported) {
  std::vector<std::byte> frame(10);
  store_big_endian(frame.data(), std::int16_t{5000});
  const auto request = decode_request_frame(frame);
  ASSERT_FALSE(request.has_value());
  EXPECT_EQ(request.error().code, Errc::unsupported);
  EXPECT_EQ(request.error().message, "api key 5000 (Unknown) is not served");
}

TEST(Header, a_client_id_that_is_not_utf8_is_refused) {
  const auto bytes =
      encode_request_frame({.api_version = 0, .client_id = "\xff\xfe"}, MetadataRequest{});
  EXPECT_FALSE(decode_request_frame(ConstBytes(bytes).subspan(kFrameLengthBytes)));
}

TEST(Header, tags_of_a_flexible_header_are_skipped) {
  std::vector<std::byte> frame(8);
  store_big_endian(frame.data(), std::int16_t{3});
  store_big_endian(frame.data() + 2, std::int16_t{9});
  for (const int byte : {0, 1, 0x63, 1, 9, 2, 1, 2, 0x55})
    frame.push_back(static_cast<std::byte>(byte));
  const auto request = decode_request_frame(frame);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->body.size(), 1U);
  EXPECT_EQ(request->body[0], std::byte{0x55});
}

TEST(Header, response_headers_read_back_in_both_forms) {
  for (const std::int16_t version : {std::int16_t{8}, std::int16_t{9}}) {
    const auto bytes = encode_response_frame(MetadataResponse{}, version, 42);
    const FrameScan scan = scan_frame(bytes, kFrameBytesMax);
    ASSERT_EQ(scan.state, FrameScan::State::frame);
    const auto frame = decode_response_frame(scan.body, ApiKey::metadata, version);
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->correlation_id, 42);
    EXPECT_TRUE(decode<MetadataResponse>(frame->body, version).has_value());
  }
}

}  // namespace
}  // namespace millrace::wire
