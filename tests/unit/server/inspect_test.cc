#include "server/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/output.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/index_entry.h"
#include "engine/metadata/records.h"

namespace millrace::server {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A directory of log.dirs with one partition, t-0, under gtest's directory for temporary files.
class Inspect : public testing::Test {
 protected:
  Inspect()
      : root_(fs::path(testing::TempDir()) /
              ("inspect_" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    fs::remove_all(root_);
    fs::create_directories(partition());
    write(root_ / "meta.properties", "version=1\n");
  }
  ~Inspect() override { fs::remove_all(root_); }

  fs::path partition() const { return root_ / "t-0"; }
  fs::path segment(const char* base = "00000000000000000000") const {
    return partition() / (std::string(base) + ".log");
  }

  static void write(const fs::path& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string read(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  // A batch of `count` records that begins at `base`.
  static std::string batch(std::int64_t base, int count) {
    log::BatchBuilder builder({.base_offset = Offset(base), .leader_epoch = LeaderEpoch(0)});
    for (int i = 0; i < count; ++i) builder.append(1000 + i, as_bytes("k"), as_bytes("value"));
    return std::string(as_text(builder.finish()));
  }

  DirectoryReport verify() const {
    const auto report = verify_directory(root_.string(), true);
    EXPECT_TRUE(report);
    return report.value_or(DirectoryReport{});
  }
  std::string only_problem() const {
    const DirectoryReport report = verify();
    EXPECT_EQ(report.problems.size(), 1u);
    return report.problems.empty() ? "" : report.problems[0].what;
  }

  fs::path root_;
};

TEST_F(Inspect, a_whole_partition_is_counted_and_has_no_problem) {
  write(segment(), batch(0, 3) + batch(3, 2));
  write(segment("00000000000000000005"), batch(5, 1));
  const DirectoryReport report = verify();
  EXPECT_THAT(report.problems, testing::IsEmpty());
  ASSERT_EQ(report.partitions.size(), 1u);
  EXPECT_EQ(report.partitions[0].segments, 2);
  EXPECT_EQ(report.partitions[0].batches, 3);
  EXPECT_EQ(report.partitions[0].records, 6);
  EXPECT_EQ(report.partitions[0].end, Offset(6));
}

TEST_F(Inspect, a_flipped_bit_is_a_problem_with_its_place) {
  std::string bytes = batch(0, 3) + batch(3, 2);
  bytes[batch(0, 3).size() + 70] = static_cast<char>(bytes[batch(0, 3).size() + 70] ^ 1);
  write(segment(), bytes);
  const DirectoryReport report = verify();
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.problems[0].position, batch(0, 3).size());
}

TEST_F(Inspect, a_torn_end_is_a_problem_only_where_a_crash_cannot_have_left_it) {
  const std::string torn = batch(0, 3) + batch(3, 2).substr(0, 40);
  write(segment(), torn);
  EXPECT_THAT(verify().problems, testing::IsEmpty());
  EXPECT_EQ(verify().partitions[0].torn_bytes, 40u);
  write(segment("00000000000000000005"), batch(5, 1));
  EXPECT_THAT(only_problem(), HasSubstr("of which 40 are there"));
}

TEST_F(Inspect, zeros_behind_the_last_batch_are_room_and_zeros_between_batches_are_a_problem) {
  const std::string room(100'000, '\0');
  write(segment(), batch(0, 3) + room);
  EXPECT_THAT(verify().problems, testing::IsEmpty());
  EXPECT_EQ(verify().partitions[0].torn_bytes, 0u);
  write(segment(), batch(0, 3) + room + batch(3, 2));
  EXPECT_EQ(verify().problems.size(), 1u);
}

TEST_F(Inspect, offsets_that_go_back_are_a_problem) {
  write(segment(), batch(0, 3) + batch(2, 2));
  EXPECT_THAT(only_problem(), HasSubstr("begins at offset 2, before 3"));
}

TEST_F(Inspect, an_index_must_agree_with_the_batches_and_may_end_in_zeros) {
  write(segment(), batch(0, 3) + batch(3, 2));
  const auto entry = [&](std::int32_t offset, std::size_t position) {
    std::string text(8, '\0');
    log::OffsetIndexEntry{offset, static_cast<std::int32_t>(position)}.store(
        reinterpret_cast<std::byte*>(text.data()));
    return text;
  };
  const fs::path index = partition() / "00000000000000000000.index";
  write(index, entry(4, batch(0, 3).size()) + std::string(64, '\0'));
  EXPECT_THAT(verify().problems, testing::IsEmpty());
  write(index, entry(4, 17));
  EXPECT_THAT(only_problem(), HasSubstr("no batch ends at offset 4 and begins at 17"));
}

TEST_F(Inspect, an_index_without_its_segment_is_a_problem) {
  write(segment(), batch(0, 3));
  write(partition() / "00000000000000000003.timeindex", "");
  EXPECT_THAT(only_problem(), HasSubstr("segment is missing"));
}

TEST_F(Inspect, a_directory_that_was_never_formatted_says_so) {
  fs::remove(root_ / "meta.properties");
  EXPECT_THAT(only_problem(), HasSubstr("meta.properties"));
}

TEST_F(Inspect, a_partition_can_be_verified_alone) {
  write(segment(), batch(0, 3));
  const auto report = verify_directory(partition().string(), false);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->partitions.size(), 1u);
  EXPECT_FALSE(verify_directory((root_ / "no-such").string(), false));
}

// What `log dump --records FILE` prints.
std::string dumped(const fs::path& file, const char* format) {
  const std::string path = file.string();
  const std::vector<const char*> words = {"millrace",   "log",      "dump", "--records",
                                          path.c_str(), "--format", format};
  testing::internal::CaptureStdout();
  const auto exit =
      cli::run(log_commands(), "Millrace 0", static_cast<int>(words.size()), words.data());
  EXPECT_EQ(exit, cli::Exit::done);
  return testing::internal::GetCapturedStdout();
}

std::string batch_of(ConstBytes key, ConstBytes value) {
  log::BatchBuilder builder({.base_offset = Offset(0), .leader_epoch = LeaderEpoch(0)});
  builder.append(1000, key, value);
  return std::string(as_text(builder.finish()));
}

TEST_F(Inspect, a_dump_of_records_holds_nothing_that_a_terminal_would_obey) {
  write(segment(), batch_of(as_bytes("\x1b[2J"), as_bytes("a\tb\n\xff")));
  EXPECT_EQ(dumped(segment(), "table"),
            "offset\ttimestamp\tkey\tvalue\theaders\n0\t1000\t\\x1b[2J\ta\\tb\\n\\xff\t[]\n");
}

TEST_F(Inspect, a_dump_of_the_metadata_log_tells_its_records_in_words) {
  const engine::VersionedRecord topic{engine::TopicRecord{.name = "orders"}, 0};
  const std::string bytes = batch_of(as_bytes(""), engine::encode_record(topic));
  fs::create_directories(root_ / "__cluster_metadata-0");
  const fs::path log = root_ / "__cluster_metadata-0" / "00000000000000000000.log";
  write(log, bytes);
  EXPECT_THAT(dumped(log, "table"), HasSubstr("TopicRecord"));
  const auto row = cli::Cell::parse(dumped(log, "json"));
  EXPECT_EQ(row["value"]["type"], "TopicRecord");
  EXPECT_EQ(row["value"]["data"]["name"], "orders");
  // The same bytes as the records of a topic, which they may be.
  write(segment(), bytes);
  EXPECT_TRUE(cli::Cell::parse(dumped(segment(), "json"))["value"].is_string());
}

TEST_F(Inspect, names_of_segments_are_twenty_digits) {
  EXPECT_EQ(base_offset_of("00000000000000000042.log"), Offset(42));
  EXPECT_EQ(base_offset_of("42.log"), std::nullopt);
  EXPECT_EQ(base_offset_of("0000000000000000004x.log"), std::nullopt);
}

}  // namespace
}  // namespace millrace::server
