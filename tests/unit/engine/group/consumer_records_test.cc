// What __consumer_offsets holds of consumer groups, against bytes that Kafka's own serializers wrote, and there and back.
#include "engine/group/consumer_records.h"

#include <gtest/gtest.h>

#include "engine/group/record_codec.h"
#include "tests/support/golden.h"

namespace millrace::engine {
namespace {

using tests::golden;
using tests::to_hex;
using Kind = ConsumerGroupKey::Kind;

const Uuid kFirst = Uuid::from_halves(0x0102030405060708, 0x090a0b0c0d0e0f10);
const Uuid kSecond = Uuid::from_halves(0x1112131415161718, 0x191a1b1c1d1e1f20);

// Both ways: `value` under the key of its kind is the bytes that Kafka wrote, and those are read as `value`.
template <class Value>
void expect_golden(Kind kind, std::string_view about, const Value& value, const std::string& key_name,
                   const std::string& value_name) {
  const GroupRecord record = consumer_record(kind, "g", about, value);
  EXPECT_EQ(to_hex(record.key), to_hex(golden(key_name)));
  EXPECT_EQ(to_hex(*record.value), to_hex(golden(value_name)));
  const auto bytes = golden(value_name);
  const auto read = read_record_value<Value>(bytes);
  ASSERT_TRUE(read.has_value()) << value_name;
  EXPECT_TRUE(*read == value) << value_name;
}

TEST(ConsumerRecords, epoch_of_a_group_is_written_as_kafka_writes_it) {
  const GroupRecord record = consumer_record(Kind::metadata, "g", "", ConsumerGroupMetadataValue{.epoch = 1});
  EXPECT_EQ(to_hex(record.key), to_hex(golden("ConsumerGroupMetadata key")));
  EXPECT_EQ(to_hex(*record.value), to_hex(golden("ConsumerGroupMetadata value")));
}

TEST(ConsumerRecords, members_are_written_as_kafka_writes_them) {
  ConsumerGroupMemberMetadataValue value{.instance_id = "i",
                                         .rack_id = "r",
                                         .client_id = "c",
                                         .client_host = "/h",
                                         .subscribed_topic_names = {"t", "u"},
                                         .subscribed_topic_regex = "w.*",
                                         .rebalance_timeout_ms = 5,
                                         .server_assignor = "range",
                                         .classic_member_metadata = std::nullopt};
  const std::string key = "ConsumerGroupMemberMetadata key";
  expect_golden(Kind::member, "m", value, key, "ConsumerGroupMemberMetadata value");
  const std::string said("\0\1", 2);
  value = {};
  value.rebalance_timeout_ms = 5;
  value.classic_member_metadata.emplace().session_timeout_ms = 7;
  value.classic_member_metadata->supported_protocols.push_back({"range", std::as_bytes(std::span(said))});
  expect_golden(Kind::member, "m", value, key, "ConsumerGroupMemberMetadata value classic");
}

// As older directories have it; Kafka takes it for a member of the classic protocol that knows no assignor.
TEST(ConsumerRecords, a_member_that_says_nothing_of_the_classic_protocol_does_not_speak_it) {
  const auto bytes = golden("ConsumerGroupMemberMetadata value without a word of the classic protocol");
  const auto read = read_record_value<ConsumerGroupMemberMetadataValue>(bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->classic_member_metadata, std::nullopt);
  EXPECT_EQ(read->server_assignor, "range");
}

TEST(ConsumerRecords, assignments_are_written_as_kafka_writes_them) {
  expect_golden(Kind::target_assignment, "", ConsumerGroupTargetAssignmentMetadataValue{.assignment_epoch = 3},
                "ConsumerGroupTargetAssignmentMetadata key", "ConsumerGroupTargetAssignmentMetadata value");
  expect_golden(Kind::target_assignment_of_member, "m",
                ConsumerGroupTargetAssignmentMemberValue{.topic_partitions = {{kFirst, {0, 3}}, {kSecond, {1}}}},
                "ConsumerGroupTargetAssignmentMember key", "ConsumerGroupTargetAssignmentMember value");
  expect_golden(Kind::current_assignment_of_member, "m",
                ConsumerGroupCurrentMemberAssignmentValue{.member_epoch = 4,
                                                          .previous_member_epoch = 3,
                                                          .state = 1,
                                                          .assigned_partitions = {{kFirst, {0}}},
                                                          .partitions_pending_revocation = {{kSecond, {1, 2}}}},
                "ConsumerGroupCurrentMemberAssignment key", "ConsumerGroupCurrentMemberAssignment value");
}

TEST(ConsumerRecords, hashes_and_patterns_are_written_as_kafka_writes_them) {
  expect_golden(Kind::metadata, "", ConsumerGroupMetadataValue{.epoch = 7, .metadata_hash = 0x0102030405060708},
                "ConsumerGroupMetadata key", "ConsumerGroupMetadata value hash");
  expect_golden(Kind::regular_expression, "w.*",
                ConsumerGroupRegularExpressionValue{.topics = {"w1", "w2"}, .version = 11, .timestamp = 12},
                "ConsumerGroupRegularExpression key", "ConsumerGroupRegularExpression value");
}

TEST(ConsumerRecords, keys_of_every_kind_come_back) {
  for (const Kind kind : {Kind::metadata, Kind::partition_metadata, Kind::member, Kind::target_assignment,
                          Kind::target_assignment_of_member, Kind::current_assignment_of_member,
                          Kind::regular_expression}) {
    const bool about = kind != Kind::metadata && kind != Kind::partition_metadata && kind != Kind::target_assignment;
    const auto key = consumer_group_key(kind, "group", about ? "about" : "");
    const auto decoded = decode_group_key(consumer_tombstone(kind, "group", about ? "about" : "").key);
    ASSERT_TRUE(decoded);
    EXPECT_TRUE(*decoded == GroupKey(key));
  }
}

TEST(ConsumerRecords, a_member_comes_back_with_what_its_classic_side_said) {
  const std::string said = "said";
  ConsumerGroupMemberMetadataValue value{.instance_id = "i",
                                         .rack_id = std::nullopt,
                                         .client_id = "c",
                                         .client_host = "/h",
                                         .subscribed_topic_names = {"t"},
                                         .subscribed_topic_regex = "w.*",
                                         .rebalance_timeout_ms = 5,
                                         .server_assignor = "range",
                                         .classic_member_metadata = std::nullopt};
  const auto without = consumer_record(Kind::member, "g", "m", value);
  EXPECT_EQ(read_record_value<ConsumerGroupMemberMetadataValue>(*without.value).value(), value);
  value.classic_member_metadata.emplace();
  value.classic_member_metadata->session_timeout_ms = 7;
  value.classic_member_metadata->supported_protocols.push_back({"range", std::as_bytes(std::span(said))});
  const auto with = consumer_record(Kind::member, "g", "m", value);
  EXPECT_EQ(read_record_value<ConsumerGroupMemberMetadataValue>(*with.value).value(), value);
  EXPECT_GT(with.value->size(), without.value->size());
}

TEST(ConsumerRecords, what_is_said_twice_or_is_no_partition_is_dropped) {
  const TopicId t = Uuid::from_halves(1, 1);
  EXPECT_EQ(to_assignment({{t, {3, 1}}, {t, {1, -1}}, {Uuid::from_halves(1, 2), {}}}), (ConsumerAssignment{{t, {1, 3}}}));
}

TEST(ConsumerRecords, bytes_of_a_later_version_are_refused) {
  auto record = consumer_record(Kind::metadata, "g", "", ConsumerGroupMetadataValue{.epoch = 1});
  (*record.value)[1] = std::byte{9};
  const auto read = read_record_value<ConsumerGroupMetadataValue>(*record.value);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::unsupported);
}

}  // namespace
}  // namespace millrace::engine
