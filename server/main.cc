// The program `millrace`: the table of commands, those of the broker and those of a client, and
// nothing else.

#include <vector>

#include "cli/command.h"
#include "server/commands.h"

int main(int argc, char** argv) {
  const auto broker = millrace::server::broker_commands();
  const auto client = millrace::cli::client_commands();
  std::vector<millrace::cli::Command> commands(broker.begin(), broker.end());
  commands.insert(commands.end(), client.begin(), client.end());
  return static_cast<int>(millrace::cli::run(commands, "Millrace " MILLRACE_VERSION, argc, argv));
}
