// RaftDriver: feeds the Raft machine and carries out what it decides, in order: persist before
// send, append before answer.
//
// Shard:      one; its log, store and listener live there too.
// Lifetime:   start(), then stop() must have completed before destruction.
// Failure:    a full disk ends the leadership, which may be won again once there is room. After any
//             other (a broken disk, a peer that breaks the protocol) it does nothing more: everyone
//             who waits is told, and so is the listener.
// Invariant:  one input at a time; the next one waits until the effects of the last are done, but
//             for those that may take long (flushes, requests to peers).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/prng.h"
#include "base/result.h"
#include "io/gate.h"
#include "io/reactor.h"
#include "io/wait.h"
#include "replication/ports.h"
#include "replication/raft/raft.h"

namespace millrace::replication {

// Told in order, from inside of the driver: must not wait, and may append.
class RaftListener {
 public:
  virtual ~RaftListener() = default;
  // Everything before `high_watermark` is committed.
  virtual void on_commit(Offset high_watermark) = 0;
  // `leader` is kNoBroker while there is none. This node is named only once all that was committed
  // before its epoch has been told by on_commit.
  virtual void on_leader_change(LeaderEpoch epoch, BrokerId leader) = 0;
  // The driver has stopped for good; the node must not go on as a voter.
  virtual void on_failure(const Error& error) = 0;
};

class RaftDriver {
 public:
  struct Options {
    raft::Raft::Options raft;
    // For timers and backoff.
    std::uint64_t seed = 0;
    std::size_t fetch_bytes_max = std::size_t{8} << 20;
  };

  RaftDriver(ReplicaLog& log, QuorumStateStore& store, PeerTransport& peers, RaftListener& listener,
             Options options);
  ~RaftDriver();
  RaftDriver(const RaftDriver&) = delete;

  // Reads the state, makes sure that the log as it was read is on disk, and begins. A lone voter
  // leads soon after. Errors: those of the store and the log.
  io::Task<Result<void>> start();
  // Ends everything it started; who waits is told `closed`. The peers must end their requests for
  // that.
  io::Task<void> stop();

  // Appends as the leader of `epoch`: the offsets are assigned on return, nothing is committed.
  // Errors: not_leader (not this node, or not in this epoch), those of the log (nothing was
  // appended), closed.
  Result<AppendedRange> append(std::vector<std::byte> batches, LeaderEpoch epoch);
  // Completes when `range` is committed, on disk of a majority. Errors: not_leader (leadership was
  // lost: it may or may not be committed later), closed, what the driver failed with.
  io::Task<Result<void>> committed(AppendedRange range);
  // Both.
  io::Task<Result<AppendedRange>> append_and_commit(std::vector<std::byte> batches,
                                                    LeaderEpoch epoch);

  // Completes when this node leads and has committed the beginning of its epoch, which it gives.
  // Errors: as committed().
  io::Task<Result<LeaderEpoch>> wait_to_lead();

  // The answer to a request of a peer. Errors: closed.
  io::Task<Result<raft::Reply>> handle(raft::Request request);
  // Asks to stop leading, before a stop.
  void resign();

  const raft::Raft& raft() const { return raft_; }
  const std::optional<Error>& failure() const { return failure_; }

 private:
  struct Waiting {
    std::optional<raft::Reply> reply;
  };
  // Counts who must be let go before the end.
  class Waiter {
   public:
    explicit Waiter(RaftDriver& driver) : driver_(driver) { ++driver_.waiters_; }
    ~Waiter() { --driver_.waiters_; }
    Waiter(const Waiter&) = delete;

   private:
    RaftDriver& driver_;
  };

  raft::Environment environment();
  void push(raft::Input input);
  io::Task<void> pump();
  void arm_timer();
  io::Task<void> carry_out(raft::Input& input);
  // The effects that need no waiting.
  void apply(const raft::Persist& effect);
  void apply(const raft::AppendLeaderChange& effect);
  void apply(const raft::HighWatermark& effect);
  void apply(const raft::LeaderChanged& effect);
  void apply(raft::Input& input, const raft::AppendFetched& effect);
  void request_flush();
  io::Task<void> flush_until_quiet();
  io::Task<void> flush_fetched(Offset end_offset);
  io::Task<void> ask(raft::SendRequest request);
  io::Task<void> answer(raft::SendReply& reply);
  io::Task<void> truncate(Offset end_offset);
  void claim_if_committed();
  void survive_or_fail(Error error);
  void fail_for_good(Error error);
  std::optional<Error> ended() const;

  ReplicaLog& log_;
  QuorumStateStore& store_;
  PeerTransport& peers_;
  RaftListener& listener_;
  Options options_;
  raft::Raft raft_;
  Prng random_;
  raft::Effects effects_;

  std::deque<raft::Input> inputs_;
  io::Event wake_;
  io::Timer timer_;
  io::Gate gate_;
  bool stopping_ = false;
  std::optional<Error> failure_;

  // Woken by commits, changes of leadership and the end.
  io::Event progress_;
  // The epoch whose LeaderChange is in our log: only then may others append.
  std::optional<LeaderEpoch> open_epoch_;
  // Where our log ends as far as we have appended to it in that epoch.
  Offset leader_end_{0};
  std::optional<LeaderEpoch> claimed_epoch_;

  bool flushing_ = false;
  bool flush_wanted_ = false;
  // What the flush under way may report; a truncation lowers it.
  Offset flush_end_{0};

  std::uint64_t next_request_ = 1;
  std::map<std::uint64_t, Waiting*> waiting_;
  io::Event answered_;
  std::uint64_t waiters_ = 0;
};

}  // namespace millrace::replication
