// The program `millrace`: the table of commands, those of the broker and those of a client, and
// nothing else.

#include <vector>

#include "cli/command.h"
#include "server/format.h"
#include "server/inspect.h"
#include "server/settings_command.h"

int main(int argc, char** argv) {
  const auto client = millrace::cli::client_commands();
  std::vector<millrace::cli::Command> commands(client.begin(), client.end());
  commands.push_back(millrace::server::format_command());
  commands.push_back(millrace::server::settings_check_command());
  const auto log = millrace::server::log_commands();
  commands.insert(commands.end(), log.begin(), log.end());
  return static_cast<int>(millrace::cli::run(commands, "Millrace " MILLRACE_VERSION, argc, argv));
}
