// Members of consumer groups: they join, share partitions out, come and go; and that no group is stuck.
#include "engine/drivers/group_coordinators.h"
#include "net/wire/describe_groups.h"
#include "net/wire/find_coordinator.h"
#include "net/wire/heartbeat.h"
#include "net/wire/incremental_alter_configs.h"
#include "net/wire/leave_group.h"
#include "tests/sim/broker_life.h"

namespace millrace::sim {
namespace {

using wire::ErrorCode;

constexpr int kStepsPerMember = 20;
constexpr std::int16_t kIdRequiredSince = 4;
constexpr std::int16_t kStaticSince = 5;
constexpr std::int16_t kStaticSyncSince = 3;
constexpr std::int16_t kSeveralLeaveSince = 3;
constexpr std::int16_t kSeveralKeysSince = 4;
constexpr std::int8_t kTopicResource = 2;
// Longer than a session, a rebalance that nobody answers and an assignment that never comes take together.
constexpr Duration kSettledAfter = std::chrono::seconds(15);

}  // namespace

bool BrokerLife::group_may_fail(const std::string& group) const {
  const std::int32_t index = engine::coordinator_partition(group, kOffsetsPartitions);
  if (oracle_.offsets_in_doubt.contains(index) || trouble_ == Trouble::full_disk) return true;
  if (!disturbed_) return false;
  if (trouble_ == Trouble::bad_partition) {
    return bad_partition_ == fmt::format("/{}-{}/", engine::kOffsetsTopic, index);
  }
  return trouble_ == Trouble::bad_write_ahead;
}

// ---- The coordinator

io::Task<void> BrokerLife::find_coordinator(Actor& actor, std::string group) {
  wire::FindCoordinatorRequest request;
  const std::int16_t version = draw_version(actor.random, 0, 6);
  if (version >= kSeveralKeysSince) request.coordinator_keys.push_back(group);
  else request.key = group;
  const auto answer = co_await actor.call(request, version);
  if (!answer) co_return;
  const ErrorCode code = version >= kSeveralKeysSince ? answer->message.coordinators.at(0).error_code
                                                      : answer->message.error_code;
  if (code == ErrorCode::none) {
    const bool made = !std::exchange(oracle_.has_offsets_topic, true);
    if (made && !offsets_fsync_) co_await weaken_offsets_topic(actor);
  } else if (trouble_ != Trouble::full_disk || oracle_.has_offsets_topic) {
    fail(fmt::format("the coordinator of {} is not found: {}", group, wire::error_name(code)));
  }
}

io::Task<void> BrokerLife::weaken_offsets_topic(Actor& actor) {
  wire::IncrementalAlterConfigsRequest request;
  request.resources.push_back({.resource_type = kTopicResource,
                               .resource_name = engine::kOffsetsTopic,
                               .configs = {{.name = "millrace.durability", .value = "replicated"}}});
  const auto answer = co_await actor.call(request, 1);
  if (!answer || trouble_ == Trouble::full_disk) co_return;
  const ErrorCode code = answer->message.responses.at(0).error_code;
  if (code != ErrorCode::none) fail(fmt::format("durability of offsets: {}", wire::error_name(code)));
}

// ---- Members

void BrokerLife::take_member_error(MemberTruth& member, ErrorCode code, std::string_view request) {
  switch (code) {
    case ErrorCode::none:
    case ErrorCode::coordinator_load_in_progress:
      return;
    case ErrorCode::rebalance_in_progress:
    case ErrorCode::illegal_generation:
      return member.lose();
    case ErrorCode::unknown_member_id:
    case ErrorCode::fenced_instance_id:
    case ErrorCode::group_id_not_found:
      return member.forget();
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
      if (group_may_fail(member.group)) return;
      break;
    default:
      break;
  }
  fail(fmt::format("{} of {} in {}: {}", request, member.member_id, member.group, wire::error_name(code)));
}

io::Task<void> BrokerLife::join(Actor& actor, MemberTruth& member) {
  for (int attempt = 0; attempt < 3 && !over(); ++attempt) {
    const std::int16_t version = draw_version(actor.random, member.instance_id ? kStaticSince : 2, 9);
    wire::JoinGroupRequest request;
    request.group_id = member.group;
    request.session_timeout_ms = static_cast<std::int32_t>(100 + actor.random.below(300));
    request.rebalance_timeout_ms = static_cast<std::int32_t>(actor.random.below(1500));
    request.member_id = member.member_id;
    request.group_instance_id = view(member.instance_id);
    request.protocol_type = "consumer";
    request.protocols.push_back({.name = "range", .metadata = wire::WireBytes(as_bytes(std::string_view("sim")))});
    const bool new_id = member.member_id.empty();
    const auto answer = co_await actor.call(request, version);
    if (!answer) co_return;
    const auto& joined = answer->message;
    const bool id_required = new_id && !member.instance_id && version >= kIdRequiredSince;
    if (id_required && joined.error_code == ErrorCode::none) fail("a member joined without an id of its own");
    if (joined.error_code == ErrorCode::member_id_required) {
      if (!id_required) fail(fmt::format("{} is required to have an id", member.member_id));
      member.member_id = joined.member_id;
      continue;
    }
    if (joined.error_code != ErrorCode::none) {
      take_member_error(member, joined.error_code, "JoinGroup");
      co_return;
    }
    member.member_id = joined.member_id;
    member.generation = joined.generation_id;
    check(oracle_.groups[member.group].joined(member.generation));
    co_return co_await sync(actor, member, joined);
  }
}

// As a leader does it. Texts are kept in `texts` until the request is sent.
std::vector<wire::SyncGroupRequest::Assignment> BrokerLife::share_out(Prng& random,
                                                                      const wire::JoinGroupResponse& joined,
                                                                      std::deque<std::string>& texts) {
  std::vector<Assignment> shares(joined.members.size(), {.mark = fmt::format("a{}", next_mark_++), .partitions = {}});
  for (const auto& name : usable_topics()) {
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(topic(name).partitions.size()); ++i) {
      shares[random.below(shares.size())].partitions.emplace_back(name, i);
    }
  }
  std::vector<wire::SyncGroupRequest::Assignment> assignments;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    texts.push_back(shares[i].to_text());
    assignments.push_back({.member_id = joined.members[i].member_id,
                           .assignment = wire::WireBytes(as_bytes(std::string_view(texts.back())))});
  }
  return assignments;
}

io::Task<void> BrokerLife::sync(Actor& actor, MemberTruth& member, const wire::JoinGroupResponse& joined) {
  std::deque<std::string> texts;
  wire::SyncGroupRequest request;
  request.group_id = member.group;
  request.generation_id = member.generation;
  request.member_id = member.member_id;
  request.protocol_type = "consumer";
  request.protocol_name = "range";
  const std::int16_t version = draw_version(actor.random, member.instance_id ? kStaticSyncSince : 0, 5);
  if (version >= kStaticSyncSince) request.group_instance_id = view(member.instance_id);
  if (joined.leader == member.member_id && !joined.skip_assignment) {
    if (joined.members.empty()) co_return fail(fmt::format("{} leads nobody in {}", member.member_id, member.group));
    request.assignments = share_out(actor.random, joined, texts);
  }
  const auto answer = co_await actor.call(request, version);
  if (!answer) co_return;
  const auto& synced = answer->message;
  if (synced.error_code != ErrorCode::none) {
    take_member_error(member, synced.error_code, "SyncGroup");
    co_return;
  }
  const auto assignment = Assignment::from_text(as_text(synced.assignment));
  if (!assignment) {
    co_return fail(fmt::format("{} is assigned \"{}\" in {}", member.member_id, as_text(synced.assignment), member.group));
  }
  const std::string wrong = oracle_.groups[member.group].assigned(member.generation, member.owner(), *assignment);
  if (!wrong.empty()) co_return fail(fmt::format("{}: {}", member.group, wrong));
  ++report_.assignments;
  member.assigned = true;
  member.partitions = assignment->partitions;
}

io::Task<void> BrokerLife::heartbeat(Actor& actor, MemberTruth& member) {
  wire::HeartbeatRequest request;
  request.group_id = member.group;
  request.generation_id = member.generation;
  request.member_id = member.member_id;
  const std::int16_t version = draw_version(actor.random, 0, 4);
  if (version >= kStaticSyncSince) request.group_instance_id = view(member.instance_id);
  const bool stale = oracle_.groups[member.group].is_stale(member.generation);
  const auto answer = co_await actor.call(request, version);
  if (!answer) co_return;
  if (answer->message.error_code == ErrorCode::none && stale) {
    co_return fail(fmt::format("{} is told that it is in generation {} still", member.member_id, member.generation));
  }
  take_member_error(member, answer->message.error_code, "Heartbeat");
}

io::Task<void> BrokerLife::leave(Actor& actor, MemberTruth& member) {
  wire::LeaveGroupRequest request;
  request.group_id = member.group;
  const std::int16_t version = draw_version(actor.random, 0, 5);
  if (version < kSeveralLeaveSince) {
    request.member_id = member.member_id;
  } else {
    // An administrator names a static member by its instance alone.
    const bool by_instance = member.instance_id && actor.random.chance(2);
    request.members.push_back({.member_id = by_instance ? std::string_view() : member.member_id,
                               .group_instance_id = view(member.instance_id),
                               .reason = std::nullopt});
  }
  const auto answer = co_await actor.call(request, version);
  if (answer) {
    ErrorCode code = answer->message.error_code;
    if (code == ErrorCode::none && version >= kSeveralLeaveSince) code = answer->message.members.at(0).error_code;
    take_member_error(member, code, "LeaveGroup");
  }
  member.forget();
}

io::Task<void> BrokerLife::member_step(Actor& actor, MemberTruth& member) {
  if (!member.assigned) co_return co_await join(actor, member);
  switch (actor.random.below(24)) {
    case 0:
      co_return co_await leave(actor, member);
    case 1:  // it ends without a word, and begins again knowing no more than its configuration
      co_await actor.close();
      co_return member.forget();
    case 2:  // it is stopped for longer than its session
      co_return co_await io::sleep_for(std::chrono::milliseconds(actor.random.below(600)));
    case 3:
      co_return co_await commit_as_member(actor, member, true, false);
    case 4:
      co_return co_await commit_as_member(actor, member, false, true);
    case 5:
    case 6:
      co_return co_await check_committed(actor, member.group, member.partitions);
    case 7:  // as when its subscription has changed
      co_return co_await join(actor, member);
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
      co_return co_await commit_as_member(actor, member, false, false);
    default:
      co_return co_await heartbeat(actor, member);
  }
}

io::Task<void> BrokerLife::act_in_group(std::string name, std::string group, int steps,
                                        std::function<io::Task<void>(Actor&)> step) {
  Actor actor(*this, name);
  for (int i = 0; i < steps && !over(); ++i) {
    if (i == 0) co_await find_coordinator(actor, group);
    if (!over() && oracle_.has_offsets_topic) co_await step(actor);
    co_await short_sleep(actor.random, 30'000);
  }
  co_await actor.close();
}

io::Task<void> BrokerLife::act_member(std::size_t number) {
  MemberTruth& member = oracle_.members[number];
  co_await act_in_group(fmt::format("member {}", number), member.group, kStepsPerMember,
                        [&](Actor& actor) { return member_step(actor, member); });
}

// ---- No group is stuck

io::Task<bool> BrokerLife::is_stable(Actor& actor, std::string group) {
  wire::DescribeGroupsRequest request;
  request.groups.push_back(group);
  const auto answer = co_await actor.call(request, draw_version(actor.random, 0, 6));
  if (!answer) co_return false;
  const auto& found = answer->message.groups.at(0);
  co_return found.error_code == ErrorCode::none && found.group_state == "Stable" && found.members.size() == 2;
}

// Until both are members of one generation, and nobody else is. `settled`: one of them has seen that, and neither goes on; one that
// did would be alone.
io::Task<void> BrokerLife::settle(Actor& actor, MemberTruth& member, const MemberTruth& other, Instant deadline, bool& settled) {
  while (report_.failure.empty() && !settled) {
    const bool together = member.assigned && other.assigned && member.generation == other.generation;
    settled |= together && co_await is_stable(actor, member.group);
    if (settled) break;
    if (io::Reactor::current().now() > deadline) co_return fail(fmt::format("{} is stuck", member.group));
    if (member.assigned) co_await heartbeat(actor, member);
    else co_await join(actor, member);
    co_await io::sleep_for(std::chrono::milliseconds(15));
  }
}

io::Task<void> BrokerLife::verify_groups_settle() {
  std::vector<std::string> groups;
  for (const auto& member : oracle_.members) {
    const auto index = engine::coordinator_partition(member.group, kOffsetsPartitions);
    if (!oracle_.offsets_in_doubt.contains(index)) groups.push_back(member.group);
  }
  if (groups.empty() || !oracle_.has_offsets_topic) co_return;
  const std::string group = groups[random_.below(groups.size())];
  MemberTruth one{.group = group, .instance_id = {}, .member_id = {}, .partitions = {}};
  MemberTruth two = one;
  Actor first(*this, "settler 1");
  Actor second(*this, "settler 2");
  const Instant deadline = io::Reactor::current().now() + kSettledAfter;
  io::Gate gate;
  bool settled = false;
  gate.spawn(settle(first, one, two, deadline, settled));
  gate.spawn(settle(second, two, one, deadline, settled));
  co_await gate.close();
  co_await first.close();
  co_await second.close();
}

}  // namespace millrace::sim
