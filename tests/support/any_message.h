// Every message of the protocol with its type taken off, so that a test of all of them is compiled
// once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"
#include "base/result.h"
#include "net/wire/api_key.h"

namespace millrace::test {

// A message that was filled and encoded.
struct Drawn {
  std::vector<std::byte> body;
  std::string text;            // wire::to_text
  bool reads_back = false;     // decoding `body` gives a message that compares equal
  bool size_is_exact = false;  // encoded_size was what encode wrote
};

// A body that was decoded, and what was decoded encoded again.
struct Reread {
  std::vector<std::byte> body;
  std::string text;
};

struct AnyMessage {
  std::string_view name;
  wire::ApiKey key;
  bool is_request;
  wire::VersionRange versions;
  Drawn (*pattern)(std::int16_t version, bool full);  // by PatternFiller
  Drawn (*random)(std::int16_t version, Prng& prng);  // by RandomFiller
  Result<Reread> (*reread)(ConstBytes body, std::int16_t version);
  bool (*decodes)(ConstBytes body, std::int16_t version);
};

// Requests and responses of all APIs.
std::span<const AnyMessage> any_messages();
// Null when net/wire does not know the API.
const AnyMessage* find_message(wire::ApiKey key, bool is_request);

}  // namespace millrace::test
