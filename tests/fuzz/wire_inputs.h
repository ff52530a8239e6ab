// What the wire's fuzz targets hold an accepted body to.
#pragma once

#include "base/check.h"
#include "tests/support/any_message.h"

namespace millrace::fuzz {

// Decodes `body`. What is accepted can be printed and written, and what was written reads back as
// the same bytes: there is one canonical form.
inline void check_body(const test::AnyMessage& message, ConstBytes body, std::int16_t version) {
  const auto read = message.reread(body, version);
  if (!read) return;
  const auto again = message.reread(read->body, version);
  CHECK(again.has_value(), "{}", again.error().message);
  CHECK(again->body == read->body, "{} version {} has two forms", message.name, version);
  CHECK(again->text == read->text, "{} version {}", message.name, version);
}

}  // namespace millrace::fuzz
