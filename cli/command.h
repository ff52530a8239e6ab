// The table of subcommands of the program `millrace`: help, shell completion and dispatch are made
// from it.
//
// A command is a path ("topic create"), a sentence, and a function that declares its options and
// returns what to do once they are read. Commands of the broker itself (serve, format, log) come
// from server/ and are put into the same table by main().
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace millrace::cli {

// What the process ends with. Also in the help of every command.
enum class Exit : int {
  done = 0,
  failed = 1,       // the broker refused, or something went wrong on the way
  usage = 2,        // the command line is wrong; nothing was done
  unreachable = 3,  // no broker answered
};

using Action = std::function<Exit()>;

struct Command {
  std::string_view path;
  std::string_view summary;
  Action (*define)(CLI::App& app) = nullptr;  // null: only a group of others
  std::string_view examples = {};
};

// produce, consume, topic, group, config, cluster, doctor, bench.
std::span<const Command> client_commands();

// Reads the command line and does what it says. `about` is the program's name and version. A
// command that is done has failed all the same where not all that it printed could be written.
Exit run(std::span<const Command> commands, std::string_view about, int argc,
         const char* const* argv);

// Prints the error, if there is one, as the last word of a command.
Exit finish(const Result<void>& result);
Exit exit_of(const Error& error);
void print_error(std::string_view message);

}  // namespace millrace::cli
