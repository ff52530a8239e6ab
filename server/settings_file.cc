#include "server/settings_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>

namespace millrace::server {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\f';
}

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

// Whether the line ends in a backslash that is not itself escaped.
bool is_continued(std::string_view line) {
  std::size_t backslashes = 0;
  while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

// Takes the lines of a text one at a time, however they end.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    ++number_;
    const auto end = std::min(rest_.find_first_of("\r\n"), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    const bool both = rest_.substr(end).starts_with("\r\n");
    rest_.remove_prefix(std::min(rest_.size(), end + (both ? 2 : 1)));
    return line;
  }
  int number() const { return number_; }

 private:
  std::string_view rest_;
  int number_ = 0;
};

void append_utf8(std::uint32_t code, std::string& out) {
  const auto byte = [&](std::uint32_t value) { out.push_back(static_cast<char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

Result<std::string> unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain.push_back(text[i]);
      continue;
    }
    switch (const char c = text[++i]) {
      case 'n':
        plain.push_back('\n');
        break;
      case 't':
        plain.push_back('\t');
        break;
      case 'r':
        plain.push_back('\r');
        break;
      case 'f':
        plain.push_back('\f');
        break;
      case 'u': {
        std::uint32_t code = 0;
        const std::string_view digits = text.substr(i + 1, 4);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        if (error != std::errc{} || digits.size() != 4 || end != digits.data() + 4) {
          return fail(Errc::malformed, "\\u wants four hexadecimal digits");
        }
        append_utf8(code, plain);
        i += 4;
        break;
      }
      default:
        plain.push_back(c);
    }
  }
  return plain;
}

// Where the key ends: at the first `=`, `:` or blank that is not escaped.
std::size_t end_of_key(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '=' || line[i] == ':' || is_blank(line[i])) {
      return i;
    }
  }
  return line.size();
}

Result<SettingEntry> parse_entry(std::string_view line, std::string where) {
  const std::size_t key_end = std::min(end_of_key(line), line.size());
  std::string_view value = skip_blanks(line.substr(key_end));
  if (value.starts_with('=') || value.starts_with(':')) value = skip_blanks(value.substr(1));
  auto key = unescape(line.substr(0, key_end));
  auto plain = unescape(value);
  if (!key || !plain)
    return fail(Errc::malformed,
                fmt::format("{}: {}", where, !key ? key.error().message : plain.error().message));
  // Java keeps blanks at the end; Kafka then trims what it parses.
  while (!plain->empty() && is_blank(plain->back())) plain->pop_back();
  return SettingEntry{std::move(*key), std::move(*plain), std::move(where)};
}

}  // namespace

Result<std::vector<SettingEntry>> parse_properties(std::string_view text,
                                                   std::string_view file_name) {
  std::vector<SettingEntry> entries;
  LineReader lines(text);
  while (const auto first = lines.next()) {
    const std::string_view begun = skip_blanks(*first);
    if (begun.empty() || begun.front() == '#' || begun.front() == '!') continue;
    std::string where = fmt::format("{}:{}", file_name, lines.number());
    std::string whole(begun);
    while (is_continued(whole)) {
      whole.pop_back();
      const auto more = lines.next();
      if (!more) break;
      whole += skip_blanks(*more);
    }
    TRY(entry, parse_entry(whole, std::move(where)));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<SettingEntry> parse_override(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fail(Errc::invalid_argument, fmt::format("--override {}: write key=value", text));
  }
  return SettingEntry{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)),
                      "--override"};
}

Result<Settings> load_settings(const std::string& path, std::span<const std::string> overrides) {
  std::vector<SettingEntry> entries;
  if (!path.empty()) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) return fail(error_from_errno(errno, path));
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    TRY(parsed, parse_properties(text, path));
    entries = std::move(parsed);
  }
  for (const std::string& override_text : overrides) {
    TRY(entry, parse_override(override_text));
    entries.push_back(std::move(entry));
  }
  return Settings::make(entries);
}

}  // namespace millrace::server
