// GroupLoader: reads one partition of __consumer_offsets into a machine, from the first record to the last.
//
// Shard:      the partition's.
// Lifetime:   one load. Commits that were part of a transaction count from its commit marker on, as Kafka counts them; those of
//             a transaction that never ended do not count.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/result.h"
#include "engine/group/group_machine.h"
#include "engine/log/compression.h"
#include "engine/log/format/record.h"
#include "engine/log/log.h"
#include "io/task.h"

namespace millrace::engine {

class GroupLoader {
 public:
  GroupLoader(log::Log& log, GroupMachine& machine) : log_(log), machine_(machine) {}

  // Errors: those of reading, corrupt, malformed, unsupported (a record that a later release wrote).
  io::Task<Result<void>> load(Offset end);
  std::uint64_t records() const { return records_; }

 private:
  Result<void> take(const log::RecordBatch& batch);
  Result<void> take(const log::RecordBatch& batch, const log::Record& record);
  Result<void> end_transaction(const log::RecordBatch& batch, const log::Record& marker);

  log::Log& log_;
  GroupMachine& machine_;
  log::Compression codecs_;
  std::vector<std::byte> opened_;
  std::map<ProducerId, std::vector<GroupRecord>> transactions_;
  std::uint64_t records_ = 0;
};

}  // namespace millrace::engine
