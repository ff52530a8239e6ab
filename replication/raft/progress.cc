#include "replication/raft/progress.h"

#include <vector>

#include "replication/raft/quorum.h"

namespace millrace::raft {

Progress::Progress(const VoterSet& voters, const ReplicaKey& leader) : leader_(leader.id) {
  for (const auto& voter : voters.voters()) voters_[voter.id] = ReplicaProgress{.key = voter};
}

void Progress::on_fetch(const ReplicaKey& replica, Offset fetch_offset, Offset leader_end,
                        Instant now) {
  auto at = voters_.find(replica.id);
  if (at == voters_.end()) {
    if (observers_.size() >= kObserversMax && !observers_.contains(replica.id)) return;
    at = observers_.try_emplace(replica.id, ReplicaProgress{.key = replica}).first;
  }
  ReplicaProgress& progress = at->second;
  if (fetch_offset >= leader_end) {
    progress.last_caught_up = now;
  } else if (progress.last_fetch && fetch_offset >= progress.leader_end_at_last_fetch) {
    progress.last_caught_up = progress.last_fetch;
  }
  // A fetch that was overtaken on its way must not take back what a later one has said.
  if (!progress.end_offset || fetch_offset > *progress.end_offset)
    progress.end_offset = fetch_offset;
  progress.last_fetch = now;
  progress.leader_end_at_last_fetch = leader_end;
}

void Progress::forget_observers(Instant before) {
  std::erase_if(observers_, [&](const auto& observer) {
    return observer.second.last_fetch && *observer.second.last_fetch < before;
  });
}

std::optional<Offset> Progress::committed(Offset flushed_end) const {
  std::vector<Offset> ends;
  ends.reserve(voters_.size());
  for (const auto& [id, voter] : voters_) {
    // Nothing known counts as nothing there; -1 so that it is not taken for an empty log.
    ends.push_back(id == leader_ ? flushed_end : voter.end_offset.value_or(kNoOffset));
  }
  const Offset committed = majority_offset(ends);
  if (committed < Offset(0)) return std::nullopt;
  return committed;
}

}  // namespace millrace::raft
