// Frames of real clients and of Apache Kafka, taken from their connections: each is understood, and
// what was understood is written as the same bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "net/wire/header.h"
#include "tests/support/any_message.h"

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

// The frame, with its length, made of what was understood of the captured one.
Result<std::vector<std::byte>> written_again(const Captured& captured) {
  const test::AnyMessage* message = test::find_message(captured.key, captured.is_request);
  if (message == nullptr) return fail(Errc::not_found, "no such message");
  std::vector<std::byte> frame;
  std::vector<std::byte> body;
  if (captured.is_request) {
    TRY(request, decode_request_frame(captured.frame));
    TRY(again, message->reread(request.body, captured.version));
    body = again.body;
    start_request_frame(frame, request.header, body.size());
  } else {
    TRY(response, decode_response_frame(captured.frame, captured.key, captured.version));
    TRY(again, message->reread(response.body, captured.version));
    body = again.body;
    start_response_frame(frame, captured.key, captured.version, response.correlation_id,
                         body.size());
  }
  std::ranges::copy(body, frame.end() - static_cast<std::ptrdiff_t>(body.size()));
  return frame;
}

TEST(CapturedFrames, frames_of_real_clients_are_understood_and_written_alike) {
  std::map<std::string, int> by_client;
  for (const Captured& captured : captured_frames()) {
    SCOPED_TRACE(std::string(api_name(captured.key)) + " " + std::to_string(captured.version) +
                 (captured.is_request ? " request of " : " response to ") + captured.client);
    const auto again = written_again(captured);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_TRUE(std::ranges::equal(ConstBytes(*again).subspan(kFrameLengthBytes), captured.frame));
    ++by_client[captured.client];
  }
  EXPECT_GE(by_client["java"], 40);
  EXPECT_GE(by_client["librdkafka"], 20);
}

}  // namespace
}  // namespace millrace::wire
