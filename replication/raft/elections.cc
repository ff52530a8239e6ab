// Who may lead: pre-votes, votes, and the timers between them.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "replication/raft/raft.h"

namespace millrace::raft {

Instant Raft::election_deadline(Step& step) const {
  const Duration timeout = options_.timing.election_timeout;
  return step.now + timeout + random_up_to(timeout, step);
}

// Doubles with each attempt; up to that at random, so that two candidates do not meet for ever.
Duration Raft::election_backoff(int attempt, Step& step) const {
  const Duration most = options_.timing.election_backoff_max;
  Duration backoff = options_.timing.election_backoff_min;
  for (int i = 0; i < attempt && backoff < most; ++i) backoff *= 2;
  return random_up_to(std::min(backoff, most), step);
}

void Raft::become_prospective(Step& step) {
  CHECK(is_voter());
  if (options_.voters.is_only(options_.self)) return campaign(epoch_ + 1, step);
  campaign_from_ = next_correlation_;
  const auto* follower = std::get_if<Follower>(&role_);
  Prospective role{.leader = leader(),
                   .leader_gone = follower != nullptr && follower->leader_gone,
                   .election = Election(options_.voters),
                   .asking = Asking(options_.voters, options_.self, step.now),
                   .deadline = election_deadline(step)};
  role.election.record(options_.self.id, true);
  transition(epoch_, std::move(role), std::nullopt, step);
}

void Raft::campaign(LeaderEpoch epoch, Step& step) {
  CHECK(is_voter());
  campaign_from_ = next_correlation_;
  Candidate role{.election = Election(options_.voters),
                 .asking = Asking(options_.voters, options_.self, step.now),
                 .deadline = election_deadline(step),
                 .back_off_until = {}};
  role.election.record(options_.self.id, true);
  transition(epoch, std::move(role), options_.self, step);
}

void Raft::ask_for_votes(Asking& asking, bool pre_vote, Step& step) {
  for (const auto& voter : asking.due(step.now, step.now + options_.timing.request_timeout)) {
    VoteRequest request{.cluster_id = {},
                        .recipient = voter,
                        .epoch = epoch_,
                        .candidate = options_.self,
                        .last_epoch = step.log.last_epoch(),
                        .last_offset = step.log.end_offset(),
                        .pre_vote = pre_vote};
    if (!options_.cluster_id.empty()) request.cluster_id = options_.cluster_id;
    send(voter.id, std::move(request), step);
  }
}

bool Raft::act_as(Unattached& role, Step& step) {
  if (role.election_deadline && *role.election_deadline <= step.now) {
    become_prospective(step);
    return true;
  }
  if (role.next_fetch && *role.next_fetch <= step.now) {
    role.next_fetch = step.now + options_.timing.request_timeout;
    const auto voters = options_.voters.voters();
    send_fetch(voters[step.random.below(voters.size())].id, step);
  }
  return false;
}

bool Raft::act_as(Prospective& role, Step& step) {
  const Ballot outcome = role.election.outcome();
  if (outcome == Ballot::granted) {
    campaign(epoch_ + 1, step);
    return true;
  }
  if (outcome == Ballot::rejected || role.deadline <= step.now) {
    if (role.leader_gone) {
      // Soon again: somebody must win, and there is nobody to wait for.
      const int attempt = failed_elections_ + 1;
      become_follower(epoch_, role.leader, step);
      auto& follower = std::get<Follower>(role_);
      follower.leader_gone = true;
      follower.fetch_deadline = step.now + election_backoff(attempt, step);
      failed_elections_ = attempt;
    } else if (role.leader != kNoBroker) {
      become_follower(epoch_, role.leader, step);
    } else {
      become_unattached(epoch_, step);
    }
    return true;
  }
  ask_for_votes(role.asking, true, step);
  return false;
}

bool Raft::act_as(Candidate& role, Step& step) {
  const Ballot outcome = role.election.outcome();
  if (outcome == Ballot::granted) {
    become_leader(role.election.granting(), step);
    return true;
  }
  if (outcome == Ballot::rejected && !role.back_off_until) {
    role.back_off_until = step.now + election_backoff(failed_elections_++, step);
  }
  if (role.deadline <= step.now || (role.back_off_until && *role.back_off_until <= step.now)) {
    become_prospective(step);
    return true;
  }
  if (!role.back_off_until) ask_for_votes(role.asking, false, step);
  return false;
}

void Raft::on_request(std::uint64_t number, const VoteRequest& request, Step& step) {
  step.out.add(SendReply{number, decide_vote(request, step)});
}

VoteReply Raft::decide_vote(const VoteRequest& request, Step& step) {
  const auto reply = [&](RaftError error, bool granted) {
    return VoteReply{.error = error, .epoch = epoch_, .leader = leader(), .granted = granted};
  };
  if (wrong_cluster(request.cluster_id)) return reply(RaftError::inconsistent_cluster_id, false);
  // A candidate's log ends in an epoch before the one it stands for; one that only asks may stand
  // in its last one still.
  const bool epoch_possible =
      request.pre_vote ? request.last_epoch <= request.epoch : request.last_epoch < request.epoch;
  if (request.last_epoch < LeaderEpoch(0) || request.last_offset < Offset(0) || !epoch_possible) {
    return reply(RaftError::invalid_request, false);
  }
  if (request.epoch < epoch_) return reply(RaftError::fenced_leader_epoch, false);
  if (request.epoch > epoch_) become_unattached(request.epoch, step);
  if (wrong_recipient(request.recipient)) return reply(RaftError::invalid_voter_key, false);
  const bool log_current = candidate_log_is_current(request, step.log);
  if (request.pre_vote) return reply(RaftError::none, log_current && would_grant_pre_vote());

  const bool led = leader() != kNoBroker || led_;
  const bool free = !voted_ || voted_->matches(request.candidate);
  if (led || !free || !log_current) return reply(RaftError::none, false);
  if (!voted_) {
    // The vote is for this epoch; whoever gave it waits a while for the outcome.
    Unattached role;
    if (is_voter()) {
      role.election_deadline = election_deadline(step);
    } else {
      role.next_fetch = step.now + options_.timing.retry_backoff;
    }
    transition(epoch_, role, request.candidate, step);
  }
  return reply(RaftError::none, true);
}

bool Raft::candidate_log_is_current(const VoteRequest& request, const LogView& log) const {
  const LeaderEpoch own = log.last_epoch();
  if (request.last_epoch != own) return request.last_epoch > own;
  return request.last_offset >= log.end_offset();
}

bool Raft::would_grant_pre_vote() const {
  if (is_leader()) return false;
  // Who still hears from the leader sees no need for another one.
  const auto* follower = std::get_if<Follower>(&role_);
  return follower == nullptr || !follower->has_fetched || follower->leader_gone;
}

void Raft::on_reply(const ReplyArrived& input, const VoteReply& reply, Step& step) {
  const LeaderEpoch asked_in = epoch_;
  if (!observe(reply.epoch, reply.leader, step)) return;
  if (epoch_ != asked_in) return;
  if (input.correlation < campaign_from_ || input.correlation >= next_correlation_) return;
  auto* prospective = std::get_if<Prospective>(&role_);
  auto* candidate = std::get_if<Candidate>(&role_);
  if (prospective == nullptr && candidate == nullptr) return;
  Election& election = prospective != nullptr ? prospective->election : candidate->election;
  Asking& asking = prospective != nullptr ? prospective->asking : candidate->asking;
  if (reply.error == RaftError::none) {
    election.record(input.from, reply.granted);
    asking.done(input.from);
  } else if (reply.error == RaftError::unsupported_version && prospective != nullptr) {
    // A peer that knows no pre-votes cannot object to one.
    election.record(input.from, true);
    asking.done(input.from);
  } else {
    asking.retry(input.from, step.now + options_.timing.retry_backoff);
  }
}

}  // namespace millrace::raft
