// A request's frame without its length: header and body of any API in any version.
#include "net/wire/header.h"
#include "tests/fuzz/wire_inputs.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const auto request =
      wire::decode_request_frame(ConstBytes(reinterpret_cast<const std::byte*>(data), size));
  if (!request) return 0;
  const test::AnyMessage* message = test::find_message(request->header.api_key, true);
  CHECK(message != nullptr);
  fuzz::check_body(*message, request->body, request->header.api_version);
  return 0;
}
