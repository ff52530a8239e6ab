#include "replication/raft/raft.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"

namespace millrace::raft {

void Raft::start(const QuorumState& persisted, const Environment& environment, Effects& out) {
  Step step{environment.now, environment.log, environment.random, out};
  // Answers that were on their way to an earlier run of this node must not be taken for answers to
  // this one.
  next_correlation_ = step.random.next() >> 1;
  persisted_ = persisted;
  epoch_ = persisted.epoch;
  voted_ = persisted.voted;
  role_ = Unattached{};
  led_ = persisted.leader == options_.self.id;
  const bool voted_self = voted_ && voted_->matches(options_.self);
  if (step.log.last_epoch() > epoch_) {
    become_unattached(step.log.last_epoch(), step);
  } else if (led_) {
    // A leader that was gone cannot know what happened meanwhile; it never takes up where it was.
    become_resigned({}, step);
  } else if (persisted.leader != kNoBroker) {
    become_follower(epoch_, persisted.leader, step);
  } else if (voted_self && is_voter()) {
    campaign(epoch_, step);
  } else {
    become_unattached(epoch_, step);
  }
  // Nobody to wait for.
  if (options_.voters.is_only(options_.self) && role() != RoleName::candidate) {
    campaign(epoch_ + 1, step);
  }
  act_until_quiet(step);
}

void Raft::step(const Input& input, const Environment& environment, Effects& out) {
  Step step{environment.now, environment.log, environment.random, out};
  std::visit([&](const auto& alternative) { on(alternative, step); }, input);
  act_until_quiet(step);
}

void Raft::act_until_quiet(Step& step) {
  // A lone voter goes from unattached to leader in three.
  for (int changes = 0; !step.hold && act(step); ++changes) {
    CHECK(changes < 8, "{}", to_string(role()));
  }
  // Once per step, so that what is passed through on the way disturbs nobody.
  announce_if_changed(step);
}

bool Raft::act(Step& step) {
  return std::visit([&](auto& role) { return act_as(role, step); }, role_);
}

void Raft::on(const RequestArrived& input, Step& step) {
  std::visit([&](const auto& request) { on_request(input.request_number, request, step); },
             input.request);
}

void Raft::on(const ReplyArrived& input, Step& step) {
  std::visit([&](const auto& reply) { on_reply(input, reply, step); }, input.reply);
}

void Raft::on(const RequestFailed& input, Step& step) {
  const Instant again = step.now + options_.timing.retry_backoff;
  if (auto* prospective = std::get_if<Prospective>(&role_)) {
    prospective->asking.retry(input.to, again);
  } else if (auto* candidate = std::get_if<Candidate>(&role_)) {
    candidate->asking.retry(input.to, again);
  } else if (auto* resigned = std::get_if<Resigned>(&role_)) {
    resigned->asking.retry(input.to, again);
  } else if (auto* unattached = std::get_if<Unattached>(&role_)) {
    if (unattached->next_fetch) unattached->next_fetch = again;
  } else if (auto* follower = std::get_if<Follower>(&role_)) {
    if (follower->fetch_in_flight != input.correlation) return;
    follower->fetch_in_flight.reset();
    follower->next_fetch = again;
  }
}

void Raft::on(const Appended&, Step& step) {
  if (!is_leader()) return;
  step.out.add(Flush{});
  wake_parked(step);
}

void Raft::on(const FetchedAppended& input, Step& step) {
  appending_ = false;
  if (input.ok) flushed_end_ = std::max(flushed_end_, input.end_offset);
  if (auto* follower = std::get_if<Follower>(&role_)) {
    if (input.ok) {
      advance_high_watermark(std::min(follower->leader_high_watermark, step.log.end_offset()),
                             step);
      follower->next_fetch = step.now;
    } else {
      follower->next_fetch = step.now + options_.timing.retry_backoff;
    }
  }
  if (is_leader()) update_leader_high_watermark(step);
}

void Raft::on(const Flushed& input, Step& step) {
  waiting_for_flush_ = false;
  flushed_end_ = std::max(flushed_end_, std::min(input.end_offset, step.log.end_offset()));
  if (is_leader()) update_leader_high_watermark(step);
}

void Raft::on(const SnapshotFetched& input, Step& step) {
  // Meanwhile we may follow another leader, or none, and have records that this snapshot lacks.
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->fetching_snapshot != input.id) return;
  follower->fetching_snapshot.reset();
  if (!input.fetched) {
    follower->next_fetch = step.now + options_.timing.retry_backoff;
    return;
  }
  follower->fetch_deadline = step.now + options_.timing.fetch_timeout;
  follower->next_fetch = step.now;
  flushed_end_ = input.id.end_offset;
  step.out.add(InstallSnapshot{input.id});
  step.hold = true;
  advance_high_watermark(input.id.end_offset, step);
}

void Raft::on(const Resign&, Step& step) {
  if (is_leader()) resign(step);
}

std::optional<Instant> Raft::next_deadline() const {
  std::optional<Instant> next;
  const auto at = [&](std::optional<Instant> deadline) {
    if (deadline && (!next || *deadline < *next)) next = deadline;
  };
  if (const auto* unattached = std::get_if<Unattached>(&role_)) {
    at(unattached->election_deadline);
    at(unattached->next_fetch);
  } else if (const auto* prospective = std::get_if<Prospective>(&role_)) {
    at(prospective->deadline);
    at(prospective->asking.next_deadline());
  } else if (const auto* candidate = std::get_if<Candidate>(&role_)) {
    at(candidate->deadline);
    at(candidate->back_off_until);
    if (!candidate->back_off_until) at(candidate->asking.next_deadline());
  } else if (const auto* follower = std::get_if<Follower>(&role_)) {
    at(follower->fetch_deadline);
    if (!appending_ && !waiting_for_flush_ && !follower->fetching_snapshot) {
      at(follower->next_fetch);
    }
  } else if (const auto* leader = std::get_if<Leader>(&role_)) {
    at(leader->check_quorum_deadline);
    at(leader->next_begin_epoch);
    for (const auto& parked : leader->parked) at(parked.deadline);
  } else if (const auto* resigned = std::get_if<Resigned>(&role_)) {
    at(resigned->deadline);
    at(resigned->asking.next_deadline());
  }
  return next;
}

BrokerId Raft::leader() const {
  if (const auto* follower = std::get_if<Follower>(&role_)) return follower->leader;
  if (const auto* prospective = std::get_if<Prospective>(&role_)) return prospective->leader;
  if (is_leader()) return options_.self.id;
  return kNoBroker;
}

Offset Raft::epoch_start() const {
  CHECK(is_leader());
  return std::get<Leader>(role_).epoch_start;
}

const Progress* Raft::progress() const {
  return is_leader() ? &std::get<Leader>(role_).progress : nullptr;
}

QuorumState Raft::quorum_state() const {
  // Who has led an epoch must not stand for it again, after a restart neither: what it appended may
  // be lost there but not with those who fetched it.
  return {epoch_, led_ ? options_.self.id : leader(), voted_};
}

void Raft::transition(LeaderEpoch epoch, Role role, std::optional<ReplicaKey> vote, Step& step) {
  CHECK(epoch >= epoch_, "{} after {}", epoch.value(), epoch_.value());
  std::vector<ParkedFetch> parked;
  if (auto* leader = std::get_if<Leader>(&role_)) parked = std::move(leader->parked);
  if (epoch > epoch_) {
    voted_.reset();
    led_ = false;
  }
  if (vote) {
    CHECK(!voted_ || voted_->matches(*vote), "a second vote in epoch {}", epoch.value());
    voted_ = vote;
  }
  epoch_ = epoch;
  role_ = std::move(role);
  persist_if_changed(step);
  for (const auto& fetch : parked) {
    step.out.add(
        SendReply{fetch.request_number,
                  FetchReply{.error = RaftError::not_leader, .epoch = epoch_, .leader = leader()}});
  }
}

void Raft::become_unattached(LeaderEpoch epoch, Step& step) {
  Unattached role;
  if (is_voter()) {
    role.election_deadline = election_deadline(step);
  } else {
    role.next_fetch = step.now;
  }
  transition(epoch, role, std::nullopt, step);
}

void Raft::become_follower(LeaderEpoch epoch, BrokerId leader, Step& step) {
  CHECK(leader != options_.self.id);
  failed_elections_ = 0;
  Follower role{.leader = leader,
                .fetch_deadline = step.now + options_.timing.fetch_timeout,
                .next_fetch = step.now};
  transition(epoch, std::move(role), std::nullopt, step);
}

void Raft::persist_if_changed(Step& step) {
  const QuorumState state = quorum_state();
  if (state == persisted_) return;
  persisted_ = state;
  step.out.add(Persist{state});
}

void Raft::announce_if_changed(Step& step) {
  const BrokerId leader = this->leader();
  if (announced_.epoch == epoch_ && announced_.leader == leader) return;
  announced_ = {epoch_, leader};
  step.out.add(announced_);
}

void Raft::advance_high_watermark(Offset offset, Step& step) {
  if (offset < Offset(0) || (high_watermark_ && offset <= *high_watermark_)) return;
  high_watermark_ = offset;
  step.out.add(HighWatermark{offset});
}

bool Raft::observe(LeaderEpoch epoch, BrokerId leader, Step& step) {
  if (epoch < epoch_) return false;
  // Nobody else can know better who we are; a message that says we lead is of a time before our
  // restart.
  if (leader == options_.self.id) leader = kNoBroker;
  if (epoch > epoch_) {
    if (leader == kNoBroker) {
      become_unattached(epoch, step);
    } else {
      become_follower(epoch, leader, step);
    }
    return true;
  }
  if (leader != kNoBroker && this->leader() == kNoBroker && !led_) {
    become_follower(epoch, leader, step);
  }
  return true;
}

bool Raft::wrong_cluster(const std::optional<std::string>& cluster_id) const {
  return cluster_id && !options_.cluster_id.empty() && *cluster_id != options_.cluster_id;
}

bool Raft::wrong_recipient(const std::optional<ReplicaKey>& recipient) const {
  return recipient && !recipient->matches(options_.self);
}

void Raft::send(BrokerId to, Request request, Step& step) {
  step.out.add(SendRequest{to, next_correlation_++, std::move(request)});
}

Duration Raft::random_up_to(Duration most, Step& step) const {
  return Duration(
      static_cast<Duration::rep>(step.random.below(static_cast<std::uint64_t>(most.count()) + 1)));
}

void Raft::check_invariants(const LogView& log) const {
  CHECK(epoch_ >= LeaderEpoch(0));
  CHECK(quorum_state() == persisted_, "what must be on disk was not asked to be");
  CHECK(log.last_epoch() <= epoch_, "log epoch {} in epoch {}", log.last_epoch().value(),
        epoch_.value());
  if (high_watermark_) {
    CHECK(*high_watermark_ <= log.end_offset(), "{} beyond {}", high_watermark_->value(),
          log.end_offset().value());
  }
  CHECK(flushed_end_ <= log.end_offset(), "{} beyond {}", flushed_end_.value(),
        log.end_offset().value());
  if (is_leader()) CHECK(led_ && voted_ && voted_->matches(options_.self));
  if (role() == RoleName::candidate) CHECK(!led_);
  if (role() == RoleName::candidate) CHECK(voted_ && voted_->matches(options_.self));
  if (!is_voter()) {
    CHECK(role() == RoleName::unattached || role() == RoleName::follower, "{}", to_string(role()));
  }
}

}  // namespace millrace::raft
