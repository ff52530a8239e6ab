// produce and consume against the mock cluster that librdkafka brings, on a port of its choice on
// loopback.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/consume.h"
#include "cli/kafka_client.h"
#include "cli/produce.h"

namespace millrace::cli {
namespace {

class MockCluster {
 public:
  MockCluster() {
    auto client = make_client({.type = RD_KAFKA_PRODUCER});
    EXPECT_TRUE(client);
    client_ = std::move(*client);
    cluster_ = rd_kafka_mock_cluster_new(client_.get(), 1);
    rd_kafka_mock_topic_create(cluster_, "t", 2, 1);
  }
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;
  ~MockCluster() { rd_kafka_mock_cluster_destroy(cluster_); }

  ConnectionOptions connection() const {
    return {.bootstrap = rd_kafka_mock_cluster_bootstraps(cluster_)};
  }

 private:
  ClientHandle client_;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

Result<std::int64_t> produce_text(ProduceOptions options, std::string text) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> input(fmemopen(text.data(), text.size(), "r"),
                                                        std::fclose);
  return produce_all(options, input.get());
}

std::vector<std::string> consume_lines(const ConsumeOptions& options) {
  const auto format = RecordFormat::parse("%p %o %k %s %h");
  std::vector<std::string> lines;
  const auto count = consume_all(options, [&](const ConsumedRecord* record) {
    if (record == nullptr) return true;
    format->append(*record, lines.emplace_back());
    return true;
  });
  EXPECT_TRUE(count) << count.error().message;
  return lines;
}

TEST(CliLibrdkafka, what_is_produced_is_consumed_with_keys_headers_and_compression) {
  const MockCluster cluster;
  const ProduceOptions produce{.connection = cluster.connection(),
                               .topic = "t",
                               .partition = 1,
                               .key_delimiter = ":",
                               .headers = {"h=1"},
                               .compression = "lz4"};
  const auto sent = produce_text(produce, "a:1\nb:2\nc:3");
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_EQ(*sent, 3);
  const ConsumeOptions consume{
      .connection = cluster.connection(), .topic = "t", .exit_at_end = true};
  EXPECT_EQ(consume_lines(consume),
            (std::vector<std::string>{"1 0 a 1 h=1", "1 1 b 2 h=1", "1 2 c 3 h=1"}));
}

TEST(CliLibrdkafka, a_range_a_tail_and_a_count_end_where_they_say) {
  const MockCluster cluster;
  ASSERT_TRUE(produce_text({.connection = cluster.connection(), .topic = "t", .partition = 0},
                           "0\n1\n2\n3\n4\n"));
  ConsumeOptions consume{
      .connection = cluster.connection(), .topic = "t", .partitions = {0}, .exit_at_end = true};
  consume.range = *parse_offset_range({"1..3"});
  EXPECT_EQ(consume_lines(consume), (std::vector<std::string>{"0 1  1 ", "0 2  2 "}));
  consume.range = *parse_offset_range({"-2"});
  EXPECT_EQ(consume_lines(consume), (std::vector<std::string>{"0 3  3 ", "0 4  4 "}));
  consume.range = {};
  consume.count_max = 1;
  EXPECT_EQ(consume_lines(consume), (std::vector<std::string>{"0 0  0 "}));
}

// The mock's groups take in no second member after the first has left; group_commands.py has those.
TEST(CliLibrdkafka, a_member_of_a_group_stops_at_a_count_at_the_end_and_when_the_sink_refuses) {
  const MockCluster cluster;
  ASSERT_TRUE(produce_text({.connection = cluster.connection(), .topic = "t", .partition = 0},
                           "0\n1\n2\n"));
  ConsumeOptions consume{
      .connection = cluster.connection(), .topic = "t", .group = "counts", .count_max = 2};
  EXPECT_EQ(consume_lines(consume), (std::vector<std::string>{"0 0  0 ", "0 1  1 "}));
  consume.group = "refuses";
  consume.count_max = -1;
  int seen = 0;
  ASSERT_TRUE(consume_all(
      consume, [&](const ConsumedRecord* record) { return record == nullptr || ++seen < 2; }));
  EXPECT_EQ(seen, 2);
  consume.group = "ends";
  consume.exit_at_end = true;
  EXPECT_EQ(consume_lines(consume), (std::vector<std::string>{"0 0  0 ", "0 1  1 ", "0 2  2 "}));
}

TEST(CliLibrdkafka, what_the_group_decides_cannot_be_asked_for) {
  ConsumeOptions consume{.topic = "t", .group = "g", .partitions = {0}};
  const auto nothing = [](const ConsumedRecord*) { return true; };
  EXPECT_EQ(exit_of(consume_all(consume, nothing).error()), Exit::usage);
  consume.partitions.clear();
  consume.range = *parse_offset_range({"5"});
  EXPECT_EQ(exit_of(consume_all(consume, nothing).error()), Exit::usage);
}

TEST(CliLibrdkafka, a_partition_that_does_not_exist_is_named) {
  const MockCluster cluster;
  const auto count =
      consume_all({.connection = cluster.connection(), .topic = "t", .partitions = {9}},
                  [](const ConsumedRecord*) { return true; });
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error().code, Errc::not_found);
  EXPECT_EQ(count.error().message, "t has partitions 0 to 1, not 9");
}

TEST(CliLibrdkafka, an_offset_that_is_not_there_is_answered_with_those_that_are) {
  MockCluster cluster;
  ASSERT_TRUE(produce_text(
      {.connection = cluster.connection(), .topic = "t", .partition = 0}, "a\nb\nc\n"));
  const auto consume = [&](std::int32_t partition) {
    const auto result = consume_all({.connection = cluster.connection(),
                                     .topic = "t",
                                     .partitions = {partition},
                                     .range = {{RangeEnd::Kind::offset, 99}, std::nullopt}},
                                    [](const ConsumedRecord*) { return true; });
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  };
  EXPECT_EQ(consume(0).code, Errc::out_of_range);
  EXPECT_THAT(consume(0).message, testing::StartsWith("t [0]: there is no offset 99; it holds offsets 0 to 2"));
  EXPECT_THAT(consume(1).message, testing::HasSubstr("no records, and the next one gets 0"));
}

TEST(CliLibrdkafka, no_broker_at_the_address_is_unreachable) {
  const ConnectionOptions nowhere{.bootstrap = "127.0.0.1:1", .timeout_ms = 500};
  const auto sent = produce_text({.connection = nowhere, .topic = "t"}, "x\n");
  ASSERT_FALSE(sent);
  EXPECT_EQ(exit_of(sent.error()), Exit::unreachable);
}

TEST(CliLibrdkafka, a_property_that_librdkafka_does_not_know_is_wrong_usage) {
  const auto sent = produce_text({.topic = "t", .properties = {"no.such=1"}}, "x\n");
  ASSERT_FALSE(sent);
  EXPECT_EQ(exit_of(sent.error()), Exit::usage);
}

}  // namespace
}  // namespace millrace::cli
