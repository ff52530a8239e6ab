// What __consumer_offsets holds, against what Kafka's own serializers wrote (kraft-golden.txt), and every version there and back.
#include "engine/group/records.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"

namespace millrace::engine {
namespace {

using tests::from_hex;
using tests::golden;
using tests::to_hex;

TEST(GroupRecords, commit_of_an_offset_is_written_as_kafka_writes_it) {
  const OffsetCommitKey key{.group = "g", .topic = "t", .partition = 0};
  const OffsetCommitValue value{.offset = 5,
                                .leader_epoch = 2,
                                .metadata = "m",
                                .commit_timestamp = 1,
                                .topic_id = Uuid::from_halves(0x0102030405060708, 0x090a0b0c0d0e0f10)};
  const GroupRecord record = offset_commit_record(key, value);
  EXPECT_EQ(to_hex(record.key), to_hex(golden("OffsetCommitKey g/t/0")));
  EXPECT_EQ(to_hex(*record.value), to_hex(golden("OffsetCommitValue v4")));
  EXPECT_TRUE(decode_group_key(record.key).value() == GroupKey(key));
  EXPECT_TRUE(decode_offset_commit_value(*record.value).value() == value);
}

TEST(GroupRecords, metadata_of_a_group_is_written_as_kafka_writes_it) {
  const GroupMetadataValue value{.protocol_type = "consumer",
                                 .generation = 1,
                                 .protocol = std::nullopt,
                                 .leader = std::nullopt,
                                 .current_state_timestamp = 1,
                                 .members = {}};
  const GroupRecord record = group_metadata_record("g", value);
  EXPECT_EQ(to_hex(record.key), to_hex(golden("GroupMetadataKey g")));
  EXPECT_EQ(to_hex(*record.value), to_hex(golden("GroupMetadataValue v3 empty")));
  EXPECT_TRUE(decode_group_key(record.key).value() == GroupKey(GroupMetadataKey{"g"}));
  EXPECT_TRUE(decode_group_metadata_value(*record.value).value() == value);
}

TEST(GroupRecords, members_of_a_group_are_written_as_kafka_writes_them) {
  const auto subscription = from_hex("000102");
  const auto assignment = from_hex("ff");
  GroupMetadataValue value{.protocol_type = "consumer",
                           .generation = 4,
                           .protocol = "range",
                           .leader = "m",
                           .current_state_timestamp = 9,
                           .members = {}};
  value.members.push_back({.member_id = "m",
                           .group_instance_id = "i",
                           .client_id = "c",
                           .client_host = "/h",
                           .rebalance_timeout = 300'000,
                           .session_timeout = 45'000,
                           .subscription = ConstBytes(subscription),
                           .assignment = ConstBytes(assignment)});
  value.members.push_back({.member_id = "n",
                           .group_instance_id = std::nullopt,
                           .client_id = "",
                           .client_host = "",
                           .rebalance_timeout = 1,
                           .session_timeout = 2,
                           .subscription = {},
                           .assignment = {}});
  const auto wanted = golden("GroupMetadataValue v3 stable");
  EXPECT_EQ(to_hex(*group_metadata_record("g", value).value), to_hex(wanted));
  EXPECT_TRUE(decode_group_metadata_value(wanted).value() == value);
}

TEST(GroupRecords, commit_without_the_id_of_its_topic_is_read_as_older_brokers_write_it) {
  const OffsetCommitValue value{
      .offset = 5, .leader_epoch = 2, .metadata = "m", .commit_timestamp = 1, .topic_id = {}};
  EXPECT_EQ(to_hex(encode_value(value, 3)), to_hex(golden("OffsetCommitValue v3")));
  EXPECT_TRUE(decode_offset_commit_value(golden("OffsetCommitValue v3")).value() == value);
}

TEST(GroupRecords, version_0_of_a_commit_s_key_is_read_as_version_1) {
  auto key = golden("OffsetCommitKey g/t/0");
  key[1] = std::byte{0};
  EXPECT_TRUE(decode_group_key(key).value() == GroupKey(OffsetCommitKey{"g", "t", 0}));
}

TEST(GroupRecords, every_version_of_a_commit_s_value_comes_back) {
  for (std::int16_t version = 0; version <= 4; ++version) {
    OffsetCommitValue value{.offset = 77,
                            .leader_epoch = -1,
                            .metadata = "what",
                            .commit_timestamp = 9,
                            .topic_id = {}};
    if (version == 1) value.expire_timestamp = 1234;
    if (version >= 3) value.leader_epoch = 6;
    if (version >= 4) value.topic_id = Uuid::from_halves(1, 2);
    EXPECT_TRUE(decode_offset_commit_value(encode_value(value, version)).value() == value)
        << version;
  }
}

TEST(GroupRecords, every_version_of_a_group_s_value_comes_back) {
  const auto subscription = from_hex("0001020304");
  const auto assignment = from_hex("ff");
  for (std::int16_t version = 0; version <= 4; ++version) {
    GroupMetadataValue value{.protocol_type = "consumer",
                             .generation = 3,
                             .protocol = "range",
                             .leader = "a",
                             .current_state_timestamp = version >= 2 ? 55 : -1,
                             .members = {}};
    value.members.push_back({.member_id = "a",
                             .group_instance_id = std::nullopt,
                             .client_id = "client",
                             .client_host = "/127.0.0.1",
                             .rebalance_timeout = version >= 1 ? 300000 : -1,
                             .session_timeout = 45000,
                             .subscription = ConstBytes(subscription),
                             .assignment = ConstBytes(assignment)});
    if (version >= 3) value.members[0].group_instance_id = "one";
    const auto bytes = encode_value(value, version);
    EXPECT_TRUE(decode_group_metadata_value(bytes).value() == value) << version;
  }
}

TEST(GroupRecords, keys_of_the_newer_protocol_are_told_apart) {
  const auto key = golden("ConsumerGroupMetadata key");
  const ConsumerGroupKey metadata{ConsumerGroupKey::Kind::metadata, "g", "", ""};
  EXPECT_TRUE(decode_group_key(key).value() == GroupKey(metadata));
  EXPECT_EQ(to_hex(encode_group_key(metadata)), to_hex(key));
  for (const std::int16_t type : {3, 4, 5, 6, 7, 8, 16}) {
    ConsumerGroupKey each{static_cast<ConsumerGroupKey::Kind>(type), "group", "", ""};
    if (type == 5 || type == 7 || type == 8) each.member = "member";
    if (type == 16) each.regular_expression = "a.*";
    EXPECT_TRUE(decode_group_key(encode_group_key(each)).value() == GroupKey(each)) << type;
  }
}

TEST(GroupRecords, keys_of_later_releases_are_no_error) {
  EXPECT_TRUE(decode_group_key(from_hex("0013000167")).value() == GroupKey(UnknownKey{19}));
}

TEST(GroupRecords, damaged_records_are_refused) {
  EXPECT_FALSE(decode_group_key(from_hex("00")));
  EXPECT_FALSE(decode_group_key(from_hex("0002000567")));
  EXPECT_FALSE(decode_group_key(from_hex("000200016700")));
  EXPECT_FALSE(decode_group_key(from_hex("00050001670005")));
  EXPECT_FALSE(decode_offset_commit_value(from_hex("0003")));
  EXPECT_EQ(decode_offset_commit_value(from_hex("0005")).error(), Errc::unsupported);
  EXPECT_EQ(decode_group_metadata_value(from_hex("0005")).error(), Errc::unsupported);
}

// The hashes are those of java.lang.String.
TEST(GroupRecords, partition_of_a_group_is_the_one_that_kafka_takes) {
  EXPECT_EQ(coordinator_partition("", 50), 0);
  EXPECT_EQ(coordinator_partition("g", 50), 103 % 50);
  EXPECT_EQ(coordinator_partition("hello", 50), 99162322 % 50);
  // "polygenelubricants" hashes to the smallest int32, whose absolute value there is none.
  EXPECT_EQ(coordinator_partition("polygenelubricants", 50), 0);
  // One that is negative: -1739336029.
  EXPECT_EQ(coordinator_partition("The quick brown fox", 50), 29);
  // U+1F600 is two units, 0xd83d and 0xde00.
  EXPECT_EQ(coordinator_partition("\xf0\x9f\x98\x80", 50), (0xd83d * 31 + 0xde00) % 50);
  EXPECT_EQ(coordinator_partition("\xc3\xa9", 50), 0xe9 % 50);
}

}  // namespace
}  // namespace millrace::engine
