// Configurations of groups at a whole broker: set, described, listed, kept over a crash, and told to the group's members.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "engine/metadata/configs.h"
#include "net/wire/consumer_group_heartbeat.h"
#include "net/wire/describe_configs.h"
#include "net/wire/find_coordinator.h"
#include "net/wire/incremental_alter_configs.h"
#include "net/wire/list_config_resources.h"
#include "tests/unit/engine/api/broker_test.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

constexpr auto kGroup = static_cast<std::int8_t>(ConfigResourceType::group);
constexpr std::string_view kInterval = "consumer.heartbeat.interval.ms";

class GroupConfigsTest : public BrokerTest {
 protected:
  struct Said {
    ErrorCode error{};
    std::string message;
  };

  // No value: deleted.
  Said alter(std::string_view group, std::string_view name, std::optional<std::string_view> value) {
    wire::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = kGroup;
    resource.resource_name = group;
    resource.configs.push_back({name, static_cast<std::int8_t>(value ? 0 : 1), value});
    const auto answer = ask(request, 1);
    const auto& said = answer.message.responses.at(0);
    return {said.error_code, std::string(said.error_message.value_or(""))};
  }

  // "value source synonym=value:source", or the error.
  std::string described(std::string_view group, std::string_view name) {
    wire::DescribeConfigsRequest request{.include_synonyms = true};
    auto& resource = request.resources.emplace_back();
    resource.resource_type = kGroup;
    resource.resource_name = group;
    resource.configuration_keys.emplace().push_back(name);
    const auto answer = ask(request, 4);
    const auto& said = answer.message.results.at(0);
    if (said.error_code != ErrorCode::none) return std::string(said.error_message.value_or(""));
    const auto& config = said.configs.at(0);
    std::string text = std::string(*config.value) + " " + std::to_string(config.config_source);
    for (const auto& synonym : config.synonyms) {
      text += " " + std::string(synonym.name) + "=" + std::string(*synonym.value) + ":" + std::to_string(synonym.source);
    }
    return text;
  }

  std::vector<std::string> listed() {
    wire::ListConfigResourcesRequest request{.resource_types = {kGroup}};
    const auto answer = ask(request, 1);
    std::vector<std::string> names;
    for (const auto& resource : answer.message.config_resources) names.emplace_back(resource.resource_name);
    std::ranges::sort(names);
    return names;
  }

  // The time to the next heartbeat that a member is told.
  std::int32_t beat(std::int32_t epoch) {
    wire::ConsumerGroupHeartbeatRequest request;
    request.group_id = "g";
    request.member_id = "member";
    request.member_epoch = epoch;
    if (epoch == 0) {
      request.rebalance_timeout_ms = 60'000;
      request.subscribed_topic_names.emplace().push_back("t");
      request.topic_partitions.emplace();
    }
    for (int attempt = 0; attempt < 50; ++attempt) {
      const auto answer = ask(request, 1);
      if (answer.message.error_code == ErrorCode::none) return answer.message.heartbeat_interval_ms;
      EXPECT_EQ(answer.message.error_code, ErrorCode::coordinator_load_in_progress);
      run(pass());
    }
    return -1;
  }
  static io::Task<void> pass() { co_await io::sleep_for(std::chrono::milliseconds(20)); }
};

TEST_F(GroupConfigsTest, what_is_set_is_described_and_listed_until_it_is_deleted) {
  EXPECT_EQ(described("g", kInterval), "5000 5 consumer.heartbeat.interval.ms=5000:5");
  EXPECT_THAT(listed(), testing::IsEmpty());
  ASSERT_EQ(alter("g", kInterval, "6000").error, ErrorCode::none);
  ASSERT_EQ(alter("h", kInterval, "7000").error, ErrorCode::none);
  EXPECT_EQ(described("g", kInterval), "6000 8 consumer.heartbeat.interval.ms=6000:8");
  EXPECT_THAT(listed(), testing::ElementsAre("g", "h"));
  ASSERT_EQ(alter("g", kInterval, std::nullopt).error, ErrorCode::none);
  EXPECT_EQ(described("g", kInterval), "5000 5 consumer.heartbeat.interval.ms=5000:5");
  EXPECT_THAT(listed(), testing::ElementsAre("h"));
}

TEST_F(GroupConfigsTest, what_the_broker_does_not_allow_is_refused_in_kafkas_words) {
  const Said said = alter("g", kInterval, "4999");
  EXPECT_EQ(said.error, ErrorCode::invalid_config);
  EXPECT_EQ(said.message,
            "consumer.heartbeat.interval.ms must be greater than or equal to group.consumer.min.heartbeat.interval.ms");
  EXPECT_EQ(alter("", kInterval, "6000").error, ErrorCode::invalid_request);
  EXPECT_EQ(described("", kInterval), "Group name must not be empty");
  EXPECT_THAT(listed(), testing::IsEmpty());
}

TEST_F(GroupConfigsTest, a_member_that_lives_is_told_with_its_next_heartbeat) {
  make_topic("t");
  wire::FindCoordinatorRequest request;
  request.coordinator_keys.push_back("g");
  ASSERT_EQ(ask(request, 4).message.coordinators.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(beat(0), 5000);
  ASSERT_EQ(alter("g", kInterval, "12000").error, ErrorCode::none);
  EXPECT_EQ(beat(1), 12000);
  ASSERT_EQ(alter("g", kInterval, std::nullopt).error, ErrorCode::none);
  EXPECT_EQ(beat(1), 5000);
}

TEST_F(GroupConfigsTest, what_is_set_survives_the_end_of_the_power) {
  ASSERT_EQ(alter("g", kInterval, "6000").error, ErrorCode::none);
  Prng random(7);
  const auto image = disk_.power_cut(random);
  sim::BrokerNode again(world_, network_, *image, {.shards = 3, .host = "again", .name = "again", .seed = 2});
  ASSERT_TRUE(again.start());
  const ConfigValues& values = again.broker().image()->config(ConfigResource::group("g"));
  EXPECT_THAT(values, testing::ElementsAre(testing::Pair(std::string(kInterval), "6000")));
  ASSERT_TRUE(again.stop());
}

}  // namespace
}  // namespace millrace::engine
