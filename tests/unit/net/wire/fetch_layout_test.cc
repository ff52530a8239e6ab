#include "net/wire/fetch_layout.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/wire/header.h"

namespace millrace::wire {
namespace {

// Three partitions in two topics; the second has nothing, the tag of the third comes after its
// records.
FetchResponse response_with(const std::vector<FetchedRecords>& records) {
  FetchResponse response;
  response.session_id = 9;
  response.responses.resize(2);
  response.responses[0].topic = "a";
  response.responses[0].partitions = {
      {.partition_index = 0, .high_watermark = 10, .records = records[0]},
      {.partition_index = 1, .high_watermark = 0, .records = records[1]}};
  response.responses[1].topic = "b";
  FetchResponse::Partition third{.partition_index = 5, .records = records[2]};
  third.current_leader = {.leader_id = 1, .leader_epoch = 7};
  response.responses[1].partitions.push_back(third);
  return response;
}

std::vector<std::byte> fill_gaps(const FetchResponseLayout& layout,
                                 const std::vector<std::string>& records_of_partition) {
  std::vector<std::byte> sent;
  std::size_t at = 0;
  for (const RecordsGap& gap : layout.gaps) {
    const auto piece = ConstBytes(layout.bytes).subspan(at, gap.position - at);
    sent.insert(sent.end(), piece.begin(), piece.end());
    const auto records = as_bytes(records_of_partition[gap.partition_ordinal]);
    EXPECT_EQ(records.size(), gap.size);
    sent.insert(sent.end(), records.begin(), records.end());
    at = gap.position;
  }
  sent.insert(sent.end(), layout.bytes.begin() + static_cast<std::ptrdiff_t>(at),
              layout.bytes.end());
  return sent;
}

TEST(FetchLayout, filled_gaps_give_the_same_bytes_as_records_at_hand) {
  const std::vector<std::string> records = {std::string(300, 'x'), "", "third"};
  const auto elsewhere = response_with({FetchedRecords{.size_elsewhere = 300}, FetchedRecords{},
                                        FetchedRecords{.size_elsewhere = 5}});
  const auto at_hand =
      response_with({FetchedRecords{.here = as_bytes(records[0])}, FetchedRecords{},
                     FetchedRecords{.here = as_bytes(records[2])}});
  for (std::int16_t version = FetchResponse::kVersions.min; version <= FetchResponse::kVersions.max;
       ++version) {
    const FetchResponseLayout layout = encode_fetch_response(elsewhere, version, 3);
    ASSERT_EQ(layout.gaps.size(), 2U);
    EXPECT_EQ(layout.gaps[0].partition_ordinal, 0U);
    EXPECT_EQ(layout.gaps[1].partition_ordinal, 2U);
    const auto sent = fill_gaps(layout, records);
    EXPECT_EQ(sent, encode_response_frame(at_hand, version, 3)) << version;
    const FrameScan scan = scan_frame(sent, 1 << 20);
    EXPECT_EQ(scan.state, FrameScan::State::frame);
    EXPECT_EQ(scan.bytes_used, sent.size());
  }
}

TEST(FetchLayout, records_at_hand_need_no_gap) {
  const auto response =
      response_with({FetchedRecords{.here = as_bytes("x")}, FetchedRecords{}, FetchedRecords{}});
  const FetchResponseLayout layout = encode_fetch_response(response, 12, 1);
  EXPECT_TRUE(layout.gaps.empty());
  EXPECT_EQ(layout.bytes, encode_response_frame(response, 12, 1));
}

TEST(FetchLayoutDeathTest, records_elsewhere_cannot_be_encoded_in_one_piece) {
  const auto response =
      response_with({FetchedRecords{.size_elsewhere = 1}, FetchedRecords{}, FetchedRecords{}});
  EXPECT_DEATH(encode_response_frame(response, 12, 1), "encode_fetch_response");
}

}  // namespace
}  // namespace millrace::wire
