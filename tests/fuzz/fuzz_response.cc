// A response as a client or a peer reads it: key and version of the request, then the frame without
// its length.
#include "net/wire/header.h"
#include "tests/fuzz/wire_inputs.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const ConstBytes input(reinterpret_cast<const std::byte*>(data), size);
  if (input.size() < 4) return 0;
  const auto key = static_cast<wire::ApiKey>(load_big_endian<std::int16_t>(input.data()));
  const auto version = load_big_endian<std::int16_t>(input.data() + 2);
  const test::AnyMessage* message = test::find_message(key, false);
  if (message == nullptr) return 0;
  const auto response = wire::decode_response_frame(input.subspan(4), key, version);
  if (!response) return 0;
  fuzz::check_body(*message, response->body, version);
  return 0;
}
