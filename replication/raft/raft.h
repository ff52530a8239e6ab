// Raft: KRaft's pull-based agreement on one log (KIP-595, with KIP-996's pre-vote), for the
// metadata log. Followers fetch, the fetch is the acknowledgement, and the leader commits what a
// majority has on disk.
//
//   from         on                                          to
//   unattached   election timer, a voter                     prospective(E); alone: candidate(E+1)
//   unattached   an observer's fetch is told who leads       follower
//   prospective  a majority would vote                       candidate(E+1)
//   prospective  a majority would not, or timer              follower if a leader is known,
//                                                            else unattached
//   candidate    a majority votes                            leader: appends LeaderChange
//   candidate    refused and backed off, or timer            prospective(E)
//   follower     no successful fetch for fetch_timeout       prospective(E); observer: unattached
//   leader       no majority fetches, or asked to resign     resigned(E): sends EndQuorumEpoch
//   resigned     timer                                       prospective(E); observer: unattached
//   any          a later epoch, with a leader / without      follower / unattached
//
// Shard:      its driver's; a plain value without I/O, clock or waiting.
// Lifetime:   start() once, then step() per input; after a Violation no more.
// Invariant:  epoch() and high_watermark() never go back; at most one vote per epoch; what must be
//             on disk before a message leaves is an effect before it; nothing below
//             high_watermark() is truncated.
// Voters:     fixed while running (kraft.version 0). Changes of the set are not decided here yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/prng.h"
#include "base/time.h"
#include "replication/raft/log_view.h"
#include "replication/raft/messages.h"
#include "replication/raft/roles.h"
#include "replication/raft/voters.h"

namespace millrace::raft {

// Kafka's defaults.
struct Timing {
  Duration election_timeout = from_ms(1000);  // and up to as much again, at random
  Duration fetch_timeout = from_ms(2000);
  Duration election_backoff_min = from_ms(100);
  Duration election_backoff_max = from_ms(1000);
  Duration request_timeout = from_ms(2000);
  Duration retry_backoff = from_ms(20);
  Duration fetch_wait_max = from_ms(500);
  Duration observer_forgotten_after = from_ms(300'000);

  // A leader that has not heard from a majority for so long resigns.
  Duration check_quorum_timeout() const { return fetch_timeout * 3 / 2; }
  Duration begin_epoch_interval() const { return fetch_timeout / 2; }
};

// What a step may look at besides its input.
struct Environment {
  Instant now;
  const LogView& log;
  Prng& random;
};

class Raft {
 public:
  struct Options {
    ReplicaKey self;
    VoterSet voters;
    // Empty: not checked.
    std::string cluster_id;
    Timing timing;
  };

  explicit Raft(Options options) : options_(std::move(options)) {}

  // Takes up the role that the state from disk asks for. Before any step.
  void start(const QuorumState& persisted, const Environment& environment, Effects& out);
  void step(const Input& input, const Environment& environment, Effects& out);
  // When a Tick is due; empty when nothing is waited for.
  std::optional<Instant> next_deadline() const;

  RoleName role() const { return static_cast<RoleName>(role_.index()); }
  LeaderEpoch epoch() const { return epoch_; }
  // kNoBroker while unknown.
  BrokerId leader() const;
  bool is_leader() const { return role() == RoleName::leader; }
  bool is_voter() const { return options_.voters.contains(options_.self); }
  // Where the leader's epoch began. Requires: is_leader().
  Offset epoch_start() const;
  // Everything before is committed; empty until that is known.
  std::optional<Offset> high_watermark() const { return high_watermark_; }
  // What must be on disk now.
  QuorumState quorum_state() const;
  const Options& options() const { return options_; }
  // What the leader knows of the others, for DescribeQuorum; null elsewhere.
  const Progress* progress() const;
  void check_invariants(const LogView& log) const;

 private:
  struct Step {
    Instant now;
    const LogView& log;
    Prng& random;
    Effects& out;
    // The log will be another once the effects so far are done: what comes next must wait for the
    // next step.
    bool hold = false;
  };

  // ---- raft.cc: inputs, time, transitions
  void on(const RequestArrived& input, Step& step);
  void on(const ReplyArrived& input, Step& step);
  void on(const RequestFailed& input, Step& step);
  void on(const Tick&, Step&) {}
  void on(const Appended& input, Step& step);
  void on(const FetchedAppended& input, Step& step);
  void on(const Flushed& input, Step& step);
  void on(const SnapshotFetched& input, Step& step);
  void on(const Resign& input, Step& step);
  // Does what is due; true if the role changed, so that more may be.
  bool act(Step& step);
  void act_until_quiet(Step& step);

  void transition(LeaderEpoch epoch, Role role, std::optional<ReplicaKey> vote, Step& step);
  void become_unattached(LeaderEpoch epoch, Step& step);
  void become_follower(LeaderEpoch epoch, BrokerId leader, Step& step);
  void persist_if_changed(Step& step);
  void announce_if_changed(Step& step);
  void advance_high_watermark(Offset offset, Step& step);
  // Follows what a message says about epoch and leader, if it says more than we know. False when
  // the message is of an older epoch, and so means nothing.
  bool observe(LeaderEpoch epoch, BrokerId leader, Step& step);
  bool wrong_cluster(const std::optional<std::string>& cluster_id) const;
  bool wrong_recipient(const std::optional<ReplicaKey>& recipient) const;
  void send(BrokerId to, Request request, Step& step);
  Duration random_up_to(Duration most, Step& step) const;

  // ---- elections.cc
  void become_prospective(Step& step);
  void campaign(LeaderEpoch epoch, Step& step);
  void on_request(std::uint64_t number, const VoteRequest& request, Step& step);
  VoteReply decide_vote(const VoteRequest& request, Step& step);
  bool candidate_log_is_current(const VoteRequest& request, const LogView& log) const;
  bool would_grant_pre_vote() const;
  void on_reply(const ReplyArrived& input, const VoteReply& reply, Step& step);
  void ask_for_votes(Asking& asking, bool pre_vote, Step& step);
  bool act_as(Unattached& role, Step& step);
  bool act_as(Prospective& role, Step& step);
  bool act_as(Candidate& role, Step& step);
  Instant election_deadline(Step& step) const;
  Duration election_backoff(int attempt, Step& step) const;

  // ---- leading.cc
  void become_leader(std::vector<BrokerId> granting, Step& step);
  void become_resigned(std::vector<ReplicaKey> successors, Step& step);
  void resign(Step& step);
  void on_request(std::uint64_t number, const BeginQuorumEpochRequest& request, Step& step);
  void on_request(std::uint64_t number, const EndQuorumEpochRequest& request, Step& step);
  void on_request(std::uint64_t number, const FetchRequest& request, Step& step);
  RaftError check_fetch(const FetchRequest& request) const;
  // The answer to a fetch that cannot be served from where it asks; empty if it can.
  std::optional<FetchReply> part_ways(const FetchRequest& request, const LogView& log) const;
  void on_reply(const ReplyArrived& input, const BeginQuorumEpochReply& reply, Step& step);
  void on_reply(const ReplyArrived& input, const EndQuorumEpochReply& reply, Step& step);
  FetchReply fetch_reply(const FetchRequest& request, const LogView& log) const;
  bool worth_answering(const FetchRequest& request, const LogView& log) const;
  void wake_parked(Step& step);
  void note_fetch_of_voter(Leader& leader, BrokerId voter, Step& step);
  void update_leader_high_watermark(Step& step);
  bool act_as(Leader& role, Step& step);
  bool act_as(Resigned& role, Step& step);

  // ---- following.cc
  bool act_as(Follower& role, Step& step);
  void send_fetch(BrokerId to, Step& step);
  void on_reply(const ReplyArrived& input, const FetchReply& reply, Step& step);
  void take_fetched(Follower& role, const FetchReply& reply, Step& step);
  void truncate_to_leader(Follower& role, EpochEnd leader, Step& step);

  Options options_;
  LeaderEpoch epoch_{0};
  std::optional<ReplicaKey> voted_;
  Role role_;
  std::optional<Offset> high_watermark_;
  // Everything of our own log before it is on disk.
  Offset flushed_end_{0};
  // What a fetch brought is being written; whatever the role becomes meanwhile.
  bool appending_ = false;
  // A voter's fetch acknowledges its whole log, so it waits until that is on disk.
  bool waiting_for_flush_ = false;
  // This epoch is, or was, ours to lead.
  bool led_ = false;
  int failed_elections_ = 0;
  std::uint64_t next_correlation_ = 1;
  // Answers to what was asked before this campaign do not count in it.
  std::uint64_t campaign_from_ = 0;
  QuorumState persisted_;
  LeaderChanged announced_{LeaderEpoch(-1), kNoBroker};
};

}  // namespace millrace::raft
