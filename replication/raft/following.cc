// What a follower does: fetches, appends as it is told, and truncates where its log is not the
// leader's.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "replication/raft/raft.h"

namespace millrace::raft {

bool Raft::act_as(Follower& role, Step& step) {
  if (role.fetch_deadline <= step.now) {
    if (is_voter()) {
      become_prospective(step);
    } else {
      become_unattached(epoch_, step);
    }
    return true;
  }
  if (appending_ || role.fetching_snapshot || role.next_fetch > step.now) return false;
  if (is_voter() && flushed_end_ < step.log.end_offset()) {
    if (!waiting_for_flush_) step.out.add(Flush{});
    waiting_for_flush_ = true;
    return false;
  }
  // Unless an answer comes before, this one is given up and the next is sent.
  role.fetch_in_flight = next_correlation_;
  role.next_fetch = step.now + options_.timing.request_timeout;
  send_fetch(role.leader, step);
  return false;
}

void Raft::send_fetch(BrokerId to, Step& step) {
  FetchRequest request{.cluster_id = {},
                       .replica = options_.self,
                       .current_leader_epoch = epoch_,
                       .fetch_offset = step.log.end_offset(),
                       .last_fetched_epoch = step.log.last_epoch(),
                       .max_wait = options_.timing.fetch_wait_max,
                       .high_watermark = high_watermark_.value_or(kNoOffset)};
  if (!options_.cluster_id.empty()) request.cluster_id = options_.cluster_id;
  send(to, std::move(request), step);
}

void Raft::on_reply(const ReplyArrived& input, const FetchReply& reply, Step& step) {
  if (auto* unattached = std::get_if<Unattached>(&role_); unattached && unattached->next_fetch) {
    unattached->next_fetch = step.now + options_.timing.retry_backoff;
  }
  const LeaderEpoch asked_in = epoch_;
  if (!observe(reply.epoch, reply.leader, step) || epoch_ != asked_in) return;
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->fetch_in_flight != input.correlation) return;
  follower->fetch_in_flight.reset();
  if (reply.error != RaftError::none || input.from != follower->leader) {
    follower->next_fetch = step.now + options_.timing.retry_backoff;
    return;
  }
  if (!follower->leader_gone) {
    follower->fetch_deadline = step.now + options_.timing.fetch_timeout;
  }
  follower->next_fetch = step.now;
  follower->has_fetched = true;
  take_fetched(*follower, reply, step);
}

void Raft::take_fetched(Follower& role, const FetchReply& reply, Step& step) {
  if (reply.diverging_epoch) return truncate_to_leader(role, *reply.diverging_epoch, step);
  if (reply.snapshot_id) {
    if (reply.snapshot_id->end_offset < high_watermark_.value_or(Offset(0))) {
      step.out.add(Violation{
          fmt::format("leader {} offers a snapshot that ends at {}, below what is committed",
                      role.leader.value(), reply.snapshot_id->end_offset.value())});
      step.hold = true;
      return;
    }
    role.fetching_snapshot = reply.snapshot_id;
    step.out.add(FetchSnapshot{role.leader, epoch_, *reply.snapshot_id});
    return;
  }
  role.leader_high_watermark = reply.high_watermark;
  if (reply.records.empty()) {
    advance_high_watermark(std::min(reply.high_watermark, step.log.end_offset()), step);
    return;
  }
  appending_ = true;
  step.out.add(AppendFetched{.flush = is_voter()});
}

void Raft::truncate_to_leader(Follower& role, EpochEnd leader, Step& step) {
  const Offset end = step.log.end_offset();
  Offset to = std::min(leader.end_offset, end);
  if (leader.epoch != LeaderEpoch(0)) {
    const EpochEnd own = step.log.end_offset_for(leader.epoch);
    to = own.epoch == leader.epoch ? std::min({own.end_offset, leader.end_offset, end})
                                   : std::min(own.end_offset, end);
  }
  if (high_watermark_ && to < *high_watermark_) {
    step.out.add(Violation{
        fmt::format("leader {} of epoch {} wants the log truncated to {}, but {} is committed",
                    role.leader.value(), epoch_.value(), to.value(), high_watermark_->value())});
    step.hold = true;
    return;
  }
  flushed_end_ = std::min(flushed_end_, to);
  step.out.add(Truncate{to});
  step.hold = true;
}

}  // namespace millrace::raft
