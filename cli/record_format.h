// The format string of `millrace consume -f`, as kcat knows it.
//
//   %t topic   %p partition   %o offset   %T timestamp (ms)   %k key   %s value   %h headers
//   (name=value,...) %K key length, -1 without key   %S value length, -1 for a tombstone   %R value
//   length as four bytes, big-endian
//   %% a percent sign   \n \t \r \0 \xNN \\ as in C
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millrace::cli {

// One record as a consumer got it. Text is borrowed.
struct ConsumedRecord {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<std::pair<std::string_view, std::optional<std::string_view>>> headers;
};

class RecordFormat {
 public:
  // Errors: invalid_argument, naming the sequence that is not known.
  static Result<RecordFormat> parse(std::string_view format);

  void append(const ConsumedRecord& record, std::string& out) const;

 private:
  struct Piece {
    char what = 0;  // a letter of the format, or 0 for plain text
    std::string text;
  };
  std::vector<Piece> pieces_;
};

// The record as one line of JSON, without its line break. Bytes that are not UTF-8 are replaced.
std::string record_json(const ConsumedRecord& record);

}  // namespace millrace::cli
