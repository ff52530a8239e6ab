// What goes into the Raft machine and what comes out of it. The RPCs are Kafka's (KIP-595,
// KIP-996), without their framing.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "replication/raft/log_view.h"
#include "replication/raft/voters.h"

namespace millrace::raft {

// The errors of the RPCs, by the names of Kafka's codes; the driver turns one into the other.
enum class RaftError : std::uint8_t {
  none,
  inconsistent_cluster_id,  // for the whole request, as the next one unless noted
  invalid_request,
  fenced_leader_epoch,
  unknown_leader_epoch,
  not_leader,
  invalid_voter_key,
  unsupported_version,  // the peer does not know this version of the request
  unknown,
};

struct VoteRequest {
  std::optional<std::string> cluster_id;
  // Whom the sender takes us for.
  std::optional<ReplicaKey> recipient;
  LeaderEpoch epoch;
  ReplicaKey candidate;
  LeaderEpoch last_epoch;
  Offset last_offset;
  bool pre_vote = false;
};
struct VoteReply {
  RaftError error = RaftError::none;
  LeaderEpoch epoch;
  BrokerId leader = kNoBroker;
  bool granted = false;
};

struct BeginQuorumEpochRequest {
  std::optional<std::string> cluster_id;
  std::optional<ReplicaKey> recipient;
  LeaderEpoch epoch;
  BrokerId leader;
};
struct BeginQuorumEpochReply {
  RaftError error = RaftError::none;
  LeaderEpoch epoch;
  BrokerId leader = kNoBroker;
};

struct EndQuorumEpochRequest {
  std::optional<std::string> cluster_id;
  LeaderEpoch epoch;
  BrokerId leader;
  // The best successor first.
  std::vector<ReplicaKey> preferred_candidates;
};
struct EndQuorumEpochReply {
  RaftError error = RaftError::none;
  LeaderEpoch epoch;
  BrokerId leader = kNoBroker;
};

struct FetchRequest {
  // Replicas that do not say which high watermark they know are not woken by it.
  static constexpr Offset kNotWoken{std::numeric_limits<std::int64_t>::max()};

  std::optional<std::string> cluster_id;
  ReplicaKey replica;
  LeaderEpoch current_leader_epoch;
  Offset fetch_offset;
  LeaderEpoch last_fetched_epoch;
  Duration max_wait{};
  Offset high_watermark = kNotWoken;
};
struct FetchReply {
  RaftError error = RaftError::none;
  LeaderEpoch epoch;
  BrokerId leader = kNoBroker;
  // -1 while the leader does not know it.
  Offset high_watermark = kNoOffset;
  Offset log_start_offset{0};
  std::optional<EpochEnd> diverging_epoch;
  std::optional<SnapshotId> snapshot_id;
  // Out of the machine: the driver reads batches from here into `records`, as many as the request's
  // limits allow.
  std::optional<Offset> read_from;
  // Into the machine: whole batches.
  std::vector<std::byte> records;
};

using Request =
    std::variant<VoteRequest, BeginQuorumEpochRequest, EndQuorumEpochRequest, FetchRequest>;
using Reply = std::variant<VoteReply, BeginQuorumEpochReply, EndQuorumEpochReply, FetchReply>;

// ---- Inputs

// A request from a peer; the answer, at once or later, is a SendReply with the same number.
struct RequestArrived {
  std::uint64_t request_number = 0;
  Request request;
};
// The answer to a SendRequest.
struct ReplyArrived {
  BrokerId from;
  std::uint64_t correlation = 0;
  Reply reply;
};
// There will be no answer to a SendRequest.
struct RequestFailed {
  BrokerId to;
  std::uint64_t correlation = 0;
};
// next_deadline() has passed.
struct Tick {};
// The leader's log has grown by what the controller wrote.
struct Appended {};
// What AppendFetched asked for has been done, the flush of a voter included; or it was refused, and
// the log is as before.
struct FetchedAppended {
  bool ok = true;
  // Where the log ended after it.
  Offset end_offset{0};
};
// Everything before `end_offset` is on disk.
struct Flushed {
  Offset end_offset;
};
// What FetchSnapshot asked for has ended.
struct SnapshotFetched {
  SnapshotId id;
  // It is here, whole and on disk, but the log is as it was.
  bool fetched = false;
};
// We are asked to stop leading.
struct Resign {};

using Input = std::variant<RequestArrived, ReplyArrived, RequestFailed, Tick, Appended,
                           FetchedAppended, Flushed, SnapshotFetched, Resign>;

// ---- Effects. To be carried out in order; each one is done before the next one starts, except
// where said.

// What must survive a crash beside the log.
struct QuorumState {
  LeaderEpoch epoch{0};
  BrokerId leader = kNoBroker;
  std::optional<ReplicaKey> voted;
  bool operator==(const QuorumState&) const = default;
};

// On disk before anything that follows.
struct Persist {
  QuorumState state;
};
struct SendRequest {
  BrokerId to;
  // Comes back with the answer. It does not travel: a driver keeps it.
  std::uint64_t correlation = 0;
  Request request;
};
struct SendReply {
  std::uint64_t request_number = 0;
  Reply reply;
};
// The first record of a leader's epoch.
struct AppendLeaderChange {
  LeaderEpoch epoch;
  BrokerId leader;
  std::vector<ReplicaKey> voters;
  std::vector<ReplicaKey> granting_voters;
};
// Append the records of the reply that is being handled, as they are. Answered by FetchedAppended;
// later effects need not wait.
struct AppendFetched {
  bool flush = true;
};
// Put on disk what was appended. Answered by Flushed, which must not count records that a later
// Truncate has dropped; later effects need not wait.
struct Flush {};
struct Truncate {
  Offset end_offset;
};
// Get this snapshot from the leader. Answered by SnapshotFetched; later effects need not wait.
struct FetchSnapshot {
  BrokerId leader;
  LeaderEpoch epoch;
  SnapshotId id;
};
// Drop the whole log, and start it anew, empty, behind the snapshot that was fetched.
struct InstallSnapshot {
  SnapshotId id;
};
// Everything before is committed. Never goes back.
struct HighWatermark {
  Offset offset;
};
struct LeaderChanged {
  LeaderEpoch epoch;
  // kNoBroker while there is none.
  BrokerId leader;
};
// A peer has broken the protocol in a way that following it would lose committed records. Nothing
// was done; the node must stop.
struct Violation {
  std::string what;
};

using Effect =
    std::variant<Persist, SendRequest, SendReply, AppendLeaderChange, AppendFetched, Flush,
                 Truncate, FetchSnapshot, InstallSnapshot, HighWatermark, LeaderChanged, Violation>;

// Reused storage: clear() keeps the room.
class Effects {
 public:
  // Of two states to persist with nothing between them only the second one matters.
  void add(Effect effect) {
    if (!effects_.empty() && std::holds_alternative<Persist>(effect) &&
        std::holds_alternative<Persist>(effects_.back())) {
      effects_.back() = std::move(effect);
      return;
    }
    effects_.push_back(std::move(effect));
  }
  void clear() { effects_.clear(); }
  bool empty() const { return effects_.empty(); }
  std::vector<Effect>& list() { return effects_; }
  const std::vector<Effect>& list() const { return effects_; }

 private:
  std::vector<Effect> effects_;
};

}  // namespace millrace::raft
