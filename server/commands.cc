#include "server/commands.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

#include "server/format.h"
#include "server/inspect.h"
#include "server/serve.h"
#include "server/settings_command.h"

namespace millrace::server {
namespace {

struct ServeOptions {
  std::string file;
  std::vector<std::string> overrides;
};

cli::Action define_serve(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  app.add_option("FILE", options->file, "Kafka's server.properties, read as it is; without it the defaults hold");
  add_override_option(app, options->overrides);
  return [options] {
    const auto settings = load_for_serving(options->file, options->overrides);
    if (!settings) {
      cli::print_error(settings.error().message);
      return cli::Exit::failed;
    }
    return serve(*settings) == 0 ? cli::Exit::done : cli::Exit::failed;
  };
}

const cli::Command kServeCommand = {
    .path = "serve",
    .summary = "Run the broker until SIGINT or SIGTERM; formats empty log directories by itself",
    .define = define_serve,
    .examples = "millrace serve\n"
                "millrace serve server.properties --override listeners=PLAINTEXT://127.0.0.1:9192"};

}  // namespace

std::span<const cli::Command> broker_commands() {
  static const std::vector<cli::Command> kCommands = [] {
    std::vector<cli::Command> commands = {kServeCommand, format_command(), settings_check_command()};
    const auto log = log_commands();
    commands.insert(commands.end(), log.begin(), log.end());
    return commands;
  }();
  return kCommands;
}

}  // namespace millrace::server
