// Progress: what a leader knows of each replica that fetches from it.
//
// Shard:      part of the Raft machine; a value.
// Lifetime:   of one leadership.
// Invariant:  a voter's end_offset never goes back.
#pragma once

#include <map>
#include <optional>

#include "base/ids.h"
#include "base/time.h"
#include "replication/raft/voters.h"

namespace millrace::raft {

struct ReplicaProgress {
  ReplicaKey key;
  // Everything before is on its disk. Empty until it has fetched.
  std::optional<Offset> end_offset;
  std::optional<Instant> last_fetch;
  // The last moment at which it had all that the leader had when it fetched before.
  std::optional<Instant> last_caught_up;
  Offset leader_end_at_last_fetch{0};
};

class Progress {
 public:
  // Observers beyond this are answered but not remembered.
  static constexpr std::size_t kObserversMax = 1024;

  Progress(const VoterSet& voters, const ReplicaKey& leader);

  // `replica` has asked for `fetch_offset`, and so has everything before. Requires: the fetch was
  // valid.
  void on_fetch(const ReplicaKey& replica, Offset fetch_offset, Offset leader_end, Instant now);
  // Forgets observers that have not fetched since `before`.
  void forget_observers(Instant before);

  // The largest offset that a majority of the voters has on disk; the leader's own share, if it is
  // a voter, is `flushed_end`. Empty while less than a majority is known.
  std::optional<Offset> committed(Offset flushed_end) const;
  bool is_voter(BrokerId id) const { return voters_.contains(id); }

  const std::map<BrokerId, ReplicaProgress>& voters() const { return voters_; }
  const std::map<BrokerId, ReplicaProgress>& observers() const { return observers_; }

 private:
  std::map<BrokerId, ReplicaProgress> voters_;
  std::map<BrokerId, ReplicaProgress> observers_;
  BrokerId leader_;
};

}  // namespace millrace::raft
