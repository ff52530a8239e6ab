// What replication needs of the world: a log, a place for a few bytes of state, a way to the peers.
// The engine and net implement them; tests do so in memory.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "io/task.h"
#include "replication/raft/log_view.h"
#include "replication/raft/messages.h"

namespace millrace::replication {

// Records that were appended, and are not yet committed.
struct AppendedRange {
  Offset first_offset;
  Offset end_offset;
  // Of the leader that appended them.
  LeaderEpoch epoch;
};

// The log that is replicated. Appends take effect at once for LogView, and in the order of the
// calls; they are durable only after a flush.
//
// Shard:     its driver's.
// Failure:   after an append or flush has failed with anything but what is said below, the log's
//            contents are in doubt and the driver stops.
class ReplicaLog : public raft::LogView {
 public:
  // Assigns offsets and epoch to whole batches and appends them. Errors: corrupt, malformed,
  // too_large (nothing was appended).
  virtual Result<AppendedRange> append_as_leader(std::vector<std::byte> batches,
                                                 LeaderEpoch epoch) = 0;
  // Appends the control batch that begins a leader's epoch.
  virtual Result<void> append_leader_change(const raft::AppendLeaderChange& change) = 0;
  // Appends batches of the leader as they are. Errors: corrupt, out_of_range (a gap, or an epoch
  // that goes back): nothing was appended then.
  virtual Result<void> append_as_follower(std::vector<std::byte> batches) = 0;
  // Completes when everything appended before the call is on disk.
  virtual io::Task<Result<void>> flush() = 0;
  virtual io::Task<Result<void>> truncate(Offset end_offset) = 0;
  // Whole batches from `from` on, at least one if there is one, else at most `bytes_max`.
  virtual io::Task<Result<std::vector<std::byte>>> read(Offset from, std::size_t bytes_max) = 0;
};

// Keeps what Raft must not forget (quorum_state_file.h).
class QuorumStateStore {
 public:
  virtual ~QuorumStateStore() = default;
  // Empty when nothing was ever saved. Errors: malformed, unsupported, io_error.
  virtual Result<std::optional<raft::QuorumState>> load() = 0;
  // Durable on return.
  virtual Result<void> save(const raft::QuorumState& state) = 0;
};

// Requests to the other voters and to bootstrap servers, by node id.
class PeerTransport {
 public:
  virtual ~PeerTransport() = default;
  // Errors: timed_out, closed, refused, not_found (no address). It must end, in bounded time, also
  // when stopping.
  virtual io::Task<Result<raft::Reply>> ask(BrokerId to, raft::Request request) = 0;
};

// For a quorum of one.
class NoPeers final : public PeerTransport {
 public:
  io::Task<Result<raft::Reply>> ask(BrokerId to, raft::Request) override {
    co_return fail(Errc::not_found, "no way to node " + std::to_string(to.value()));
  }
};

}  // namespace millrace::replication
