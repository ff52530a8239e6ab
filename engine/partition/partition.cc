#include "engine/partition/partition.h"

#include <algorithm>

#include "base/logging.h"

namespace millrace::engine {

Partition::Partition(BrokerId self, TopicPartition id, std::string topic, std::unique_ptr<log::Log> log,
                     std::string offline_reason)
    : self_(self),
      id_(id),
      topic_(std::move(topic)),
      log_(std::move(log)),
      offline_reason_(std::move(offline_reason)) {
  CHECK((log_ == nullptr) != offline_reason_.empty());
  // What recovery left is all this broker ever had: everything written is stable then.
  if (log_) {
    high_watermark_ = log_->stable_end();
    log_->on_high_watermark(high_watermark_);
  }
}

Result<void> Partition::assign(const PartitionImage& assignment) {
  replicas_ = assignment.replicas.size();
  in_sync_ = assignment.isr.size();
  leader_ = assignment.leader;
  if (log_ == nullptr) return {};
  const bool new_epoch = assignment.leader_epoch > leader_epoch_;
  leader_epoch_ = assignment.leader_epoch;
  if (leader_ == self_ && new_epoch && log_->latest_epoch() < leader_epoch_) {
    TRY_DONE(log_->begin_epoch(leader_epoch_));
  }
  advance_high_watermark();
  return {};
}

Result<void> Partition::check_leader(LeaderEpoch clients_epoch) const {
  if (log_ == nullptr) return fail(Errc::offline, offline_reason_);
  if (closing_) return fail(Errc::not_leader, "the partition is going away");
  if (leader_ != self_) return fail(Errc::not_leader);
  if (clients_epoch == kNoLeaderEpoch || clients_epoch == leader_epoch_) return {};
  if (clients_epoch < leader_epoch_) return fail(Errc::fenced_epoch);
  return fail(Errc::unknown_epoch);
}

bool Partition::has_enough_replicas() const {
  // A topic with fewer replicas than min.insync.replicas could never be written with acks=all: the smaller counts (KIP-966).
  const auto wanted = std::min<std::int64_t>(min_insync_replicas_, static_cast<std::int64_t>(replicas_));
  return static_cast<std::int64_t>(in_sync_) >= wanted;
}

io::Task<Result<log::AppendedBatches>> Partition::append(Bytes batches, WallTime now, bool acks_all) {
  if (acks_all && !has_enough_replicas()) {
    co_return fail(Errc::refused, "not enough in-sync replicas");
  }
  auto appended = log_->stage_append_as_leader(
      batches, {.leader_epoch = leader_epoch_, .now = now});
  if (!appended) co_return appended;
  ++appending_;
  // Both are awaited whatever the first says: the bytes are in use until written() has completed.
  auto done = co_await log_->written(*appended);
  if (done) done = co_await log_->stable(*appended);
  if (done) advance_high_watermark();
  if (--appending_ == 0) idle_.notify_all();
  if (!done) co_return fail(std::move(done).error());
  co_return appended;
}

void Partition::advance_high_watermark() {
  // Alone in the ISR the leader's own promise is the cluster's. With followers their positions come in here as well.
  if (leader_ != self_ || in_sync_ != 1) return;
  const Offset stable = log_->stable_end();
  if (stable <= high_watermark_) return;
  high_watermark_ = stable;
  log_->on_high_watermark(stable);
  waiters_.wake_all();
}

Offset Partition::read_end(Isolation isolation) const {
  if (isolation == Isolation::read_uncommitted || log_ == nullptr) return high_watermark_;
  // No client may write to a transaction, but one may stand open in a log that came from elsewhere.
  return log_->last_stable_offset(high_watermark_);
}

Result<log::ReadRange> Partition::read(Offset from, Isolation isolation, std::size_t bytes_max,
                                       bool at_least_one_batch) {
  return log_->read(from, {.end = read_end(isolation),
                           .bytes_max = bytes_max,
                           .at_least_one_batch = at_least_one_batch,
                           .may_cut_cold = true});
}

bool Partition::is_cold(Offset from, Isolation isolation, std::size_t bytes_max) const {
  return log_->is_cold(from, {.end = read_end(isolation), .bytes_max = bytes_max},
                       isolation == Isolation::read_committed);
}

io::Task<void> Partition::warm(Offset from, Isolation isolation, std::size_t bytes_max) {
  return log_->warm(from, {.end = read_end(isolation), .bytes_max = bytes_max}, isolation == Isolation::read_committed);
}

PartitionState Partition::state() const {
  PartitionState state;
  state.leader_epoch = leader_epoch_;
  if (log_ == nullptr) return state;
  state.log_start_offset = log_->log_start_offset();
  state.high_watermark = std::max(high_watermark_, state.log_start_offset);
  state.last_stable_offset = log_->last_stable_offset(state.high_watermark);
  state.log_end_offset = log_->end_offset();
  return state;
}

Result<Offset> Partition::delete_records(Offset offset) {
  if (offset > high_watermark_) return fail(Errc::out_of_range, "beyond the high watermark");
  return log_->delete_records(offset);
}

io::Task<Result<void>> Partition::close() {
  closing_ = true;
  waiters_.wake_all();
  while (appending_ > 0) co_await idle_.wait();
  if (log_ == nullptr) co_return Result<void>{};
  co_return co_await log_->close();
}

io::Task<Result<void>> Partition::remove() {
  closing_ = true;
  waiters_.wake_all();
  while (appending_ > 0) co_await idle_.wait();
  if (log_ == nullptr) co_return Result<void>{};
  co_return co_await log_->remove();
}

}  // namespace millrace::engine
