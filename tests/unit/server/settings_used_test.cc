// A setting that is marked as used must be asked for by name somewhere outside of the tables, or be the default of a topic
// configuration that is stored. The test reads the sources, from the root of the project.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "engine/metadata/topic_config.h"
#include "server/settings_table.h"

namespace millrace::server {
namespace {

bool is_table(const std::string& name) {
  static constexpr std::string_view kTables[] = {"settings_broker.cc",   "settings_coordinator.cc", "settings_log.cc",
                                                 "settings_millrace.cc", "settings_remote.cc",      "settings_security.cc",
                                                 "topic_config.cc",      "broker_config.cc"};
  return std::ranges::find(kTables, name) != std::end(kTables);
}

std::string sources() {
  std::string all;
  for (const char* folder : {"server", "engine"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().extension() != ".cc" || is_table(entry.path().filename())) continue;
      std::ifstream stream(entry.path());
      all.append(std::istreambuf_iterator<char>(stream), {});
    }
  }
  return all;
}

bool is_default_of_topics(std::string_view name) {
  const engine::TopicConfigRow* row = engine::find_topic_config(topic_name_of(name));
  return row != nullptr && row->store != nullptr;
}

TEST(SettingsUsed, a_setting_that_is_marked_as_used_is_asked_for) {
  const std::string code = sources();
  ASSERT_FALSE(code.empty());
  for (const Setting& setting : all_settings()) {
    const std::string_view name = setting.definition.name;
    if (setting.status != SettingStatus::used || is_default_of_topics(name)) continue;
    EXPECT_TRUE(code.contains('"' + std::string(name) + '"')) << name << " has no effect: say so in its row";
  }
}

}  // namespace
}  // namespace millrace::server
