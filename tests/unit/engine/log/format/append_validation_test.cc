#include "engine/log/format/append_validation.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "engine/log/compression.h"
#include "engine/log/format/record.h"

namespace millrace::log {
namespace {

constexpr WallTime kNow{1'700'000'000'000};

class AppendValidation : public testing::Test {
 protected:
  std::vector<std::byte> build(const std::function<void(BatchBuilder&)>& fill,
                               Codec codec = Codec::none, const BatchOptions& options = {}) {
    BatchBuilder builder(options);
    fill(builder);
    const auto bytes = *builder.finish(codecs, codec, kDefaultCompressionLevel);
    return {bytes.begin(), bytes.end()};
  }
  std::vector<std::byte> plain(int records, Codec codec = Codec::none,
                               const BatchOptions& options = {}) {
    return build(
        [&](BatchBuilder& builder) {
          for (int i = 0; i < records; ++i) {
            builder.append(kNow.ms - 100 + i, as_bytes("key"), as_bytes(std::string(50, 'v')));
          }
        },
        codec, options);
  }
  Result<ValidatedBatch> validate(std::vector<std::byte>& bytes) {
    return validate_for_append(bytes, rules, kNow, workspace);
  }
  Errc error_of(std::vector<std::byte> bytes) {
    const auto before = bytes;
    const auto validated = validate(bytes);
    EXPECT_FALSE(validated);
    EXPECT_EQ(bytes, before) << "a refused batch must stay as it came";
    return validated ? Errc::closed : validated.error().code;
  }
  template <class T>
  static std::vector<std::byte> patched(std::vector<std::byte> bytes, std::size_t at, T value) {
    store_big_endian(bytes.data() + at, value);
    set_crc(bytes);
    return bytes;
  }

  Compression codecs;
  AppendWorkspace workspace{codecs};
  AppendRules rules;
};

TEST_F(AppendValidation, a_good_batch_of_any_codec_stays_byte_for_byte) {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    auto bytes = plain(10, codec);
    const auto before = bytes;
    const auto validated = validate(bytes);
    ASSERT_TRUE(validated) << to_string(codec) << validated.error().message;
    EXPECT_FALSE(validated->rebuilt);
    EXPECT_EQ(bytes, before);
    EXPECT_EQ(validated->bytes.data(), bytes.data());
    EXPECT_EQ(validated->record_count, 10);
    EXPECT_EQ(validated->max_timestamp, kNow.ms - 91);
    EXPECT_EQ(validated->offset_delta_of_max_timestamp, 9);
    EXPECT_EQ(validated->append_time, kNoTimestamp);
  }
}

TEST_F(AppendValidation, nothing_torn_and_doubled_batches_are_malformed) {
  EXPECT_EQ(error_of({}), Errc::malformed);
  auto torn = plain(3);
  torn.pop_back();
  EXPECT_EQ(error_of(torn), Errc::malformed);
  auto twice = plain(1);
  const auto copy = twice;
  twice.insert(twice.end(), copy.begin(), copy.end());
  EXPECT_EQ(error_of(twice), Errc::malformed);
  auto trailing = plain(1);
  trailing.push_back(std::byte{0});
  EXPECT_EQ(error_of(trailing), Errc::malformed);
}

TEST_F(AppendValidation, old_formats_are_named_as_unsupported) {
  auto bytes = plain(1);
  bytes[batch_field::kMagic] = std::byte{1};
  EXPECT_EQ(error_of(bytes), Errc::unsupported);
}

TEST_F(AppendValidation, a_batch_over_max_message_bytes_is_too_large) {
  auto bytes = plain(10);
  rules.max_message_bytes = bytes.size();
  EXPECT_TRUE(validate(bytes));
  rules.max_message_bytes = bytes.size() - 1;
  EXPECT_EQ(error_of(bytes), Errc::too_large);
}

TEST_F(AppendValidation, a_wrong_crc_is_corrupt) {
  auto bytes = plain(2);
  bytes.back() ^= std::byte{1};
  EXPECT_EQ(error_of(bytes), Errc::corrupt);
}

TEST_F(AppendValidation, header_fields_that_lie_are_malformed) {
  const auto good = plain(3);
  EXPECT_EQ(error_of(patched(good, batch_field::kRecordCount, std::int32_t{2})), Errc::malformed);
  EXPECT_EQ(error_of(patched(good, batch_field::kRecordCount, std::int32_t{0})), Errc::malformed);
  EXPECT_EQ(error_of(patched(good, batch_field::kRecordCount, std::int32_t{-1})), Errc::malformed);
  EXPECT_EQ(error_of(patched(good, batch_field::kLastOffsetDelta, std::int32_t{-1})),
            Errc::malformed);
  EXPECT_EQ(error_of(patched(good, batch_field::kLastOffsetDelta,
                             std::numeric_limits<std::int32_t>::max())),
            Errc::malformed);
  EXPECT_EQ(error_of(patched(good, batch_field::kBaseOffset, std::int64_t{5})), Errc::malformed);
  // More records than are there, on both fields.
  auto more = patched(good, batch_field::kRecordCount, std::int32_t{4});
  EXPECT_EQ(error_of(patched(more, batch_field::kLastOffsetDelta, std::int32_t{3})),
            Errc::malformed);
}

TEST_F(AppendValidation, clients_may_not_write_control_batches_but_coordinators_may) {
  const auto control = plain(1, Codec::none, {.control = true});
  EXPECT_EQ(error_of(control), Errc::malformed);
  rules.from_client = false;
  auto bytes = control;
  EXPECT_TRUE(validate(bytes));
}

TEST_F(AppendValidation, clients_may_not_write_to_transactions_but_other_brokers_may) {
  const auto open = plain(1, Codec::none,
                          {.producer_id = ProducerId(7),
                           .producer_epoch = 0,
                           .base_sequence = 0,
                           .transactional = true});
  EXPECT_EQ(error_of(open), Errc::malformed);
  rules.from_client = false;
  auto bytes = open;
  EXPECT_TRUE(validate(bytes));
}

TEST_F(AppendValidation, a_producer_id_needs_an_epoch) {
  EXPECT_EQ(error_of(plain(1, Codec::none, {.producer_id = ProducerId(7), .base_sequence = 0})),
            Errc::malformed);
}

TEST_F(AppendValidation, a_producer_id_needs_a_sequence) {
  EXPECT_EQ(error_of(plain(1, Codec::none, {.producer_id = ProducerId(7), .producer_epoch = 0})),
            Errc::malformed);
  auto bytes = plain(1, Codec::none,
                     {.producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = 0});
  EXPECT_TRUE(validate(bytes));
}

TEST_F(AppendValidation, unknown_codecs_are_unsupported) {
  EXPECT_EQ(error_of(patched(plain(1), batch_field::kAttributes, std::int16_t{5})),
            Errc::unsupported_codec);
  EXPECT_EQ(error_of(patched(plain(1), batch_field::kAttributes, std::int16_t{7})),
            Errc::unsupported_codec);
}

TEST_F(AppendValidation, a_payload_that_its_codec_cannot_open_is_malformed) {
  for (const std::int16_t codec : {1, 2, 3, 4}) {
    EXPECT_EQ(error_of(patched(plain(3), batch_field::kAttributes, codec)), Errc::malformed)
        << codec;
  }
}

TEST_F(AppendValidation, a_compacted_topic_refuses_records_without_key_and_names_them) {
  rules.compacted = true;
  for (const Codec codec : {Codec::none, Codec::zstd}) {
    const auto bytes = build(
        [](BatchBuilder& builder) {
          builder.append(kNow.ms, as_bytes("k"), as_bytes("v"));
          builder.append(kNow.ms, std::nullopt, as_bytes("v"));
          builder.append(kNow.ms, as_bytes(""), as_bytes("v"));
          builder.append(kNow.ms, std::nullopt, as_bytes("v"));
        },
        codec);
    EXPECT_EQ(error_of(bytes), Errc::malformed);
    ASSERT_EQ(workspace.record_errors.size(), 2u);
    EXPECT_EQ(workspace.record_errors[0].batch_index, 1);
    EXPECT_EQ(workspace.record_errors[1].batch_index, 3);
  }
}

TEST_F(AppendValidation, timestamps_outside_of_the_topics_bounds_are_refused) {
  rules.timestamp_before_max_ms = 1000;
  rules.timestamp_after_max_ms = 500;
  const auto at = [&](std::int64_t timestamp) {
    return build([&](BatchBuilder& builder) { builder.append(timestamp, {}, as_bytes("v")); });
  };
  auto oldest = at(kNow.ms - 1000);
  EXPECT_TRUE(validate(oldest));
  auto youngest = at(kNow.ms + 500);
  EXPECT_TRUE(validate(youngest));
  EXPECT_EQ(error_of(at(kNow.ms - 1001)), Errc::invalid_timestamp);
  EXPECT_EQ(error_of(at(kNow.ms + 501)), Errc::invalid_timestamp);
  auto none = at(kNoTimestamp);
  EXPECT_TRUE(validate(none)) << "a record without timestamp has none to refuse";
}

TEST_F(AppendValidation, log_append_time_replaces_the_producers_timestamps) {
  rules.timestamp_type = TimestampType::log_append_time;
  rules.timestamp_before_max_ms = 0;  // does not matter then
  for (const Codec codec : {Codec::none, Codec::lz4}) {
    auto bytes = plain(4, codec);
    const auto validated = validate(bytes);
    ASSERT_TRUE(validated);
    EXPECT_FALSE(validated->rebuilt);
    EXPECT_EQ(validated->append_time, kNow.ms);
    EXPECT_EQ(validated->offset_delta_of_max_timestamp, 3);
    EXPECT_EQ(validated->batch().timestamp_type(), TimestampType::log_append_time);
    EXPECT_EQ(validated->batch().max_timestamp(), kNow.ms);
    EXPECT_TRUE(validated->batch().verify());
  }
}

TEST_F(AppendValidation, a_producer_may_not_claim_log_append_time) {
  const auto claimed = plain(
      1, Codec::none, {.timestamp_type = TimestampType::log_append_time, .append_time = kNow.ms});
  rules.timestamp_type = TimestampType::log_append_time;
  EXPECT_EQ(error_of(claimed), Errc::invalid_timestamp);
  // A topic with create time takes the records at their word and clears the flag, as Kafka does.
  rules.timestamp_type = TimestampType::create_time;
  auto bytes = claimed;
  const auto validated = validate(bytes);
  ASSERT_TRUE(validated);
  EXPECT_EQ(validated->batch().timestamp_type(), TimestampType::create_time);
  EXPECT_TRUE(validated->batch().verify());
}

TEST_F(AppendValidation, a_wrong_max_timestamp_is_corrected) {
  auto bytes = patched(plain(3), batch_field::kMaxTimestamp, std::int64_t{1});
  const auto validated = validate(bytes);
  ASSERT_TRUE(validated);
  EXPECT_EQ(validated->batch().max_timestamp(), kNow.ms - 98);
  EXPECT_TRUE(validated->batch().verify());
}

TEST_F(AppendValidation, the_topics_codec_recompresses_and_keeps_every_record) {
  for (const Codec from : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    for (const Codec to : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
      rules.compression = to;
      auto bytes =
          plain(20, from, {.producer_id = ProducerId(3), .producer_epoch = 1, .base_sequence = 9});
      const auto validated = validate(bytes);
      ASSERT_TRUE(validated);
      EXPECT_EQ(validated->rebuilt, from != to);
      const auto batch = validated->batch();
      EXPECT_TRUE(batch.verify());
      EXPECT_EQ(batch.codec(), to);
      EXPECT_EQ(batch.producer_id(), ProducerId(3));
      EXPECT_EQ(batch.base_sequence(), 9);
      std::vector<std::byte> storage;
      const auto payload = open_payload(batch, codecs, 1 << 20, storage);
      ASSERT_TRUE(payload);
      int records = 0;
      for (RecordWalk walk(batch, *payload); !walk.at_end(); ++records) {
        const auto record = walk.next();
        ASSERT_TRUE(record);
        EXPECT_EQ(record->timestamp, kNow.ms - 100 + records);
        EXPECT_EQ(as_text(*record->key), "key");
      }
      EXPECT_EQ(records, 20);
    }
  }
}

TEST_F(AppendValidation, offset_deltas_with_gaps_are_numbered_anew) {
  for (const Codec codec : {Codec::none, Codec::gzip}) {
    auto bytes = build(
        [](BatchBuilder& builder) {
          builder.append_at(0, kNow.ms, as_bytes("a"), as_bytes("v"));
          builder.append_at(5, kNow.ms + 1, as_bytes("b"), as_bytes("v"));
        },
        codec);
    // The header says what the records do not.
    bytes = patched(bytes, batch_field::kLastOffsetDelta, std::int32_t{1});
    const auto validated = validate(bytes);
    ASSERT_TRUE(validated);
    EXPECT_TRUE(validated->rebuilt);
    const auto batch = validated->batch();
    EXPECT_TRUE(batch.verify());
    EXPECT_EQ(batch.codec(), codec);
    std::vector<std::byte> storage;
    RecordWalk walk(batch, *open_payload(batch, codecs, 1 << 20, storage));
    EXPECT_EQ(walk.next()->offset_delta, 0);
    const auto second = walk.next();
    EXPECT_EQ(second->offset_delta, 1);
    EXPECT_EQ(second->timestamp, kNow.ms + 1);
  }
}

TEST_F(AppendValidation, a_batch_that_opens_to_far_more_than_it_is_allowed_is_too_large) {
  rules.max_message_bytes = std::size_t{2} << 20;
  for (const Codec codec : {Codec::gzip, Codec::lz4, Codec::zstd}) {
    const auto bytes = build(
        [](BatchBuilder& builder) {
          const std::string zeros(std::size_t{40} << 20, '\0');
          builder.append(kNow.ms, {}, as_bytes(zeros));
        },
        codec);
    ASSERT_LT(bytes.size(), rules.max_message_bytes);
    EXPECT_EQ(error_of(bytes), Errc::too_large) << to_string(codec);
  }
}

}  // namespace
}  // namespace millrace::log
