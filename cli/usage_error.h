// What is wrong with a command line, for whoever typed it.
#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace millrace::cli {

// One line that names the word that is wrong and, where one is near, the word that was meant; and
// another that says where to read more. `root` is the program's table after the parse that ended in
// `error`.
std::string describe_usage_error(const CLI::App& root, const CLI::ParseError& error);

}  // namespace millrace::cli
