// What the write-ahead logs of the last run still hold (engine/log/write_ahead.h), read back at the next start.
//
// Shard:     read on one shard, then immutable: LogShard::open() on any shard looks its partition up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
  // Of the largest of the files, whatever it held: what the last run could have written before it had to sync, whatever the
  // settings say now.
  std::uint64_t file_bytes_max() const { return file_bytes_max_; }

  void add(const TopicPartition& partition, WriteAheadStep step);
  void note_file(std::uint64_t bytes) { file_bytes_max_ = std::max(file_bytes_max_, bytes); }

 private:
  std::unordered_map<TopicPartition, std::vector<WriteAheadStep>> steps_;
  std::uint64_t bytes_ = 0;
  std::uint64_t file_bytes_max_ = 0;
};

// How much of an `fsync` log's end may not have reached the disk by any sync, at most: a write-ahead log's worth, and batches too
// large for one. Null: there was no write-ahead log.
std::uint64_t unsynced_bytes_max(const WriteAheadTail* tail);

// Reads every ".millrace-wal-*" in `directory` (a log directory), whatever the number of shards was. A directory or file that
// is not there holds nothing. Errors: io_error, corrupt (a hole where a newer write says that none can be: acknowledged data is
// missing).
io::Task<Result<WriteAheadTail>> read_write_ahead(io::Proactor& proactor, std::string directory);

// The shard that a write-ahead log's file name has; empty when it is no such name.
std::optional<std::uint32_t> write_ahead_shard(std::string_view name);

// Copies what `tail` holds of these partitions, which could not be replayed, to a file of its own in `directory`: the next
// start reads it before the others. Gives the file's name. Durable when complete.
io::Task<Result<std::string>> keep_unreplayed(io::Proactor& proactor, std::string directory, const WriteAheadTail& tail,
                                              std::vector<TopicPartition> partitions);

// Everything that was read is in synced segments, or in the file named `kept`: marks the write-ahead logs empty. Other files of
// shards from `shards` on, which this run has not, are removed. Durable when complete.
io::Task<Result<void>> retire_write_ahead(io::Proactor& proactor, std::string directory,
                                          std::uint32_t shards, std::string kept = {});

// Instead of retiring them, when what could not be replayed could not be copied either: every "wal-*" gets `suffix` behind its
// name, which read_write_ahead() passes over. Durable on return.
Result<void> set_write_ahead_aside(io::Proactor& proactor, const std::string& directory,
                                   std::string_view suffix);

}  // namespace millrace::log
