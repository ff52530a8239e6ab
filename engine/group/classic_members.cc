#include "engine/group/classic_members.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/group/embedded_protocol.h"
#include "engine/group/member_id.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

// KIP-394: from this version on a member is given its id before it takes part.
constexpr std::int16_t kKnowsItsIdSince = 4;
constexpr std::string_view kConsumers = "consumer";
// Members may say that nobody is to wait for them at all.
constexpr Duration kPatienceMin = std::chrono::seconds(1);

bool differs(const std::optional<std::string_view>& said, std::string_view known) { return said && *said != known; }

}  // namespace

// ---- Joining

void ClassicMembers::join(const JoinGroup& question) {
  const wire::JoinGroupRequest& request = *question.request;
  if (!supports(request)) return refuse_join(question, ErrorCode::inconsistent_group_protocol, request.member_id);
  const auto said = read_embedded_subscription(request.protocols.front().metadata);
  if (!said) return refuse_join(question, ErrorCode::inconsistent_group_protocol, request.member_id);
  const Member* known = group_.find(request.member_id);
  const Member* holder = request.group_instance_id ? group_.static_member(*request.group_instance_id) : nullptr;
  if (known == nullptr && holder == nullptr && group_.members().size() >= step_.options.consumer.size_max) {
    return refuse_join(question, ErrorCode::group_max_size_reached, "");
  }
  if (request.member_id.empty() && !request.group_instance_id && question.version >= kKnowsItsIdSince) {
    return refuse_join(question, ErrorCode::member_id_required,
                       fmt::format("{}-{}", question.client_id, java_uuid(step_.prng)));
  }
  const auto id = choose_member(question);
  if (!id) return refuse_join(question, id.error(), request.member_id);
  known = group_.find(*id);
  std::vector<std::string> topics(said->topics.begin(), said->topics.end());
  std::ranges::sort(topics);
  const auto repeated = std::ranges::unique(topics);
  topics.erase(repeated.begin(), repeated.end());
  std::optional<std::string> rack_id;
  if (said->rack_id) rack_id = std::string(*said->rack_id);
  Profile profile = profile_of(question, known == nullptr ? holder : known, topics, rack_id);
  if (!rebalance_.has_room(profile, known == nullptr ? holder : known, *id)) {
    return refuse_join(question, ErrorCode::coordinator_not_available, request.member_id);
  }
  if (known == nullptr && holder != nullptr) {
    // It has started again: what its former self had is its own. It says itself what it has, so no epoch is lost on it.
    rebalance_.replace(*holder, *id, std::max(holder->current.epoch, 0));
  }
  rebalance_.update(*id, std::move(profile), existing_partitions(said->owned, step_.image));
  Member& member = *group_.find(*id);
  rebalance_.restart_session(member);
  // Now it is expected to ask for what it has.
  member.classic_rejoin.clear();
  expect(member);
  JoinResult result{.generation = member.current.epoch,
                    .protocol_type = std::string(kConsumers),
                    .protocol_name = member.profile.classic->protocols.front().name,
                    .leader = "",
                    .member_id = *id,
                    .members = {}};
  step_.reply(question.ticket, std::move(result));
}

bool ClassicMembers::supports(const wire::JoinGroupRequest& request) const {
  if (request.protocol_type != kConsumers || request.protocols.empty()) return false;
  return std::ranges::any_of(request.protocols, [&](const auto& protocol) { return group_.all_classic_know(protocol.name); });
}

const ConsumerGroup::Member* ClassicMembers::turncoat(const JoinGroup& question) const {
  const wire::JoinGroupRequest& request = *question.request;
  if (!request.group_instance_id || !request.member_id.empty() || !supports(request)) return nullptr;
  if (!read_embedded_subscription(request.protocols.front().metadata)) return nullptr;
  const Member* holder = group_.static_member(*request.group_instance_id);
  return holder == nullptr || holder->is_classic() ? nullptr : holder;
}

std::expected<std::string, ErrorCode> ClassicMembers::choose_member(const JoinGroup& question) {
  const wire::JoinGroupRequest& request = *question.request;
  const auto drawn = [&](std::string_view prefix) { return fmt::format("{}-{}", prefix, java_uuid(step_.prng)); };
  if (!request.group_instance_id) {
    if (request.member_id.empty()) return drawn(question.client_id);
    // Whoever speaks the consumer protocol does not come back under the same id with the other.
    const Member* known = group_.find(request.member_id);
    if (known != nullptr && !known->is_classic()) return std::unexpected(ErrorCode::unknown_member_id);
    return std::string(request.member_id);
  }
  if (request.member_id.empty()) return drawn(*request.group_instance_id);
  if (const ErrorCode error = check_member(request.member_id, request.group_instance_id); error != ErrorCode::none) {
    return std::unexpected(error);
  }
  return std::string(request.member_id);
}

ConsumerGroup::Profile ClassicMembers::profile_of(const JoinGroup& question, const Member* known,
                                                  const std::vector<std::string>& topics,
                                                  const std::optional<std::string>& rack_id) const {
  const wire::JoinGroupRequest& request = *question.request;
  Profile profile;
  if (known != nullptr) profile.instance_id = known->profile.instance_id;
  if (request.group_instance_id) profile.instance_id = std::string(*request.group_instance_id);
  profile.rack_id = rack_id;
  profile.client_id = question.client_id;
  profile.client_host = question.client_host;
  profile.topics = topics;
  profile.rebalance_timeout_ms =
      request.rebalance_timeout_ms < 0 ? request.session_timeout_ms : request.rebalance_timeout_ms;
  auto& classic = profile.classic.emplace();
  classic.session_timeout_ms = request.session_timeout_ms;
  for (const auto& protocol : request.protocols) {
    classic.protocols.push_back(
        {std::string(protocol.name), Blob(protocol.metadata.begin(), protocol.metadata.end())});
  }
  return profile;
}

void ClassicMembers::refuse_join(const JoinGroup& question, ErrorCode error, std::string_view member_id) {
  JoinResult result;
  result.error = error;
  result.member_id = member_id;
  step_.reply(question.ticket, std::move(result));
}

ErrorCode ClassicMembers::check_name(std::string_view member_id,
                                     const std::optional<std::string_view>& instance_id) const {
  const Member* member = instance_id ? group_.static_member(*instance_id) : group_.find(member_id);
  if (member == nullptr) return ErrorCode::unknown_member_id;
  return member->id == member_id ? ErrorCode::none : ErrorCode::fenced_instance_id;
}

ErrorCode ClassicMembers::check_member(std::string_view member_id,
                                       const std::optional<std::string_view>& instance_id) const {
  if (const ErrorCode error = check_name(member_id, instance_id); error != ErrorCode::none) return error;
  const Member* member = group_.find(member_id);
  const bool is_classic = member->is_classic() && !member->profile.classic->protocols.empty();
  return is_classic ? ErrorCode::none : ErrorCode::unknown_member_id;
}

// ---- What it is to read

void ClassicMembers::sync(const SyncGroup& question) {
  const wire::SyncGroupRequest& request = *question.request;
  const auto refuse = [&](ErrorCode error) { step_.reply(question.ticket, SyncResult{.error = error}); };
  if (const ErrorCode error = check_member(request.member_id, request.group_instance_id); error != ErrorCode::none) {
    return refuse(error);
  }
  Member& member = *group_.find(request.member_id);
  if (request.generation_id != member.current.epoch) return refuse(ErrorCode::illegal_generation);
  const auto& protocol = member.profile.classic->protocols.front();
  if (differs(request.protocol_type, kConsumers) || differs(request.protocol_name, protocol.name)) {
    return refuse(ErrorCode::inconsistent_group_protocol);
  }
  rebalance_.restart_session(member);
  // A target that cannot be worked out yet is not waited for: its next heartbeat tells. One that is to give something back finds
  // out here what it keeps.
  const std::int32_t due = rebalance_.may_assign() ? group_.epoch() : group_.assignment_epoch();
  if (member.current.epoch < due && member.current.state != ConsumerGroup::MemberState::unrevoked_partitions) {
    expect(member);
    return refuse(ErrorCode::rebalance_in_progress);
  }
  member.classic_rejoin.clear();
  step_.reply(question.ticket,
              SyncResult{.protocol_type = std::string(kConsumers),
                         .protocol_name = protocol.name,
                         .assignment = embedded_assignment(member.current.assigned, step_.image, protocol.metadata)});
}

// ---- Signs of life

void ClassicMembers::heartbeat(const GroupHeartbeat& question) {
  const wire::HeartbeatRequest& request = *question.request;
  ErrorCode error = check_member(request.member_id, request.group_instance_id);
  if (error == ErrorCode::none && request.generation_id != group_.find(request.member_id)->current.epoch) {
    error = ErrorCode::illegal_generation;
  }
  if (error == ErrorCode::none) {
    // Nobody leads, so nobody else looks whether the topics have changed.
    rebalance_.notice_topics();
    Member& member = *group_.find(request.member_id);
    rebalance_.restart_session(member);
    if (must_join_again(member)) {
      error = ErrorCode::rebalance_in_progress;
      expect(member);
    }
  }
  step_.reply(question.ticket, HeartbeatResult{error});
}

bool ClassicMembers::must_join_again(const Member& member) const {
  if (member.current.epoch < group_.epoch()) return true;
  if (member.current.state == ConsumerGroup::MemberState::unrevoked_partitions) return true;
  return member.current.state == ConsumerGroup::MemberState::unreleased_partitions && !waits_for_others(member);
}

bool ClassicMembers::waits_for_others(const Member& member) const {
  const ConsumerAssignment* target = group_.target(member.id);
  if (target == nullptr) return false;
  return std::ranges::any_of(*target, [&](const auto& entry) {
    return std::ranges::any_of(entry.second, [&](std::int32_t partition) {
      return group_.is_held_by_other(entry.first, partition, member.id);
    });
  });
}

// It has its rebalance timeout to join, or to ask for what it has. Asking again does not give it more.
void ClassicMembers::expect(Member& member) {
  if (member.classic_rejoin.at) return;
  const Duration patience = std::max(from_ms(member.profile.rebalance_timeout_ms), kPatienceMin);
  step_.timers.set(member.classic_rejoin, step_.now + patience, GroupTimerKind::classic_rejoin, group_.id(), member.id);
}

// Members of both protocols, and those that have left for a moment: tools take away whoever has died.
void ClassicMembers::leave(const LeaveGroup& question) {
  LeaveResult result;
  std::vector<std::string> leaving;
  for (const LeaveGroup::Member& each : question.members) {
    const Member* holder = each.group_instance_id ? group_.static_member(*each.group_instance_id) : nullptr;
    // Tools name a static member by its instance id alone.
    const std::string_view id = each.member_id.empty() && holder != nullptr ? std::string_view(holder->id) : each.member_id;
    const ErrorCode error = check_name(id, each.group_instance_id);
    result.members.push_back(error);
    if (error != ErrorCode::none) continue;
    if (std::ranges::find(leaving, id) == leaving.end()) leaving.emplace_back(id);
  }
  step_.reply(question.ticket, std::move(result));
  if (!leaving.empty()) rebalance_.remove(leaving);
}

}  // namespace millrace::engine
