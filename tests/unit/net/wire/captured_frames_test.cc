// Frames of real clients and of Apache Kafka, taken from their connections: each is understood, and
// what was understood is written as the same bytes.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "net/wire/all_messages.h"
#include "net/wire/header.h"

namespace millrace::wire {
namespace {

struct Captured {
  ApiKey key;
  std::int16_t version;
  bool is_request;
  std::string client;
  std::vector<std::byte> frame;
};

std::vector<Captured> captured_frames() {
  std::vector<Captured> frames;
  std::ifstream file("tests/unit/net/wire/captured_frames.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    int key = 0;
    int version = 0;
    std::string direction, client, hex;
    words >> key >> version >> direction >> client >> hex;
    Captured captured{static_cast<ApiKey>(key),
                      static_cast<std::int16_t>(version),
                      direction == "request",
                      client,
                      {}};
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      captured.frame.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    frames.push_back(std::move(captured));
  }
  return frames;
}

template <class Request>
std::vector<std::byte> request_again(const Captured& captured) {
  const auto frame = decode_request_frame(captured.frame);
  EXPECT_TRUE(frame.has_value()) << frame.error().message;
  if (!frame) return {};
  EXPECT_EQ(frame->header.api_key, captured.key);
  EXPECT_EQ(frame->header.api_version, captured.version);
  const auto request = decode<Request>(frame->body, captured.version);
  EXPECT_TRUE(request.has_value()) << request.error().message;
  return request ? encode_request_frame(frame->header, *request) : std::vector<std::byte>{};
}

template <class Response>
std::vector<std::byte> response_again(const Captured& captured) {
  const auto frame = decode_response_frame(captured.frame, captured.key, captured.version);
  EXPECT_TRUE(frame.has_value()) << frame.error().message;
  if (!frame) return {};
  const auto response = decode<Response>(frame->body, captured.version);
  EXPECT_TRUE(response.has_value()) << response.error().message;
  if (!response) return {};
  return encode_response_frame(*response, captured.version, frame->correlation_id);
}

TEST(CapturedFrames, frames_of_real_clients_are_understood_and_written_alike) {
  std::map<std::string, int> by_client;
  for (const Captured& captured : captured_frames()) {
    std::vector<std::byte> again;
    for_each_request([&]<class Request>() {
      if (Request::kKey != captured.key) return;
      again = captured.is_request ? request_again<Request>(captured)
                                  : response_again<typename Request::Response>(captured);
    });
    ASSERT_GE(again.size(), kFrameLengthBytes);
    again.erase(again.begin(), again.begin() + kFrameLengthBytes);
    EXPECT_EQ(again, captured.frame)
        << api_name(captured.key) << " " << captured.version
        << (captured.is_request ? " request of " : " response to ") << captured.client;
    ++by_client[captured.client];
  }
  EXPECT_GE(by_client["java"], 40);
  EXPECT_GE(by_client["librdkafka"], 20);
}

}  // namespace
}  // namespace millrace::wire
