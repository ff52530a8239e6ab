// What a command prints: rows, as a table for people or as JSON for programs. Every command that
// prints data has --format.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace millrace::cli {

enum class OutputFormat { table, json };

// Adds --format to a command; `format` must live as long as the command's action.
void add_format_option(CLI::App& app, OutputFormat& format);

// A cell keeps its JSON type: numbers are numbers, null is shown as `-`, lists are joined by commas
// in a table.
using Cell = nlohmann::ordered_json;

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
