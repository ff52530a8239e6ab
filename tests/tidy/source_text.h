// What tidy sees of a C++ file: its includes, its code without comments and literals, and where its
// functions begin and end. No compiler: a reader of text that is right for code written in this
// project's style.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::tidy {

struct Include {
  int line = 0;
  std::string path;
  bool quoted = false;  // "path", not <path>
};

struct Function {
  std::string name;  // as written: `Log::append`, `TEST(Log, finds_the_end)`
  int line = 0;      // of its opening brace
  int lines = 0;     // from the opening to the closing brace, both counted
};

std::vector<Include> includes_of(std::string_view text);
// `text` with every comment, string and character literal turned to spaces; line breaks stay where
// they were.
std::string code_of(std::string_view text);
// The outermost functions of `code`, which is what code_of() returned. Lambdas count to the
// function they stand in.
std::vector<Function> functions_of(std::string_view code);

}  // namespace millrace::tidy
