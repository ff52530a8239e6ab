#include "cli/record_format.h"

#include <fmt/core.h>

#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>

namespace millrace::cli {
namespace {

using Json = nlohmann::ordered_json;

// The byte of the escape that begins after the backslash at `at`, and where it ends.
Result<std::pair<char, std::size_t>> unescape(std::string_view format, std::size_t at) {
  if (at + 1 >= format.size())
    return fail(Errc::invalid_argument, "the format ends in a backslash; write \\\\");
  switch (const char c = format[at + 1]) {
    case 'n':
      return std::pair{'\n', at + 2};
    case 't':
      return std::pair{'\t', at + 2};
    case 'r':
      return std::pair{'\r', at + 2};
    case '0':
      return std::pair{'\0', at + 2};
    case '\\':
      return std::pair{'\\', at + 2};
    case 'x': {
      unsigned value = 0;
      const std::string_view digits = format.substr(at + 2, 2);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      if (error != std::errc{} || end != digits.data() + 2) {
        return fail(Errc::invalid_argument, "\\x wants two hexadecimal digits");
      }
      return std::pair{static_cast<char>(value), at + 4};
    }
    default:
      return fail(Errc::invalid_argument, fmt::format("the format knows no \\{}", c));
  }
}

void append_headers(const ConsumedRecord& record, std::string& out) {
  bool first = true;
  for (const auto& [name, value] : record.headers) {
    if (!first) out += ',';
    first = false;
    fmt::format_to(std::back_inserter(out), "{}={}", name, value.value_or("NULL"));
  }
}

void append_length(const std::optional<std::string_view>& bytes, std::string& out) {
  const auto length = bytes ? static_cast<std::int64_t>(bytes->size()) : -1;
  fmt::format_to(std::back_inserter(out), "{}", length);
}

void append_framing(const std::optional<std::string_view>& bytes, std::string& out) {
  const auto length = bytes ? static_cast<std::uint32_t>(bytes->size()) : ~std::uint32_t{0};
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(length >> shift & 0xff);
}

Json json_of(const std::optional<std::string_view>& bytes) {
  return bytes ? Json(std::string(*bytes)) : Json(nullptr);
}

}  // namespace

Result<RecordFormat> RecordFormat::parse(std::string_view format) {
  static constexpr std::string_view kLetters = "tpoTkshKSR";
  RecordFormat parsed;
  std::string plain;
  const auto close_plain = [&] {
    if (!plain.empty()) parsed.pieces_.push_back({0, std::exchange(plain, {})});
  };
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] == '\\') {
      TRY(escape, unescape(format, at));
      plain += escape.first;
      at = escape.second;
    } else if (format[at] == '%') {
      const char letter = at + 1 < format.size() ? format[at + 1] : ' ';
      if (letter == '%') {
        plain += '%';
      } else if (kLetters.contains(letter)) {
        close_plain();
        parsed.pieces_.push_back({letter, {}});
      } else {
        return fail(Errc::invalid_argument,
                    fmt::format("the format knows no %{}; it has %t %p %o %T %k %s %h %K %S %R %%",
                                letter));
      }
      at += 2;
    } else {
      plain += format[at++];
    }
  }
  close_plain();
  return parsed;
}

void RecordFormat::append(const ConsumedRecord& record, std::string& out) const {
  for (const Piece& piece : pieces_) {
    switch (piece.what) {
      case 't':
        out += record.topic;
        break;
      case 'p':
        fmt::format_to(std::back_inserter(out), "{}", record.partition);
        break;
      case 'o':
        fmt::format_to(std::back_inserter(out), "{}", record.offset);
        break;
      case 'T':
        fmt::format_to(std::back_inserter(out), "{}", record.timestamp_ms);
        break;
      case 'k':
        out += record.key.value_or("");
        break;
      case 's':
        out += record.value.value_or("");
        break;
      case 'h':
        append_headers(record, out);
        break;
      case 'K':
        append_length(record.key, out);
        break;
      case 'S':
        append_length(record.value, out);
        break;
      case 'R':
        append_framing(record.value, out);
        break;
      default:
        out += piece.text;
    }
  }
}

std::string record_json(const ConsumedRecord& record) {
  Json headers = Json::array();
  for (const auto& [name, value] : record.headers)
    headers.push_back({{"name", std::string(name)}, {"value", json_of(value)}});
  const Json object = {{"topic", std::string(record.topic)},
                       {"partition", record.partition},
                       {"offset", record.offset},
                       {"timestamp", record.timestamp_ms},
                       {"key", json_of(record.key)},
                       {"value", json_of(record.value)},
                       {"headers", headers}};
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace millrace::cli
