#include "replication/raft/roles.h"

#include <algorithm>

namespace millrace::raft {

Asking::Asking(const VoterSet& voters, const ReplicaKey& self, Instant now) {
  for (const auto& voter : voters.voters()) {
    if (voter.id != self.id) peers_.push_back({voter, now});
  }
}

std::vector<ReplicaKey> Asking::due(Instant now, Instant retry_at) {
  std::vector<ReplicaKey> due;
  for (auto& peer : peers_) {
    if (peer.ask_at > now) continue;
    peer.ask_at = retry_at;
    due.push_back(peer.key);
  }
  return due;
}

void Asking::retry(BrokerId peer, Instant at) {
  for (auto& asked : peers_) {
    if (asked.key.id == peer) asked.ask_at = std::min(asked.ask_at, at);
  }
}

void Asking::done(BrokerId peer) {
  std::erase_if(peers_, [&](const Peer& asked) { return asked.key.id == peer; });
}

std::optional<Instant> Asking::next_deadline() const {
  if (peers_.empty()) return std::nullopt;
  return std::ranges::min_element(peers_, {}, &Peer::ask_at)->ask_at;
}

std::string_view to_string(RoleName name) {
  switch (name) {
    case RoleName::unattached:
      return "unattached";
    case RoleName::prospective:
      return "prospective";
    case RoleName::candidate:
      return "candidate";
    case RoleName::follower:
      return "follower";
    case RoleName::leader:
      return "leader";
    case RoleName::resigned:
      return "resigned";
  }
  return "unknown";
}

}  // namespace millrace::raft
