// RecoveryTest: a partition's directory on the simulated disk, filled by hand and then opened.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "engine/log/partition_files.h"
#include "tests/unit/engine/log/log_on_disk_test.h"

namespace millrace::log {

inline constexpr const char* kData = "/data/t-0/00000000000000000000.log";

class RecoveryTest : public LogOnDiskTest {
 protected:
  RecoveryTest() : LogOnDiskTest(5) {
    shard_options_.write_ahead_bytes_first = 64 << 10;
    shard_options_.write_ahead_bytes_max = 64 << 10;
    options_.durability = Durability::replicated;
    CHECK(disk_.make_directory("/data").has_value());
    CHECK(disk_.make_directory("/data/t-0").has_value());
    write("/data/t-0/partition.metadata", as_bytes(encode_partition_metadata(Uuid::from_halves(7, 1))));
    write("/data/t-0/leader-epoch-checkpoint", as_bytes("0\n1\n0 0\n"));
  }

  void write(const std::string& path, ConstBytes bytes) {
    const auto handle = disk_.open(path, {.write = true, .create = true, .truncate = true});
    CHECK(handle.has_value());
    CHECK(disk_.write(*handle, 0, bytes).has_value());
    disk_.close(*handle);
  }
  std::uint64_t size_of(const std::string& path) {
    const auto handle = disk_.open(path, {});
    if (!handle) return 0;
    const auto size = disk_.size(*handle);
    disk_.close(*handle);
    return *size;
  }
  bool exists(const std::string& path) {
    const auto handle = disk_.open(path, {});
    if (handle) disk_.close(*handle);
    return handle.has_value();
  }
  static std::vector<std::byte> text(std::string_view from) {
    const ConstBytes bytes = as_bytes(from);
    return {bytes.begin(), bytes.end()};
  }
  // Batches of one record "v<offset>" each.
  static std::vector<std::byte> batches(int first, int end) {
    std::vector<std::byte> all;
    for (int i = first; i < end; ++i) {
      auto batch = sim::make_batch({.values = {"v" + std::to_string(i)}, .timestamp = 1000 + i});
      set_base_offset(batch, Offset(i));
      set_leader_epoch(batch, LeaderEpoch(i / 10));
      all.insert(all.end(), batch.begin(), batch.end());
    }
    return all;
  }
  Result<void> open() {
    node_ = std::make_unique<sim::LogNode>(proactor_, "/data", shard_options_);
    auto booted = world_.run(reactor_, node_->boot(options_));
    log_ = booted ? node_->find("t", 0) : nullptr;
    if (!booted) node_.reset();
    return booted;
  }
  void expect_records(int first, int end) {
    ASSERT_EQ(log_->end_offset(), Offset(end));
    const auto records = world_.run(reactor_, sim::read_records(*log_, Offset(first), Offset(end)));
    ASSERT_TRUE(records) << records.error().message;
    ASSERT_EQ(records->size(), static_cast<std::size_t>(end - first));
    for (const auto& record : *records) EXPECT_EQ(record.value, "v" + std::to_string(record.offset.value()));
  }
};

}  // namespace millrace::log
