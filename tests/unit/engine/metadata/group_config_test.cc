#include "engine/metadata/group_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace millrace::engine {
namespace {

using testing::HasSubstr;

constexpr ConfigDefinition integer(std::string_view name, std::string_view default_value) {
  return {.name = name, .type = ConfigType::integer, .default_value = default_value, .rule = at_least(1)};
}
constexpr ConfigDefinition kSettings[] = {
    integer("group.consumer.heartbeat.interval.ms", "5000"),
    integer("group.consumer.max.heartbeat.interval.ms", "15000"),
    integer("group.consumer.max.session.timeout.ms", "60000"),
    integer("group.consumer.min.heartbeat.interval.ms", "5000"),
    integer("group.consumer.min.session.timeout.ms", "45000"),
    integer("group.consumer.session.timeout.ms", "45000"),
};

// Kafka's message, or "" when the change may be made.
std::string refusal(const ConfigMap& after, const ConfigMap& before = {}, const ConfigMap& file = {}) {
  const auto valid = validate_group_configs({kSettings, &file}, before, after);
  return valid ? "" : valid.error().message;
}

const DescribedConfig& find(const std::vector<DescribedConfig>& described, std::string_view name) {
  return *std::ranges::find(described, name, &DescribedConfig::name);
}

TEST(GroupConfig, the_table_is_in_order_and_every_default_is_valid) {
  const auto rows = group_config_rows();
  EXPECT_TRUE(std::ranges::is_sorted(rows, {}, [](const GroupConfigRow& row) { return row.definition.name; }));
  for (const GroupConfigRow& row : rows) {
    EXPECT_TRUE(check_config(row.definition, *row.definition.default_value)) << row.definition.name;
    EXPECT_TRUE(row.definition.documentation.ends_with('.')) << row.definition.name;
  }
}

TEST(GroupConfig, bounds_are_those_of_the_broker_and_belong_to_the_range) {
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "45000"}, {"consumer.heartbeat.interval.ms", "15000"}}), "");
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "60000"}, {"consumer.heartbeat.interval.ms", "5000"}}), "");
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "44999"}}),
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms");
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "60001"}}),
            "consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms");
  EXPECT_EQ(refusal({{"consumer.heartbeat.interval.ms", "4999"}}),
            "consumer.heartbeat.interval.ms must be greater than or equal to group.consumer.min.heartbeat.interval.ms");
  EXPECT_EQ(refusal({{"consumer.heartbeat.interval.ms", "15001"}}),
            "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms");
}

TEST(GroupConfig, bounds_in_the_file_go_before_the_defaults) {
  const ConfigMap file{{"group.consumer.min.session.timeout.ms", " 6000 "}};
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "6000"}}, {}, file), "");
  EXPECT_THAT(refusal({{"consumer.session.timeout.ms", "5999"}}, {}, file), HasSubstr("must be greater than"));
}

TEST(GroupConfig, a_session_must_be_longer_than_the_time_between_heartbeats_be_it_a_default) {
  const ConfigMap file{{"group.consumer.min.session.timeout.ms", "1000"}, {"group.consumer.session.timeout.ms", "9000"}};
  const std::string wrong = "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms";
  EXPECT_EQ(refusal({{"consumer.heartbeat.interval.ms", "9000"}}, {}, file), wrong);
  EXPECT_EQ(refusal({{"consumer.heartbeat.interval.ms", "8999"}}, {}, file), "");
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "5000"}}, {}, file), wrong);
}

TEST(GroupConfig, what_is_no_number_or_no_name_is_refused_in_kafkas_words) {
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "x"}}),
            "Invalid value x for configuration consumer.session.timeout.ms: Not a number of type INT");
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "3000000000"}}),
            "Invalid value 3000000000 for configuration consumer.session.timeout.ms: Not a number of type INT");
  EXPECT_EQ(refusal({{"consumer.session.timeout.ms", "0"}}),
            "Invalid value 0 for configuration consumer.session.timeout.ms: Value must be at least 1");
  EXPECT_EQ(refusal({{"retention.ms", "1"}}), "Unknown group config name: retention.ms");
  EXPECT_EQ(refusal({{"consumer.session.timeout", "1"}}), "Unknown group config name: consumer.session.timeout");
  EXPECT_EQ(refusal({{"consumer.sesion.timeout.ms", "1"}}),
            "Unknown group config name: consumer.sesion.timeout.ms; did you mean consumer.session.timeout.ms?");
  EXPECT_EQ(refusal({{"group.consumer.session.timeout.ms", "1"}}),
            "Unknown group config name: group.consumer.session.timeout.ms; did you mean consumer.session.timeout.ms?");
}

// Kafka keeps them even where share groups are off; a directory that Kafka wrote may hold them.
TEST(GroupConfig, what_belongs_to_groups_that_are_not_served_may_stay_but_not_be_set) {
  EXPECT_EQ(refusal({{"share.auto.offset.reset", "earliest"}}),
            "Invalid value earliest for configuration share.auto.offset.reset: this version serves no share groups");
  EXPECT_EQ(refusal({{"streams.num.standby.replicas", "1"}}),
            "Invalid value 1 for configuration streams.num.standby.replicas: this version serves no streams groups");
  const ConfigMap kept{{"share.auto.offset.reset", "by_duration:PT1H"}};
  ConfigMap after = kept;
  after["consumer.session.timeout.ms"] = "50000";
  EXPECT_EQ(refusal(after, kept), "");
  after["share.auto.offset.reset"] = "latest";
  EXPECT_THAT(refusal(after, kept), HasSubstr("this version serves no share groups"));
}

TEST(GroupConfig, a_description_has_what_was_set_and_else_what_the_broker_says) {
  const ConfigMap file{{"group.consumer.heartbeat.interval.ms", "7000"}};
  const auto described = describe_group_config({kSettings, &file}, {{"consumer.session.timeout.ms", " 50000 "}});
  EXPECT_EQ(described.size(), group_config_rows().size());
  const DescribedConfig& timeout = find(described, "consumer.session.timeout.ms");
  EXPECT_EQ(timeout.value, "50000");
  EXPECT_EQ(timeout.source, ConfigSource::group);
  EXPECT_THAT(timeout.synonyms,
              testing::ElementsAre(ConfigSynonym{"consumer.session.timeout.ms", "50000", ConfigSource::group}));
  const DescribedConfig& interval = find(described, "consumer.heartbeat.interval.ms");
  EXPECT_EQ(interval.value, "7000");
  EXPECT_EQ(interval.source, ConfigSource::default_value);
  EXPECT_THAT(interval.synonyms, testing::ElementsAre(ConfigSynonym{"consumer.heartbeat.interval.ms", "7000",
                                                                    ConfigSource::default_value}));
  EXPECT_EQ(find(described, "share.isolation.level").value, "read_uncommitted");
}

TEST(GroupConfig, a_number_is_read_as_it_was_taken) {
  EXPECT_EQ(group_number({{"consumer.session.timeout.ms", " 50000 "}}, kGroupSessionTimeout), 50000);
  EXPECT_EQ(group_number({{"consumer.session.timeout.ms", "x"}}, kGroupSessionTimeout), std::nullopt);
  EXPECT_EQ(group_number({}, kGroupSessionTimeout), std::nullopt);
}

}  // namespace
}  // namespace millrace::engine
