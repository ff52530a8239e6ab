#include "server/settings_command.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/output.h"
#include "server/settings_file.h"
#include "server/settings_table.h"
#include "server/shard_memory.h"

namespace millrace::server {
namespace {

struct CheckCommand {
  std::string file;
  std::vector<std::string> overrides;
  cli::OutputFormat format = cli::OutputFormat::table;

  cli::Exit run() const {
    const auto settings = load_for_serving(file, overrides);
    if (!settings) {
      cli::print_error(settings.error().message);
      return cli::Exit::failed;
    }
    for (const std::string& warning : settings->warnings()) cli::print_error(warning);
    cli::Table table({"setting", "value", "default"});
    for (const auto& [name, value] : settings->all_set()) {
      const ConfigDefinition& definition = find_setting(name)->definition;
      const bool secret = definition.type == ConfigType::password;
      const auto usual = definition.default_value;
      table.add({name, secret ? cli::Cell(nullptr) : cli::Cell(value),
                 usual ? cli::Cell(std::string(*usual)) : cli::Cell(nullptr)});
    }
    table.print(format);
    return cli::Exit::done;
  }
};

cli::Action define(CLI::App& app) {
  auto command = std::make_shared<CheckCommand>();
  app.add_option("FILE", command->file, "Kafka's server.properties")->required();
  add_override_option(app, command->overrides);
  cli::add_format_option(app, command->format);
  return [command] { return command->run(); };
}

}  // namespace

void add_override_option(CLI::App& app, std::vector<std::string>& overrides) {
  const auto is_pair = [](const std::string& text) {
    return text.find('=') == std::string::npos ? fmt::format("`{}` is not key=value", text) : std::string();
  };
  app.add_option("--override", overrides, "One setting, key=value; outweighs the file. May be given several times")
      ->allow_extra_args(false)
      ->check(is_pair);
}

Result<Settings> load_for_serving(const std::string& file, std::span<const std::string> overrides) {
  TRY(settings, load_settings(file, overrides));
  TRY_DONE(request_bytes_per_shard(settings, shard_count(settings)));
  return settings;
}

cli::Command settings_check_command() {
  return {
      .path = "config check",
      .summary =
          "Read a server.properties as the broker would, and say what is wrong or without effect.",
      .define = define,
      .examples = "  millrace config check /etc/kafka/server.properties"};
}

}  // namespace millrace::server
