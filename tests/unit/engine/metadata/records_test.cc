// Metadata records against what Kafka's own serializers wrote (kraft-golden.txt), and round trips
// of all of them.
#include "engine/metadata/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "tests/support/golden.h"
#include "tests/unit/engine/metadata/random_record.h"

namespace millrace::engine {
namespace {

using ::testing::HasSubstr;

using tests::from_hex;

// Section A of the vectors, by name.
const std::map<std::string, std::vector<std::byte>>& golden() {
  static const auto vectors = [] {
    std::map<std::string, std::vector<std::byte>> found;
    std::ifstream file("tests/support/kraft-golden.txt");
    bool in_section = false;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("## ")) in_section = line.starts_with("## A. ");
      const auto tab = line.find('\t');
      if (in_section && tab != std::string::npos)
        found[line.substr(0, tab)] = from_hex(line.substr(tab + 1));
    }
    return found;
  }();
  return vectors;
}

Uuid counting_uuid(std::uint8_t first) {
  Uuid uuid;
  for (auto& byte : uuid.bytes) byte = first++;
  return uuid;
}
const Uuid kTopic = counting_uuid(0x01);
const Uuid kDirectory = counting_uuid(0x11);
const Uuid kIncarnation = counting_uuid(0x21);

PartitionRecord golden_partition() {
  return {.partition_id = 0,
          .topic_id = kTopic,
          .replicas = {1, 2, 3},
          .isr = {1, 2},
          .leader = 1,
          .leader_epoch = 0,
          .partition_epoch = 0,
          .directories = {kDirectory, kZeroUuid, Uuid::from_halves(0, 1)}};
}

std::map<std::string, VersionedRecord> stated_fields() {
  PartitionRecord with_elr = golden_partition();
  with_elr.eligible_leader_replicas = {{3}};
  PartitionRecord partition_v2 = golden_partition();
  return {
      {"FeatureLevel(metadata.version=21) v0", {FeatureLevelRecord{"metadata.version", 21}, 0}},
      {"NoOp v0", {NoOpRecord{}, 0}},
      {"BeginTransaction(Bootstrap records) v0", {BeginTransactionRecord{"Bootstrap records"}, 0}},
      {"EndTransaction v0", {EndTransactionRecord{}, 0}},
      {"AbortTransaction(Controller failover) v0",
       {AbortTransactionRecord{"Controller failover"}, 0}},
      {"ZkMigrationState NONE v0", {ZkMigrationStateRecord{0}, 0}},
      {"Topic(foo,t) v0", {TopicRecord{"foo", kTopic}, 0}},
      {"PartitionChange(isr=[1],leader=1) v1",
       {PartitionChangeRecord{.partition_id = 0, .topic_id = kTopic, .isr = {{1}}, .leader = 1},
        1}},
      {"PartitionChange(dirs) v1",
       {PartitionChangeRecord{.partition_id = 0,
                              .topic_id = kTopic,
                              .directories = {{kDirectory, kDirectory, kDirectory}}},
        1}},
      {"RegisterBroker v3",
       {RegisterBrokerRecord{.broker_id = 1,
                             .incarnation_id = kIncarnation,
                             .broker_epoch = 7,
                             .end_points = {{"PLAINTEXT", "127.0.0.1", 9092, 0}},
                             .features = {{"metadata.version", 7, 21}},
                             .rack = std::nullopt,
                             .log_dirs = {kDirectory}},
        3}},
      {"BrokerRegistrationChange(unfence) v0",
       {BrokerRegistrationChangeRecord{.broker_id = 1, .broker_epoch = 7, .fenced = -1}, 0}},
      {"BrokerRegistrationChange(ctlshutdown) v1",
       {BrokerRegistrationChangeRecord{
            .broker_id = 1, .broker_epoch = 7, .in_controlled_shutdown = 1},
        1}},
      {"Config(topic foo retention.ms=1) v0", {ConfigRecord{2, "foo", "retention.ms", "1"}, 0}},
      {"ProducerIds v0", {ProducerIdsRecord{1, 7, 1000}, 0}},
      {"RemoveTopic v0", {RemoveTopicRecord{kTopic}, 0}},
  };
}

TEST(MetadataRecords, golden_vectors_are_there) {
  EXPECT_EQ(golden().size(), 17u);
}

TEST(MetadataRecords, encode_as_kafka_does_what_is_stated) {
  for (const auto& [name, record] : stated_fields()) {
    ASSERT_TRUE(golden().contains(name)) << name;
    EXPECT_EQ(encode_record(record), golden().at(name)) << name;
  }
}

TEST(MetadataRecords, decode_from_kafka_gives_what_is_stated) {
  for (const auto& [name, record] : stated_fields()) {
    const auto decoded = decode_record(golden().at(name));
    ASSERT_TRUE(decoded) << name << ": " << decoded.error().message;
    EXPECT_EQ(*decoded, record) << name << ": " << describe_record(*decoded);
  }
}

TEST(MetadataRecords, every_golden_vector_comes_back_byte_for_byte) {
  for (const auto& [name, bytes] : golden()) {
    const auto decoded = decode_record(bytes);
    ASSERT_TRUE(decoded) << name << ": " << decoded.error().message;
    EXPECT_EQ(encode_record(*decoded), bytes) << name;
  }
}

TEST(MetadataRecords, golden_partitions_have_their_replicas_directories_and_elr) {
  const auto plain = decode_record(golden().at("Partition v1"));
  ASSERT_TRUE(plain);
  const auto& partition = std::get<PartitionRecord>(plain->record);
  EXPECT_THAT(partition.replicas, ::testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(partition.directories[0], kDirectory);
  EXPECT_FALSE(partition.eligible_leader_replicas);
  const auto elr = decode_record(golden().at("Partition+ELR v2"));
  ASSERT_TRUE(elr);
  EXPECT_EQ(std::get<PartitionRecord>(elr->record).eligible_leader_replicas,
            std::vector<std::int32_t>{3});
}

TEST(MetadataRecords, every_type_and_version_survives_a_round_trip) {
  Prng prng(1);
  for (int round = 0; round < 200; ++round) {
    testing::for_each_record_version(prng, [](const VersionedRecord& record) {
      const auto bytes = encode_record(record);
      const auto decoded = decode_record(bytes);
      ASSERT_TRUE(decoded) << describe_record(record) << ": " << decoded.error().message;
      EXPECT_EQ(encode_record(*decoded), bytes) << describe_record(record);
      EXPECT_EQ(*decoded, record) << describe_record(record) << " came back as "
                                  << describe_record(*decoded);
    });
  }
}

TEST(MetadataRecords, a_record_cut_anywhere_is_refused) {
  Prng prng(2);
  testing::for_each_record_version(prng, [](const VersionedRecord& record) {
    const auto bytes = encode_record(record);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(decode_record(ConstBytes(bytes).first(size)))
          << describe_record(record) << " at " << size;
    }
  });
}

TEST(MetadataRecords, trailing_bytes_are_refused) {
  auto bytes = golden().at("Topic(foo,t) v0");
  bytes.push_back(std::byte{0});
  const auto decoded = decode_record(bytes);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::malformed);
  EXPECT_THAT(decoded.error().message, HasSubstr("left over"));
}

TEST(MetadataRecords, what_is_not_known_is_unsupported_and_never_skipped) {
  for (const char* hex : {
           "00140000",    // frame version 0
           "02140000",    // frame version 2
           "01060000",    // type 6 was never used
           "011e0000",    // type 30
           "01140100",    // NoOp v1
           "0103030000",  // Partition v3
           "01ffffffff0f0000",
       }) {
    const auto decoded = decode_record(from_hex(hex));
    ASSERT_FALSE(decoded) << hex;
    EXPECT_EQ(decoded.error().code, Errc::unsupported) << hex << ": " << decoded.error().message;
  }
}

TEST(MetadataRecords, a_count_beyond_the_value_allocates_nothing) {
  // PartitionRecord v0 that announces 2^28 replicas.
  const auto decoded =
      decode_record(from_hex("010300000000000102030405060708090a0b0c0d0e0f1081808080010000"));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::malformed);
}

TEST(MetadataRecords, are_printed_with_their_fields) {
  EXPECT_EQ(describe_record({ConfigRecord{2, "foo", "retention.ms", "1"}, 0}),
            R"({"type":"ConfigRecord","version":0,"data":{"resourceType":2,"resourceName":"foo",)"
            R"("name":"retention.ms","value":"1"}})");
}

}  // namespace
}  // namespace millrace::engine
