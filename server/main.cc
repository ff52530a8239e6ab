// The program `millrace`: the table of commands, those of the broker and those of a client, and
// nothing else.

#include <vector>

#include "cli/command.h"

int main(int argc, char** argv) {
  const auto client = millrace::cli::client_commands();
  const std::vector<millrace::cli::Command> commands(client.begin(), client.end());
  return static_cast<int>(millrace::cli::run(commands, "Millrace " MILLRACE_VERSION, argc, argv));
}
