// What the answers that describe the cluster say beside the topics: what a client may do, what the quorum is, which features
// there are.
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "engine/log/compression.h"
#include "engine/log/format/batch_builder.h"
#include "net/wire/api_versions.h"
#include "net/wire/describe_cluster.h"
#include "net/wire/describe_configs.h"
#include "net/wire/describe_producers.h"
#include "net/wire/describe_quorum.h"
#include "net/wire/describe_topic_partitions.h"
#include "net/wire/fetch.h"
#include "net/wire/init_producer_id.h"
#include "net/wire/list_config_resources.h"
#include "net/wire/produce.h"
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

TEST_F(DescribedTest, describe_topic_partitions_goes_on_only_from_a_place_in_its_own_list) {
  using Cursor = wire::DescribeTopicPartitionsRequest::Cursor;
  wire::DescribeTopicPartitionsRequest request;
  request.topics = {{.name = "t"}};
  for (const Cursor& cursor : {Cursor{"t", -1}, Cursor{"s", 0}}) {
    request.cursor = cursor;
    const auto answer = ask(request, 0);
    ASSERT_EQ(answer.message.topics.size(), 1U);
    EXPECT_EQ(answer.message.topics[0].error_code, ErrorCode::invalid_request);
    EXPECT_TRUE(answer.message.topics[0].partitions.empty());
  }
  request.cursor = Cursor{"t", 0};
  EXPECT_EQ(ask(request, 0).message.topics.at(0).error_code, ErrorCode::none);
}

TEST_F(DescribedTest, no_configuration_named_asks_for_all_of_them) {
  wire::DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = 2;
  resource.resource_name = "t";
  const auto count = [&] { return ask(request, 4).message.results.at(0).configs.size(); };
  const std::size_t all = count();
  EXPECT_GT(all, 1U);
  resource.configuration_keys.emplace();
  EXPECT_EQ(count(), all);
  resource.configuration_keys->push_back("retention.ms");
  EXPECT_EQ(count(), 1U);
}

TEST_F(DescribedTest, a_name_that_no_topic_may_have_is_told_from_one_that_none_has) {
  wire::DescribeConfigsRequest configs;
  configs.resources = {{.resource_type = 2, .resource_name = "n@me"}, {.resource_type = 2, .resource_name = "name"}};
  const auto described = ask(configs, 4);
  EXPECT_EQ(described.message.results.at(0).error_code, ErrorCode::invalid_topic_exception);
  EXPECT_TRUE(described.message.results[0].error_message->starts_with("Topic name is invalid: 'n@me'"));
  EXPECT_EQ(described.message.results.at(1).error_code, ErrorCode::unknown_topic_or_partition);
  wire::DescribeProducersRequest producers;
  producers.topics = {{.name = "n@me", .partition_indexes = {0}}, {.name = "name", .partition_indexes = {0}}};
  const auto answer = ask(producers, 0);
  EXPECT_EQ(answer.message.topics.at(0).partitions.at(0).error_code, ErrorCode::invalid_topic_exception);
  EXPECT_EQ(answer.message.topics.at(1).partitions.at(0).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_F(DescribedTest, a_producer_is_named_by_id_and_epoch_or_not_at_all) {
  wire::InitProducerIdRequest request;
  request.transactional_id.reset();
  const auto error = [&](std::int64_t id, std::int16_t epoch) {
    request.producer_id = id;
    request.producer_epoch = epoch;
    return ask(request, 4).message.error_code;
  };
  EXPECT_EQ(error(5, -1), ErrorCode::invalid_request);
  EXPECT_EQ(error(-1, 5), ErrorCode::invalid_request);
  EXPECT_EQ(error(-1, -1), ErrorCode::none);
  EXPECT_EQ(error(5, 5), ErrorCode::none);
}

TEST_F(DescribedTest, zstd_is_for_clients_that_know_it) {
  log::Compression codecs;
  log::BatchBuilder builder;
  const std::string value = "v";
  builder.append(world_.wall_now().ms, std::nullopt, std::as_bytes(std::span(value)));
  const auto batch = builder.finish(codecs, log::Codec::zstd, log::kDefaultCompressionLevel);
  ASSERT_TRUE(batch);
  wire::ProduceRequest request;
  request.acks = 1;
  request.topic_data = {{.name = "t", .partition_data = {{.index = 0, .records = *batch}}}};
  const auto error = [&](std::int16_t version) {
    return ask(request, version).message.responses.at(0).partition_responses.at(0).error_code;
  };
  EXPECT_EQ(error(6), ErrorCode::unsupported_compression_type);
  EXPECT_EQ(error(7), ErrorCode::none);
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
