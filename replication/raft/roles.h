// The roles a Raft replica can be in, and what each remembers. What they do with each input is in
// the files named after them; which follows which is at the head of raft.h.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "replication/raft/messages.h"
#include "replication/raft/progress.h"
#include "replication/raft/quorum.h"
#include "replication/raft/voters.h"

namespace millrace::raft {

// Asks several peers the same thing until each has answered.
class Asking {
 public:
  // Asks everyone in `voters` but `self`, at once.
  Asking(const VoterSet& voters, const ReplicaKey& self, Instant now);

  // The peers to ask now; each is then left alone until `retry_at`.
  std::vector<ReplicaKey> due(Instant now, Instant retry_at);
  // No answer came: ask again then.
  void retry(BrokerId peer, Instant at);
  // Answered: do not ask again.
  void done(BrokerId peer);
  bool all_done() const { return peers_.empty(); }
  std::optional<Instant> next_deadline() const;

 private:
  struct Peer {
    ReplicaKey key;
    Instant ask_at;
  };
  std::vector<Peer> peers_;
};

struct Unattached {
  // Voters only.
  std::optional<Instant> election_deadline;
  // Observers only: they ask any voter who leads.
  std::optional<Instant> next_fetch;
};

// Asks whether an election would be won, before it disturbs anybody with one.
struct Prospective {
  // Whom it followed, if it did: to go back to.
  BrokerId leader = kNoBroker;
  // That leader has said that it goes.
  bool leader_gone = false;
  Election election;
  Asking asking;
  Instant deadline;
};

struct Candidate {
  Election election;
  Asking asking;
  Instant deadline;
  // Set once a majority has refused.
  std::optional<Instant> back_off_until;
};

struct Follower {
  BrokerId leader;
  Instant fetch_deadline;
  // Whether the leader has answered since we follow it.
  bool has_fetched = false;
  // The leader has said that it goes: what still arrives from it does not put the election off.
  bool leader_gone = false;
  // One request at a time, and none while what it brought is being written.
  std::optional<std::uint64_t> fetch_in_flight;
  Instant next_fetch;
  std::optional<SnapshotId> fetching_snapshot;
  // The leader's, from its last answer.
  Offset leader_high_watermark = kNoOffset;
};

struct ParkedFetch {
  std::uint64_t request_number = 0;
  FetchRequest request;
  Instant deadline;
};

struct Leader {
  // Fetches that wait for records. More are answered at once.
  static constexpr std::size_t kParkedMax = 1024;

  Offset epoch_start;
  Progress progress;
  // Who has fetched since the majority last was whole.
  std::vector<BrokerId> fetched;
  std::optional<Instant> check_quorum_deadline;
  // Tells voters who leads, again and again, until they fetch.
  std::optional<Instant> next_begin_epoch;
  std::vector<ParkedFetch> parked;
  bool high_watermark_known = false;
};

// Led this epoch, and does no more; tells the others, so that they need not wait for their timers.
struct Resigned {
  Asking asking;
  std::vector<ReplicaKey> successors;
  Instant deadline;
};

using Role = std::variant<Unattached, Prospective, Candidate, Follower, Leader, Resigned>;
enum class RoleName : std::uint8_t {
  unattached,
  prospective,
  candidate,
  follower,
  leader,
  resigned
};
std::string_view to_string(RoleName name);

}  // namespace millrace::raft
