// What the wire's fuzz targets share: decode a body as one message, and hold what was accepted to
// what must be true of it.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "net/wire/all_messages.h"

namespace millrace::fuzz {

// Decodes `body`. What is accepted can be printed and written, and what was written reads back as
// the same bytes: there is one canonical form.
template <class T>
void check_body(ConstBytes body, std::int16_t version) {
  const auto decoded = wire::decode<T>(body, version);
  if (!decoded) return;
  std::vector<std::byte> canonical(wire::encoded_size(*decoded, version));
  wire::Writer out(canonical);
  wire::encode(*decoded, version, out);
  CHECK(out.remaining() == 0, "{} version {}: {} bytes too many", T::kName, version,
        out.remaining());
  const auto again = wire::decode<T>(canonical, version);
  CHECK(again.has_value(), "{}", again.error().message);
  std::vector<std::byte> second(wire::encoded_size(*again, version));
  wire::Writer second_out(second);
  wire::encode(*again, version, second_out);
  CHECK(second == canonical, "{} version {} has two forms", T::kName, version);
  CHECK(wire::to_text(*again, version) == wire::to_text(*decoded, version), "{} version {}",
        T::kName, version);
}

using BodyCheck = void (*)(ConstBytes, std::int16_t);

struct BodyChecks {
  BodyCheck request;
  BodyCheck response;
};

// The two checks of every API, by key.
inline const std::map<wire::ApiKey, BodyChecks>& body_checks() {
  static const auto kChecks = [] {
    std::map<wire::ApiKey, BodyChecks> checks;
    wire::for_each_request([&]<class Request>() {
      checks[Request::kKey] = {check_body<Request>, check_body<typename Request::Response>};
    });
    return checks;
  }();
  return kChecks;
}

}  // namespace millrace::fuzz
