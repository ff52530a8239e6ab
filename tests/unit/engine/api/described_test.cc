// What the answers that describe the cluster say beside the topics: what a client may do, what the quorum is, which features
// there are.
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <utility>

#include "net/wire/api_versions.h"
#include "net/wire/describe_cluster.h"
#include "net/wire/describe_quorum.h"
#include "net/wire/describe_topic_partitions.h"
#include "net/wire/fetch.h"
#include "net/wire/list_config_resources.h"
#include "tests/unit/engine/api/broker_test.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

// As a broker of Apache Kafka without an authorizer answers.
constexpr std::int32_t kAllOfTopic = 3576;
constexpr std::int32_t kAllOfCluster = 8096;
constexpr std::int32_t kNotSaid = std::numeric_limits<std::int32_t>::min();

class DescribedTest : public BrokerTest {
 protected:
  DescribedTest() { make_topic("t"); }
};

TEST_F(DescribedTest, describe_topic_partitions_always_says_what_may_be_done) {
  wire::DescribeTopicPartitionsRequest request;
  request.topics = {{.name = "missing"}, {.name = "t"}};
  const auto answer = ask(request, 0);
  ASSERT_EQ(answer.message.topics.size(), 2U);
  for (const auto& topic : answer.message.topics) EXPECT_EQ(topic.topic_authorized_operations, kAllOfTopic);
}

TEST_F(DescribedTest, metadata_says_what_may_be_done_when_it_is_asked) {
  wire::MetadataRequest request;
  request.topics.emplace().push_back({.name = "t"});
  EXPECT_EQ(ask(request, 12).message.topics.at(0).topic_authorized_operations, kNotSaid);
  request.include_topic_authorized_operations = true;
  request.include_cluster_authorized_operations = true;
  EXPECT_EQ(ask(request, 12).message.topics.at(0).topic_authorized_operations, kAllOfTopic);
  EXPECT_EQ(ask(request, 9).message.cluster_authorized_operations, kAllOfCluster);
}

TEST_F(DescribedTest, describe_cluster_says_what_may_be_done_when_it_is_asked) {
  wire::DescribeClusterRequest request;
  EXPECT_EQ(ask(request, 1).message.cluster_authorized_operations, kNotSaid);
  request.include_cluster_authorized_operations = true;
  EXPECT_EQ(ask(request, 1).message.cluster_authorized_operations, kAllOfCluster);
}

TEST_F(DescribedTest, describe_quorum_names_the_endpoints_of_the_voters) {
  wire::DescribeQuorumRequest request;
  request.topics.push_back({.topic_name = "__cluster_metadata", .partitions = {{.partition_index = 0}}});
  const auto answer = ask(request, 2);
  ASSERT_EQ(answer.message.nodes.size(), 1U);
  const auto& node = answer.message.nodes[0];
  EXPECT_EQ(node.node_id, answer.message.topics.at(0).partitions.at(0).current_voters.at(0).replica_id);
  ASSERT_EQ(node.listeners.size(), 1U);
  EXPECT_EQ(node.listeners[0], (wire::DescribeQuorumResponse::Listener{"CONTROLLER", "node", 9093}));
}

TEST_F(DescribedTest, describe_quorum_says_in_words_that_a_partition_is_unknown) {
  wire::DescribeQuorumRequest request;
  request.topics.push_back({.topic_name = "t", .partitions = {{.partition_index = 0}}});
  const auto answer = ask(request, 2);
  const auto& partition = answer.message.topics.at(0).partitions.at(0);
  EXPECT_EQ(partition.error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(partition.error_message, "This server does not host this topic-partition.");
  EXPECT_TRUE(answer.message.nodes.empty());
}

TEST_F(DescribedTest, kraft_version_is_supported_and_finalized_only_above_0) {
  wire::ApiVersionsRequest request;
  request.client_software_name = "test";
  request.client_software_version = "1";
  const auto answer = ask(request, 4);
  std::map<std::string, std::pair<int, int>> supported;
  for (const auto& feature : answer.message.supported_features) {
    supported[std::string(feature.name)] = {feature.min_version, feature.max_version};
  }
  EXPECT_EQ(supported["kraft.version"], std::pair(0, 1));
  EXPECT_FALSE(answer.message.finalized_features.empty());
  for (const auto& feature : answer.message.finalized_features) EXPECT_NE(feature.name, "kraft.version");
}

TEST_F(DescribedTest, only_what_can_be_described_is_listed_as_a_resource_with_configurations) {
  wire::ListConfigResourcesRequest request;
  const auto answer = ask(request, 1);
  EXPECT_EQ(answer.message.error_code, ErrorCode::none);
  std::map<int, std::string> found;
  for (const auto& resource : answer.message.config_resources) found[resource.resource_type] += resource.resource_name;
  EXPECT_EQ(found, (std::map<int, std::string>{{2, "t"}, {4, "1"}}));
}

TEST_F(DescribedTest, a_fetch_of_committed_records_lists_aborted_transactions_even_if_there_are_none) {
  wire::FetchRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic = "t";
  topic.partitions.push_back({.partition = 0, .partition_max_bytes = 1 << 20});
  EXPECT_EQ(ask(request, 12).message.responses.at(0).partitions.at(0).aborted_transactions, std::nullopt);
  request.isolation_level = 1;
  const auto answer = ask(request, 12);
  const auto& aborted = answer.message.responses.at(0).partitions.at(0).aborted_transactions;
  ASSERT_TRUE(aborted.has_value());
  EXPECT_TRUE(aborted->empty());
}

}  // namespace
}  // namespace millrace::engine
