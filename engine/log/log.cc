// A Log's questions and answers that need no I/O; the rest is in log_append.cc, log_read.cc and log_upkeep.cc.
#include "engine/log/log.h"

#include <fmt/format.h>

#include "base/check.h"
#include "engine/log/log_state.h"
#include "io/file.h"

namespace millrace::log {

Log::State::State(LogShard::State& the_shard, std::string the_directory, std::string the_topic,
                  PartitionIndex the_partition, TopicId the_topic_id, LogOptions the_options)
    : shard(the_shard),
      directory(std::move(the_directory)),
      topic(std::move(the_topic)),
      partition(the_partition),
      topic_id(the_topic_id),
      options(std::move(the_options)),
      reserve(shard.reserve_of(io::directory_of(directory))) {}

Log::State::~State() {
  CHECK(!WriteAheadClient::is_linked(), "a log that was not closed");
  std::erase(shard.logs, this);
}

std::string Log::State::name() const { return fmt::format("{}-{}", topic, partition.value()); }

Log::Log(std::unique_ptr<State> state) : state_(std::move(state)) {}
Log::~Log() = default;

const std::string& Log::topic() const { return state_->topic; }
PartitionIndex Log::partition() const { return state_->partition; }
TopicId Log::topic_id() const { return state_->topic_id; }
const std::string& Log::directory() const { return state_->directory; }
const LogOptions& Log::options() const { return state_->options; }

void Log::set_options(const LogOptions& options) {
  State& log = *state_;
  const bool was_fsync = log.is_fsync();
  log.options = options;
  if (log.is_fsync() && !was_fsync) {
    // What came before is promised from now on as well, and only the segments can keep that.
    (void)log.write_staged();
    log.write_ahead_from = log.written_end;
    log.start_sync();
  }
  log.stable_moved.notify_all();
}

Offset Log::log_start_offset() const { return state_->log_start; }
Offset Log::end_offset() const { return state_->end; }
Offset Log::written_end() const { return state_->written_end; }
Offset Log::stable_end() const { return state_->stable_end(); }
Offset Log::recovery_point() const { return state_->recovery_point(); }
std::size_t Log::segment_count() const { return state_->segments.size(); }
Offset Log::active_segment_base() const { return state_->active().base_offset(); }
bool Log::is_offline() const { return state_->offline.has_value(); }

std::uint64_t Log::size() const {
  std::uint64_t bytes = 0;
  for (const auto& segment : state_->segments) bytes += segment->size();
  return bytes;
}

CheckpointRow Log::State::checkpoint_row() const {
  return {.topic = topic,
          .partition = partition,
          .recovery_point = recovery_point(),
          .log_start_offset = log_start,
          .first_segment_offset = segments.front()->base_offset(),
          .cleaned_end = cleaned_end};
}

CheckpointRow Log::checkpoint_row() const { return state_->checkpoint_row(); }

LeaderEpoch Log::latest_epoch() const {
  const auto latest = state_->epochs.latest();
  return latest ? latest->epoch : kNoLeaderEpoch;
}

std::optional<replication::EpochEnd> Log::end_offset_for(LeaderEpoch epoch) const {
  return state_->epochs.end_offset_for(epoch, state_->end);
}

LeaderEpoch Log::epoch_of(Offset offset) const { return state_->epoch_of(offset); }
const replication::EpochHistory& Log::epochs() const { return state_->epochs; }

Offset Log::last_stable_offset(Offset high_watermark) const {
  // A transaction may stand open of which records were deleted.
  return std::min(std::max(state_->producers.last_stable_offset(high_watermark), state_->log_start), high_watermark);
}

void Log::on_high_watermark(Offset high_watermark) {
  state_->high_watermark = high_watermark;
  state_->producers.on_high_watermark(high_watermark);
}

io::Task<Result<CleanedLog>> Log::compact() { return state_->shard.cleaner.clean(*state_, true); }

std::optional<std::string> Log::uncleanable() const {
  return state_->uncleanable ? std::optional(state_->uncleanable->message) : std::nullopt;
}

Offset Log::cleaned_end() const { return state_->cleaned_end; }

std::vector<ProducerDescription> Log::active_producers() const {
  std::vector<ProducerDescription> result;
  for (const auto& [id, entry] : state_->producers.producers()) {
    result.push_back({.producer_id = id,
                      .producer_epoch = entry.producer_epoch,
                      .last_sequence = entry.last_sequence(),
                      .last_timestamp = entry.last_timestamp,
                      .coordinator_epoch = entry.coordinator_epoch,
                      .current_transaction_start = entry.transaction_start.value_or(kNoOffset)});
  }
  return result;
}

void Log::expire_producers(WallTime now) {
  state_->producers.expire(now, state_->options.producer_id_expiration_ms);
}

}  // namespace millrace::log
