#include "engine/log/index_file.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_proactor.h"
#include "tests/sim/world.h"

namespace millrace::log {
namespace {

constexpr std::int32_t kStep = 100;
const std::string kPath = "/data/0.index";

class IndexFileTest : public testing::Test {
 protected:
  IndexFileTest() : world_(1), disk_(world_.stream("disk")), proactor_(world_, disk_, "proactor") {
    CHECK(disk_.make_directory("/data").has_value());
    index_.begin_anew();
  }

  void append(int count) {
    for (int i = 0; i < count; ++i) {
      const auto nth = static_cast<std::int32_t>(index_.entry_count()) + 1;
      index_.append({.relative_offset = nth, .position = nth * kStep});
    }
  }
  void write_out() { ASSERT_TRUE(index_.write_out(proactor_, kPath)); }
  auto find(std::int32_t position, KeptPages<OffsetIndexEntry>* kept) {
    return index_.find_last(
        proactor_, [] { return kPath; },
        [&](const OffsetIndexEntry& entry) { return entry.position <= position; }, kept);
  }
  // The entry at or before the position, as the entries were made: one for each kStep, the first at kStep.
  std::optional<OffsetIndexEntry> expected(std::int32_t position) {
    const std::int32_t nth = std::min(position / kStep, static_cast<std::int32_t>(index_.entry_count()));
    if (nth == 0) return std::nullopt;
    return OffsetIndexEntry{.relative_offset = nth, .position = nth * kStep};
  }

  sim::World world_;
  sim::SimDisk disk_;
  sim::SimProactor proactor_;
  OffsetIndex index_;
  KeptPages<OffsetIndexEntry> kept_{4};
};

TEST_F(IndexFileTest, a_page_that_was_read_before_is_asked_without_the_file) {
  append(2000);
  write_out();
  ASSERT_TRUE(find(700 * kStep, &kept_));
  ASSERT_TRUE(disk_.remove(kPath));
  const auto again = find(701 * kStep + 5, &kept_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, expected(701 * kStep + 5));
  EXPECT_FALSE(find(1900 * kStep, &kept_)) << "another page";
  EXPECT_FALSE(find(701 * kStep, nullptr)) << "who keeps nothing";
}

TEST_F(IndexFileTest, who_goes_on_to_the_next_page_reads_that_one_alone) {
  append(512 * 64);
  write_out();
  ASSERT_TRUE(find(512 * kStep, &kept_));
  for (std::int32_t page = 1; page < 60; ++page) {
    const std::uint64_t before = proactor_.operations();
    const std::int32_t position = (page * 512 + 300) * kStep;
    const auto found = find(position, &kept_);
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, expected(position));
    EXPECT_LE(proactor_.operations() - before, 3U) << "open, read, close";
  }
}

TEST_F(IndexFileTest, what_is_kept_says_what_the_file_says_however_it_changes) {
  Prng prng(7);
  std::int32_t dropped_from = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::uint64_t draw = prng.below(100);
    if (draw < 6) append(static_cast<int>(prng.below(400)));
    else if (draw < 10) write_out();
    else if (draw < 12 && index_.entry_count() > 0) {
      dropped_from = static_cast<std::int32_t>(prng.below(index_.entry_count()) + 1);
      ASSERT_TRUE(index_.keep_while(proactor_, kPath, [&](const OffsetIndexEntry& entry) {
        return entry.relative_offset < dropped_from;
      }));
    } else if (draw == 12 && round % 10 == 0) {
      index_.begin_anew();
    }
    const auto position = static_cast<std::int32_t>(prng.below((index_.entry_count() + 2) * kStep));
    const auto found = find(position, &kept_);
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(*found, expected(position)) << "round " << round;
  }
}

TEST_F(IndexFileTest, entries_dropped_and_made_anew_are_not_those_that_were_kept) {
  append(1000);
  write_out();
  ASSERT_TRUE(find(900 * kStep, &kept_));
  ASSERT_TRUE(index_.keep_while(proactor_, kPath,
                                [](const OffsetIndexEntry& entry) { return entry.relative_offset <= 800; }));
  for (std::int32_t nth = 801; nth <= 1000; ++nth) {
    index_.append({.relative_offset = nth, .position = nth * kStep + 7});
  }
  write_out();
  const auto found = find(900 * kStep, &kept_);
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->position, 899 * kStep + 7);
}

TEST_F(IndexFileTest, no_more_pages_are_kept_than_may_be) {
  KeptPages<OffsetIndexEntry> two(2);
  append(512 * 4);
  write_out();
  for (const std::int32_t nth : {100, 700, 1200}) ASSERT_TRUE(find(nth * kStep, &two));
  ASSERT_TRUE(disk_.remove(kPath));
  EXPECT_FALSE(find(100 * kStep, &two)) << "not used for longest";
  EXPECT_TRUE(find(700 * kStep, &two));
  EXPECT_TRUE(find(1200 * kStep, &two));
}

}  // namespace
}  // namespace millrace::log
