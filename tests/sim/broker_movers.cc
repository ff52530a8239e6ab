// Members that speak the classic protocol in groups that move between the protocols: as Kafka's consumers with an assignor of their
// own that is eager do, so they own nothing from when they ask to join until they are told what to read.
#include "engine/drivers/group_coordinators.h"
#include "engine/group/embedded_protocol.h"
#include "engine/group/record_codec.h"
#include "net/wire/heartbeat.h"
#include "net/wire/leave_group.h"
#include "tests/sim/broker_life.h"

namespace millrace::sim {
namespace {

using wire::ErrorCode;

constexpr std::string_view kConsumers = "consumer";
constexpr std::string_view kAssignor = "range";
constexpr std::int16_t kStaticJoinSince = 5;
constexpr std::int16_t kStaticSince = 3;
constexpr std::int16_t kSeveralLeaveSince = 3;

}  // namespace

void BrokerLife::take_classic_error(SubscriberTruth& member, ErrorCode code, std::string_view request) {
  switch (code) {
    case ErrorCode::none:
    case ErrorCode::coordinator_load_in_progress:
      return;
    case ErrorCode::rebalance_in_progress:
      member.must_join = true;
      return;
    case ErrorCode::illegal_generation:
      oracle_.ownerships[member.group].release(member.member_id);
      return member.lose();
    case ErrorCode::unknown_member_id:
    case ErrorCode::fenced_instance_id:
      oracle_.ownerships[member.group].release(member.member_id);
      return member.begin_anew();
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
      if (group_may_fail(member.group)) return;
      break;
    default:
      break;
  }
  fail(fmt::format("{} of {} in {}: {}", request, member.member_id, member.group, wire::error_name(code)));
}

io::Task<void> BrokerLife::beat_as_classic(Actor& actor, SubscriberTruth& member) {
  if (member.epoch == 0 || member.must_join) co_return co_await join_as_classic(actor, member);
  wire::HeartbeatRequest request;
  request.group_id = member.group;
  request.generation_id = member.epoch;
  request.member_id = member.member_id;
  const std::int16_t version = draw_version(actor.random, 0, 4);
  if (version >= kStaticSince) request.group_instance_id = view(member.instance_id);
  Ownership& ownership = oracle_.ownerships[member.group];
  const std::uint64_t asked = ownership.ask();
  const auto answer = co_await actor.call(request, version);
  if (!answer) co_return;
  const ErrorCode code = answer->message.error_code;
  if (code == ErrorCode::none || code == ErrorCode::rebalance_in_progress) {
    const std::string wrong = ownership.confirmed(member.member_id, asked);
    if (!wrong.empty() && !group_may_fail(member.group)) {
      co_return fail(fmt::format("{} is taken for a member though {}", member.member_id, wrong));
    }
    member.confirmed_in = incarnation_;
  }
  take_classic_error(member, code, "Heartbeat");
}

io::Task<void> BrokerLife::join_as_classic(Actor& actor, SubscriberTruth& member) {
  oracle_.ownerships[member.group].release(member.member_id);
  member.lose();
  for (int attempt = 0; attempt < 3 && !over(); ++attempt) {
    const engine::EmbeddedSubscription reads{.topics = {member.topics.begin(), member.topics.end()}, .user_data = {}, .owned = {}};
    const auto metadata = engine::encode_record_value(reads, draw_version(actor.random, 1, 3));
    wire::JoinGroupRequest request;
    request.group_id = member.group;
    request.session_timeout_ms = static_cast<std::int32_t>(100 + actor.random.below(300));
    request.rebalance_timeout_ms = static_cast<std::int32_t>(actor.random.below(1500));
    request.member_id = member.member_id;
    request.group_instance_id = view(member.instance_id);
    request.protocol_type = kConsumers;
    request.protocols.push_back({.name = kAssignor, .metadata = wire::WireBytes(ConstBytes(metadata))});
    const auto answer = co_await actor.call(request, draw_version(actor.random, member.instance_id ? kStaticJoinSince : 2, 9));
    if (!answer) co_return;
    const auto& joined = answer->message;
    if (joined.error_code == ErrorCode::member_id_required) {
      member.member_id = joined.member_id;
      continue;
    }
    if (joined.error_code == ErrorCode::unreleased_instance_id && member.instance_id) co_return;
    if (joined.error_code != ErrorCode::none) co_return take_classic_error(member, joined.error_code, "JoinGroup");
    member.member_id = joined.member_id;
    co_return co_await sync_as_classic(actor, member, joined);
  }
}

// As a leader does it that looks at nothing but what everybody reads.
std::vector<std::vector<std::byte>> BrokerLife::share_out_to_readers(Prng& random, const wire::JoinGroupResponse& joined) {
  const std::vector<std::string> names = usable_topics();
  std::vector<engine::EmbeddedAssignment> shares(joined.members.size());
  for (const std::string& name : names) {
    std::vector<std::size_t> readers;
    for (std::size_t i = 0; i < joined.members.size(); ++i) {
      const auto reads = engine::read_embedded_subscription(joined.members[i].metadata);
      if (!reads) fail(fmt::format("{} reads nobody knows what", joined.members[i].member_id));
      else if (std::ranges::find(reads->topics, name) != reads->topics.end()) readers.push_back(i);
    }
    for (std::int32_t i = 0; !readers.empty() && i < static_cast<std::int32_t>(topic(name).partitions.size()); ++i) {
      auto& share = shares[readers[random.below(readers.size())]].topics;
      auto& entry = entry_for(share, [&](const auto& each) { return each.topic == name; });
      entry.topic = name;
      entry.partitions.push_back(i);
    }
  }
  std::vector<std::vector<std::byte>> bytes;
  for (const auto& share : shares) bytes.push_back(engine::encode_record_value(share, draw_version(random, 0, 3)));
  return bytes;
}

io::Task<void> BrokerLife::sync_as_classic(Actor& actor, SubscriberTruth& member, const wire::JoinGroupResponse& joined) {
  std::vector<std::vector<std::byte>> shares;
  wire::SyncGroupRequest request;
  request.group_id = member.group;
  request.generation_id = joined.generation_id;
  request.member_id = member.member_id;
  request.protocol_type = kConsumers;
  request.protocol_name = kAssignor;
  const std::int16_t version = draw_version(actor.random, member.instance_id ? kStaticSince : 0, 5);
  if (version >= kStaticSince) request.group_instance_id = view(member.instance_id);
  if (joined.leader == member.member_id && !joined.skip_assignment) {
    shares = share_out_to_readers(actor.random, joined);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      request.assignments.push_back({.member_id = joined.members[i].member_id,
                                     .assignment = wire::WireBytes(ConstBytes(shares[i]))});
    }
  }
  const std::uint64_t asked = oracle_.ownerships[member.group].ask();
  const auto answer = co_await actor.call(request, version);
  if (!answer) co_return;
  const auto& synced = answer->message;
  if (synced.error_code != ErrorCode::none) co_return take_classic_error(member, synced.error_code, "SyncGroup");
  const auto told = engine::read_embedded_assignment(synced.assignment);
  if (!told) {
    co_return fail(fmt::format("{} is assigned {} bytes in {}: {}", member.member_id, synced.assignment.size(), member.group,
                               told.error().message));
  }
  OwnedPartitions partitions;
  for (const auto& of_topic : told->topics) {
    const auto known = oracle_.topics.find(std::string(of_topic.topic));
    if (known == oracle_.topics.end()) continue;
    // One that comes back under its instance id is told what it had, whatever it reads now, as long as the protocol stays: as Kafka.
    if (!member.reads(known->first) && !member.instance_id) {
      fail(fmt::format("{} is given {}, which it does not read", member.member_id, known->first));
    }
    for (const std::int32_t index : of_topic.partitions) partitions.emplace(known->second.id, index);
  }
  oracle_.ownerships[member.group].given(member.member_id, asked, partitions);
  member.epoch = joined.generation_id;
  member.confirmed_in = incarnation_;
  if (!partitions.empty()) ++report_.assignments;
  member.assigned = std::move(partitions);
}

io::Task<void> BrokerLife::leave_as_classic(Actor& actor, SubscriberTruth& member) {
  wire::LeaveGroupRequest request;
  request.group_id = member.group;
  const std::int16_t version = draw_version(actor.random, 0, 5);
  if (version < kSeveralLeaveSince) {
    request.member_id = member.member_id;
  } else {
    request.members.push_back(
        {.member_id = member.member_id, .group_instance_id = view(member.instance_id), .reason = std::nullopt});
  }
  oracle_.ownerships[member.group].release(member.member_id);
  const auto answer = co_await actor.call(request, version);
  if (answer) {
    ErrorCode code = answer->message.error_code;
    if (code == ErrorCode::none && version >= kSeveralLeaveSince) code = answer->message.members.at(0).error_code;
    take_classic_error(member, code, "LeaveGroup");
  }
  member.begin_anew();
}

}  // namespace millrace::sim
