// Which read of old data goes to the disk next, and how much of it, while writes are waited for and while none are.
#include "io/background_reads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <vector>

namespace millrace::io {
namespace {

constexpr std::uint64_t kPiece = BackgroundReads::kPieceBytes;
constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
constexpr FileHandle kFile{7};

class BackgroundReadsTest : public testing::Test {
 protected:
  using Read = BackgroundReads::Read;

  void durable_write() {
    writes->begin(now);
    writes->end();
  }
  void add(Read& read, std::uint64_t position, std::uint64_t length) { reads.add(read, kFile, position, length, now); }
  std::optional<std::int64_t> end_whole(Read& read) {
    std::erase(at_disk, &read);
    return reads.ended(read, static_cast<std::int64_t>(read.piece), now);
  }

  Instant now{std::chrono::hours(1)};
  std::shared_ptr<DurableWrites> writes = std::make_shared<DurableWrites>();
  std::vector<Read*> at_disk;
  BackgroundReads reads{writes, 2, [this](Read& read) { at_disk.push_back(&read); }};
};

TEST_F(BackgroundReadsTest, a_range_is_read_whole_where_no_write_is_waited_for) {
  Read read;
  add(read, 100, kMebibyte);
  ASSERT_EQ(at_disk, std::vector{&read});
  EXPECT_EQ(read.position, 100u);
  EXPECT_EQ(read.piece, kMebibyte);
  EXPECT_FALSE(read.in_pieces);
  EXPECT_EQ(end_whole(read), static_cast<std::int64_t>(kMebibyte));
}

TEST_F(BackgroundReadsTest, two_ranges_are_read_at_once_and_the_third_waits) {
  std::array<Read, 3> all;
  for (Read& read : all) add(read, 0, kMebibyte);
  EXPECT_EQ(at_disk.size(), 2u);
  EXPECT_EQ(reads.waiting(), 1u);
  EXPECT_TRUE(end_whole(all[0]));
  EXPECT_EQ(at_disk.back(), &all[2]);
}

TEST_F(BackgroundReadsTest, beside_durable_writes_one_piece_is_at_the_disk_and_no_more) {
  durable_write();
  std::array<Read, 3> all;
  for (Read& read : all) add(read, 4096, kMebibyte);
  std::vector<std::int64_t> whole;
  std::uint64_t pieces = 0;
  while (!at_disk.empty()) {
    ASSERT_EQ(at_disk.size(), 1u);
    Read& read = *at_disk.front();
    ASSERT_LE(read.piece, kPiece);
    ASSERT_TRUE(read.in_pieces);
    ++pieces;
    if (const auto result = end_whole(read)) whole.push_back(*result);
  }
  EXPECT_EQ(whole, std::vector<std::int64_t>(3, kMebibyte));
  EXPECT_EQ(pieces, 3 * (kMebibyte / kPiece + 1)) << "a range that begins inside of a piece ends inside of one";
}

TEST_F(BackgroundReadsTest, pieces_end_where_the_files_pieces_do) {
  durable_write();
  Read read;
  add(read, kPiece - 1000, 3 * kPiece);
  std::vector<std::uint64_t> ends;
  while (!at_disk.empty()) {
    ends.push_back(read.position + read.piece);
    (void)end_whole(read);
  }
  EXPECT_EQ(ends, (std::vector<std::uint64_t>{kPiece, 2 * kPiece, 3 * kPiece, 4 * kPiece - 1000}));
}

TEST_F(BackgroundReadsTest, readers_take_turns_piece_by_piece) {
  durable_write();
  std::array<Read, 2> all;
  for (Read& read : all) add(read, 0, 4 * kPiece);
  std::vector<Read*> order;
  while (!at_disk.empty()) {
    order.push_back(at_disk.front());
    (void)end_whole(*at_disk.front());
  }
  EXPECT_EQ(order, (std::vector<Read*>{&all[0], &all[1], &all[0], &all[1], &all[0], &all[1], &all[0], &all[1]}));
}

TEST_F(BackgroundReadsTest, a_read_under_way_goes_on_in_pieces_once_writes_come_and_whole_once_they_have_ended) {
  Read first;
  add(first, 0, kMebibyte);
  durable_write();
  Read second;
  add(second, 0, kMebibyte);
  EXPECT_EQ(at_disk.size(), 1u) << "beside durable writes there is one at the disk";
  EXPECT_TRUE(end_whole(first));
  ASSERT_EQ(at_disk, std::vector{&second});
  EXPECT_EQ(second.piece, kPiece);
  now += DurableWrites::kExpected;
  EXPECT_FALSE(end_whole(second));
  EXPECT_EQ(second.piece, kMebibyte - kPiece);
  EXPECT_FALSE(second.in_pieces);
  EXPECT_EQ(end_whole(second), static_cast<std::int64_t>(kMebibyte));
}

TEST_F(BackgroundReadsTest, the_end_of_the_file_ends_a_read_and_what_was_read_counts) {
  durable_write();
  Read read;
  add(read, 0, 3 * kPiece);
  EXPECT_FALSE(end_whole(read));
  at_disk.clear();
  EXPECT_EQ(reads.ended(read, 5000, now), static_cast<std::int64_t>(kPiece) + 5000);
  EXPECT_TRUE(at_disk.empty());
}

TEST_F(BackgroundReadsTest, more_bytes_than_a_piece_has_are_not_counted) {
  Read read;
  add(read, 0, 1000);
  EXPECT_EQ(reads.ended(read, 65'536, now), 1000);
}

TEST_F(BackgroundReadsTest, an_error_ends_a_read_and_the_next_one_goes_on) {
  durable_write();
  std::array<Read, 2> all;
  for (Read& read : all) add(read, 0, kMebibyte);
  EXPECT_FALSE(end_whole(all[0]));
  EXPECT_EQ(at_disk, std::vector{&all[1]});
  at_disk.clear();
  EXPECT_EQ(reads.ended(all[1], -EIO, now), -EIO);
  EXPECT_EQ(at_disk, std::vector{&all[0]});
}

TEST_F(BackgroundReadsTest, what_waits_is_taken_back_and_what_runs_ends_with_its_piece) {
  durable_write();
  std::array<Read, 2> all;
  for (Read& read : all) add(read, 0, kMebibyte);
  EXPECT_TRUE(reads.cancel(all[1]));
  EXPECT_EQ(reads.waiting(), 0u);
  EXPECT_FALSE(reads.cancel(all[0]));
  EXPECT_EQ(end_whole(all[0]), -ECANCELED);
  EXPECT_TRUE(at_disk.empty());
}

TEST(BoundedFiles, the_kernel_is_told_of_each_open_file_once) {
  BoundedFiles files;
  constexpr FileHandle kOther{8};
  constexpr FileHandle kLarge{1'000'000};
  files.opened(kFile);
  EXPECT_TRUE(files.bound(kFile));
  EXPECT_FALSE(files.bound(kFile));
  EXPECT_TRUE(files.bound(kOther));
  files.unbounded(kFile);
  EXPECT_TRUE(files.bound(kFile));
  files.opened(kFile);
  EXPECT_TRUE(files.bound(kFile)) << "another file has the number now";
  EXPECT_TRUE(files.bound(kLarge));
  EXPECT_TRUE(files.bound(kLarge)) << "a number without a place in the table is told of every time";
}

TEST(DurableWrites, none_are_expected_before_the_first_and_a_second_after_the_last) {
  DurableWrites writes;
  const Instant start{Duration::zero()};
  EXPECT_FALSE(writes.expected(start));
  writes.begin(start);
  EXPECT_TRUE(writes.under_way());
  writes.end();
  EXPECT_FALSE(writes.under_way());
  EXPECT_TRUE(writes.expected(start));
  EXPECT_TRUE(writes.expected(start + DurableWrites::kExpected - Duration(1)));
  EXPECT_FALSE(writes.expected(start + DurableWrites::kExpected));
}

}  // namespace
}  // namespace millrace::io
