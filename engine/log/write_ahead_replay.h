// What the write-ahead logs of the last run still hold (engine/log/write_ahead.h), read back at the next start.
//
// Shard:     read on one shard, then immutable: LogShard::open() on any shard looks its partition up.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "io/proactor.h"
#include "io/task.h"

namespace millrace::log {

// One thing the last run did to a partition, in the order in which it did them.
struct WriteAheadStep {
  enum class Kind : std::uint8_t { append, truncate, restart };
  Kind kind = Kind::append;
  // append: the first batch's base offset. truncate: the new end. restart: where the emptied log began again.
  Offset offset;
  // append: whole batches, CRCs checked.
  std::vector<std::byte> batches;
};

class WriteAheadTail {
 public:
  // Null when nothing is held for the partition.
  const std::vector<WriteAheadStep>* find(const TopicPartition& partition) const;
  bool empty() const { return steps_.empty(); }
  std::size_t partitions() const { return steps_.size(); }
  std::uint64_t bytes() const { return bytes_; }

  void add(const TopicPartition& partition, WriteAheadStep step);

 private:
  std::unordered_map<TopicPartition, std::vector<WriteAheadStep>> steps_;
  std::uint64_t bytes_ = 0;
};

// Reads every ".millrace-wal-*" in `directory` (a log directory), whatever the number of shards was. A directory or file that
// is not there holds nothing. Errors: io_error, corrupt (a hole in front of a newer record: acknowledged data is missing).
io::Task<Result<WriteAheadTail>> read_write_ahead(io::Proactor& proactor, std::string directory);

// Everything that was read is in synced segments: marks the write-ahead logs empty. Files of shards from `shards` on, which
// this run has not, are removed. Durable when complete.
io::Task<Result<void>> retire_write_ahead(io::Proactor& proactor, std::string directory,
                                          std::uint32_t shards);

// Instead of retiring them, when something in them could not be replayed: every "wal-*" gets `suffix` behind its name, which
// read_write_ahead() passes over. Durable on return.
Result<void> set_write_ahead_aside(io::Proactor& proactor, const std::string& directory,
                                   std::string_view suffix);

}  // namespace millrace::log
