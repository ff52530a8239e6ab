// What compaction does to batches: by transcripts (*.txt beside this file), and against the obvious model of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "base/prng.h"
#include "engine/log/compaction/cleaning_plan.h"
#include "tests/support/transcript.h"
#include "tests/unit/engine/log/compaction/compacted_batches.h"

namespace millrace::log {
namespace {

using tests::TranscriptCommand;

// "a:1" is key and value, "a" a tombstone, ":1" a record without a key.
KeyedRecord record_of(const std::string& word, std::int64_t timestamp) {
  KeyedRecord record{.timestamp = timestamp};
  const auto colon = word.find(':');
  if (colon != 0) record.key = word.substr(0, colon);
  if (colon != std::string::npos) record.value = word.substr(colon + 1);
  return record;
}

class Transcript {
 public:
  std::string handle(const TranscriptCommand& command) {
    if (command.name == "append") return append(command);
    if (command.name == "marker") return marker(command);
    if (command.name == "clean") return clean(command);
    if (command.name == "known") {
      last_of_producer_[ProducerId(command.number("producer"))] = Offset(command.number("last"));
      return {};
    }
    return "unknown command";
  }

 private:
  std::string append(const TranscriptCommand& command) {
    CompactedBatches::Appended batch;
    batch.options.producer_id = ProducerId(command.number("producer", -1));
    batch.options.producer_epoch = static_cast<std::int16_t>(command.has("producer") ? 0 : -1);
    batch.options.base_sequence = static_cast<std::int32_t>(command.number("sequence", -1));
    batch.options.transactional = !command.words.empty() && command.words.front() == "transactional";
    batch.codec = *codec_from_string(command.text("codec", "none"));
    std::int64_t timestamp = command.number("at", 100);
    for (const auto& word : command.list("records")) batch.records.push_back(record_of(word, timestamp++));
    log_.append(batch);
    return {};
  }
  std::string marker(const TranscriptCommand& command) {
    log_.append_marker(ProducerId(command.number("producer")), 0, command.text("type") == "commit",
                       command.number("at", 100));
    return {};
  }
  std::string clean(const TranscriptCommand& command) {
    const auto end = log_.clean({.now = WallTime{command.number("now")},
                                 .delete_retention_ms = command.number("delete_retention", 1000),
                                 .map_bytes = static_cast<std::uint64_t>(command.number("map_bytes", 1 << 20)),
                                 .last_of_producer = last_of_producer_});
    if (!end) return end.error().message;
    std::string text = fmt::format("cleaned_end={}\n", end->value());
    for (const auto& batch : log_.batches()) text += log_.text_of(batch) + "\n";
    return text;
  }

  CompactedBatches log_;
  std::map<ProducerId, Offset> last_of_producer_;
};

void run(const std::string& name) {
  Transcript transcript;
  tests::run_transcript("tests/unit/engine/log/compaction/" + name + ".txt",
                        [&](const TranscriptCommand& command) { return transcript.handle(command); });
}

TEST(CompactionTranscript, latest_values) { run("latest_values"); }
TEST(CompactionTranscript, tombstones) { run("tombstones"); }
TEST(CompactionTranscript, small_map) { run("small_map"); }
TEST(CompactionTranscript, producers) { run("producers"); }
TEST(CompactionTranscript, transactions) { run("transactions"); }

// ---- Against a model

struct Model {
  std::vector<KeyedRecord> sent;

  std::map<std::string, KeyedRecord> latest() const {
    std::map<std::string, KeyedRecord> latest;
    for (const auto& record : sent) {
      if (record.key) latest[*record.key] = record;
    }
    return latest;
  }
};

void append_random(CompactedBatches& log, Model& model, Prng& random, std::int64_t now) {
  CompactedBatches::Appended batch;
  batch.codec = random.chance(3) ? static_cast<Codec>(1 + random.below(4)) : Codec::none;
  if (random.chance(4)) {
    batch.options.timestamp_type = TimestampType::log_append_time;
    batch.options.append_time = now;
  }
  const bool append_time = batch.options.timestamp_type == TimestampType::log_append_time;
  const std::uint64_t count = 1 + random.below(6);
  for (std::uint64_t i = 0; i < count; ++i) {
    KeyedRecord record{.offset = log.end() + static_cast<std::int64_t>(i),
                       .timestamp = append_time ? now : now - static_cast<std::int64_t>(random.below(50)),
                       .key = fmt::format("key {}", random.below(25))};
    if (!random.chance(5)) record.value = fmt::format("value {}", random.next());
    batch.records.push_back(record);
    model.sent.push_back(record);
  }
  log.append(batch);
}

void compare(CompactedBatches& log, const Model& model, Offset cleaned_end) {
  const auto there = log.records();
  ASSERT_TRUE(there) << there.error().message;
  std::map<std::string, KeyedRecord> kept;
  Offset next{0};
  for (const auto& record : *there) {
    ASSERT_GE(record.offset, next) << "out of order";
    next = record.offset + 1;
    ASSERT_EQ(record, model.sent[static_cast<std::size_t>(record.offset.value())]) << "a record that was never sent";
    const bool again = kept.contains(*record.key) && kept[*record.key].offset < cleaned_end;
    ASSERT_FALSE(again && record.offset < cleaned_end) << "two records of one key below the cleaned end";
    kept[*record.key] = record;
  }
  for (const auto& [key, record] : model.latest()) {
    if (!record.value && !kept.contains(key)) continue;  // a tombstone whose time has passed
    ASSERT_TRUE(kept.contains(key)) << key;
    ASSERT_EQ(kept[key], record) << key;
  }
  const auto last = RecordBatch::parse(log.batches().back());
  ASSERT_EQ(last->end_offset(), log.end());
}

TEST(Compaction, keeps_the_latest_record_of_every_key_and_makes_none_up) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Prng random(seed);
    CompactedBatches log;
    Model model;
    std::int64_t now = 10'000;
    for (int round = 0; round < 8; ++round) {
      const std::uint64_t batches = 1 + random.below(12);
      for (std::uint64_t i = 0; i < batches; ++i) append_random(log, model, random, now += 10);
      const auto end = log.clean({.now = WallTime{now},
                                  .delete_retention_ms = static_cast<std::int64_t>(random.below(300)),
                                  .map_bytes = random.chance(2) ? std::uint64_t{160} : std::uint64_t{1} << 16,
                                  .records_per_step = 1 + random.below(9)});
      ASSERT_TRUE(end) << end.error().message;
      compare(log, model, *end);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Compaction, removes_a_tombstone_once_its_retention_has_passed_and_not_before) {
  CompactedBatches log;
  log.append({.records = {{.key = "a", .value = "1"}, {.key = "a"}}});
  log.append({.records = {{.key = "b", .value = "1"}}});
  ASSERT_TRUE(log.clean({.now = WallTime{1000}, .delete_retention_ms = 500}));
  EXPECT_EQ(log.records()->size(), 2U);
  ASSERT_TRUE(log.clean({.now = WallTime{1499}, .delete_retention_ms = 500}));
  EXPECT_EQ(log.records()->size(), 2U);
  ASSERT_TRUE(log.clean({.now = WallTime{1500}, .delete_retention_ms = 500}));
  ASSERT_EQ(log.records()->size(), 1U);
  EXPECT_EQ(log.records()->front().key, "b");
}

// ---- The map of keys

TEST(KeyHash, agrees_with_the_reference_vectors_of_siphash_2_4_with_128_bits) {
  const HashSecret secret{.first = 0x0706050403020100ULL, .second = 0x0f0e0d0c0b0a0908ULL};
  EXPECT_EQ(hash_key({}, secret), (KeyHash{0xe6a825ba047f81a3ULL, 0x930255c71472f66dULL}));
  const std::byte zero{0};
  EXPECT_EQ(hash_key(ConstBytes(&zero, 1), secret), (KeyHash{0x44af996bd8c187daULL, 0x45fc229b11597634ULL}));
}

TEST(OffsetMap, gives_the_last_offset_of_each_key) {
  OffsetMap map({.first_offset = Offset(1000), .keys_expected = 10'000});
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(map.put(as_bytes(fmt::format("k{}", i % 3000)), Offset(1000 + i)));
  EXPECT_EQ(map.size(), 3000U);
  EXPECT_EQ(map.find(as_bytes(std::string("k0"))), Offset(10'000));
  EXPECT_EQ(map.find(as_bytes(std::string("k2999"))), Offset(9999));
  EXPECT_EQ(map.find(as_bytes(std::string("k3000"))), std::nullopt);
}

TEST(OffsetMap, refuses_a_new_key_when_full_and_still_takes_a_known_one) {
  OffsetMap map({.keys_expected = 1 << 20, .bytes_max = 160});
  std::set<std::string> taken;
  for (int i = 0; i < 100; ++i) {
    const std::string key = fmt::format("k{}", i);
    if (map.put(as_bytes(key), Offset(i))) taken.insert(key);
  }
  EXPECT_EQ(taken.size(), 9U);
  EXPECT_EQ(map.size(), map.keys_max());
  EXPECT_TRUE(map.put(as_bytes(*taken.begin()), Offset(500)));
  EXPECT_EQ(map.find(as_bytes(*taken.begin())), Offset(500));
}

TEST(OffsetMap, takes_no_more_memory_than_its_keys_need) {
  OffsetMap map({.keys_expected = 100});
  EXPECT_TRUE(map.put(as_bytes(std::string("k")), Offset(0)));
  EXPECT_LE(map.bytes(), 65'536U);
  OffsetMap bounded({.keys_expected = std::uint64_t{1} << 40, .bytes_max = std::uint64_t{1} << 20});
  for (int i = 0; i < 50'000; ++i) ASSERT_TRUE(bounded.put(as_bytes(std::to_string(i)), Offset(i)));
  EXPECT_LE(bounded.bytes(), std::uint64_t{1} << 20);
}

TEST(OffsetMap, is_full_for_an_offset_too_far_from_its_first) {
  OffsetMap map({.keys_expected = 100});
  EXPECT_FALSE(map.put(as_bytes(std::string("k")), Offset(std::int64_t{1} << 32)));
  EXPECT_EQ(map.find(as_bytes(std::string("k"))), std::nullopt);
}

// ---- The plan

std::vector<CleanableSegment> four_segments() {
  return {{.base_offset = Offset(0), .end_offset = Offset(10), .bytes = 100, .youngest_ms = 1000, .first_ms = 900},
          {.base_offset = Offset(10), .end_offset = Offset(20), .bytes = 100, .youngest_ms = 2000, .first_ms = 1900},
          {.base_offset = Offset(20), .end_offset = Offset(30), .bytes = 100, .youngest_ms = 3000, .first_ms = 2900},
          {.base_offset = Offset(30), .end_offset = Offset(35), .bytes = 50}};
}

TEST(CleaningPlan, leaves_the_active_segment_alone) {
  const auto plan = plan_cleaning(four_segments(), {.limit = Offset(35)}, WallTime{10'000});
  EXPECT_EQ(plan.first_dirty, Offset(0));
  EXPECT_EQ(plan.first_uncleanable, Offset(30));
  EXPECT_EQ(plan.dirty_bytes, 300U);
}

TEST(CleaningPlan, stops_before_the_segment_of_the_last_stable_offset) {
  EXPECT_EQ(plan_cleaning(four_segments(), {.limit = Offset(29)}, WallTime{0}).first_uncleanable, Offset(20));
  EXPECT_EQ(plan_cleaning(four_segments(), {.limit = Offset(20)}, WallTime{0}).first_uncleanable, Offset(20));
  EXPECT_TRUE(plan_cleaning(four_segments(), {.limit = Offset(5)}, WallTime{0}).nothing());
}

TEST(CleaningPlan, is_due_above_the_dirty_ratio_only) {
  const CleaningRules rules{.cleaned_end = Offset(20), .limit = Offset(35)};
  const auto plan = plan_cleaning(four_segments(), rules, WallTime{10'000});
  EXPECT_EQ(plan.clean_bytes, 200U);
  EXPECT_EQ(plan.dirty_bytes, 100U);
  EXPECT_FALSE(plan.due(rules));
  EXPECT_TRUE(plan.due({.dirty_ratio_min = 0.3}));
}

TEST(CleaningPlan, is_due_when_a_record_waits_longer_than_the_longest_lag) {
  CleaningRules rules{.lag_max_ms = 7000, .cleaned_end = Offset(20), .limit = Offset(35)};
  EXPECT_FALSE(plan_cleaning(four_segments(), rules, WallTime{9900}).due(rules));
  EXPECT_TRUE(plan_cleaning(four_segments(), rules, WallTime{9901}).due(rules));
}

TEST(CleaningPlan, leaves_segments_younger_than_the_shortest_lag) {
  const CleaningRules rules{.lag_min_ms = 500, .limit = Offset(35)};
  EXPECT_EQ(plan_cleaning(four_segments(), rules, WallTime{2400}).first_uncleanable, Offset(10));
  EXPECT_EQ(plan_cleaning(four_segments(), rules, WallTime{2500}).first_uncleanable, Offset(20));
}

TEST(CleaningPlan, begins_at_the_log_start_when_the_checkpoint_cannot_be_true) {
  const auto behind = plan_cleaning(four_segments(), {.cleaned_end = Offset(36), .limit = Offset(35)}, WallTime{0});
  EXPECT_TRUE(behind.reset);
  EXPECT_EQ(behind.first_dirty, Offset(0));
  const auto below = plan_cleaning(
      four_segments(), {.log_start_offset = Offset(12), .cleaned_end = Offset(3), .limit = Offset(35)}, WallTime{0});
  EXPECT_TRUE(below.reset);
  EXPECT_EQ(below.first_dirty, Offset(12));
}

TEST(CleaningPlan, groups_segments_up_to_the_size_of_one) {
  EXPECT_THAT(group_segments(four_segments(), {.bytes_max = 200}), testing::ElementsAre(2, 2));
  EXPECT_THAT(group_segments(four_segments(), {.bytes_max = 50}), testing::ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(group_segments(four_segments(), {.bytes_max = 1000, .segments_max = 3}), testing::ElementsAre(3, 1));
}

TEST(CleaningPlan, does_not_group_offsets_that_an_index_cannot_hold) {
  auto segments = four_segments();
  segments[2].end_offset = Offset(std::int64_t{1} << 32);
  segments[3].base_offset = segments[2].end_offset;
  segments[3].end_offset = segments[3].base_offset + 5;
  EXPECT_THAT(group_segments(segments, {.bytes_max = 1000}), testing::ElementsAre(2, 1, 1));
}

}  // namespace
}  // namespace millrace::log
