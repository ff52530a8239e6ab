// LogTest: a log on the simulated disk that is appended to and read back.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/engine/log/log_on_disk_test.h"

namespace millrace::log {

using sim::BatchSpec;
using sim::make_batch;
using sim::ReadRecord;

constexpr LeaderEpoch kEpoch{3};

class LogTest : public LogOnDiskTest {
 protected:
  LogTest() : LogOnDiskTest(7) {}

  static io::Task<Result<AppendedBatches>> append_task(Log& log, std::vector<std::byte> batch,
                                                       WallTime now, LeaderEpoch epoch) {
    CO_TRY(appended, log.stage_append_as_leader(batch, {.leader_epoch = epoch, .now = now}));
    CO_TRY_DONE(co_await log.stable(appended));
    co_return appended;
  }
  Result<AppendedBatches> append(const BatchSpec& spec) {
    return run(append_task(*log_, make_batch(spec), world_.wall_now(), kEpoch));
  }
  void append_numbered(int first, int count) {
    for (int i = first; i < first + count; ++i) {
      const auto appended = append({.values = {"v" + std::to_string(i)}, .timestamp = 1000 + i});
      ASSERT_TRUE(appended) << appended.error().message;
      ASSERT_EQ(appended->first_offset, Offset(i));
    }
  }
  std::vector<ReadRecord> read(Offset from, std::size_t bytes_max = 4096) {
    auto records = run(sim::read_records(*log_, from, log_->written_end(), bytes_max));
    EXPECT_TRUE(records) << records.error().message;
    return records ? *records : std::vector<ReadRecord>();
  }
  void expect_numbered(int first, int end) {
    const auto records = read(Offset(first));
    ASSERT_EQ(records.size(), static_cast<std::size_t>(end - first));
    for (int i = first; i < end; ++i) {
      EXPECT_EQ(records[static_cast<std::size_t>(i - first)],
                (ReadRecord{Offset(i), "v" + std::to_string(i)}));
    }
  }
};

}  // namespace millrace::log
