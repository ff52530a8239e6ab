// What a leader does: takes fetches for acknowledgements, commits, steps down.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "replication/raft/raft.h"

namespace millrace::raft {

void Raft::become_leader(std::vector<BrokerId> granting, Step& step) {
  const bool alone = options_.voters.is_only(options_.self);
  Leader role{.epoch_start = step.log.end_offset(),
              .progress = Progress(options_.voters, options_.self),
              .fetched = {},
              .check_quorum_deadline = {},
              .next_begin_epoch = {},
              .parked = {},
              .high_watermark_known = false};
  if (!alone) {
    role.check_quorum_deadline = step.now + options_.timing.check_quorum_timeout();
    role.next_begin_epoch = step.now;
  }
  failed_elections_ = 0;
  led_ = true;
  AppendLeaderChange change{
      .epoch = epoch_, .leader = options_.self.id, .voters = {}, .granting_voters = {}};
  for (const auto& voter : options_.voters.voters()) {
    change.voters.push_back(voter);
    if (std::ranges::find(granting, voter.id) != granting.end()) {
      change.granting_voters.push_back(voter);
    }
  }
  transition(epoch_, std::move(role), std::nullopt, step);
  step.out.add(std::move(change));
  step.out.add(Flush{});
}

void Raft::become_resigned(std::vector<ReplicaKey> successors, Step& step) {
  Resigned role{.asking = Asking(options_.voters, options_.self, step.now),
                .successors = std::move(successors),
                .deadline = election_deadline(step)};
  transition(epoch_, std::move(role), std::nullopt, step);
}

void Raft::resign(Step& step) {
  const Leader& leader = std::get<Leader>(role_);
  std::vector<ReplicaProgress> others;
  for (const auto& [id, voter] : leader.progress.voters()) {
    if (id != options_.self.id) others.push_back(voter);
  }
  // The longest log first; by id where they are equal, so that it does not matter who asks.
  std::ranges::sort(others, [](const ReplicaProgress& a, const ReplicaProgress& b) {
    const Offset a_end = a.end_offset.value_or(kNoOffset);
    const Offset b_end = b.end_offset.value_or(kNoOffset);
    return a_end != b_end ? a_end > b_end : a.key.id < b.key.id;
  });
  std::vector<ReplicaKey> successors;
  for (const auto& voter : others) successors.push_back(voter.key);
  become_resigned(std::move(successors), step);
}

void Raft::on_request(std::uint64_t number, const BeginQuorumEpochRequest& request, Step& step) {
  const auto reply = [&](RaftError error) {
    step.out.add(SendReply{number, BeginQuorumEpochReply{error, epoch_, leader()}});
  };
  if (wrong_cluster(request.cluster_id)) return reply(RaftError::inconsistent_cluster_id);
  if (request.leader < BrokerId(0) || request.leader == options_.self.id) {
    return reply(RaftError::invalid_request);
  }
  if (request.epoch < epoch_) return reply(RaftError::fenced_leader_epoch);
  observe(request.epoch, request.leader, step);
  if (wrong_recipient(request.recipient)) return reply(RaftError::invalid_voter_key);
  // Two leaders of one epoch: one of us is broken, and it is not for us to follow.
  if (leader() != request.leader) return reply(RaftError::invalid_request);
  reply(RaftError::none);
}

void Raft::on_request(std::uint64_t number, const EndQuorumEpochRequest& request, Step& step) {
  const auto reply = [&](RaftError error) {
    step.out.add(SendReply{number, EndQuorumEpochReply{error, epoch_, leader()}});
  };
  if (wrong_cluster(request.cluster_id)) return reply(RaftError::inconsistent_cluster_id);
  if (request.leader < BrokerId(0) || request.leader == options_.self.id) {
    return reply(RaftError::invalid_request);
  }
  if (request.epoch < epoch_) return reply(RaftError::fenced_leader_epoch);
  observe(request.epoch, request.leader, step);
  if (leader() != request.leader) return reply(RaftError::invalid_request);
  if (auto* follower = std::get_if<Follower>(&role_)) {
    const auto& candidates = request.preferred_candidates;
    const auto own = std::ranges::find_if(
        candidates, [&](const ReplicaKey& key) { return key.matches(options_.self); });
    const auto place = own == candidates.end() ? 0 : own - candidates.begin();
    follower->leader_gone = true;
    if (is_voter()) {
      follower->fetch_deadline =
          place == 0 ? step.now : step.now + election_backoff(static_cast<int>(place), step);
    }
  }
  reply(RaftError::none);
}

RaftError Raft::check_fetch(const FetchRequest& request) const {
  if (wrong_cluster(request.cluster_id)) return RaftError::inconsistent_cluster_id;
  if (request.max_wait < Duration::zero() || request.fetch_offset < Offset(0) ||
      request.last_fetched_epoch < LeaderEpoch(0) ||
      request.last_fetched_epoch > request.current_leader_epoch ||
      request.replica.id == options_.self.id) {
    return RaftError::invalid_request;
  }
  if (request.current_leader_epoch < epoch_) return RaftError::fenced_leader_epoch;
  if (request.current_leader_epoch > epoch_) return RaftError::unknown_leader_epoch;
  return is_leader() ? RaftError::none : RaftError::not_leader;
}

void Raft::on_request(std::uint64_t number, const FetchRequest& request, Step& step) {
  if (const RaftError error = check_fetch(request); error != RaftError::none) {
    step.out.add(
        SendReply{number, FetchReply{.error = error, .epoch = epoch_, .leader = leader()}});
    return;
  }
  if (auto parting = part_ways(request, step.log)) {
    step.out.add(SendReply{number, *std::move(parting)});
    return;
  }
  Leader& leader = std::get<Leader>(role_);
  leader.progress.on_fetch(request.replica, request.fetch_offset, step.log.end_offset(), step.now);
  if (leader.progress.is_voter(request.replica.id)) {
    note_fetch_of_voter(leader, request.replica.id, step);
  }
  update_leader_high_watermark(step);
  if (worth_answering(request, step.log) || leader.parked.size() >= Leader::kParkedMax) {
    step.out.add(SendReply{number, fetch_reply(request, step.log)});
  } else {
    leader.parked.push_back({number, request, step.now + request.max_wait});
  }
}

std::optional<FetchReply> Raft::part_ways(const FetchRequest& request, const LogView& log) const {
  FetchReply reply = fetch_reply(request, log);
  reply.read_from.reset();
  const auto latest = log.latest_snapshot();
  const Offset start = log.start_offset();
  if (request.fetch_offset == Offset(0)) {
    if (latest && latest->end_offset != Offset(0)) {
      reply.snapshot_id = latest;
      return reply;
    }
    if (start == Offset(0)) return std::nullopt;
  }
  const auto earliest = log.earliest_snapshot();
  if (earliest &&
      (request.fetch_offset < start ||
       (request.fetch_offset == start && request.last_fetched_epoch != earliest->epoch) ||
       request.last_fetched_epoch < earliest->epoch)) {
    reply.snapshot_id = latest;
    return reply;
  }
  const EpochEnd shared = log.end_offset_for(request.last_fetched_epoch);
  if (shared.epoch != request.last_fetched_epoch || shared.end_offset < request.fetch_offset) {
    reply.diverging_epoch = shared;
    return reply;
  }
  return std::nullopt;
}

FetchReply Raft::fetch_reply(const FetchRequest& request, const LogView& log) const {
  const Leader& leader = std::get<Leader>(role_);
  FetchReply reply{.error = RaftError::none, .epoch = epoch_, .leader = options_.self.id};
  if (leader.high_watermark_known) reply.high_watermark = *high_watermark_;
  reply.log_start_offset = log.start_offset();
  if (request.fetch_offset < log.end_offset()) reply.read_from = request.fetch_offset;
  return reply;
}

bool Raft::worth_answering(const FetchRequest& request, const LogView& log) const {
  if (request.max_wait == Duration::zero()) return true;
  if (request.fetch_offset < log.end_offset()) return true;
  return std::get<Leader>(role_).high_watermark_known && *high_watermark_ > request.high_watermark;
}

void Raft::wake_parked(Step& step) {
  auto& parked = std::get<Leader>(role_).parked;
  std::erase_if(parked, [&](const ParkedFetch& fetch) {
    if (fetch.deadline > step.now && !worth_answering(fetch.request, step.log)) return false;
    step.out.add(SendReply{fetch.request_number, fetch_reply(fetch.request, step.log)});
    return true;
  });
}

void Raft::note_fetch_of_voter(Leader& leader, BrokerId voter, Step& step) {
  if (std::ranges::find(leader.fetched, voter) == leader.fetched.end()) {
    leader.fetched.push_back(voter);
  }
  const std::size_t own = is_voter() ? 1 : 0;
  if (leader.fetched.size() + own < options_.voters.majority()) return;
  leader.fetched.clear();
  leader.check_quorum_deadline = step.now + options_.timing.check_quorum_timeout();
}

void Raft::update_leader_high_watermark(Step& step) {
  Leader& leader = std::get<Leader>(role_);
  const auto committed = leader.progress.committed(flushed_end_);
  // Records of older epochs are committed by one of ours behind them, never by counting alone.
  if (!committed || *committed <= leader.epoch_start) return;
  leader.high_watermark_known = true;
  const auto before = high_watermark_;
  advance_high_watermark(*committed, step);
  if (high_watermark_ != before) wake_parked(step);
}

void Raft::on_reply(const ReplyArrived&, const BeginQuorumEpochReply& reply, Step& step) {
  observe(reply.epoch, reply.leader, step);
}

void Raft::on_reply(const ReplyArrived& input, const EndQuorumEpochReply& reply, Step& step) {
  const LeaderEpoch asked_in = epoch_;
  if (!observe(reply.epoch, reply.leader, step) || epoch_ != asked_in) return;
  auto* resigned = std::get_if<Resigned>(&role_);
  if (resigned == nullptr) return;
  if (reply.error == RaftError::none) {
    resigned->asking.done(input.from);
  } else {
    resigned->asking.retry(input.from, step.now + options_.timing.retry_backoff);
  }
}

bool Raft::act_as(Leader& role, Step& step) {
  if (role.check_quorum_deadline && *role.check_quorum_deadline <= step.now) {
    resign(step);
    return true;
  }
  if (role.next_begin_epoch && *role.next_begin_epoch <= step.now) {
    const Duration interval = options_.timing.begin_epoch_interval();
    role.next_begin_epoch = step.now + interval;
    role.progress.forget_observers(step.now - options_.timing.observer_forgotten_after);
    for (const auto& [id, voter] : role.progress.voters()) {
      if (id == options_.self.id) continue;
      if (voter.last_fetch && *voter.last_fetch > step.now - interval) continue;
      BeginQuorumEpochRequest request{
          .cluster_id = {}, .recipient = voter.key, .epoch = epoch_, .leader = options_.self.id};
      if (!options_.cluster_id.empty()) request.cluster_id = options_.cluster_id;
      send(id, std::move(request), step);
    }
  }
  wake_parked(step);
  return false;
}

bool Raft::act_as(Resigned& role, Step& step) {
  if (role.deadline <= step.now) {
    if (is_voter()) {
      become_prospective(step);
    } else {
      become_unattached(epoch_, step);
    }
    return true;
  }
  for (const auto& voter : role.asking.due(step.now, step.now + options_.timing.request_timeout)) {
    EndQuorumEpochRequest request{.cluster_id = {},
                                  .epoch = epoch_,
                                  .leader = options_.self.id,
                                  .preferred_candidates = role.successors};
    if (!options_.cluster_id.empty()) request.cluster_id = options_.cluster_id;
    send(voter.id, std::move(request), step);
  }
  return false;
}

}  // namespace millrace::raft
