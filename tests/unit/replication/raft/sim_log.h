// SimLog: a log in memory for the Raft machine's tests. A record is its epoch and a payload; a
// crash keeps what was flushed and any part of the rest.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/prng.h"
#include "replication/raft/log_view.h"

namespace millrace::raft {

struct SimRecord {
  LeaderEpoch epoch;
  std::uint64_t payload = 0;
  bool operator==(const SimRecord&) const = default;
};

class SimLog final : public LogView {
 public:
  Offset start_offset() const override { return start_; }
  Offset end_offset() const override { return start_ + static_cast<std::int64_t>(records_.size()); }
  LeaderEpoch last_epoch() const override {
    if (!records_.empty()) return records_.back().epoch;
    return snapshot_ ? snapshot_->epoch : LeaderEpoch(0);
  }
  EpochEnd end_offset_for(LeaderEpoch epoch) const override {
    if (epoch >= last_epoch()) return {last_epoch(), end_offset()};
    const auto after = std::ranges::upper_bound(records_, epoch, {}, &SimRecord::epoch);
    if (after == records_.begin()) {
      if (snapshot_ && epoch >= snapshot_->epoch) return {snapshot_->epoch, start_};
      return {epoch, start_};
    }
    return {(after - 1)->epoch, start_ + (after - records_.begin())};
  }
  std::optional<SnapshotId> earliest_snapshot() const override { return snapshot_; }
  std::optional<SnapshotId> latest_snapshot() const override { return snapshot_; }

  Offset flushed() const { return flushed_; }
  void append(SimRecord record) {
    CHECK(record.epoch >= last_epoch());
    records_.push_back(record);
  }
  void flush_to(Offset end) { flushed_ = std::max(flushed_, std::min(end, end_offset())); }
  void truncate(Offset end) {
    CHECK(end >= start_);
    if (end < end_offset()) records_.resize(static_cast<std::size_t>(end - start_));
    flushed_ = std::min(flushed_, end_offset());
  }
  std::vector<SimRecord> read(Offset from, std::size_t most) const {
    const auto at = static_cast<std::size_t>(from - start_);
    const auto end = std::min(records_.size(), at + most);
    return {records_.begin() + static_cast<std::ptrdiff_t>(at),
            records_.begin() + static_cast<std::ptrdiff_t>(end)};
  }
  SimRecord at(Offset offset) const {
    return records_.at(static_cast<std::size_t>(offset - start_));
  }
  bool holds(Offset offset) const { return offset >= start_ && offset < end_offset(); }

  // Everything before `end` goes into a snapshot. Requires: it is committed.
  void take_snapshot(Offset end) {
    if (end <= start_ || end > end_offset()) return;
    const SnapshotId id{at(end - 1).epoch, end};
    records_.erase(records_.begin(), records_.begin() + (end - start_));
    start_ = end;
    snapshot_ = id;
    flushed_ = std::max(flushed_, end);
  }
  void install_snapshot(SnapshotId id) {
    records_.clear();
    start_ = id.end_offset;
    flushed_ = id.end_offset;
    snapshot_ = id;
  }
  void crash(Prng& random) {
    const auto unsynced = static_cast<std::uint64_t>(end_offset() - flushed_);
    truncate(flushed_ + static_cast<std::int64_t>(random.below(unsynced + 1)));
  }

 private:
  std::vector<SimRecord> records_;
  std::optional<SnapshotId> snapshot_;
  Offset start_{0};
  Offset flushed_{0};
};

}  // namespace millrace::raft
