// Aborted transactions in a log that Apache Kafka has written: what readers of committed records are told of them, whatever
// became of the index beside each segment.
//
// The log is, a batch of one record or a marker at each offset, in two segments:
//   0 of 1   1 of 2   2 -   3 abort 1   4 of 1   5 commit 1   6 of 3   7 abort 2   |   8 -   9 abort 3   10 of 4   11 -
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/control_record.h"
#include "engine/log/format/index_entry.h"
#include "tests/unit/engine/log/recovery_test.h"

namespace millrace::log {
namespace {

using Producers = std::vector<std::int64_t>;

constexpr const char* kNextData = "/data/t-0/00000000000000000008.log";
constexpr const char* kAborted = "/data/t-0/00000000000000000000.txnindex";
constexpr const char* kNextAborted = "/data/t-0/00000000000000000008.txnindex";

std::vector<std::byte> record_of(std::int64_t producer, int offset, std::int32_t sequence = 0) {
  BatchBuilder builder({.base_offset = Offset(offset),
                        .leader_epoch = LeaderEpoch(0),
                        .producer_id = ProducerId(producer),
                        .producer_epoch = 0,
                        .base_sequence = sequence,
                        .transactional = true});
  builder.append(1000 + offset, {}, as_bytes("v" + std::to_string(offset)));
  const auto bytes = builder.finish();
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> marker(std::int64_t producer, ControlType type, int offset) {
  BatchBuilder builder({.base_offset = Offset(offset),
                        .leader_epoch = LeaderEpoch(0),
                        .producer_id = ProducerId(producer),
                        .producer_epoch = 0,
                        .transactional = true,
                        .control = true});
  append_control(builder, 1000 + offset, type, encode(EndTransactionMarker{.type = type}));
  const auto bytes = builder.finish();
  return {bytes.begin(), bytes.end()};
}

class AbortedTransactionsTest : public RecoveryTest {
 protected:
  AbortedTransactionsTest() {
    write(kData, joined({record_of(1, 0), record_of(2, 1), batches(2, 3), marker(1, ControlType::abort, 3),
                         record_of(1, 4, 1), marker(1, ControlType::commit, 5), record_of(3, 6),
                         marker(2, ControlType::abort, 7)}));
    write(kNextData, joined({batches(8, 9), marker(3, ControlType::abort, 9), record_of(4, 10), batches(11, 12)}));
  }

  static std::vector<std::byte> joined(const std::vector<std::vector<std::byte>>& parts) {
    std::vector<std::byte> all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  }
  static std::vector<std::byte> entries(const std::vector<AbortedTransaction>& all) {
    std::vector<std::byte> bytes(all.size() * AbortedTransaction::kBytes);
    for (std::size_t i = 0; i < all.size(); ++i) all[i].store(bytes.data() + i * AbortedTransaction::kBytes);
    return bytes;
  }
  static AbortedTransaction aborted(std::int64_t producer, int first, int last, int stable) {
    return {ProducerId(producer), Offset(first), Offset(last), Offset(stable)};
  }
  // As Kafka writes the indexes of this log.
  static std::vector<std::byte> index() { return entries({aborted(1, 0, 3, 1), aborted(2, 1, 7, 6)}); }
  static std::vector<std::byte> next_index() { return entries({aborted(3, 6, 9, 10)}); }

  void leave_cleanly() {
    write("/data/.kafka_cleanshutdown", as_bytes(R"({"version":0,"brokerEpoch":1})"));
    write("/data/recovery-point-offset-checkpoint", as_bytes("0\n1\nt 0 12\n"));
  }
  std::vector<std::byte> content(const std::string& path) {
    std::vector<std::byte> bytes(size_of(path));
    const auto handle = disk_.open(path, {});
    if (!handle) return bytes;
    CHECK(disk_.read(*handle, 0, bytes).has_value());
    disk_.close(*handle);
    return bytes;
  }
  // Producers of the transactions that come with the records from `from` on: of one segment, and below `end`.
  Producers producers(int from, int end = 12) {
    const ReadLimits limits{.end = Offset(end), .bytes_max = 1 << 20};
    if (log_->is_cold(Offset(from), limits, true)) world_.run(reactor_, log_->warm(Offset(from), limits, true));
    const auto range = log_->read(Offset(from), {.end = Offset(end), .bytes_max = 1 << 20});
    EXPECT_TRUE(range) << range.error().message;
    const auto found = log_->aborted_in(*range);
    EXPECT_TRUE(found) << found.error().message;
    Producers producers;
    if (found) {
      for (const auto& one : *found) producers.push_back(one.producer_id.value());
    }
    return producers;
  }
  // Everything below `end` is on every replica.
  Offset last_stable_at(int end) {
    log_->on_high_watermark(Offset(end));
    return log_->last_stable_offset(Offset(end));
  }
  void expect_all_known() {
    EXPECT_EQ(producers(0), (Producers{1, 2, 3})) << "3 ended in the next segment";
    EXPECT_EQ(producers(4), (Producers{2, 3}));
    EXPECT_EQ(producers(8), (Producers{3}));
    EXPECT_EQ(producers(10), Producers{});
    EXPECT_EQ(content(kAborted), index());
    EXPECT_EQ(content(kNextAborted), next_index());
  }
};

TEST_F(AbortedTransactionsTest, a_range_comes_with_those_that_touch_it_and_no_others) {
  write(kAborted, index());
  write(kNextAborted, next_index());
  leave_cleanly();
  ASSERT_TRUE(open());
  ASSERT_TRUE(node_->was_clean());
  expect_all_known();
  EXPECT_EQ(producers(0, 1), (Producers{1}));
  EXPECT_EQ(producers(0, 2), (Producers{1, 2}));
  EXPECT_EQ(producers(4, 6), (Producers{2})) << "of 1 nothing is aborted here";
}

TEST_F(AbortedTransactionsTest, an_index_is_brought_in_before_it_is_looked_at_where_there_is_one) {
  write(kAborted, index());
  write(kNextAborted, next_index());
  leave_cleanly();
  ASSERT_TRUE(open());
  const ReadLimits limits{.end = Offset(12), .bytes_max = 1 << 20};
  // Where its first batch ends is in mind from then on.
  const auto first = log_->read(Offset(0), {.end = Offset(1), .bytes_max = 1 << 20});
  ASSERT_TRUE(first);
  disk_.faults.cold_one_in = 0;
  EXPECT_FALSE(log_->is_cold(first->end_offset, limits, false));
  EXPECT_TRUE(log_->is_cold(first->end_offset, limits, true));
  world_.run(reactor_, log_->warm(first->end_offset, limits, true));
  EXPECT_EQ(producers(1), (Producers{1, 2, 3}));
  disk_.faults.only = "txnindex";
  disk_.faults.read_error_one_in = 1;
  world_.run(reactor_, log_->warm(Offset(0), limits, true));
  EXPECT_EQ(log_->aborted_in(*log_->read(Offset(0), limits)).error().code, Errc::io_error) << "who looks is told";
}

TEST_F(AbortedTransactionsTest, after_a_clean_stop_the_index_is_believed) {
  write(kAborted, entries({aborted(77, 2, 2, 3)}));
  leave_cleanly();
  ASSERT_TRUE(open());
  EXPECT_EQ(producers(0), (Producers{77}));
}

TEST_F(AbortedTransactionsTest, after_a_crash_the_index_is_what_the_batches_say_whatever_was_there) {
  auto torn = index();
  torn.resize(AbortedTransaction::kBytes - 1);
  const auto first = entries({aborted(1, 0, 3, 1)});
  const auto other = entries({aborted(5, 0, 2, 1), aborted(6, 2, 4, 3), aborted(7, 3, 7, 8)});
  for (const auto& left : {std::vector<std::byte>(), torn, first, other, index()}) {
    write(kAborted, left);
    ASSERT_TRUE(open());
    ASSERT_FALSE(node_->was_clean());
    expect_all_known();
    kill();
  }
}

TEST_F(AbortedTransactionsTest, a_crash_does_not_lose_them_where_the_index_was_never_there) {
  ASSERT_TRUE(open());
  expect_all_known();
}

TEST_F(AbortedTransactionsTest, a_log_without_transactions_gets_no_index) {
  write(kData, batches(0, 8));
  write(kNextData, batches(8, 12));
  ASSERT_TRUE(open());
  EXPECT_EQ(producers(0), Producers{});
  EXPECT_FALSE(exists(kAborted));
  EXPECT_FALSE(exists(kNextAborted));
}

TEST_F(AbortedTransactionsTest, a_damaged_index_is_built_anew_also_after_a_clean_stop) {
  auto torn = index();
  torn.resize(torn.size() - 1);
  auto other_version = index();
  other_version[0] = std::byte{9};
  const auto shuffled = entries({aborted(2, 1, 7, 6), aborted(1, 0, 3, 1)});
  const auto backward = entries({aborted(1, 3, 0, 1), aborted(2, 1, 7, 6)});
  for (const auto& left : {torn, other_version, shuffled, backward}) {
    write(kAborted, left);
    write(kNextAborted, next_index());
    leave_cleanly();
    ASSERT_TRUE(open());
    ASSERT_TRUE(node_->was_clean());
    expect_all_known();
    kill();
  }
}

TEST_F(AbortedTransactionsTest, those_that_end_behind_the_log_are_forgotten) {
  write(kAborted, index());
  write(kNextAborted, entries({aborted(3, 6, 9, 10), aborted(4, 10, 12, 13)}));
  leave_cleanly();
  ASSERT_TRUE(open());
  expect_all_known();
}

TEST_F(AbortedTransactionsTest, a_transaction_of_which_the_end_is_cut_off_is_open_again) {
  ASSERT_TRUE(open());
  EXPECT_EQ(last_stable_at(12), Offset(10)) << "4 is open";
  ASSERT_TRUE(world_.run(reactor_, log_->truncate_to(Offset(7))));
  EXPECT_EQ(content(kAborted), entries({aborted(1, 0, 3, 1)}));
  EXPECT_FALSE(exists(kNextAborted));
  EXPECT_EQ(producers(0, 7), (Producers{1}));
  EXPECT_EQ(last_stable_at(7), Offset(1)) << "2 and 3 are open";
  stop();
  ASSERT_TRUE(open());
  EXPECT_EQ(producers(0, 7), (Producers{1}));
  EXPECT_EQ(last_stable_at(7), Offset(1));
}

TEST_F(AbortedTransactionsTest, the_last_stable_offset_is_not_below_the_log_start) {
  ASSERT_TRUE(open());
  EXPECT_EQ(last_stable_at(12), Offset(10)) << "4 is open";
  ASSERT_TRUE(log_->delete_records(Offset(11)));
  EXPECT_EQ(last_stable_at(12), Offset(11));
}

}  // namespace
}  // namespace millrace::log
