#include "cli/output.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/check.h"
#include "cli/option_checks.h"

namespace millrace::cli {
namespace {

// Columns a terminal gives to a text: characters, not bytes.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string text_of(const Cell& cell) {
  if (cell.is_null()) return "-";
  if (cell.is_string()) return cell.get<std::string>();
  if (!cell.is_array()) return cell.dump();
  std::string joined;
  for (const Cell& element : cell) joined += (joined.empty() ? "" : ",") + text_of(element);
  return joined.empty() ? "-" : joined;
}

// Bytes of the character that `text` begins with; 0 where it is a control character or not UTF-8.
std::size_t character_bytes(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = at(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  // What a shorter form has, halves of pairs, what lies beyond Unicode, and the controls from U+80.
  const unsigned second = at(1);
  const bool is_wrong = (first == 0xc2 && second < 0xa0) || (first == 0xe0 && second < 0xa0) ||
                        (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
                        (first == 0xf4 && second > 0x8f);
  return is_wrong ? 0 : bytes;
}

std::string upper(std::string text) {
  for (char& c : text)
    c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

// Not fmt::print(), which throws where it cannot write.
void write_out(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

bool output_failed() { return std::ferror(stdout) != 0; }

Result<void> flush_output() {
  constexpr std::string_view kWhat = "not all could be printed: standard output";
  if (std::fflush(stdout) != 0) return fail(error_from_errno(errno, std::string(kWhat)));
  if (output_failed()) return fail(Errc::io_error, fmt::format("{} failed", kWhat));
  return {};
}

void add_format_option(CLI::App& app, OutputFormat& format) {
  const auto choose = [&format](const std::string& word) {
    format = word == "json" ? OutputFormat::json : OutputFormat::table;
  };
  app.add_option_function<std::string>("--format", choose, "How to print it")
      ->transform(one_of({"table", "json"}))
      ->default_str("table");
}

std::string printable(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const char first = bytes.front();
    const std::size_t length = character_bytes(bytes);
    if (first == '\\') {
      text += "\\\\";
    } else if (length > 0) {
      text += bytes.substr(0, length);
    } else if (first == '\n' || first == '\r' || first == '\t') {
      text += first == '\n' ? "\\n" : first == '\r' ? "\\r" : "\\t";
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(first));
    }
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

void Table::add(std::vector<Cell> cells) {
  CHECK(cells.size() == columns_.size(), "{} cells for {} columns", cells.size(), columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::render(OutputFormat format) const {
  return format == OutputFormat::json ? render_json() : render_table();
}

std::string Table::render_table() const {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> head;
  for (const std::string& column : columns_) head.push_back(upper(column));
  lines.push_back(std::move(head));
  for (const auto& row : rows_) {
    std::vector<std::string> line;
    for (const Cell& cell : row) line.push_back(text_of(cell));
    lines.push_back(std::move(line));
  }
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], width_of(line[i]));
  }
  std::string text;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size()) text += std::string(widths[i] - width_of(line[i]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string Table::render_json() const {
  Cell document = Cell::array();
  for (const auto& row : rows_) {
    Cell object = Cell::object();
    for (std::size_t i = 0; i < row.size(); ++i) object[columns_[i]] = row[i];
    document.push_back(std::move(object));
  }
  return document.dump(2, ' ', false, Cell::error_handler_t::replace) + "\n";
}

void Table::print(OutputFormat format) const {
  write_out(render(format));
}

void print_json(const Cell& document) {
  write_out(document.dump(2, ' ', false, Cell::error_handler_t::replace) + "\n");
}

}  // namespace millrace::cli
