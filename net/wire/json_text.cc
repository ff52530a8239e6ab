#include "net/wire/json_text.h"

#include <fmt/core.h>

#include <cmath>

namespace millrace::wire {

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_json_number(std::string& out, double value) {
  out += std::isfinite(value) ? fmt::format("{}", value) : "null";
}

}  // namespace millrace::wire
