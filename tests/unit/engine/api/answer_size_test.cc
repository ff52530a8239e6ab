// Requests that name one thing very often: the answer must not grow beyond what the request, or the cluster, has in it.
#include <gtest/gtest.h>

#include "net/wire/delete_records.h"
#include "net/wire/describe_configs.h"
#include "net/wire/describe_log_dirs.h"
#include "net/wire/describe_producers.h"
#include "net/wire/describe_quorum.h"
#include "net/wire/describe_topic_partitions.h"
#include "net/wire/fetch.h"
#include "net/wire/find_coordinator.h"
#include "net/wire/list_offsets.h"
#include "net/wire/metadata.h"
#include "net/wire/offset_for_leader_epoch.h"
#include "tests/unit/engine/api/broker_test.h"

namespace millrace::engine {
namespace {

constexpr std::size_t kOften = 1'000'000;
// What is known of two partitions, or of one topic's configurations with all their texts.
constexpr std::size_t kSmallBytes = 32 << 10;

class AnswerSizeTest : public BrokerTest {
 protected:
  AnswerSizeTest() : BrokerTest(with_large_requests()) { make_topic("t"); }

  static sim::BrokerNodeOptions with_large_requests() {
    auto options = two_shards();
    options.request_bytes_max = std::size_t{64} << 20;
    return options;
  }

  // One topic that names one partition kOften times, as `Entry`.
  template <class T, class Partition>
  static T repeat_partition(Partition partition) {
    T request;
    auto& topic = request.topics.emplace_back();
    if constexpr (requires { topic.name; }) topic.name = "t";
    else topic.topic = "t";
    topic.partitions.assign(kOften, partition);
    return request;
  }

  template <class T>
  std::size_t answer_bytes(const T& request, std::int16_t version) {
    return ask(request, version).bytes.size();
  }
};

TEST_F(AnswerSizeTest, describe_producers_answers_a_repeated_partition_once) {
  wire::DescribeProducersRequest request;
  request.topics.push_back({.name = "t", .partition_indexes = std::vector<std::int32_t>(kOften, 1)});
  const auto answer = ask(request, 0);
  EXPECT_LE(answer.bytes.size(), kSmallBytes);
  ASSERT_EQ(answer.message.topics.size(), 1U);
  ASSERT_EQ(answer.message.topics[0].partitions.size(), 1U);
  EXPECT_EQ(answer.message.topics[0].partitions[0].error_code, wire::ErrorCode::none);
}

TEST_F(AnswerSizeTest, describe_producers_answers_a_repeated_topic_once) {
  wire::DescribeProducersRequest request;
  request.topics.assign(kOften, {.name = "t", .partition_indexes = {1}});
  const auto answer = ask(request, 0);
  EXPECT_LE(answer.bytes.size(), kSmallBytes);
  EXPECT_EQ(answer.message.topics.size(), 1U);
}

TEST_F(AnswerSizeTest, offset_for_leader_epoch_and_delete_records_answer_a_repeated_partition_once) {
  using Epoch = wire::OffsetForLeaderEpochRequest;
  EXPECT_LE(answer_bytes(repeat_partition<Epoch>(Epoch::Partition{.partition = 1}), 4), kSmallBytes);
  using Delete = wire::DeleteRecordsRequest;
  EXPECT_LE(answer_bytes(repeat_partition<Delete>(Delete::Partition{.partition_index = 1}), 2), kSmallBytes);
}

TEST_F(AnswerSizeTest, list_offsets_refuses_repetitions_with_no_more_bytes_than_twice_the_request) {
  using List = wire::ListOffsetsRequest;
  auto request = repeat_partition<List>(List::Partition{.partition_index = 1, .timestamp = -1});
  const auto answer = ask(request, 7);
  EXPECT_LE(answer.bytes.size(), 2 * wire::encode_request_frame({.api_version = 7}, request).size());
  const auto& partitions = answer.message.topics.at(0).partitions;
  ASSERT_EQ(partitions.size(), kOften);
  EXPECT_EQ(partitions.front().error_code, wire::ErrorCode::none);
  EXPECT_EQ(partitions.back().error_code, wire::ErrorCode::invalid_request);
}

TEST_F(AnswerSizeTest, what_is_known_of_a_topic_is_said_once_however_often_it_is_named) {
  wire::MetadataRequest metadata;
  metadata.topics.emplace().assign(kOften, {.name = "t"});
  EXPECT_LE(answer_bytes(metadata, 12), kSmallBytes);
  wire::DescribeTopicPartitionsRequest describe;
  describe.topics.assign(kOften, {.name = "t"});
  describe.response_partition_limit = 2000;
  EXPECT_LE(answer_bytes(describe, 0), kSmallBytes);
  wire::DescribeLogDirsRequest directories;
  directories.topics.emplace().assign(kOften, {.topic = "t", .partitions = {0, 1}});
  EXPECT_LE(answer_bytes(directories, 4), kSmallBytes);
}

TEST_F(AnswerSizeTest, describe_configs_describes_a_repeated_topic_once) {
  wire::DescribeConfigsRequest request;
  wire::DescribeConfigsRequest::Resource topic{.resource_type = 2, .resource_name = "t"};
  topic.configuration_keys = std::nullopt;
  request.resources.assign(kOften, topic);
  request.include_synonyms = true;
  request.include_documentation = true;
  const auto answer = ask(request, 4);
  EXPECT_LE(answer.bytes.size(), kSmallBytes);
  ASSERT_EQ(answer.message.results.size(), 1U);
  EXPECT_FALSE(answer.message.results[0].configs.empty());
}

TEST_F(AnswerSizeTest, describe_quorum_is_for_the_one_partition_or_for_none) {
  wire::DescribeQuorumRequest request;
  request.topics.push_back({.topic_name = "__cluster_metadata", .partitions = {{.partition_index = 0}}});
  EXPECT_EQ(ask(request, 2).message.topics.at(0).partitions.at(0).error_code, wire::ErrorCode::none);
  request.topics[0].partitions.assign(kOften, {.partition_index = 0});
  const auto answer = ask(request, 2);
  const auto& partitions = answer.message.topics.at(0).partitions;
  EXPECT_EQ(partitions.front().error_code, wire::ErrorCode::unknown_topic_or_partition);
  EXPECT_TRUE(partitions.front().current_voters.empty());
}

TEST_F(AnswerSizeTest, find_coordinator_answers_a_repeated_key_once) {
  wire::FindCoordinatorRequest request;
  request.coordinator_keys.assign(kOften, "g");
  EXPECT_LE(answer_bytes(request, 4), kSmallBytes);
}

TEST_F(AnswerSizeTest, fetch_answers_a_repeated_partition_once) {
  wire::FetchRequest request;
  request.max_bytes = 1 << 20;
  auto& topic = request.topics.emplace_back();
  topic.topic = "t";
  topic.partitions.assign(kOften, {.partition = 1, .partition_max_bytes = 1 << 20});
  EXPECT_LE(answer_bytes(request, 12), kSmallBytes);
}

}  // namespace
}  // namespace millrace::engine
