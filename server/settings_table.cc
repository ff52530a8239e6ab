#include "server/settings_table.h"

#include <algorithm>
#include <array>

#include "engine/metadata/topic_config.h"

namespace millrace::server {
namespace {

std::vector<Setting> join_tables() {
  std::vector<Setting> all;
  for (const auto part : {broker_settings(), coordinator_settings(), log_settings(),
                          millrace_settings(), remote_settings(), security_settings()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  std::ranges::sort(all, {}, [](const Setting& setting) { return setting.definition.name; });
  return all;
}

std::vector<ConfigDefinition> join_definitions() {
  std::vector<ConfigDefinition> definitions;
  for (const Setting& setting : all_settings()) definitions.push_back(setting.definition);
  return definitions;
}

// How many letters must be added, taken out or changed to get from one to the other.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (from[i] == to[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::span<const Setting> all_settings() {
  static const std::vector<Setting> all = join_tables();
  return all;
}

const Setting* find_setting(std::string_view name) {
  const auto all = all_settings();
  const auto found = std::ranges::lower_bound(
      all, name, {}, [](const Setting& setting) { return setting.definition.name; });
  return found != all.end() && found->definition.name == name ? &*found : nullptr;
}

std::span<const ConfigDefinition> setting_definitions() {
  static const std::vector<ConfigDefinition> definitions = join_definitions();
  return definitions;
}

std::string_view unit_of(const Setting& setting) {
  static constexpr std::array<std::string_view, 7> kUnits = {
      "ms", "us", "millis", "seconds", "minutes", "hours", "bytes"};
  const ConfigType type = setting.definition.type;
  const bool number = type == ConfigType::integer || type == ConfigType::long_integer ||
                      type == ConfigType::short_integer;
  if (!number) return {};
  const std::string_view name = setting.definition.name;
  for (const std::string_view unit : kUnits) {
    if (name.ends_with(unit) && name[name.size() - unit.size() - 1] == '.') return unit;
  }
  return {};
}

std::string_view topic_name_of(std::string_view setting_name) {
  for (const engine::TopicConfigRow& row : engine::topic_config_rows()) {
    for (const engine::BrokerSynonym& synonym : row.synonyms) {
      if (!synonym.name.empty() && synonym.name == setting_name) return row.definition.name;
    }
  }
  return {};
}

std::string_view nearest_setting(std::string_view name) {
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(3, name.size() / 3);
  for (const Setting& setting : all_settings()) {
    const std::size_t distance = edit_distance(name, setting.definition.name);
    if (distance >= least) continue;
    least = distance;
    nearest = setting.definition.name;
  }
  return nearest;
}

}  // namespace millrace::server
