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

TEST(ConsumerRecords, epoch_of_a_group_is_written_as_kafka_writes_it) {
  const GroupRecord record = consumer_record(Kind::metadata, "g", "", ConsumerGroupMetadataValue{.epoch = 1});
  EXPECT_EQ(to_hex(record.key), to_hex(golden("ConsumerGroupMetadata key")));
  EXPECT_EQ(to_hex(*record.value), to_hex(golden("ConsumerGroupMetadata value")));
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
