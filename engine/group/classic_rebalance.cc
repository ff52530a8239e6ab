#include "engine/group/classic_rebalance.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/group/member_id.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

// KIP-394: from this version on a member is given its id before it takes part.
constexpr std::int16_t kKnowsItsIdSince = 4;
// KIP-814: from this version on a leader can be told that the assignment stands.
constexpr std::int16_t kSkipsAssignmentSince = 9;
// Members may say that nobody is to wait for them at all; a group that never waits never comes to rest.
constexpr Duration kPatienceMin = std::chrono::seconds(1);

// What is added to a prefix to make it a member id.
constexpr std::size_t kDrawnBytes = 37;

// What a member that says this is counted as, before it has an assignment.
std::size_t request_bytes(const JoinGroup& question, std::size_t id_bytes) {
  const wire::JoinGroupRequest& request = *question.request;
  std::size_t total = ClassicGroup::kMemberBytes + id_bytes + question.client_id.size() +
                      question.client_host.size() + request.protocol_type.size();
  if (request.group_instance_id) total += 2 * request.group_instance_id->size();
  for (const auto& protocol : request.protocols) {
    total += ClassicGroup::kProtocolBytes + 2 * protocol.name.size() + protocol.metadata.size();
  }
  return total;
}

Duration rebalance_timeout(const wire::JoinGroupRequest& request) {
  return from_ms(request.rebalance_timeout_ms < 0 ? request.session_timeout_ms
                                                  : request.rebalance_timeout_ms);
}

bool differs(const std::optional<std::string_view>& said, const std::optional<std::string>& known) {
  return said && *said != known.value_or("");
}

}  // namespace

// ---- Joining

bool ClassicRebalance::accepts(std::string_view member_id) const {
  const ClassicGroup::Members& members = group_.members();
  const auto found = members.find(member_id);
  switch (group_.state()) {
    case State::empty:
      return true;
    case State::preparing_rebalance:
      return (found != members.end() && found->second.awaiting_join) ||
             group_.awaiting_join() < step_.options.group_size_max;
    case State::completing_rebalance:
    case State::stable:
      return found != members.end() || members.size() < step_.options.group_size_max;
  }
  return false;
}

void ClassicRebalance::join(const JoinGroup& question) {
  const wire::JoinGroupRequest& request = *question.request;
  if (!accepts(request.member_id)) {
    remove_member(std::string(request.member_id), ErrorCode::unknown_member_id);
    group_.remove_pending(request.member_id);
    return refuse_join(question.ticket, ErrorCode::group_max_size_reached, "");
  }
  if (!group_.supports(request.protocol_type, request.protocols)) {
    return refuse_join(question.ticket, ErrorCode::inconsistent_group_protocol, request.member_id);
  }
  if (!has_room(question)) {
    step_.warn_of_no_room(group_.id());
    return refuse_join(question.ticket, ErrorCode::coordinator_not_available, request.member_id);
  }
  if (request.member_id.empty()) {
    join_new(question);
  } else {
    join_again(question);
  }
  if (group_.state() == State::preparing_rebalance && group_.all_have_joined() &&
      group_.generation() != 0) {
    complete_join();
  }
}

// Whoever is counted already needs room only for what it adds.
bool ClassicRebalance::has_room(const JoinGroup& question) const {
  const wire::JoinGroupRequest& request = *question.request;
  const std::size_t id_bytes = group_.bytes_of_id(request.member_id.size());
  if (group_.is_pending(request.member_id)) {
    return step_.use.has_room_for_bytes(request_bytes(question, id_bytes) - id_bytes);
  }
  const Member* known = group_.find(request.member_id);
  if (known == nullptr && request.member_id.empty() && request.group_instance_id) {
    const std::string* holder = group_.static_member(*request.group_instance_id);
    if (holder != nullptr) known = group_.find(*holder);
  }
  if (known == nullptr) {
    const std::size_t prefix = request.group_instance_id.value_or(question.client_id).size();
    return step_.use.has_room_for_member(request_bytes(question, group_.bytes_of_id(prefix + kDrawnBytes)));
  }
  const std::size_t before = group_.bytes_of(*known) - known->assignment.size() + request.protocol_type.size();
  const std::size_t bytes = request_bytes(question, group_.bytes_of_id(known->id.size()));
  return step_.use.has_room_for_bytes(bytes - std::min(bytes, before));
}

void ClassicRebalance::join_new(const JoinGroup& question) {
  const wire::JoinGroupRequest& request = *question.request;
  const std::string_view prefix = request.group_instance_id.value_or(question.client_id);
  std::string member_id = fmt::format("{}-{}", prefix, java_uuid(step_.prng));
  if (request.group_instance_id) {
    const std::string* holder = group_.static_member(*request.group_instance_id);
    if (holder == nullptr) return add_member(question, std::move(member_id));
    return join_as_static(question, std::string(*holder), std::move(member_id));
  }
  if (question.version < kKnowsItsIdSince) return add_member(question, std::move(member_id));
  group_.add_pending(member_id);
  step_.timers.set(group_.pending().find(member_id)->second,
                   step_.now + from_ms(request.session_timeout_ms), GroupTimerKind::pending_member,
                   group_.id(), member_id);
  refuse_join(question.ticket, ErrorCode::member_id_required, member_id);
}

void ClassicRebalance::join_again(const JoinGroup& question) {
  const wire::JoinGroupRequest& request = *question.request;
  if (group_.is_pending(request.member_id)) {
    // An id that was given to a dynamic member is not a static one's.
    if (request.group_instance_id) {
      return refuse_join(question.ticket, ErrorCode::unknown_member_id, request.member_id);
    }
    return add_member(question, std::string(request.member_id));
  }
  if (const ErrorCode error = check_member(request.member_id, request.group_instance_id);
      error != ErrorCode::none) {
    return refuse_join(question.ticket, error, request.member_id);
  }
  Member& member = *group_.find(request.member_id);
  const bool unchanged = member.matches(request.protocols);
  if (group_.state() == State::completing_rebalance && unchanged) {
    // It may not have got the answer to its first attempt.
    return step_.reply(question.ticket, describe_generation(member, group_.is_leader(member.id)));
  }
  // A leader that joins wants a rebalance: it has seen that the topics changed.
  if (group_.state() == State::stable && unchanged && !group_.is_leader(member.id)) {
    return step_.reply(question.ticket, describe_generation(member, false));
  }
  update_member(question, member);
  prepare_or_complete();
}

void ClassicRebalance::add_member(const JoinGroup& question, std::string member_id) {
  const wire::JoinGroupRequest& request = *question.request;
  Member joining{.id = std::move(member_id),
                 .instance_id = std::nullopt,
                 .client_id = std::string(question.client_id),
                 .client_host = std::string(question.client_host),
                 .rebalance_timeout = rebalance_timeout(request),
                 .session_timeout = from_ms(request.session_timeout_ms),
                 .protocols = {},
                 .assignment = {},
                 .is_new = true,
                 .awaiting_join = question.ticket};
  if (request.group_instance_id) joining.instance_id = std::string(*request.group_instance_id);
  for (const auto& protocol : request.protocols) {
    joining.protocols.push_back(
        {std::string(protocol.name), Blob(protocol.metadata.begin(), protocol.metadata.end())});
  }
  if (group_.state() == State::preparing_rebalance && group_.initial_rebalance)
    group_.member_added = true;
  Member& member = group_.add(std::move(joining), request.protocol_type);
  step_.timers.set(member.session, step_.now + step_.options.new_member_join_timeout,
                   GroupTimerKind::session, group_.id(), member.id);
  prepare_or_complete();
}

// What a member says of itself now, and the answer it waits for from now on.
void ClassicRebalance::update_member(const JoinGroup& question, Member& member) {
  const wire::JoinGroupRequest& request = *question.request;
  // Whoever asks twice gets the second answer; the first is to be told something too.
  if (const auto earlier = group_.take_join(member)) {
    refuse_join(*earlier, ErrorCode::rebalance_in_progress, member.id);
  }
  group_.set_protocols(member, request.protocols);
  member.rebalance_timeout = rebalance_timeout(request);
  member.session_timeout = from_ms(request.session_timeout_ms);
  if (member.awaiting_sync) answer_sync(member, ErrorCode::rebalance_in_progress, {});
  group_.await_join(member, question.ticket);
}

// A static member has started again: it takes over what its former self had.
void ClassicRebalance::join_as_static(const JoinGroup& question, const std::string& old_id,
                                      std::string new_id) {
  Member& former = *group_.find(old_id);
  const std::string old_leader = group_.leader().value_or("");
  if (const auto ticket = group_.take_join(former)) {
    refuse_join(*ticket, ErrorCode::fenced_instance_id, old_id);
  }
  if (former.awaiting_sync) answer_sync(former, ErrorCode::fenced_instance_id, {});
  Member& member = group_.rename(old_id, std::move(new_id));
  group_.set_client(member, question.client_id, question.client_host);
  update_member(question, member);
  restart_session(member);
  switch (group_.state()) {
    case State::stable:
      if (group_.select_protocol() == group_.protocol()) {
        return answer_replaced_static(question, member, old_leader);
      }
      return prepare_or_complete();
    case State::completing_rebalance:
      // The leader may be assigning to the former id already: that would not reach the new one.
      return prepare();
    default:
      return complete_if_all_joined();
  }
}

// No rebalance: the partitions stay where they are, and the log learns of the member's new id.
void ClassicRebalance::answer_replaced_static(const JoinGroup& question, Member& member,
                                              const std::string& old_leader) {
  GroupRecord record = group_metadata_record(group_.id(), group_.to_value(step_.wall_now, nullptr));
  // It says more of itself than its former self did: the group has to agree on what fits.
  if (!fits(record)) return prepare_or_complete();
  const Ticket ticket = *group_.take_join(member);
  const bool can_skip = question.version >= kSkipsAssignmentSince;
  const bool leads = group_.is_leader(member.id);
  JoinResult result = describe_generation(member, can_skip && leads);
  result.skip_assignment = can_skip && leads;
  // One that cannot be told to leave the assignment alone must not take itself for the leader.
  if (!can_skip) result.leader = old_leader;
  step_.out.records.push_back(std::move(record));
  step_.reply(ticket, std::move(result));
}

void ClassicRebalance::refuse_join(Ticket ticket, ErrorCode error, std::string_view member_id) {
  JoinResult result;
  result.error = error;
  result.member_id = member_id;
  step_.reply(ticket, std::move(result));
}

JoinResult ClassicRebalance::describe_generation(const Member& member, bool with_members) const {
  JoinResult result{.generation = group_.generation(),
                    .protocol_type = group_.protocol_type(),
                    .protocol_name = group_.protocol(),
                    .leader = group_.leader().value_or(""),
                    .member_id = member.id,
                    .members = {}};
  if (!with_members) return result;
  for (const auto& [id, each] : group_.members()) {
    result.members.push_back({id, each.instance_id, each.metadata_of(*group_.protocol())});
  }
  return result;
}

ErrorCode ClassicRebalance::check_member(std::string_view member_id,
                                         const std::optional<std::string_view>& instance_id) const {
  if (instance_id) {
    const std::string* holder = group_.static_member(*instance_id);
    if (holder == nullptr) return ErrorCode::unknown_member_id;
    if (*holder != member_id) return ErrorCode::fenced_instance_id;
  }
  return group_.members().contains(member_id) ? ErrorCode::none : ErrorCode::unknown_member_id;
}

// ---- Rebalancing

void ClassicRebalance::prepare_or_complete() {
  if (group_.state() == State::preparing_rebalance) return complete_if_all_joined();
  prepare();
}

Duration ClassicRebalance::patience() const {
  return std::max(group_.rebalance_timeout(), kPatienceMin);
}

void ClassicRebalance::prepare() {
  if (group_.state() == State::completing_rebalance) refuse_syncs(ErrorCode::rebalance_in_progress);
  group_.sync_deadline.clear();
  group_.initial_rebalance = group_.state() == State::empty;
  group_.enter(State::preparing_rebalance, step_.wall_now);
  if (!group_.initial_rebalance) {
    if (group_.all_have_joined()) return complete_join();
    step_.timers.set(group_.join_deadline, step_.now + patience(), GroupTimerKind::join,
                     group_.id(), "");
    return;
  }
  // The group is new: more are likely to come.
  group_.member_added = false;
  group_.initial_delay = step_.options.initial_rebalance_delay;
  group_.initial_remaining =
      std::max(group_.rebalance_timeout() - group_.initial_delay, Duration{});
  step_.timers.set(group_.join_deadline, step_.now + group_.initial_delay, GroupTimerKind::join,
                   group_.id(), "");
}

void ClassicRebalance::complete_if_all_joined() {
  if (group_.state() != State::preparing_rebalance) return;
  if (group_.all_have_joined() && group_.generation() != 0) complete_join();
}

void ClassicRebalance::on_join_timeout() {
  if (group_.state() != State::preparing_rebalance) return;
  const bool wait_on =
      group_.initial_rebalance && group_.member_added && group_.initial_remaining > Duration{};
  if (!wait_on) return complete_join();
  group_.member_added = false;
  const Duration delay = std::min(step_.options.initial_rebalance_delay, group_.initial_remaining);
  group_.initial_remaining = std::max(group_.initial_remaining - group_.initial_delay, Duration{});
  group_.initial_delay = delay;
  step_.timers.set(group_.join_deadline, step_.now + delay, GroupTimerKind::join, group_.id(), "");
}

void ClassicRebalance::complete_join() {
  group_.join_deadline.clear();
  for (const std::string& id : group_.not_yet_rejoined()) {
    if (!group_.find(id)->instance_id) remove_member(id, ErrorCode::unknown_member_id);
  }
  if (!group_.members().empty() && !group_.elect_joined_leader()) {
    // Only static members are left and none has come back: wait until one does or their sessions end.
    step_.timers.set(group_.join_deadline, step_.now + patience(), GroupTimerKind::join,
                     group_.id(), "");
    return;
  }
  group_.initial_rebalance = false;
  group_.begin_generation(step_.wall_now);
  if (group_.state() == State::empty) {
    GroupRecord record = group_metadata_record(group_.id(), group_.to_value(step_.wall_now, nullptr));
    // A group whose name alone is more than the log takes has nothing there that would have to be told.
    if (fits(record)) step_.out.records.push_back(std::move(record));
    return;
  }
  std::vector<std::string> ids;
  for (const auto& [id, member] : group_.members()) ids.push_back(id);
  for (const std::string& id : ids) {
    Member& member = *group_.find(id);
    if (const auto ticket = group_.take_join(member)) {
      step_.reply(*ticket, describe_generation(member, group_.is_leader(id)));
    }
    restart_session(member);
    member.is_new = false;
    group_.awaited_syncs.insert(id);
  }
  step_.timers.set(group_.sync_deadline, step_.now + patience(), GroupTimerKind::sync, group_.id(),
                   "");
}

void ClassicRebalance::on_sync_timeout() {
  if (group_.state() != State::completing_rebalance && group_.state() != State::stable) return;
  if (group_.awaited_syncs.empty()) return;
  const auto silent = group_.awaited_syncs;
  for (const std::string& id : silent) remove_member(id, ErrorCode::unknown_member_id);
  prepare();
}

// Whoever waits for an answer gets one before it goes.
void ClassicRebalance::remove_member(const std::string& member_id, ErrorCode said) {
  Member* member = group_.find(member_id);
  if (member == nullptr) return;
  if (const auto ticket = group_.take_join(*member)) refuse_join(*ticket, said, "");
  if (member->awaiting_sync) answer_sync(*member, said, {});
  group_.remove(member_id);
}

// ---- The assignment

void ClassicRebalance::sync(const SyncGroup& question) {
  const wire::SyncGroupRequest& request = *question.request;
  const auto refuse = [&](ErrorCode error) {
    step_.reply(question.ticket, SyncResult{.error = error});
  };
  if (const ErrorCode error = check_member(request.member_id, request.group_instance_id);
      error != ErrorCode::none) {
    return refuse(error);
  }
  if (request.generation_id != group_.generation()) return refuse(ErrorCode::illegal_generation);
  if (differs(request.protocol_type, group_.protocol_type()) ||
      differs(request.protocol_name, group_.protocol())) {
    return refuse(ErrorCode::inconsistent_group_protocol);
  }
  Member& member = *group_.find(request.member_id);
  switch (group_.state()) {
    case State::empty:
      return refuse(ErrorCode::unknown_member_id);
    case State::preparing_rebalance:
      return refuse(ErrorCode::rebalance_in_progress);
    case State::completing_rebalance:
      group_.awaited_syncs.erase(member.id);
      if (member.awaiting_sync) answer_sync(member, ErrorCode::rebalance_in_progress, {});
      member.awaiting_sync = question.ticket;
      if (group_.is_leader(member.id)) accept_assignment(question, member);
      return;
    case State::stable:
      group_.awaited_syncs.erase(member.id);
      member.awaiting_sync = question.ticket;
      return answer_sync(member, ErrorCode::none, member.assignment);
  }
}

bool ClassicRebalance::fits(const GroupRecord& record) const {
  return record.key.size() + record.value->size() <= step_.options.record_bytes_max;
}

// The group is Stable when the record is applied; until it is committed nobody hears of it.
void ClassicRebalance::accept_assignment(const SyncGroup& question, Member& leader) {
  std::map<std::string_view, ConstBytes> assignments;
  for (const auto& each : question.request->assignments)
    assignments[each.member_id] = each.assignment;
  GroupRecord record =
      group_metadata_record(group_.id(), group_.to_value(step_.wall_now, &assignments));
  if (!fits(record)) {
    // As Kafka: the log cannot take it, and the members are told to try again.
    answer_sync(leader, ErrorCode::unknown_server_error, {});
    refuse_syncs(ErrorCode::unknown_server_error);
    return prepare();
  }
  step_.out.records.push_back(std::move(record));
  std::vector<std::string> waiting;
  for (const auto& [id, member] : group_.members()) {
    if (member.awaiting_sync) waiting.push_back(id);
  }
  for (const std::string& id : waiting) {
    const auto found = assignments.find(id);
    answer_sync(*group_.find(id), ErrorCode::none,
                found == assignments.end() ? ConstBytes() : found->second);
  }
}

void ClassicRebalance::refuse_syncs(ErrorCode error) {
  std::vector<std::string> ids;
  for (const auto& [id, member] : group_.members()) ids.push_back(id);
  for (const std::string& id : ids) {
    Member& member = *group_.find(id);
    group_.set_assignment(member, {});
    if (member.awaiting_sync) answer_sync(member, error, {});
  }
}

void ClassicRebalance::answer_sync(Member& member, ErrorCode error, ConstBytes assignment) {
  const Ticket ticket = *std::exchange(member.awaiting_sync, std::nullopt);
  restart_session(member);
  if (error != ErrorCode::none) return step_.reply(ticket, SyncResult{.error = error});
  step_.reply(ticket, SyncResult{.protocol_type = group_.protocol_type(),
                                 .protocol_name = group_.protocol(),
                                 .assignment = Blob(assignment.begin(), assignment.end())});
}

// ---- Signs of life

void ClassicRebalance::heartbeat(const GroupHeartbeat& question) {
  const wire::HeartbeatRequest& request = *question.request;
  ErrorCode error = check_member(request.member_id, request.group_instance_id);
  if (error == ErrorCode::none && request.generation_id != group_.generation()) {
    error = ErrorCode::illegal_generation;
  }
  if (error == ErrorCode::none) {
    restart_session(*group_.find(request.member_id));
    if (group_.state() == State::preparing_rebalance) error = ErrorCode::rebalance_in_progress;
  }
  step_.reply(question.ticket, HeartbeatResult{error});
}

ErrorCode ClassicRebalance::admit_commit(const CommitOffsets& question) {
  if (question.generation < 0 && group_.state() == State::empty) return ErrorCode::none;
  if (question.generation < 0 && question.member_id.empty() && !question.group_instance_id) {
    // While there are members only they may commit.
    return ErrorCode::unknown_member_id;
  }
  if (const ErrorCode error = check_member(question.member_id, question.group_instance_id);
      error != ErrorCode::none) {
    return error;
  }
  if (question.generation != group_.generation()) return ErrorCode::illegal_generation;
  if (group_.state() == State::completing_rebalance) return ErrorCode::rebalance_in_progress;
  restart_session(*group_.find(question.member_id));
  return ErrorCode::none;
}

void ClassicRebalance::leave(const LeaveGroup& question) {
  LeaveResult result;
  bool any = false;
  for (const LeaveGroup::Member& leaving : question.members) {
    ErrorCode error = ErrorCode::unknown_member_id;
    if (leaving.member_id.empty()) {
      const std::string* holder =
          leaving.group_instance_id ? group_.static_member(*leaving.group_instance_id) : nullptr;
      if (holder != nullptr) {
        remove_member(std::string(*holder), ErrorCode::unknown_member_id);
        error = ErrorCode::none;
      }
    } else if (group_.is_pending(leaving.member_id)) {
      group_.remove_pending(leaving.member_id);
      error = ErrorCode::none;
    } else {
      error = check_member(leaving.member_id, leaving.group_instance_id);
      if (error == ErrorCode::none) {
        remove_member(std::string(leaving.member_id), ErrorCode::unknown_member_id);
      }
    }
    any = any || error == ErrorCode::none;
    result.members.push_back(error);
  }
  step_.reply(question.ticket, std::move(result));
  if (any && group_.state() != State::empty) prepare_or_complete();
}

void ClassicRebalance::dismiss() {
  std::vector<std::string> ids;
  for (const auto& [id, member] : group_.members()) ids.push_back(id);
  for (const std::string& id : ids) {
    Member& member = *group_.find(id);
    if (const auto ticket = group_.take_join(member)) refuse_join(*ticket, ErrorCode::rebalance_in_progress, id);
    if (member.awaiting_sync) answer_sync(member, ErrorCode::rebalance_in_progress, {});
  }
}

void ClassicRebalance::restart_session(Member& member) {
  step_.timers.set(member.session, step_.now + member.session_timeout, GroupTimerKind::session,
                   group_.id(), member.id);
}

void ClassicRebalance::start_sessions() {
  std::vector<std::string> ids;
  for (const auto& [id, member] : group_.members()) ids.push_back(id);
  for (const std::string& id : ids) restart_session(*group_.find(id));
}

void ClassicRebalance::end_session(const std::string& member_id) {
  const Member* member = group_.find(member_id);
  if (member == nullptr) return;
  // One that waits for us is not silent; its session begins again with our answer.
  if (!member->is_new && (member->awaiting_join || member->awaiting_sync)) return;
  remove_member(member_id, ErrorCode::unknown_member_id);
  prepare_or_complete();
}

void ClassicRebalance::on_timer(const GroupTimer& timer) {
  switch (timer.kind) {
    case GroupTimerKind::session: {
      Member* member = group_.find(timer.member);
      if (member == nullptr || !step_.timers.is_due(member->session, timer, step_.now)) return;
      return end_session(timer.member);
    }
    case GroupTimerKind::pending_member: {
      const auto pending = group_.pending().find(timer.member);
      if (pending == group_.pending().end()) return;
      if (!step_.timers.is_due(pending->second, timer, step_.now)) return;
      group_.remove_pending(timer.member);
      return complete_if_all_joined();
    }
    case GroupTimerKind::join:
      if (step_.timers.is_due(group_.join_deadline, timer, step_.now)) on_join_timeout();
      return;
    case GroupTimerKind::sync:
      if (step_.timers.is_due(group_.sync_deadline, timer, step_.now)) on_sync_timeout();
      return;
    case GroupTimerKind::retention:
    case GroupTimerKind::revocation:
    case GroupTimerKind::classic_rejoin:
    case GroupTimerKind::joining:
      return;
  }
}

}  // namespace millrace::engine
