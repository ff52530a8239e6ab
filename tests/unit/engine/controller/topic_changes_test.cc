#include "engine/controller/topic_changes.h"

#include <gtest/gtest.h>

namespace millrace::engine {
namespace {

MetadataImage one_broker() {
  MetadataImage image;
  BrokerImage broker;
  broker.fenced = false;
  image.brokers.set(BrokerId(1), broker);
  return image;
}

TEST(TopicChanges, more_partitions_than_a_request_may_ask_for_are_refused_before_any_is_laid_out) {
  const MetadataImage image = one_broker();
  const ControllerOptions options{.node_id = BrokerId(1)};
  wire::CreateTopicsRequest request;
  for (const std::string_view name : {"a", "b", "c"}) {
    request.topics.push_back({.name = name, .num_partitions = 4000, .replication_factor = 1});
  }
  Prng prng(7);
  std::vector<VersionedRecord> records;
  const auto reply = TopicChanges(image, options, prng).create(
      request, [](std::string_view) { return std::string(); }, records);
  EXPECT_TRUE(records.empty());
  ASSERT_EQ(reply.response.topics.size(), 3U);
  for (const auto& topic : reply.response.topics) {
    EXPECT_EQ(topic.error_code, wire::ErrorCode::policy_violation) << topic.name;
  }
  EXPECT_EQ(prng.next(), Prng(7).next()) << "no id was drawn and no place";
}

}  // namespace
}  // namespace millrace::engine
