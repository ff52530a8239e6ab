// Writes the seeds of the wire's fuzz targets: wire_seeds tests/fuzz/corpus. One request and one
// response per API in its oldest and its newest version, with every field set, and a few streams of
// frames.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "net/wire/header.h"
#include "net/wire/metadata.h"
#include "tests/support/any_message.h"

namespace millrace::fuzz {
namespace {

void write_file(const std::filesystem::path& path, ConstBytes bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << as_text(bytes);
}

void write_seed(const std::filesystem::path& corpus, const test::AnyMessage& message,
                std::int16_t version) {
  const auto body = message.pattern(version, true).body;
  std::vector<std::byte> frame;
  if (message.is_request) {
    wire::start_request_frame(
        frame,
        {.api_key = message.key, .api_version = version, .correlation_id = 1, .client_id = "c"},
        body.size());
  } else {
    wire::start_response_frame(frame, message.key, version, 1, body.size());
  }
  std::ranges::copy(body, frame.end() - static_cast<std::ptrdiff_t>(body.size()));
  const std::string name = std::string(wire::api_name(message.key)) + "_" + std::to_string(version);
  if (message.is_request) {
    write_file(corpus / "fuzz_request" / name, ConstBytes(frame).subspan(wire::kFrameLengthBytes));
    return;
  }
  // The length's four bytes give way to what the request was.
  store_big_endian(frame.data(), static_cast<std::int16_t>(message.key));
  store_big_endian(frame.data() + 2, version);
  write_file(corpus / "fuzz_response" / name, frame);
}

void write_streams(const std::filesystem::path& corpus) {
  auto stream =
      wire::encode_request_frame({.api_version = 9, .client_id = "c"}, wire::MetadataRequest{});
  const auto again = stream;
  stream.insert(stream.begin(), std::byte{2});
  stream.insert(stream.end(), again.begin(), again.end());
  write_file(corpus / "fuzz_frame" / "two_requests", stream);
  write_file(corpus / "fuzz_frame" / "cut_short", ConstBytes(stream).first(20));
  write_file(corpus / "fuzz_frame" / "empty_frames", std::vector<std::byte>(13));
  write_file(corpus / "fuzz_frame" / "negative", std::vector<std::byte>(9, std::byte{0xff}));
  write_file(corpus / "fuzz_frame" / "another_protocol", as_bytes("\x07GET / HTTP/1.1\r\n\r\n"));
}

}  // namespace
}  // namespace millrace::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: wire_seeds DIRECTORY\n");
    return 2;
  }
  const std::filesystem::path corpus = argv[1];
  for (const auto& message : millrace::test::any_messages()) {
    millrace::fuzz::write_seed(corpus, message, message.versions.min);
    millrace::fuzz::write_seed(corpus, message, message.versions.max);
  }
  millrace::fuzz::write_streams(corpus);
  return 0;
}
