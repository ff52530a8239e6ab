#include "engine/partition/replica_log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/control_record.h"

namespace millrace::engine {

namespace {

std::vector<log::LeaderChange::Voter> voters_of(const std::vector<raft::ReplicaKey>& keys) {
  std::vector<log::LeaderChange::Voter> voters;
  for (const auto& key : keys) voters.push_back({key.id, key.directory_id});
  return voters;
}

}  // namespace

PartitionReplicaLog::PartitionReplicaLog(log::Log& log, io::Proactor& proactor)
    : log_(log), proactor_(proactor) {
  CHECK(log.options().durability == log::Durability::fsync);
}

LeaderEpoch PartitionReplicaLog::last_epoch() const {
  const LeaderEpoch snapshot = latest_snapshot_ ? latest_snapshot_->epoch : LeaderEpoch(0);
  return std::max(log_.latest_epoch(), snapshot);
}

raft::EpochEnd PartitionReplicaLog::end_offset_for(LeaderEpoch epoch) const {
  if (epoch >= last_epoch()) return {last_epoch(), end_offset()};
  const auto end = log_.end_offset_for(epoch);
  // All records are of later epochs. The snapshot before them may know better.
  if (!end || end->end_offset <= start_offset()) {
    const bool in_snapshot = earliest_snapshot_ && epoch >= earliest_snapshot_->epoch;
    return {in_snapshot ? earliest_snapshot_->epoch : epoch, start_offset()};
  }
  return {end->epoch, end->end_offset};
}

Result<replication::AppendedRange> PartitionReplicaLog::append_as_leader(
    std::vector<std::byte> batches, LeaderEpoch epoch) {
  TRY(appended, log_.stage_append_as_leader(batches, {.leader_epoch = epoch,
                                                      .now = proactor_.wall_now(),
                                                      .origin = log::AppendOrigin::internal}));
  last_ = appended;
  gate_.spawn(hold(appended, std::move(batches)));
  return replication::AppendedRange{appended.first_offset, appended.end_offset(), epoch};
}

Result<void> PartitionReplicaLog::append_leader_change(const raft::AppendLeaderChange& change) {
  const auto voters = voters_of(change.voters);
  const bool with_directories = std::ranges::any_of(
      voters, [](const auto& voter) { return !voter.directory_id.is_zero(); });
  log::BatchBuilder builder({.leader_epoch = change.epoch, .control = true});
  log::append_control(
      builder, proactor_.wall_now().ms, log::ControlType::leader_change,
      log::encode(log::LeaderChange{.version = static_cast<std::int16_t>(with_directories ? 1 : 0),
                                    .leader = change.leader,
                                    .voters = voters,
                                    .granting_voters = voters_of(change.granting_voters)}));
  const auto bytes = builder.finish();
  TRY_DONE(append_as_leader({bytes.begin(), bytes.end()}, change.epoch));
  return {};
}

Result<void> PartitionReplicaLog::append_as_follower(std::vector<std::byte> batches) {
  TRY(appended, log_.stage_append_as_follower(batches, proactor_.wall_now()));
  last_ = appended;
  gate_.spawn(hold(appended, std::move(batches)));
  return {};
}

io::Task<void> PartitionReplicaLog::hold(log::AppendedBatches appended,
                                         std::vector<std::byte> batches) {
  // Who waits for the append learns of a failure from flush().
  const auto written = co_await log_.written(appended);
  (void)written;
  batches.clear();
}

io::Task<Result<void>> PartitionReplicaLog::flush() {
  if (!last_) {
    CO_TRY_DONE(log_.write_staged());
    co_return co_await log_.flush();
  }
  const log::AppendedBatches last = *last_;
  auto stable = co_await log_.stable(last);
  // What a full disk has taken back is not to be asked for again.
  if (!stable) last_.reset();
  co_return stable;
}

io::Task<Result<void>> PartitionReplicaLog::truncate(Offset end_offset) {
  last_.reset();
  CO_TRY_DONE(log_.write_staged());
  co_return co_await log_.truncate_to(end_offset);
}

io::Task<Result<std::vector<std::byte>>> PartitionReplicaLog::read(Offset from,
                                                                  std::size_t bytes_max) {
  CO_TRY_DONE(log_.write_staged());
  co_return co_await log_.read_bytes(from, {.end = log_.written_end(),
                                            .bytes_max = bytes_max,
                                            .at_least_one_batch = true});
}

}  // namespace millrace::engine
