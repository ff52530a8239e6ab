#include "server/settings_docs.h"

#include <fmt/core.h>

#include <array>
#include <span>
#include <string_view>

#include "engine/metadata/group_config.h"
#include "engine/metadata/topic_config.h"
#include "server/settings_table.h"

namespace millrace::server {
namespace {

struct Area {
  std::string_view title;
  std::span<const Setting> settings;
};

std::array<Area, 6> areas() {
  return {Area{"Millrace's own", millrace_settings()},
          Area{"Broker", broker_settings()},
          Area{"Logs", log_settings()},
          Area{"Groups and transactions", coordinator_settings()},
          Area{"Security", security_settings()},
          Area{"Remote storage", remote_settings()}};
}

std::string_view type_word(ConfigType type) {
  switch (type) {
    case ConfigType::boolean:
      return "boolean";
    case ConfigType::string:
      return "string";
    case ConfigType::integer:
      return "int";
    case ConfigType::short_integer:
      return "short";
    case ConfigType::long_integer:
      return "long";
    case ConfigType::real:
      return "double";
    case ConfigType::list:
      return "list";
    case ConfigType::class_name:
      return "class";
    case ConfigType::password:
      return "password";
  }
  return "";
}

std::string number_text(double number) {
  const auto whole = static_cast<long long>(number);
  return static_cast<double>(whole) == number ? fmt::format("{}", whole)
                                              : fmt::format("{}", number);
}

std::string rule_text(const ConfigRule& rule) {
  switch (rule.kind) {
    case ConfigRule::Kind::any:
      return "";
    case ConfigRule::Kind::not_empty:
      return "not empty";
    case ConfigRule::Kind::throttled_replicas:
      return "partition:broker,... or \\*";
    case ConfigRule::Kind::one_of:
    case ConfigRule::Kind::one_of_ignoring_case: {
      std::string words;
      for (const std::string& word : engine::split_list(rule.words))
        words += (words.empty() ? "" : ", ") + word;
      return words;
    }
    case ConfigRule::Kind::range: {
      const bool open = rule.most == ConfigRule{}.most;
      std::string text =
          open ? fmt::format("≥ {}", number_text(rule.least))
               : fmt::format("{} to {}", number_text(rule.least), number_text(rule.most));
      if (rule.or_else) text += fmt::format(" or {}", number_text(*rule.or_else));
      return text;
    }
  }
  return "";
}

std::string default_text(const ConfigDefinition& definition) {
  if (!definition.default_value) return "";
  if (definition.default_value->empty()) return "(empty)";
  return fmt::format("`{}`", *definition.default_value);
}

std::string_view update_text(ConfigUpdate update) {
  switch (update) {
    case ConfigUpdate::read_only:
      return "at start";
    case ConfigUpdate::per_broker:
      return "per broker";
    case ConfigUpdate::cluster_wide:
      return "any time";
  }
  return "";
}

std::string note_text(const Setting& setting) {
  switch (setting.status) {
    case SettingStatus::used: {
      const std::string_view topic_name = topic_name_of(setting.definition.name);
      return topic_name.empty() ? "" : fmt::format(" Topics: `{}`.", topic_name);
    }
    case SettingStatus::accepted:
      return fmt::format(" **No effect:** {}.", setting.note);
    case SettingStatus::refused:
      return fmt::format(" **Refused** unless default: {}.", setting.note);
  }
  return "";
}

std::string setting_row(const Setting& setting) {
  const ConfigDefinition& definition = setting.definition;
  return fmt::format("| `{}` | {} | {} | {} | {} | {}{} |\n", definition.name,
                     type_word(definition.type), default_text(definition),
                     rule_text(definition.rule), update_text(definition.update),
                     definition.documentation, note_text(setting));
}

}  // namespace

std::string settings_reference() {
  std::string text =
      "# Settings\n\n"
      "Written by `millrace_docs --rewrite` from the table in server/settings_*.cc; do not "
      "edit.\n\n"
      "Millrace reads Kafka's `server.properties` as it is. Every key of Kafka 4.2 is known: most "
      "have their effect, "
      "some change nothing here (the row says why, and the broker warns when one is set), and "
      "those that ask for what "
      "this version does not have are refused. A key that is not below is refused with the nearest "
      "one. Keys of one "
      "listener (`listener.name.NAME.…`, but for `max.connections`) and of remote storage plug-ins (`rsm.config.…`, "
      "`rlmm.config.…`) are accepted "
      "and change nothing.\n\n"
      "Changes: *at start*, from the file only; *any time*, also with `millrace config alter` or "
      "kafka-configs.\n\n"
      "Three keys have a default here and none in Kafka, so that an empty file is a whole node: "
      "`process.roles`, `node.id` and `controller.listener.names`. The default of "
      "`socket.send.buffer.bytes` and `socket.receive.buffer.bytes` is 1 MiB, Kafka's 100 KiB; that of "
      "`socket.listen.backlog.size` is 1024, Kafka's 50: a shard accepts between its other work, and a client "
      "that does not find room waits a second before it tries again.\n";
  for (const Area& area : areas()) {
    text += fmt::format(
        "\n## {}\n\n| key | type | default | values | changes | what it does "
        "|\n|---|---|---|---|---|---|\n",
        area.title);
    for (const Setting& setting : area.settings) text += setting_row(setting);
  }
  return text + "\n" + topic_config_reference() + "\n" + group_config_reference();
}

std::string topic_config_reference() {
  std::string text =
      "## Topics\n\nSet with `millrace topic create|alter --config`, kafka-topics or "
      "kafka-configs. A topic that does not "
      "set one follows the broker's setting.\n\n"
      "| configuration | type | default | values | broker's setting | what it does "
      "|\n|---|---|---|---|---|---|\n";
  for (const engine::TopicConfigRow& row : engine::topic_config_rows()) {
    if (row.definition.internal) continue;
    std::string synonyms;
    for (const engine::BrokerSynonym& synonym : row.synonyms) {
      if (!synonym.name.empty())
        synonyms += fmt::format("{}`{}`", synonyms.empty() ? "" : ", ", synonym.name);
    }
    std::string refused;
    if (!row.refused_values.empty()) {
      refused = fmt::format(" **Refused:** {}. {}.", row.refused_values, row.refused_because);
    }
    text += fmt::format("| `{}` | {} | {} | {} | {} | {}{} |\n", row.definition.name,
                        type_word(row.definition.type), default_text(row.definition),
                        rule_text(row.definition.rule), synonyms, row.definition.documentation,
                        refused);
  }
  return text;
}

std::string group_config_reference() {
  std::string text =
      "## Groups\n\nSet for one group by its name, before or after there is a group of that name, with "
      "`millrace config alter group NAME` or kafka-configs `--entity-type groups`. What is set holds for a "
      "member from its next heartbeat on. A group that does not set one follows the broker's setting.\n\n"
      "| configuration | type | default | values | broker's setting | what it does "
      "|\n|---|---|---|---|---|---|\n";
  for (const engine::GroupConfigRow& row : engine::group_config_rows()) {
    const auto& definition = row.definition;
    std::string values = rule_text(definition.rule);
    if (!row.least_setting.empty()) values = fmt::format("`{}` to `{}`", row.least_setting, row.most_setting);
    const std::string setting = row.default_setting.empty() ? "" : fmt::format("`{}`", row.default_setting);
    const std::string refused =
        row.refused_because.empty() ? "" : fmt::format(" **Refused:** {}.", row.refused_because);
    text += fmt::format("| `{}` | {} | {} | {} | {} | {}{} |\n", definition.name, type_word(definition.type),
                        default_text(definition), values, setting, definition.documentation, refused);
  }
  return text;
}

std::string sample_properties() {
  std::string text =
      "# Settings of a Millrace node, in the format of Kafka's server.properties.\n"
      "# Written by `millrace_docs --rewrite` from the table of settings. A line in comments shows "
      "the default.\n"
      "# docs/settings.md has every key, those without effect too.\n\n"
      "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://:9092\nlog.dirs=/var/lib/"
      "millrace\n";
  for (const Area& area : areas()) {
    std::string lines;
    for (const Setting& setting : area.settings) {
      const ConfigDefinition& definition = setting.definition;
      if (setting.status != SettingStatus::used || definition.internal) continue;
      const std::string_view unit = unit_of(setting);
      lines += fmt::format("\n# {}{}\n#{}={}\n", definition.documentation,
                           unit.empty() ? "" : fmt::format(" [{}]", unit), definition.name,
                           definition.default_value.value_or(""));
    }
    if (!lines.empty()) text += fmt::format("\n######## {}\n{}", area.title, lines);
  }
  return text;
}

}  // namespace millrace::server
