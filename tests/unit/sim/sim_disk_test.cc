// The simulated disk promises no more than POSIX does, and really breaks what it may break: each test draws many power cuts and
// says what must hold in all of them and what must have happened in some.
#include "tests/sim/sim_disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>

namespace millrace::sim {
namespace {

constexpr int kCuts = 400;

struct Disk {
  explicit Disk(std::uint64_t seed = 1, std::uint64_t capacity = std::uint64_t{1} << 30)
      : disk(Prng(seed), capacity) {
    disk.faults.cold_one_in = 0;
  }
  io::FileHandle make(const std::string& path, bool direct = false) {
    return disk.open(path, {.write = true, .create = true, .direct_sync = direct}).value();
  }
  Result<void> write(io::FileHandle file, std::uint64_t position, const std::string& text) {
    return disk.write(file, position, as_bytes(text));
  }
  SimDisk disk;
};

std::string contents(SimDisk& disk, const std::string& path) {
  const auto file = disk.open(path, {});
  if (!file) return "(missing)";
  std::string text(disk.size(*file).value(), '\0');
  EXPECT_EQ(disk.read(*file, 0, std::as_writable_bytes(std::span(text))).value(), text.size());
  disk.close(*file);
  return text;
}

// What a path held after each of many cuts.
std::set<std::string> after_cuts(const SimDisk& disk, const std::string& path) {
  std::set<std::string> seen;
  Prng prng(99);
  for (int i = 0; i < kCuts; ++i) seen.insert(contents(*disk.power_cut(prng), path));
  return seen;
}

TEST(SimDisk, a_queued_sync_of_names_covers_the_changes_before_it_and_no_later_ones) {
  Disk disk;
  const auto directory = disk.disk.open("/", {.directory = true});
  ASSERT_TRUE(directory);
  disk.make("before");
  const auto queued = disk.disk.begin_sync_names(*directory);
  disk.make("after");
  ASSERT_EQ(disk.disk.end_sync_names(queued), 0);
  EXPECT_EQ(after_cuts(disk.disk, "before"), std::set<std::string>{""});
  EXPECT_EQ(after_cuts(disk.disk, "after"), (std::set<std::string>{"", "(missing)"}));
}

TEST(SimDisk, readers_see_what_was_written_at_once) {
  Disk disk;
  const auto file = disk.make("f");
  ASSERT_TRUE(disk.write(file, 3, "abc"));
  EXPECT_EQ(contents(disk.disk, "f"), std::string("\0\0\0abc", 6));
  EXPECT_EQ(disk.disk.open("g", {}).error().code, Errc::not_found);
}

TEST(SimDisk, what_is_synced_survives_every_power_cut) {
  Disk disk;
  const auto file = disk.make("f");
  const std::string text(5000, 's');
  ASSERT_TRUE(disk.write(file, 0, text));
  ASSERT_TRUE(disk.disk.sync(file));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  EXPECT_EQ(after_cuts(disk.disk, "f"), std::set<std::string>{text});
}

TEST(SimDisk, a_synced_file_whose_directory_is_not_synced_may_be_missing) {
  Disk disk;
  const auto file = disk.make("f");
  ASSERT_TRUE(disk.write(file, 0, "x"));
  ASSERT_TRUE(disk.disk.sync(file));
  EXPECT_EQ(after_cuts(disk.disk, "f"), (std::set<std::string>{"(missing)", "x"}));
}

TEST(SimDisk, unsynced_sectors_are_kept_lost_and_torn_each_for_itself) {
  Disk disk;
  const auto file = disk.make("f");
  constexpr std::size_t kSectors = 8;
  ASSERT_TRUE(disk.write(file, 0, std::string(kSectors * kSectorBytes, 'o')));
  ASSERT_TRUE(disk.disk.sync(file));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  ASSERT_TRUE(disk.write(file, kSectorBytes, std::string(6 * kSectorBytes, 'n')));
  bool all_kept = false;
  bool all_lost = false;
  bool hole = false;
  bool torn = false;
  for (const std::string& text : after_cuts(disk.disk, "f")) {
    ASSERT_EQ(text.size(), kSectors * kSectorBytes);
    EXPECT_EQ(text.substr(0, kSectorBytes), std::string(kSectorBytes, 'o')) << "not written to";
    EXPECT_EQ(text.substr(7 * kSectorBytes), std::string(kSectorBytes, 'o'));
    std::string shape;
    for (std::size_t sector = 1; sector < 7; ++sector) {
      const std::string part = text.substr(sector * kSectorBytes, kSectorBytes);
      const auto fresh = std::ranges::count(part, 'n');
      EXPECT_EQ(fresh + std::ranges::count(part, 'o'), std::ptrdiff_t{kSectorBytes});
      shape += fresh == 0 ? 'o' : fresh == std::ptrdiff_t{kSectorBytes} ? 'n' : 't';
    }
    all_kept |= shape == "nnnnnn";
    all_lost |= shape == "oooooo";
    hole |= shape.find("on") != std::string::npos;
    torn |= shape.find('t') != std::string::npos;
  }
  EXPECT_TRUE(all_kept);
  EXPECT_TRUE(all_lost);
  EXPECT_TRUE(hole) << "a later sector without an earlier one";
  EXPECT_TRUE(torn);
}

TEST(SimDisk, the_size_of_an_unsynced_append_is_the_old_the_new_or_between) {
  Disk disk;
  const auto file = disk.make("f");
  ASSERT_TRUE(disk.write(file, 0, std::string(700, 'a')));
  ASSERT_TRUE(disk.disk.sync(file));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  ASSERT_TRUE(disk.write(file, 700, std::string(3000, 'b')));
  std::set<std::size_t> sizes;
  bool zeros = false;
  for (const std::string& text : after_cuts(disk.disk, "f")) {
    sizes.insert(text.size());
    EXPECT_EQ(text.substr(0, 700), std::string(700, 'a')) << "synced bytes were lost";
    zeros |= text.size() == 3700 && text.find('\0') != std::string::npos;
  }
  EXPECT_EQ(*sizes.begin(), 700u);
  EXPECT_EQ(*sizes.rbegin(), 3700u);
  EXPECT_GT(sizes.size(), 3u);
  EXPECT_TRUE(zeros) << "the size can be there without the bytes";
}

TEST(SimDisk, a_sync_covers_what_was_written_before_it_was_issued_and_no_more) {
  Disk disk;
  const auto file = disk.make("f");
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  ASSERT_TRUE(disk.write(file, 0, std::string(kSectorBytes, '1')));
  const auto queued = disk.disk.begin_sync(file);
  ASSERT_TRUE(disk.write(file, 0, std::string(kSectorBytes, '2')));
  EXPECT_TRUE(after_cuts(disk.disk, "f").contains("")) << "the sync has not completed";
  EXPECT_EQ(disk.disk.end_sync(queued), 0);
  const auto seen = after_cuts(disk.disk, "f");
  EXPECT_TRUE(seen.contains(std::string(kSectorBytes, '1')));
  EXPECT_TRUE(seen.contains(std::string(kSectorBytes, '2')));
  for (const std::string& text : seen) {
    EXPECT_EQ(text.size(), kSectorBytes);
    EXPECT_EQ(text.find_first_not_of("12"), std::string::npos);
  }
}

TEST(SimDisk, a_rename_is_durable_only_after_the_directory_is_synced) {
  Disk disk;
  const auto old_file = disk.make("checkpoint");
  ASSERT_TRUE(disk.write(old_file, 0, "old"));
  ASSERT_TRUE(disk.disk.sync(old_file));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  const auto draft = disk.make("checkpoint.tmp");
  ASSERT_TRUE(disk.write(draft, 0, "new"));
  ASSERT_TRUE(disk.disk.sync(draft));
  ASSERT_TRUE(disk.disk.rename("checkpoint.tmp", "checkpoint"));
  EXPECT_EQ(contents(disk.disk, "checkpoint"), "new");
  EXPECT_EQ(after_cuts(disk.disk, "checkpoint"), (std::set<std::string>{"old", "new"}));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  EXPECT_EQ(after_cuts(disk.disk, "checkpoint"), (std::set<std::string>{"new"}));
}

TEST(SimDisk, a_rename_of_an_unsynced_file_can_leave_an_empty_one) {
  Disk disk;
  const auto old_file = disk.make("checkpoint");
  ASSERT_TRUE(disk.write(old_file, 0, "old"));
  ASSERT_TRUE(disk.disk.sync(old_file));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  const auto draft = disk.make("checkpoint.tmp");
  ASSERT_TRUE(disk.write(draft, 0, "new"));
  ASSERT_TRUE(disk.disk.rename("checkpoint.tmp", "checkpoint"));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  const auto seen = after_cuts(disk.disk, "checkpoint");
  EXPECT_TRUE(seen.contains(""));
  EXPECT_FALSE(seen.contains("old"));
}

TEST(SimDisk, a_removed_file_can_come_back_until_its_directory_is_synced) {
  Disk disk;
  ASSERT_TRUE(disk.disk.make_directory("d"));
  const auto file = disk.make("d/f");
  ASSERT_TRUE(disk.write(file, 0, "x"));
  ASSERT_TRUE(disk.disk.sync(file));
  disk.disk.close(file);
  ASSERT_TRUE(disk.disk.sync_directory("d"));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  EXPECT_FALSE(disk.disk.remove_directory("d"));
  ASSERT_TRUE(disk.disk.remove("d/f"));
  EXPECT_EQ(contents(disk.disk, "d/f"), "(missing)");
  EXPECT_EQ(after_cuts(disk.disk, "d/f"), (std::set<std::string>{"(missing)", "x"}));
  ASSERT_TRUE(disk.disk.sync_directory("d"));
  EXPECT_EQ(after_cuts(disk.disk, "d/f"), (std::set<std::string>{"(missing)"}));
  EXPECT_TRUE(disk.disk.remove_directory("d"));
  EXPECT_EQ(disk.disk.used_bytes(), 0u);
}

TEST(SimDisk, changes_of_one_directory_survive_in_order) {
  Disk disk;
  for (const char* name : {"a", "b", "c", "d"}) disk.make(name);
  Prng prng(5);
  std::set<std::size_t> counts;
  for (int i = 0; i < kCuts; ++i) {
    const auto after = disk.disk.power_cut(prng);
    std::string names;
    for (const auto& entry : after->list("/").value()) names += entry.name;
    EXPECT_EQ(names, std::string("abcd").substr(0, names.size()));
    counts.insert(names.size());
  }
  EXPECT_EQ(counts.size(), 5u);
}

TEST(SimDisk, a_rename_between_directories_happens_in_both_or_neither) {
  Disk disk;
  ASSERT_TRUE(disk.disk.make_directory("from"));
  ASSERT_TRUE(disk.disk.make_directory("to"));
  const auto file = disk.make("from/f");
  ASSERT_TRUE(disk.write(file, 0, "x"));
  ASSERT_TRUE(disk.disk.sync(file));
  for (const char* path : {"/", "from", "to"}) ASSERT_TRUE(disk.disk.sync_directory(path));
  ASSERT_TRUE(disk.disk.rename("from/f", "to/f"));
  Prng prng(6);
  std::set<std::string> seen;
  for (int i = 0; i < kCuts; ++i) {
    const auto after = disk.disk.power_cut(prng);
    seen.insert(contents(*after, "from/f") + " " + contents(*after, "to/f"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"x (missing)", "(missing) x"}));
}

TEST(SimDisk, a_truncate_that_is_lost_takes_what_was_written_after_it_along) {
  Disk disk;
  const auto file = disk.make("f");
  ASSERT_TRUE(disk.write(file, 0, std::string(4 * kSectorBytes, 'a')));
  ASSERT_TRUE(disk.disk.sync(file));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  ASSERT_TRUE(disk.disk.truncate(file, 0));
  ASSERT_TRUE(disk.write(file, 0, std::string(kSectorBytes, 'b')));
  bool undone = false;
  for (const std::string& text : after_cuts(disk.disk, "f")) {
    if (text.find('b') != std::string::npos) {
      EXPECT_LE(text.size(), kSectorBytes);
      EXPECT_EQ(text.find('a'), std::string::npos) << "bytes cut off came back beside later ones";
    } else if (text.find('a') != std::string::npos) {
      EXPECT_EQ(text, std::string(4 * kSectorBytes, 'a'));
      undone = true;
    }
  }
  EXPECT_TRUE(undone);
  ASSERT_TRUE(disk.disk.sync(file));
  EXPECT_EQ(after_cuts(disk.disk, "f"), std::set<std::string>{std::string(kSectorBytes, 'b')});
}

TEST(SimDisk, a_direct_write_is_durable_when_it_completes_and_in_parts_before) {
  Disk disk;
  const auto file = disk.make("wal", true);
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  alignas(4096) static std::byte block[8192];
  std::memset(block, 'w', sizeof block);
  const auto write = disk.disk.begin_write(file, 0, block);
  std::set<std::size_t> counts;
  for (const std::string& text : after_cuts(disk.disk, "wal")) {
    counts.insert(static_cast<std::size_t>(std::ranges::count(text, 'w')));
  }
  EXPECT_EQ(*counts.begin(), 0u);
  EXPECT_GT(counts.size(), 5u);
  EXPECT_EQ(disk.disk.end_write(write), 8192);
  EXPECT_EQ(after_cuts(disk.disk, "wal"), std::set<std::string>{std::string(8192, 'w')});
  const auto misaligned = disk.disk.begin_write(file, 100, Bytes(block, 4096));
  EXPECT_EQ(disk.disk.end_write(misaligned), -EINVAL);
}

TEST(SimDisk, a_killed_process_leaves_the_page_cache_and_a_later_power_cut_takes_it) {
  Disk disk;
  const auto file = disk.make("f");
  ASSERT_TRUE(disk.write(file, 0, "cached"));
  Prng prng(7);
  const auto killed = disk.disk.process_kill(prng);
  EXPECT_EQ(contents(*killed, "f"), "cached");
  const auto cut = after_cuts(*killed, "f");
  EXPECT_TRUE(cut.contains("(missing)"));
  EXPECT_TRUE(cut.contains(""));
  EXPECT_TRUE(cut.contains("cached"));
}

TEST(SimDisk, a_failed_sync_loses_the_pages_and_the_next_one_does_not_bring_them_back) {
  Disk disk;
  const auto file = disk.make("f");
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  ASSERT_TRUE(disk.write(file, 0, std::string(kSectorBytes, 'x')));
  disk.disk.faults.sync_error_one_in = 1;
  EXPECT_EQ(disk.disk.sync(file).error().code, Errc::io_error);
  disk.disk.faults.sync_error_one_in = 0;
  ASSERT_TRUE(disk.disk.sync(file));
  EXPECT_EQ(after_cuts(disk.disk, "f"), std::set<std::string>{std::string(kSectorBytes, '\0')});
}

TEST(SimDisk, a_full_disk_refuses_writes_and_takes_them_again_when_there_is_room) {
  Disk disk(1, 16 * 4096);
  const auto first = disk.make("first");
  const auto second = disk.make("second");
  ASSERT_TRUE(disk.write(first, 0, std::string(10 * 4096, 'a')));
  EXPECT_EQ(disk.disk.reserve(second, 0, 7 * 4096).error().code, Errc::disk_full);
  ASSERT_TRUE(disk.disk.reserve(second, 0, 6 * 4096));
  EXPECT_EQ(disk.disk.free_bytes(), 0u);
  ASSERT_TRUE(disk.write(second, 0, std::string(6 * 4096, 'b'))) << "reserved room can be used";
  EXPECT_EQ(disk.write(second, 6 * 4096, "c").error().code, Errc::disk_full);
  EXPECT_EQ(disk.disk.open("third", {.write = true, .create = true}).error().code, Errc::disk_full);
  disk.disk.close(first);
  ASSERT_TRUE(disk.disk.remove("first"));
  EXPECT_TRUE(disk.write(second, 6 * 4096, "c"));
}

TEST(SimDisk, faults_strike_only_the_named_file) {
  Disk disk;
  const auto good = disk.make("good");
  const auto bad = disk.make("bad");
  disk.disk.faults.write_error_one_in = 1;
  disk.disk.faults.read_error_one_in = 1;
  disk.disk.faults.only = "bad";
  EXPECT_TRUE(disk.write(good, 0, "x"));
  EXPECT_EQ(disk.write(bad, 0, "x").error().code, Errc::io_error);
  std::byte byte{};
  EXPECT_EQ(disk.disk.read(bad, 0, {&byte, 1}).error().code, Errc::io_error);
  EXPECT_EQ(disk.disk.read(good, 0, {&byte, 1}).value(), 1u);
}

TEST(SimDisk, a_flipped_bit_is_read_and_stays) {
  Disk disk;
  const auto file = disk.make("f");
  ASSERT_TRUE(disk.write(file, 0, "a"));
  ASSERT_TRUE(disk.disk.sync(file));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  disk.disk.flip_bit("f", 0, 1);
  EXPECT_EQ(contents(disk.disk, "f"), "c");
  EXPECT_EQ(after_cuts(disk.disk, "f"), std::set<std::string>{"c"});
}

TEST(SimDisk, a_removed_file_is_readable_while_it_is_open) {
  Disk disk;
  const auto file = disk.make("f");
  ASSERT_TRUE(disk.write(file, 0, "still here"));
  ASSERT_TRUE(disk.disk.remove("f"));
  ASSERT_TRUE(disk.disk.sync_directory("/"));
  std::string text(10, '?');
  EXPECT_EQ(disk.disk.read(file, 0, std::as_writable_bytes(std::span(text))).value(), 10u);
  EXPECT_EQ(text, "still here");
  EXPECT_GT(disk.disk.used_bytes(), 0u);
  disk.disk.close(file);
  EXPECT_EQ(disk.disk.used_bytes(), 0u);
}

TEST(SimDisk, the_same_seed_gives_the_same_cuts) {
  const auto run = [](std::uint64_t seed) {
    Disk disk;
    const auto file = disk.make("f");
    EXPECT_TRUE(disk.disk.sync_directory("/"));
    EXPECT_TRUE(disk.write(file, 0, std::string(20 * kSectorBytes, 'z')));
    Prng prng(seed);
    return contents(*disk.disk.power_cut(prng), "f");
  };
  for (std::uint64_t seed = 0; seed < 50; ++seed) EXPECT_EQ(run(seed), run(seed));
}

}  // namespace
}  // namespace millrace::sim
