// Appends JSON values to a string.
#pragma once

#include <string>
#include <string_view>

namespace millrace::wire {

// The text in quotes, with what JSON forbids escaped.
void append_json_text(std::string& out, std::string_view text);
// The shortest decimal form that reads back the same; null for what JSON cannot say.
void append_json_number(std::string& out, double value);

}  // namespace millrace::wire
