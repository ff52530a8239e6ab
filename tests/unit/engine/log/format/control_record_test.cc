// Against the bytes that Apache Kafka's own serialisers print (tests/support/kraft-golden.txt,
// sections B, C and D).
#include "engine/log/format/control_record.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"

namespace millrace::log {
namespace {

using tests::golden;
using tests::to_hex;

Uuid directory() {
  Uuid uuid;
  for (std::size_t i = 0; i < 16; ++i) uuid.bytes[i] = static_cast<std::uint8_t>(0x11 + i);
  return uuid;
}

LeaderChange one_voter() {
  return {
      .leader = BrokerId(1), .voters = {{BrokerId(1), {}}}, .granting_voters = {{BrokerId(1), {}}}};
}

VotersRecord one_dynamic_voter(std::string host, std::uint16_t port) {
  return {{{BrokerId(1), directory(), {{"CONTROLLER", std::move(host), port}}, 0, 1}}};
}

TEST(ControlRecord, values_equal_kafkas_byte_for_byte) {
  EXPECT_EQ(to_hex(encode(one_voter())), to_hex(golden("LeaderChange v0")));
  EXPECT_EQ(to_hex(encode(SnapshotHeader{0})), to_hex(golden("SnapshotHeader v0")));
  EXPECT_EQ(to_hex(encode(SnapshotFooter{})), to_hex(golden("SnapshotFooter v0")));
  EXPECT_EQ(to_hex(encode(KRaftVersion{1})), to_hex(golden("KRaftVersion1 v0")));
  EXPECT_EQ(to_hex(encode(one_dynamic_voter("localhost", 9093))), to_hex(golden("Voters v0")));
}

TEST(ControlRecord, kafkas_bytes_decode_to_the_stated_fields) {
  EXPECT_EQ(*decode_leader_change(golden("LeaderChange v0")), one_voter());
  EXPECT_EQ(*decode_snapshot_header(golden("SnapshotHeader v0")), SnapshotHeader{0});
  EXPECT_TRUE(decode_snapshot_footer(golden("SnapshotFooter v0")));
  EXPECT_EQ(*decode_kraft_version(golden("KRaftVersion1 v0")), KRaftVersion{1});
  EXPECT_EQ(*decode_voters(golden("Voters v0")), one_dynamic_voter("localhost", 9093));
}

TEST(ControlRecord, a_leader_change_batch_equals_kafkas_byte_for_byte) {
  constexpr std::int64_t kTimestamp = 0x1a201e912cb;
  BatchBuilder builder({.leader_epoch = LeaderEpoch(1), .control = true});
  append_control(builder, kTimestamp, ControlType::leader_change, encode(one_voter()));
  EXPECT_EQ(to_hex(builder.finish()), to_hex(golden("LeaderChange batch at offset 0, epoch 1")));
}

TEST(ControlRecord, a_bootstrap_checkpoint_equals_kafkas_byte_for_byte) {
  const auto feature = golden("FeatureLevel(metadata.version=21) v0");
  const auto append_to = [](std::vector<std::byte>& file, BatchBuilder& builder) {
    const auto bytes = builder.finish();
    file.insert(file.end(), bytes.begin(), bytes.end());
  };
  std::vector<std::byte> file;
  BatchBuilder builder({.leader_epoch = LeaderEpoch(0), .control = true});
  append_control(builder, 0x1a201eae0c7, ControlType::snapshot_header, encode(SnapshotHeader{0}));
  append_to(file, builder);
  builder.begin({.base_offset = Offset(1), .leader_epoch = LeaderEpoch(0)});
  builder.append(0x1a201eae136, std::nullopt, ConstBytes(feature));
  append_to(file, builder);
  builder.begin({.base_offset = Offset(2), .leader_epoch = LeaderEpoch(0), .control = true});
  append_control(builder, 0x1a201eae137, ControlType::snapshot_footer, encode(SnapshotFooter{}));
  append_to(file, builder);
  EXPECT_EQ(to_hex(file), to_hex(golden("fmt1 bootstrap.checkpoint")));
}

TEST(ControlRecord, the_snapshot_of_a_dynamic_quorum_decodes_record_by_record) {
  const auto file = golden("fmt2 __cluster_metadata-0/00000000000000000000-0000000000.checkpoint");
  BatchWalk batches(file);
  const auto head = *batches.next();
  ASSERT_TRUE(head.verify());
  RecordWalk records(head, head.payload());
  const auto header = *records.next();
  EXPECT_EQ(control_type(header), ControlType::snapshot_header);
  const auto version = *records.next();
  EXPECT_EQ(control_type(version), ControlType::kraft_version);
  EXPECT_EQ(decode_kraft_version(*version.value)->level, 1);
  const auto voters = *records.next();
  EXPECT_EQ(control_type(voters), ControlType::voters);
  EXPECT_EQ(decode_voters(*voters.value)->voters.at(0).endpoints.at(0).host, "localhost");
  EXPECT_TRUE(records.at_end());
  const auto tail = *batches.next();
  EXPECT_EQ(tail.base_offset(), Offset(3));
  EXPECT_TRUE(batches.at_end());
}

TEST(ControlRecord, transaction_markers_go_there_and_back) {
  const EndTransactionMarker marker{ControlType::commit, 17};
  const auto value = encode(marker);
  EXPECT_EQ(to_hex(value), "000000000011");
  EXPECT_EQ(*decode_end_transaction(ControlType::commit, value), marker);
  EXPECT_EQ(decode_end_transaction(ControlType::voters, value).error(), Errc::malformed);
}

TEST(ControlRecord, no_prefix_of_a_value_decodes) {
  for (const char* name : {"LeaderChange v0", "Voters v0"}) {
    const auto bytes = golden(name);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto prefix = ConstBytes(bytes).first(size);
      const bool decoded = std::string_view(name).starts_with("Leader")
                               ? decode_leader_change(prefix).has_value()
                               : decode_voters(prefix).has_value();
      EXPECT_FALSE(decoded) << name << " " << size;
    }
  }
}

TEST(ControlRecord, a_length_beyond_the_bytes_is_refused_before_anything_is_allocated) {
  // Version 0, leader 1, an array of four billion voters.
  const auto bytes = tests::from_hex("000000000001ffffffff0f");
  EXPECT_EQ(decode_leader_change(bytes).error(), Errc::malformed);
}

}  // namespace
}  // namespace millrace::log
