#include "engine/log/format/record.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "base/prng.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/varint.h"

namespace millrace::log {
namespace {

TEST(Varint, zigzag_goes_there_and_back) {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{63}, std::int64_t{64}, std::int64_t{-64},
        std::int64_t{-65}, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    EXPECT_EQ(unzigzag(zigzag(value)), value);
    std::vector<std::byte> out;
    put_varint(out, value);
    EXPECT_EQ(out.size(), varint_bytes(value)) << value;
  }
  EXPECT_EQ(unzigzag(zigzag(std::numeric_limits<std::int32_t>::min())),
            std::numeric_limits<std::int32_t>::min());
}

TEST(RecordWalk, gives_back_what_was_built_with_nulls_apart_from_empties) {
  const std::vector<RecordHeader> headers = {
      {"a", as_bytes("1")}, {"", std::nullopt}, {"b", as_bytes("")}};
  BatchBuilder builder({.base_offset = Offset(100)});
  builder.append(5000, as_bytes("k"), as_bytes("v"), headers);
  builder.append(4000, std::nullopt, std::nullopt);
  builder.append(9000, as_bytes(""), as_bytes(""));
  const auto batch = *RecordBatch::parse(builder.finish());
  EXPECT_EQ(batch.max_timestamp(), 9000);
  EXPECT_EQ(batch.base_timestamp(), 5000);

  RecordWalk walk(batch, batch.payload());
  const auto first = *walk.next();
  EXPECT_EQ(first.offset, Offset(100));
  EXPECT_EQ(first.timestamp, 5000);
  EXPECT_EQ(as_text(*first.key), "k");
  EXPECT_EQ(as_text(*first.value), "v");
  HeaderWalk header_walk(first);
  EXPECT_EQ(header_walk.next().key, "a");
  const auto null_header = header_walk.next();
  EXPECT_EQ(null_header.key, "");
  EXPECT_FALSE(null_header.value);
  EXPECT_EQ(as_text(*header_walk.next().value), "");
  EXPECT_TRUE(header_walk.at_end());

  const auto second = *walk.next();
  EXPECT_EQ(second.timestamp, 4000);
  EXPECT_FALSE(second.key);
  EXPECT_FALSE(second.value);
  const auto third = *walk.next();
  EXPECT_TRUE(third.key && third.key->empty());
  EXPECT_TRUE(third.value && third.value->empty());
  EXPECT_TRUE(walk.at_end());
}

TEST(RecordWalk, log_append_time_overrides_the_records_own) {
  BatchBuilder builder({.timestamp_type = TimestampType::log_append_time, .append_time = 70});
  builder.append(5, std::nullopt, as_bytes("v"));
  const auto batch = *RecordBatch::parse(builder.finish());
  RecordWalk walk(batch, batch.payload());
  EXPECT_EQ(walk.next()->timestamp, 70);
}

TEST(RecordScan, finds_the_first_record_with_the_largest_timestamp) {
  BatchBuilder builder;
  for (const std::int64_t timestamp : {10, 30, 20, 30})
    builder.append(timestamp, {}, as_bytes("v"));
  const auto batch = *RecordBatch::parse(builder.finish());
  const auto scan = scan_records(batch, batch.payload(), nullptr);
  ASSERT_TRUE(scan);
  EXPECT_EQ(scan->max_timestamp, 30);
  EXPECT_EQ(scan->offset_delta_of_max_timestamp, 1);
  EXPECT_TRUE(scan->deltas_consecutive);
}

TEST(RecordScan, sees_gaps_between_offset_deltas) {
  BatchBuilder builder;
  builder.append_at(0, 1, {}, as_bytes("v"));
  builder.append_at(2, 1, {}, as_bytes("v"));
  const auto batch = *RecordBatch::parse(builder.finish());
  EXPECT_FALSE(scan_records(batch, batch.payload(), nullptr)->deltas_consecutive);
}

// Hands out a payload in pieces of a given size.
class Pieces final : public PayloadReader {
 public:
  Pieces(ConstBytes bytes, std::size_t piece) : bytes_(bytes), piece_(piece) {}
  Result<ConstBytes> next() override {
    const auto piece = bytes_.first(std::min(piece_, bytes_.size()));
    bytes_ = bytes_.subspan(piece.size());
    return piece;
  }

 private:
  ConstBytes bytes_;
  std::size_t piece_;
};

// Every byte of a payload is overwritten with several values; whatever happens, the two ways of
// scanning and the walk agree, and none reads outside of the payload (the address sanitizer looks
// on).
TEST(RecordScan, whole_and_piecewise_scans_agree_on_every_mutation) {
  BatchBuilder builder;
  const std::vector<RecordHeader> headers = {{"name", as_bytes("content")}, {"n", std::nullopt}};
  for (int i = 0; i < 4; ++i)
    builder.append(1000 * i, as_bytes("key"), as_bytes("some value"), headers);
  const auto bytes = builder.finish();
  const auto batch = *RecordBatch::parse(bytes);
  const ConstBytes payload = batch.payload();
  int refused = 0;
  for (std::size_t at = 0; at < payload.size(); ++at) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      // In a block of exactly its size, so that a read beyond it is seen.
      std::vector<std::byte> mutated(payload.begin(), payload.end());
      mutated[at] = static_cast<std::byte>(value);
      const auto whole = scan_records(batch, mutated, nullptr);
      for (const std::size_t piece : {1, 3, 64}) {
        Pieces pieces(mutated, piece);
        const auto piecewise = scan_records(batch, pieces, nullptr);
        ASSERT_EQ(whole.has_value(), piecewise.has_value()) << at << " " << value;
        if (whole) EXPECT_EQ(whole->max_timestamp, piecewise->max_timestamp);
      }
      RecordWalk walk(batch, mutated);
      bool walked = true;
      while (walked && !walk.at_end()) {
        const auto record = walk.next();
        walked = record.has_value();
        if (!walked) break;
        for (HeaderWalk header_walk(*record); !header_walk.at_end();) header_walk.next();
      }
      EXPECT_EQ(walked, whole.has_value()) << at << " " << value;
      refused += walked ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(RecordScan, too_few_and_too_many_records_are_malformed) {
  BatchBuilder builder;
  builder.append(1, {}, as_bytes("v"));
  builder.append(1, {}, as_bytes("v"));
  const auto bytes = builder.finish();
  for (const std::int32_t count : {1, 3, 1 << 30}) {
    store_big_endian(bytes.data() + batch_field::kRecordCount, count);
    const auto batch = *RecordBatch::parse(bytes);
    EXPECT_EQ(scan_records(batch, batch.payload(), nullptr).error(), Errc::malformed) << count;
  }
}

RC_GTEST_PROP(BatchBuilderProperty, records_survive_the_trip, ()) {
  using Text = rc::Maybe<std::string>;
  const auto expected = *rc::gen::nonEmpty<std::vector<std::tuple<std::int64_t, Text, Text>>>();
  const auto base = *rc::gen::inRange<std::int64_t>(0, 1 << 30);
  const auto view = [](const Text& text) -> std::optional<ConstBytes> {
    if (!text) return std::nullopt;
    return as_bytes(*text);
  };
  BatchBuilder builder({.base_offset = Offset(base)});
  for (const auto& [timestamp, key, value] : expected) {
    // Timestamps are kept as differences.
    builder.append(timestamp / 4, view(key), view(value));
  }
  const auto bytes = builder.finish();
  const auto batch = *RecordBatch::parse(bytes);
  RC_ASSERT(batch.verify().has_value());
  RC_ASSERT(batch.end_offset() == Offset(base + static_cast<std::int64_t>(expected.size())));
  RecordWalk walk(batch, batch.payload());
  for (const auto& [timestamp, key, value] : expected) {
    const auto got = walk.next();
    RC_ASSERT(got.has_value());
    RC_ASSERT(got->timestamp == timestamp / 4);
    RC_ASSERT(got->key.has_value() == static_cast<bool>(key));
    RC_ASSERT(got->value.has_value() == static_cast<bool>(value));
    if (key) RC_ASSERT(as_text(*got->key) == *key);
    if (value) RC_ASSERT(as_text(*got->value) == *value);
  }
  RC_ASSERT(walk.at_end());
}

}  // namespace
}  // namespace millrace::log
