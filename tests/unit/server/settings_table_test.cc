#include "server/settings_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/metadata/topic_config.h"

namespace millrace::server {
namespace {

TEST(SettingsTable, no_key_stands_twice) {
  const auto all = all_settings();
  const auto twice = std::ranges::adjacent_find(
      all, {}, [](const Setting& setting) { return setting.definition.name; });
  EXPECT_EQ(twice, all.end()) << twice->definition.name;
}

TEST(SettingsTable, holds_the_341_keys_of_kafka_4_2_and_our_own) {
  const auto ours = std::ranges::count_if(all_settings(), [](const Setting& setting) {
    return setting.definition.name.starts_with("millrace.");
  });
  EXPECT_EQ(std::ssize(all_settings()) - ours, 341);
  EXPECT_EQ(ours, std::ssize(millrace_settings()));
}

TEST(SettingsTable, every_default_satisfies_its_own_rule) {
  for (const Setting& setting : all_settings()) {
    if (!setting.definition.default_value) continue;
    const auto checked =
        engine::check_config(setting.definition, *setting.definition.default_value);
    EXPECT_TRUE(checked) << checked.error().message;
  }
}

TEST(SettingsTable, every_row_has_a_sentence_and_a_reason_when_it_has_no_effect) {
  for (const Setting& setting : all_settings()) {
    EXPECT_TRUE(setting.definition.documentation.ends_with('.')) << setting.definition.name;
    EXPECT_EQ(setting.note.empty(), setting.status == SettingStatus::used)
        << setting.definition.name;
  }
}

TEST(SettingsTable, defaults_of_topics_agree_with_the_table_of_topics) {
  for (const engine::TopicConfigRow& row : engine::topic_config_rows()) {
    for (const engine::BrokerSynonym& synonym : row.synonyms) {
      if (synonym.name.empty()) continue;
      const Setting* setting = find_setting(synonym.name);
      ASSERT_NE(setting, nullptr) << synonym.name;
      EXPECT_EQ(setting->definition.default_value, synonym.default_value) << synonym.name;
      EXPECT_EQ(topic_name_of(synonym.name), row.definition.name);
    }
  }
}

TEST(SettingsTable, suggests_the_key_that_was_probably_meant) {
  EXPECT_EQ(nearest_setting("log.retention.hour"), "log.retention.hours");
  EXPECT_EQ(nearest_setting("advertised.listener"), "advertised.listeners");
  EXPECT_EQ(nearest_setting("milrace.durability"), "millrace.durability");
  EXPECT_EQ(nearest_setting("completely.different.thing.altogether"), "");
}

TEST(SettingsTable, reads_the_unit_from_the_name) {
  EXPECT_EQ(unit_of(*find_setting("log.retention.hours")), "hours");
  EXPECT_EQ(unit_of(*find_setting("socket.request.max.bytes")), "bytes");
  EXPECT_EQ(unit_of(*find_setting("num.partitions")), "");
  EXPECT_EQ(unit_of(*find_setting("millrace.poll.us")), "us");
}

}  // namespace
}  // namespace millrace::server
