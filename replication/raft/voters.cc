#include "replication/raft/voters.h"

#include <algorithm>

namespace millrace::raft {

Result<VoterSet> VoterSet::make(std::vector<ReplicaKey> voters) {
  if (voters.empty()) return fail(Errc::invalid_argument, "a quorum needs a voter");
  std::ranges::sort(voters);
  for (std::size_t i = 1; i < voters.size(); ++i) {
    if (voters[i - 1].id == voters[i].id) {
      return fail(Errc::invalid_argument,
                  "voter " + std::to_string(voters[i].id.value()) + " twice");
    }
  }
  VoterSet set;
  set.voters_ = std::move(voters);
  return set;
}

bool VoterSet::contains(const ReplicaKey& replica) const {
  return std::ranges::any_of(voters_,
                             [&](const ReplicaKey& voter) { return voter.matches(replica); });
}

}  // namespace millrace::raft
