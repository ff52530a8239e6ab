#include "server/settings_table.h"

#include <algorithm>
#include <array>

#include "base/edit_distance.h"
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

// The setting that gives a topic configuration its default: `retention.ms` in a broker's file is meant as `log.retention.ms`.
std::string_view broker_name_of(std::string_view topic_name) {
  const engine::TopicConfigRow* row = engine::find_topic_config(topic_name);
  if (row == nullptr) return {};
  const auto named = std::ranges::find_if(row->synonyms, [](const auto& synonym) {
    return !synonym.name.empty() && find_setting(synonym.name) != nullptr;
  });
  return named == row->synonyms.end() ? std::string_view{} : named->name;
}

std::string_view without_first_word(std::string_view name) {
  const auto dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1);
}

// The only setting that differs in its first word: `num.shards`, `kafka.log.dirs`.
std::string_view same_but_first_word(std::string_view name) {
  const std::string_view tail = without_first_word(name);
  if (tail.empty()) return {};
  if (const Setting* whole = find_setting(tail)) return whole->definition.name;
  std::string_view only;
  for (const Setting& setting : all_settings()) {
    if (without_first_word(setting.definition.name) != tail) continue;
    if (!only.empty()) return {};
    only = setting.definition.name;
  }
  return only;
}

// How far `to` is from what was written; among equally far ones those of the same length are nearer.
std::size_t distance_of(std::string_view from, std::string_view to) {
  return edit_distance(from, to) * 2 + (from.size() == to.size() ? 0 : 1);
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
  static constexpr std::size_t kSlip = 2;  // letters that are a slip of the finger
  if (const std::string_view broker = broker_name_of(name); !broker.empty()) return broker;
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(3, name.size() / 3) * 2;
  for (const Setting& setting : all_settings()) {
    const std::size_t distance = distance_of(name, setting.definition.name);
    if (distance >= least) continue;
    least = distance;
    nearest = setting.definition.name;
  }
  if (!nearest.empty() && least <= kSlip * 2) return nearest;
  const std::string_view by_tail = same_but_first_word(name);
  return by_tail.empty() ? nearest : by_tail;
}

}  // namespace millrace::server
