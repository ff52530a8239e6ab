// What a command prints: rows, as a table for people or as JSON for programs. Every command that
// prints data has --format.
#pragma once

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace millrace::cli {

// Prints on standard output, which keeps in mind that it could not: run() says so once the command
// is through. A command that goes on for long asks output_failed() now and then, and ends.
void write_out(std::string_view text);
bool output_failed();
// Errors: what was printed so far has not all arrived.
Result<void> flush_output();

template <class... Values>
void print_out(fmt::format_string<Values...> format, Values&&... values) {
  write_out(fmt::format(format, std::forward<Values>(values)...));
}

enum class OutputFormat { table, json };

// Adds --format to a command; `format` must live as long as the command's action.
void add_format_option(CLI::App& app, OutputFormat& format);

// A cell keeps its JSON type: numbers are numbers, null is shown as `-`, lists are joined by commas
// in a table.
using Cell = nlohmann::ordered_json;

// `bytes` as a terminal can show them on one line: valid UTF-8 without control characters stays as
// it is, a backslash is doubled, anything else is \n, \r, \t or \xNN.
std::string printable(std::string_view bytes);

// Rows under column names. The names are the keys of the JSON objects, so they never change once
// released.
class Table {
 public:
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  // Requires: as many cells as there are columns.
  void add(std::vector<Cell> cells);
  std::size_t size() const { return rows_.size(); }

  std::string render(OutputFormat format) const;
  void print(OutputFormat format) const;

 private:
  std::string render_table() const;
  std::string render_json() const;

  std::vector<std::string> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// Prints one JSON document and a line break.
void print_json(const Cell& document);

}  // namespace millrace::cli
