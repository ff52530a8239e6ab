// What validation asks of the allocator: nothing per record, and nothing per batch once it is warm.
#include <gtest/gtest.h>

#include <string>

#include "engine/log/compression.h"
#include "engine/log/format/append_validation.h"
#include "engine/log/producer_state.h"
#include "tests/support/alloc_counter.h"

namespace millrace::log {
namespace {

constexpr WallTime kNow{1'700'000'000'000};

std::vector<std::byte> batch_of(int records, Codec codec, Codecs& codecs, std::int32_t sequence) {
  BatchBuilder builder(
      {.producer_id = ProducerId(7), .producer_epoch = 0, .base_sequence = sequence});
  for (int i = 0; i < records; ++i) {
    builder.append(kNow.ms, as_bytes("key"), as_bytes(std::string(100, 'v')));
  }
  const auto bytes = *builder.finish(codecs, codec, kDefaultCompressionLevel);
  return {bytes.begin(), bytes.end()};
}

TEST(Allocation, validating_a_batch_of_any_codec_allocates_nothing_once_warm) {
  if (!counts_allocations()) GTEST_SKIP() << "allocations are not counted in this build";
  Compression codecs;
  AppendWorkspace workspace(codecs);
  AppendRules rules;
  rules.compacted = true;
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    auto batch = batch_of(1000, codec, codecs, 0);
    ASSERT_TRUE(validate_for_append(batch, rules, kNow, workspace));
    const auto before = allocations();
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(validate_for_append(batch, rules, kNow, workspace));
    }
    EXPECT_EQ(allocations(), before) << to_string(codec);
  }
}

TEST(Allocation, a_known_producer_costs_nothing_per_batch) {
  if (!counts_allocations()) GTEST_SKIP() << "allocations are not counted in this build";
  Compression codecs;
  std::vector<std::vector<std::byte>> batches;
  for (int i = 0; i < 20; ++i) batches.push_back(batch_of(1, Codec::none, codecs, i));
  ProducerState producers;
  ASSERT_TRUE(producers.apply(*RecordBatch::parse(batches[0])));
  const auto before = allocations();
  for (std::size_t i = 1; i < batches.size(); ++i) {
    const auto batch = *RecordBatch::parse(batches[i]);
    ASSERT_TRUE(producers.check(batch, ProducerState::Source::client));
    ASSERT_TRUE(producers.apply(batch));
  }
  EXPECT_EQ(allocations(), before);
}

}  // namespace
}  // namespace millrace::log
