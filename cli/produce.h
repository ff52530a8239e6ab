// `millrace produce`: records from lines of standard input or a file.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/connection_options.h"

namespace millrace::cli {

struct ProduceOptions {
  ConnectionOptions connection;
  std::string topic;
  std::int32_t partition = -1;  // -1: by key, or spread
  std::string key;              // for every record
  std::string key_delimiter;    // between key and value of a line; empty: lines have no key
  char record_delimiter = '\n';
  std::vector<std::string> headers;  // name=value
  std::string compression = "none";
  std::string acks = "all";
  bool idempotent = false;
  bool empty_is_null = false;  // an empty value is a tombstone
  bool report = false;         // print partition and offset of each record
  std::string report_format;   // "", "table" or "json"
  std::string file;            // empty: standard input
  std::vector<std::string> properties;
};

// A line taken apart. Views into it.
struct ProducedRecord {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  bool operator==(const ProducedRecord&) const = default;
};
ProducedRecord split_record(std::string_view line, const ProduceOptions& options);

// What --report prints of a record that was delivered, with the line's end.
std::string report_line(const ProduceOptions& options, std::int32_t partition, std::int64_t offset);

// Reads all of `input` and sends it. Returns once every record was acknowledged or given up; an
// error names the first.
Result<std::int64_t> produce_all(const ProduceOptions& options, std::FILE* input);

extern const Command kProduceCommand;

}  // namespace millrace::cli
