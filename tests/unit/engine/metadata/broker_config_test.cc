#include "engine/metadata/broker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::engine {
namespace {

constexpr ConfigDefinition kDefinitions[] = {
    {.name = "log.cleanup.policy", .type = ConfigType::list, .update = ConfigUpdate::cluster_wide},
    {.name = "log.retention.hours", .type = ConfigType::integer, .default_value = "168"},
    {.name = "log.retention.minutes", .type = ConfigType::integer},
    {.name = "log.retention.ms",
     .type = ConfigType::long_integer,
     .update = ConfigUpdate::cluster_wide},
    {.name = "secret", .type = ConfigType::password, .update = ConfigUpdate::per_broker},
};

const DescribedConfig& find(const std::vector<DescribedConfig>& described, std::string_view name) {
  return *std::ranges::find(described, name, &DescribedConfig::name);
}

TEST(BrokerConfig, shows_each_setting_of_a_family_with_all_synonyms) {
  const ConfigMap file{{"log.retention.hours", "5"}};
  const ConfigMap dynamic{{"log.retention.ms", "9"}};
  const auto described =
      describe_broker_config(kDefinitions, {.dynamic_default = &dynamic, .static_broker = &file});
  const DescribedConfig& hours = find(described, "log.retention.hours");
  EXPECT_EQ(hours.value, "5");
  EXPECT_TRUE(hours.read_only);
  EXPECT_THAT(hours.synonyms,
              testing::ElementsAre(
                  ConfigSynonym{"log.retention.ms", "9", ConfigSource::dynamic_default},
                  ConfigSynonym{"log.retention.hours", "5", ConfigSource::static_broker},
                  ConfigSynonym{"log.retention.hours", "168", ConfigSource::default_value}));
  EXPECT_EQ(find(described, "log.retention.minutes").value, std::nullopt);
}

TEST(BrokerConfig, never_shows_a_secret) {
  const ConfigMap file{{"secret", "hunter2"}};
  const auto described = describe_broker_config(kDefinitions, {.static_broker = &file});
  EXPECT_TRUE(find(described, "secret").sensitive);
  EXPECT_EQ(find(described, "secret").value, std::nullopt);
  EXPECT_EQ(find(described, "secret").synonyms.front().value, std::nullopt);
  EXPECT_EQ(describe_cluster_config(kDefinitions, file).front().value, std::nullopt);
}

TEST(BrokerConfig, the_cluster_shows_only_what_is_set) {
  const auto described = describe_cluster_config(kDefinitions, {{"log.retention.ms", "9"}});
  ASSERT_EQ(described.size(), 1u);
  EXPECT_EQ(described[0].source, ConfigSource::dynamic_default);
}

TEST(BrokerConfig, refuses_to_change_what_is_read_at_start_only) {
  EXPECT_FALSE(validate_broker_config(kDefinitions, "log.retention.hours", "1", true));
  EXPECT_FALSE(validate_broker_config(kDefinitions, "secret", "1", true));
  EXPECT_TRUE(validate_broker_config(kDefinitions, "secret", "1", false));
  EXPECT_TRUE(validate_broker_config(kDefinitions, "log.retention.ms", "1", true));
  EXPECT_FALSE(validate_broker_config(kDefinitions, "log.retention.ms", "x", true));
  EXPECT_FALSE(validate_broker_config(kDefinitions, "no.such.name", "1", true));
}

TEST(BrokerConfig, refuses_a_retention_that_keeps_nothing_of_any_topic) {
  EXPECT_FALSE(validate_broker_config(kDefinitions, "log.retention.ms", "0", true));
  EXPECT_FALSE(validate_broker_config(kDefinitions, "log.retention.ms", "0", false));
  EXPECT_TRUE(validate_broker_config(kDefinitions, "log.retention.ms", "-1", true));
  for (const std::string_view name : kRetentionTimes) {
    EXPECT_FALSE(check_broker_number(name, 0)) << name;
    EXPECT_TRUE(check_broker_number(name, -1)) << name;
  }
  EXPECT_TRUE(check_broker_number("log.retention.bytes", 0));
}

TEST(BrokerConfig, limits_by_address_are_read_from_pairs) {
  const AddressLimits wanted{{"127.0.0.1", 5}, {"::1", 7}, {"localhost", 0}};
  EXPECT_EQ(parse_address_limits("127.0.0.1:5, ::1:7,localhost:0"), wanted);
  EXPECT_EQ(parse_address_limits(""), AddressLimits());
  for (const char* wrong : {"foo", "1.2.3.4", "127.0.0.1:x", ":5", "h:-1"}) EXPECT_FALSE(parse_address_limits(wrong)) << wrong;
}

TEST(BrokerConfig, a_number_is_that_of_the_strongest_layer_that_has_it) {
  const ConfigMap file{{"log.retention.hours", "5"}};
  const ConfigMap all{{"log.retention.hours", "6"}};
  const ConfigMap here{{"log.retention.hours", "7"}};
  const auto hours = [&](const ConfigLayers& layers) { return broker_number(kDefinitions, layers, "log.retention.hours"); };
  EXPECT_EQ(hours({.dynamic_broker = &here, .dynamic_default = &all, .static_broker = &file}), 7);
  EXPECT_EQ(hours({.dynamic_default = &all, .static_broker = &file}), 6);
  EXPECT_EQ(hours({.static_broker = &file}), 5);
  EXPECT_EQ(hours({}), 168);
  const ConfigMap nonsense{{"log.retention.hours", "a while"}};
  EXPECT_EQ(hours({.dynamic_broker = &nonsense}), 168);
}

TEST(BrokerConfig, the_cleaner_needs_more_than_a_mebibyte_for_each_thread) {
  EXPECT_FALSE(check_cleaner_buffer(1 << 20, 1));
  EXPECT_TRUE(check_cleaner_buffer((1 << 20) + 1, 1));
  EXPECT_TRUE(check_cleaner_buffer((1 << 20) + 1, 0));
  EXPECT_FALSE(check_cleaner_buffer((1 << 20) + 1, 2));
}

}  // namespace
}  // namespace millrace::engine
