#include "tests/sim/log_node.h"

#include <utility>

#include "base/check.h"
#include "engine/log/compression.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/record.h"
#include "engine/log/log_directory.h"
#include "engine/log/write_ahead_replay.h"
#include "io/file.h"
#include "io/reactor.h"

namespace millrace::sim {

std::vector<std::byte> make_batch(const BatchSpec& spec) {
  log::BatchBuilder builder({.producer_id = spec.producer_id,
                             .producer_epoch = spec.producer_epoch,
                             .base_sequence = spec.base_sequence});
  std::int64_t timestamp = spec.timestamp;
  for (std::size_t i = 0; i < spec.values.size(); ++i) {
    const auto key = i < spec.keys.size() ? std::optional<ConstBytes>(as_bytes(spec.keys[i])) : std::nullopt;
    const bool has_value = !spec.without_value.contains(i);
    builder.append(timestamp++, key, has_value ? std::optional<ConstBytes>(as_bytes(spec.values[i])) : std::nullopt);
  }
  const Bytes bytes = builder.finish();
  return {bytes.begin(), bytes.end()};
}

io::Task<Result<std::vector<ReadRecord>>> read_records(log::Log& log, Offset from, Offset end,
                                                       std::size_t bytes_max) {
  constexpr std::uint64_t kOpenedBytesMax = std::uint64_t{16} << 20;
  std::vector<ReadRecord> records;
  log::Compression codecs;
  std::vector<std::byte> opened;
  Offset next = from;
  while (next < end) {
    CO_TRY(bytes, co_await log.read_bytes(
                      next, {.end = end, .bytes_max = bytes_max, .at_least_one_batch = true}));
    if (bytes.empty()) break;
    for (log::BatchWalk walk(bytes); !walk.at_end();) {
      CO_TRY(batch, walk.next());
      CO_TRY_DONE(batch.verify());
      CO_TRY(payload, log::open_payload(batch, codecs, kOpenedBytesMax, opened));
      for (log::RecordWalk record_walk(batch, payload); !record_walk.at_end();) {
        CO_TRY(record, record_walk.next());
        if (record.offset < next) continue;
        records.push_back({record.offset, std::string(as_text(record.value.value_or(ConstBytes()))),
                           std::string(as_text(record.key.value_or(ConstBytes()))), record.value.has_value()});
      }
      next = std::max(next, batch.end_offset());
    }
  }
  co_return records;
}

LogNode::LogNode(io::Proactor& proactor, std::string directory, log::LogShardOptions options, std::vector<std::string> more)
    : proactor_(proactor), directories_(std::move(more)) {
  directories_.insert(directories_.begin(), std::move(directory));
  options.write_ahead_path = directories_.front() + "/" + std::string(log::kWriteAheadPrefix) + "0";
  shard_ = std::make_unique<log::LogShard>(proactor_, options);
}

io::Task<Result<void>> LogNode::boot(log::LogOptions options) {
  for (const auto& directory : directories_) {
    auto made = proactor_.make_directory(directory);
    if (!made && made.error() != Errc::already_exists) co_return made;
    if (made) CO_TRY_DONE(proactor_.sync_directory(io::directory_of(directory)));
  }
  auto opened = co_await open_all(std::move(options));
  if (opened) opened = co_await shard_->start();
  if (!opened) {
    for (auto& [name, log] : logs_) (void)co_await log->close();
    logs_.clear();
    co_await shard_->stop();
  }
  co_return opened;
}

io::Task<Result<void>> LogNode::open_all(log::LogOptions options) {
  std::vector<log::FoundPartition> partitions;
  was_clean_ = true;
  for (const auto& directory : directories_) {
    CO_TRY(scan, log::scan_log_directory(proactor_, directory));
    was_clean_ = was_clean_ && scan.clean_stop;
    for (const auto& deleted : scan.deleted) CO_TRY_DONE(co_await log::remove_tree(proactor_, deleted));
    for (auto& found : scan.partitions) partitions.push_back(std::move(found));
  }
  log::WriteAheadTail tail;
  if (!was_clean_) {
    CO_TRY(read, co_await log::read_write_ahead(proactor_, directories_.front()));
    tail = std::move(read);
  }
  for (const auto& directory : directories_) CO_TRY_DONE(log::clear_clean_stop(proactor_, directory));
  for (auto& found : partitions) {
    // A crash while the partition was made, before anybody was told of it.
    if (found.topic_id.is_zero()) {
      CO_TRY_DONE(co_await log::remove_tree(proactor_, found.directory));
      continue;
    }
    const std::string name = log::partition_directory_name(found.topic, found.partition);
    next_topic_ = std::max(next_topic_, std::uint64_t{found.topic_id.bytes[15]} + 1);
    CO_TRY(opened, co_await shard_->open(found, options, &tail));
    logs_.emplace(name, std::move(opened));
  }
  // Also after a clean stop: a write-ahead log that had failed could not be marked then.
  co_return co_await log::retire_write_ahead(proactor_, directories_.front(), 1);
}

io::Task<Result<log::Log*>> LogNode::create(std::string topic, std::int32_t partition,
                                            log::LogOptions options, std::string directory) {
  const log::NewPartition made{.log_directory = std::move(directory),
                               .topic = topic,
                               .partition = PartitionIndex(partition),
                               .topic_id = Uuid::from_halves(7, next_topic_++)};
  CO_TRY(opened, co_await shard_->create(made, std::move(options)));
  log::Log* const log = opened.get();
  // Nobody here remembers a partition that a crash loses: it is told of when it is durable.
  if (const auto durable = co_await log->flush(); !durable) {
    (void)co_await log->close();
    co_return fail(durable.error());
  }
  logs_.emplace(log::partition_directory_name(topic, PartitionIndex(partition)), std::move(opened));
  co_return log;
}

log::Log* LogNode::find(const std::string& topic, std::int32_t partition) {
  const auto found = logs_.find(log::partition_directory_name(topic, PartitionIndex(partition)));
  return found == logs_.end() ? nullptr : found->second.get();
}

io::Task<Result<void>> LogNode::checkpoint() {
  for (const auto& directory : directories_) {
    CO_TRY_DONE(co_await log::write_checkpoints(proactor_, directory, shard_->checkpoint_rows(directory)));
  }
  co_return Result<void>{};
}

io::Task<Result<void>> LogNode::stop() {
  Result<void> result;
  for (auto& [name, log] : logs_) {
    auto closed = co_await log->close();
    if (!closed) result = std::move(closed);
  }
  // A row is of an open log; a closed one stands where it was closed.
  std::map<std::string, std::vector<log::CheckpointRow>> rows;
  for (auto& [name, log] : logs_) rows[io::directory_of(log->directory())].push_back(log->checkpoint_row());
  logs_.clear();
  co_await shard_->stop();
  CO_TRY_DONE(std::move(result));
  for (const auto& directory : directories_) {
    CO_TRY_DONE(co_await log::write_checkpoints(proactor_, directory, rows[directory]));
    CO_TRY_DONE(log::mark_clean_stop(proactor_, directory, 1));
  }
  co_return Result<void>{};
}

io::Task<void> LogNode::crash() {
  for (auto& [name, log] : logs_) (void)co_await log->close();
  logs_.clear();
  co_await shard_->stop();
}

}  // namespace millrace::sim
