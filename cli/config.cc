#include "cli/config.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>

#include "cli/admin_client.h"
#include "cli/config_change.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "net/wire/describe_configs.h"

namespace millrace::cli {
namespace {

using ConfigRow = wire::DescribeConfigsResponse::Config;

constexpr std::int8_t kDefaultSource = 5;

std::string_view source_name(std::int8_t source) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "unknown", "topic",  "broker",         "all brokers", "file",
      "default", "logger", "client metrics", "group"};
  return source >= 0 && static_cast<std::size_t>(source) < kNames.size()
             ? kNames[static_cast<std::size_t>(source)]
             : "unknown";
}

std::string_view type_name(std::int8_t type) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "unknown", "boolean", "string", "int",   "short",
      "long",    "double",  "list",   "class", "password"};
  return type >= 0 && static_cast<std::size_t>(type) < kNames.size()
             ? kNames[static_cast<std::size_t>(type)]
             : "unknown";
}

Cell cell_of(const std::optional<std::string_view>& text) {
  return text ? Cell(std::string(*text)) : Cell(nullptr);
}

// Which configurations: `topic NAME`, `group NAME`, `broker ID`, or `broker` alone for what is set
// for all brokers.
struct ConfigTarget {
  ConnectionOptions connection;
  std::string type;
  std::string name;

  void declare(CLI::App& app) {
    add_connection_options(app, connection);
    app.add_option("TYPE", type, "topic, broker or group")
        ->required()
        ->transform(one_of({"topic", "broker", "group"}));
    app.add_option("NAME", name,
                   "Name of the topic or group, or id of the broker; without it, what holds for all "
                   "brokers");
  }
  ResourceType resource_type() const {
    if (type == "topic") return ResourceType::topic;
    return type == "group" ? ResourceType::group : ResourceType::broker;
  }
  Result<void> check() const {
    if (type == "broker" || !name.empty()) return {};
    return fail(Errc::invalid_argument, fmt::format("which {0}? Write `config ... {0} NAME`", type));
  }
};

struct DescribeCommand : ConfigTarget {
  OutputFormat format = OutputFormat::table;
  bool all = false;
  bool details = false;

  Exit run() {
    if (const auto checked = check(); !checked) return finish(checked);
    auto client = AdminClient::connect(connection);
    if (!client) return finish(fail(client.error()));
    wire::DescribeConfigsRequest request{.include_synonyms = true, .include_documentation = true};
    request.resources.push_back({.resource_type = static_cast<std::int8_t>(resource_type()),
                                 .resource_name = name,
                                 .configuration_keys = std::nullopt});
    const auto answer = client->call(request);
    if (!answer) return finish(fail(answer.error()));
    for (const auto& resource : answer->message.results) {
      const auto checked = check_answer(type + " " + name, resource.error_code,
                                        resource.error_message.value_or(std::string_view{}));
      if (!checked) return finish(checked);
      print(resource.configs);
    }
    return Exit::done;
  }

  void print(std::vector<ConfigRow> configs) const {
    std::ranges::sort(configs, {}, &ConfigRow::name);
    const bool wide = details || format == OutputFormat::json;
    Table table(wide ? std::vector<std::string>{"name", "value", "source", "type", "read_only",
                                                "sensitive", "synonyms", "documentation"}
                     : std::vector<std::string>{"name", "value", "source"});
    for (const ConfigRow& config : configs) {
      if (!all && config.config_source == kDefaultSource) continue;
      std::vector<Cell> cells = {std::string(config.name), cell_of(config.value),
                                 std::string(source_name(config.config_source))};
      if (wide) {
        Cell synonyms = Cell::array();
        for (const auto& synonym : config.synonyms) {
          synonyms.push_back(fmt::format("{}: {}={}", source_name(synonym.source), synonym.name,
                                         synonym.value.value_or("null")));
        }
        cells.insert(cells.end(), {std::string(type_name(config.config_type)), config.read_only,
                                   config.is_sensitive, synonyms, cell_of(config.documentation)});
      }
      table.add(std::move(cells));
    }
    table.print(format);
  }
};

Action define_describe(CLI::App& app) {
  auto command = std::make_shared<DescribeCommand>();
  command->declare(app);
  add_format_option(app, command->format);
  app.add_flag("-a,--all", command->all, "Also what has its default value");
  app.add_flag("--details", command->details, "Also type, synonyms and documentation");
  return [command] { return command->run(); };
}

struct AlterCommand : ConfigTarget {
  std::vector<std::string> set;
  std::vector<std::string> unset;
  bool validate_only = false;

  Exit run() {
    if (const auto checked = check(); !checked) return finish(checked);
    const auto changes = parse_config_changes(set, unset);
    if (!changes) return finish(fail(changes.error()));
    if (changes->empty())
      return finish(fail(Errc::invalid_argument, "nothing to alter; give --set or --delete"));
    auto client = AdminClient::connect(connection);
    if (!client) return finish(fail(client.error()));
    return finish(alter_configs(*client, resource_type(), {name}, *changes, validate_only));
  }
};

Action define_alter(CLI::App& app) {
  auto command = std::make_shared<AlterCommand>();
  command->declare(app);
  app.add_option("-s,--set", command->set,
                 "name=value; name+=element and name-=element for lists; may be repeated")
      ->allow_extra_args(false);
  app.add_option("-d,--delete", command->unset,
                 "Return a configuration to its default; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--validate-only", command->validate_only, "Only ask whether it could be changed");
  return [command] { return command->run(); };
}

}  // namespace

std::span<const Command> config_commands() {
  static const std::array kCommands = {
      Command{"config", "Configurations: describe, alter, check a file."},
      Command{"config describe",
              "Show the configurations of a topic, a group, a broker or all brokers.", define_describe,
              "  millrace config describe topic orders\n"
              "  millrace config describe group billing --all\n"
              "  millrace config describe broker 1 --all --details"},
      Command{
          "config alter", "Change configurations while the broker runs.", define_alter,
          "  millrace config alter topic orders --set retention.ms=3600000 --delete segment.ms\n"
          "  millrace config alter group billing --set consumer.session.timeout.ms=60000\n"
          "  millrace config alter broker --set log.retention.ms=86400000      # all brokers"},
  };
  return kCommands;
}

}  // namespace millrace::cli
