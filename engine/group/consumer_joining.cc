// Members that come at once to a group that nobody is in. If each were assigned as it comes, the first would be given all there is
// and would have to give nearly all of it back, which takes every other member another heartbeat to find out.
#include <algorithm>
#include <utility>

#include "engine/group/consumer_rebalance.h"

namespace millrace::engine {
namespace {

// One that is still alone waits the pause divided by this: most groups have one member.
constexpr int kPauseParts = 5;
// Nobody waits for more than so many pauses, however many come.
constexpr int kPausesMax = 4;
// More are not assigned in one step: it would keep the shard from others.
constexpr std::size_t kJoiningMax = 1'000;

}  // namespace

// Whoever reads something else is not waited for: what refuses one of those who wait refuses each of them.
bool ConsumerRebalance::waits_for_others(const Profile& profile) const {
  if (step_.options.consumer.join_pause <= Duration{}) return false;
  if (group_.joining.empty()) return group_.members().empty();
  return group_.find(group_.joining.front().member)->profile.reads_the_same_as(profile);
}

void ConsumerRebalance::wait_for_others(Ticket ticket, const std::string& id, Profile profile) {
  note(id, std::move(profile));
  restart_session(*group_.find(id));
  if (group_.joining.empty()) group_.joining_since = step_.now;
  group_.joining.push_back({ticket, id});
  if (group_.joining.size() >= kJoiningMax) return end_joining();
  const Duration pause = step_.options.consumer.join_pause;
  const bool is_alone = group_.members().size() == 1;
  const Instant end = std::min(step_.now + (is_alone ? pause / kPauseParts : pause), group_.joining_since + kPausesMax * pause);
  step_.timers.set(group_.joining_end, end, GroupTimerKind::joining, group_.id(), "");
}

void ConsumerRebalance::end_joining() {
  if (group_.joining.empty()) return;
  const auto joining = std::exchange(group_.joining, {});
  group_.joining_end.clear();
  refresh_epoch(false);
  unassigned_ = assign();
  if (unassigned_) {
    step_.warn("groups.assign", group_.id(), unassigned_->message);
    std::vector<std::string> members;
    for (const auto& [id, member] : group_.members()) members.push_back(id);
    remove(members);
    for (const auto& each : joining) refuse(each.ticket, *unassigned_);
    return;
  }
  for (const auto& [ticket, id] : joining) {
    // Nobody who joins has anything yet.
    reconcile(id, ConsumerAssignment{});
    Member& member = *group_.find(id);
    restart_session(member);
    answer(ticket, member, true);
  }
}

}  // namespace millrace::engine
