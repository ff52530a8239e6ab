// Scripts for bash, zsh and fish, made from the table of commands.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace CLI {
class App;
}

namespace millrace::cli {

// Errors: invalid_argument, for a shell we have no script for.
Result<std::string> completion_script(const CLI::App& root, std::string_view shell);

}  // namespace millrace::cli
