// The program `millrace`: the table of commands, those of the broker and those of a client, and
// nothing else.

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "cli/command.h"
#include "server/commands.h"

namespace {

// Where standard input, output or error is closed, the first file or socket that is opened would
// take its number, and what is printed would end up in there. With this, to print is an error.
void occupy_standard_handles() {
  int handle = 0;
  while (handle >= 0 && handle <= STDERR_FILENO) handle = ::open("/dev/null", O_RDONLY);
  if (handle > STDERR_FILENO) ::close(handle);
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_handles();
  const auto broker = millrace::server::broker_commands();
  const auto client = millrace::cli::client_commands();
  std::vector<millrace::cli::Command> commands(broker.begin(), broker.end());
  commands.insert(commands.end(), client.begin(), client.end());
  return static_cast<int>(millrace::cli::run(commands, "Millrace " MILLRACE_VERSION, argc, argv));
}
