// LogNode: the storage of one node with one shard, as a broker starts and stops it. On a simulated proactor or a real one.
//
// Shard:      the reactor it is used on.
// Lifetime:   boot() once; then stop(), or crash() when what is on the disk is to stay as it is.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/log/log_shard.h"
#include "io/proactor.h"
#include "io/task.h"

namespace millrace::sim {

// One batch of records with the given values, offsets from 0.
struct BatchSpec {
  std::vector<std::string> values;
  std::int64_t timestamp = 1'000'000;  // of the first record; each next one is 1 ms younger
  ProducerId producer_id = kNoProducerId;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  // By record, where there are as many; none by default. A record of `without_value` deletes its key.
  std::vector<std::string> keys = {};
  std::set<std::size_t> without_value = {};
};
std::vector<std::byte> make_batch(const BatchSpec& spec);

// The values of every record in [from, end) with their offsets, read through Log::read_bytes.
struct ReadRecord {
  Offset offset;
  std::string value;
  std::string key = {};
  bool has_value = true;
  auto operator<=>(const ReadRecord&) const = default;
};
io::Task<Result<std::vector<ReadRecord>>> read_records(log::Log& log, Offset from, Offset end,
                                                       std::size_t bytes_max = 4096);

class LogNode {
 public:
  // The write-ahead log is in the first directory.
  LogNode(io::Proactor& proactor, std::string directory, log::LogShardOptions options, std::vector<std::string> more = {});

  // Makes the directories that are not there, opens every partition in them and starts the write-ahead log.
  io::Task<Result<void>> boot(log::LogOptions options);
  io::Task<Result<log::Log*>> create(std::string topic, std::int32_t partition, log::LogOptions options) {
    return create(std::move(topic), partition, std::move(options), directories_.front());
  }
  io::Task<Result<log::Log*>> create(std::string topic, std::int32_t partition, log::LogOptions options, std::string directory);
  log::Log* find(const std::string& topic, std::int32_t partition);
  const std::map<std::string, std::unique_ptr<log::Log>>& logs() const { return logs_; }
  log::LogShard& shard() { return *shard_; }
  bool was_clean() const { return was_clean_; }

  // As the housekeeping of a broker does it from time to time.
  io::Task<Result<void>> checkpoint();
  // A clean stop.
  io::Task<Result<void>> stop();
  // Ends everything without leaving a clean stop behind. What the disk looked like at a crash was copied before.
  io::Task<void> crash();

 private:
  io::Task<Result<void>> open_all(log::LogOptions options);

  io::Proactor& proactor_;
  std::vector<std::string> directories_;
  std::unique_ptr<log::LogShard> shard_;
  std::map<std::string, std::unique_ptr<log::Log>> logs_;
  bool was_clean_ = false;
  std::uint64_t next_topic_ = 1;
};

}  // namespace millrace::sim
