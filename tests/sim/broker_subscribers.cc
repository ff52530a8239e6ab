// Members of groups of the consumer protocol: they join, are assigned, give back, come and go; and that no group is stuck.
#include <fmt/ranges.h>

#include "engine/drivers/group_coordinators.h"
#include "net/wire/consumer_group_describe.h"
#include "net/wire/consumer_group_heartbeat.h"
#include "tests/sim/broker_life.h"

namespace millrace::sim {
namespace {

using wire::ErrorCode;

constexpr int kStepsPerSubscriber = 24;
constexpr std::int16_t kNamesItselfSince = 1;
constexpr std::int16_t kMembersCommitSince = 9;
constexpr std::int16_t kClassicCommitSince = 2;
constexpr std::int32_t kLeaves = -1;
constexpr std::int32_t kLeavesForAMoment = -2;
constexpr std::string_view kEveryTopic = "t.*";
// Longer than all sessions and rebalances together.
constexpr Duration kSettledAfter = std::chrono::seconds(15);

OwnedPartitions partitions_of(const wire::ConsumerGroupHeartbeatResponseAssignment& assignment) {
  OwnedPartitions partitions;
  for (const auto& of_topic : assignment.topic_partitions) {
    for (const std::int32_t index : of_topic.partitions) partitions.emplace(of_topic.topic_id, index);
  }
  return partitions;
}

}  // namespace

// ---- What a member is told

bool BrokerLife::must_be_member(const SubscriberTruth& member) const {
  return member.epoch > 0 && !member.classic && member.confirmed_in == incarnation_ && !group_may_fail(member.group) &&
         member.must_be_member(io::Reactor::current().now(), kSubscriberSession);
}

void BrokerLife::take_subscriber_error(SubscriberTruth& member, ErrorCode code) {
  const bool joins = member.epoch == 0;
  switch (code) {
    case ErrorCode::none:
    case ErrorCode::coordinator_load_in_progress:
      return;
    case ErrorCode::fenced_member_epoch:
    case ErrorCode::unknown_member_id:
    case ErrorCode::group_id_not_found:
    case ErrorCode::fenced_instance_id:
      if (joins || must_be_member(member)) break;
      oracle_.ownerships[member.group].release(member.member_id);
      return code == ErrorCode::fenced_instance_id ? member.begin_anew() : member.lose();
    case ErrorCode::unreleased_instance_id:
      if (member.instance_id && joins) return;
      break;
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
      if (group_may_fail(member.group)) return;
      break;
    default:
      break;
  }
  fail(fmt::format("{} at epoch {} in {} is told {}", member.member_id, member.epoch, member.group, wire::error_name(code)));
}

void BrokerLife::take_assigned(Actor& actor, SubscriberTruth& member, std::uint64_t asked,
                               const OwnedPartitions& partitions, bool in_step) {
  const OwnedPartitions had = member.owned();
  for (const auto& [id, index] : partitions) {
    const std::string name = name_of(id);
    if (name.empty()) continue;
    const auto count = static_cast<std::int32_t>(std::max(topic(name).partitions.size(), topic(name).may_have));
    // What it was to have before it read something else it may be told of until it has given back what it is to.
    if (in_step && !had.contains({id, index}) && !member.reads(name)) {
      fail(fmt::format("{} at epoch {} is given {}, which it does not read: topics {}, pattern \"{}\"", member.member_id,
                       member.epoch, name, fmt::join(member.topics, ","), member.pattern));
    }
    if (index < 0 || (count > 0 && index >= count)) fail(fmt::format("{} is given {}-{}", member.member_id, name, index));
  }
  OwnedPartitions kept;
  for (const OwnedPartition& partition : had) {
    if (!partitions.contains(partition) && actor.random.chance(2)) kept.insert(partition);
  }
  oracle_.ownerships[member.group].given(member.member_id, asked, partitions);
  member.giving_back = std::move(kept);
  member.assigned = partitions;
  if (!partitions.empty()) ++report_.assignments;
}

// ---- What a member does

void BrokerLife::subscribe(Prng& random, SubscriberTruth& member) {
  member.says_all = true;
  member.is_known = false;
  member.must_join = true;
  member.topics.clear();
  member.pattern.clear();
  if (!member.classic && random.chance(4)) {
    member.pattern = kEveryTopic;
    member.knows_patterns = true;
    return;
  }
  for (const auto& name : usable_topics()) {
    if (!random.chance(4)) member.topics.push_back(name);
  }
}

// What it says; `owned` is what it has.
wire::ConsumerGroupHeartbeatRequest BrokerLife::heartbeat_of(Prng& random, SubscriberTruth& member, std::int16_t version,
                                                             const OwnedPartitions& owned, bool says_all) {
  wire::ConsumerGroupHeartbeatRequest request;
  request.group_id = member.group;
  request.member_id = member.member_id;
  request.member_epoch = member.epoch;
  if (member.instance_id) request.instance_id = *member.instance_id;
  if (says_all) {
    member.rebalance_timeout = std::chrono::milliseconds(50 + random.below(1000));
    request.rebalance_timeout_ms = static_cast<std::int32_t>(to_ms(member.rebalance_timeout));
    request.subscribed_topic_names.emplace(member.topics.begin(), member.topics.end());
    if (version >= kNamesItselfSince) request.subscribed_topic_regex = member.pattern;
  }
  if (!says_all && owned == member.reported) return request;
  request.topic_partitions.emplace();
  for (const auto& [topic_id, index] : owned) {
    auto& entry = entry_for(*request.topic_partitions, [&](const auto& each) { return each.topic_id == topic_id; });
    entry.topic_id = topic_id;
    entry.partitions.push_back(index);
  }
  return request;
}

io::Task<void> BrokerLife::beat(Actor& actor, SubscriberTruth& member) {
  if (member.classic) co_return co_await beat_as_classic(actor, member);
  Ownership& ownership = oracle_.ownerships[member.group];
  GroupTruth& truth = oracle_.groups[member.group];
  const bool joins = member.epoch == 0;
  const std::int16_t version = member.knows_patterns ? kNamesItselfSince : draw_version(actor.random, 0, 1);
  const bool is_named_by_us = version >= kNamesItselfSince || !joins || actor.random.chance(2);
  if (member.member_id.empty() && is_named_by_us) member.member_id = fmt::format("{}-{}", member.name, next_mark_++);
  if (actor.random.chance(2)) member.giving_back.clear();
  const OwnedPartitions owned = joins ? OwnedPartitions() : member.owned();
  const bool says_all = joins || member.says_all || actor.random.chance(4);
  const std::string id = member.member_id;
  const auto request = heartbeat_of(actor.random, member, version, owned, says_all);
  if (joins) ownership.release(id);
  else if (request.topic_partitions) ownership.gives_back(id, owned);
  const std::uint64_t asked = ownership.ask();
  const Instant asked_at = io::Reactor::current().now();
  const std::int32_t epoch_least = truth.epoch_least();
  const bool in_step = member.is_known;
  member.says_all = true;
  ++member.unanswered;
  const auto answer = co_await actor.call(request, version);
  if (!answer) co_return;
  const auto& told = answer->message;
  if (told.error_code != ErrorCode::none) {
    --member.unanswered;
    co_return take_subscriber_error(member, told.error_code);
  }
  member.says_all = false;
  member.is_known |= says_all;
  member.reported = owned;
  const std::string wrong = joins ? std::string() : ownership.confirmed(id, asked);
  if (!wrong.empty() && !group_may_fail(member.group)) {
    co_return fail(fmt::format("{} is taken for a member though {}", id, wrong));
  }
  if (told.member_epoch < member.epoch || told.member_epoch <= 0) {
    co_return fail(fmt::format("{} at epoch {} is told epoch {}", id, member.epoch, told.member_epoch));
  }
  // One that moves while nobody is in it counts from the beginning.
  if (joins && !member.moves) check(truth.joined_in_epoch(told.member_epoch, epoch_least));
  if (!member.moves) truth.told_epoch(told.member_epoch);
  member.member_id = told.member_id.value_or("");
  if (member.member_id.empty() || (!id.empty() && member.member_id != id)) {
    co_return fail(fmt::format("{} is called {}", id, member.member_id));
  }
  member.epoch = told.member_epoch;
  if (told.assignment) take_assigned(actor, member, asked, partitions_of(*told.assignment), in_step);
  member.confirmed(incarnation_, asked_at, owned);
}

io::Task<void> BrokerLife::unsubscribe(Actor& actor, SubscriberTruth& member) {
  if (member.classic) co_return co_await leave_as_classic(actor, member);
  const std::string id = member.member_id;
  wire::ConsumerGroupHeartbeatRequest request;
  request.group_id = member.group;
  request.member_id = id;
  request.member_epoch = kLeaves;
  if (member.instance_id) {
    request.instance_id = *member.instance_id;
    if (actor.random.chance(2)) request.member_epoch = kLeavesForAMoment;
  }
  oracle_.ownerships[member.group].release(id);
  const auto answer = co_await actor.call(request, draw_version(actor.random, 0, 1));
  if (answer) take_subscriber_error(member, answer->message.error_code);
  member.begin_anew();
}

std::vector<PartitionName> BrokerLife::names_of(const OwnedPartitions& partitions) const {
  std::vector<PartitionName> names;
  for (const auto& [id, index] : partitions) {
    const std::string name = name_of(id);
    if (!name.empty()) names.emplace_back(name, index);
  }
  return names;
}

io::Task<void> BrokerLife::commit_as_subscriber(Actor& actor, SubscriberTruth& member, bool stale, bool unknown) {
  Ownership& ownership = oracle_.ownerships[member.group];
  const bool thrown_out = !ownership.thrown_out_before(member.member_id, ownership.ask()).empty();
  const bool surely_stale = stale && member.confirmed_in == incarnation_;
  CommitPlan plan{.group = member.group,
                  .member_id = unknown ? "nobody" : member.member_id,
                  .instance_id = unknown ? std::nullopt : member.instance_id,
                  .generation = stale ? member.epoch - 1 : member.epoch,
                  .partitions = {},
                  .must_be_refused = (unknown || thrown_out || surely_stale) && !group_may_fail(member.group),
                  .least_version = member.classic ? kClassicCommitSince : kMembersCommitSince};
  for (const auto& partition : names_of(member.assigned)) {
    if (actor.random.chance(2)) plan.partitions.push_back(partition);
  }
  if (plan.partitions.empty()) co_return;
  const ErrorCode code = co_await commit(actor, std::move(plan));
  const bool is_taken = code == ErrorCode::none || code == ErrorCode::coordinator_load_in_progress;
  if (stale || unknown || is_taken || !must_be_member(member)) co_return;
  fail(fmt::format("a commit of {} at epoch {} of {}: {}", member.member_id, member.epoch, member.group,
                   wire::error_name(code)));
}

io::Task<void> BrokerLife::subscriber_step(Actor& actor, SubscriberTruth& member) {
  if (member.epoch == 0) {
    if (member.moves && member.member_id.empty() && actor.random.chance(2)) {
      member.classic = !member.classic;
      member.pattern.clear();
    }
    if (member.topics.empty() && member.pattern.empty()) subscribe(actor.random, member);
    co_return co_await beat(actor, member);
  }
  switch (actor.random.below(24)) {
    case 0:
      co_return co_await unsubscribe(actor, member);
    case 1:  // it ends without a word, and begins again knowing no more than its configuration
      co_await actor.close();
      oracle_.ownerships[member.group].release(member.member_id);
      co_return member.begin_anew();
    case 2:  // it is stopped for longer than its session
      co_return co_await io::sleep_for(std::chrono::milliseconds(actor.random.below(600)));
    case 3:
      co_return co_await commit_as_subscriber(actor, member, true, false);
    case 4:
      co_return co_await commit_as_subscriber(actor, member, false, true);
    case 5:
      co_return co_await check_committed(actor, member.group, names_of(member.assigned));
    case 6:
      subscribe(actor.random, member);
      co_return co_await beat(actor, member);
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
      co_return co_await commit_as_subscriber(actor, member, false, false);
    default:
      co_return co_await beat(actor, member);
  }
}

io::Task<void> BrokerLife::act_subscriber(std::size_t number) {
  SubscriberTruth& member = oracle_.subscribers[number];
  co_await act_in_group(fmt::format("subscriber {}", number), member.group, kStepsPerSubscriber,
                        [&](Actor& actor) { return subscriber_step(actor, member); });
}

// ---- No group is stuck

io::Task<bool> BrokerLife::is_stable_with_subscribers(Actor& actor, std::string group, std::size_t members) {
  wire::ConsumerGroupDescribeRequest request;
  request.group_ids.push_back(group);
  const auto answer = co_await actor.call(request, draw_version(actor.random, 0, 1));
  if (!answer) co_return false;
  const auto& found = answer->message.groups.at(0);
  co_return found.error_code == ErrorCode::none && found.group_state == "Stable" && found.members.size() == members;
}

// Of the topics that are surely there.
bool BrokerLife::own_everything(const SubscriberTruth& one, const SubscriberTruth& two) const {
  for (const auto& name : usable_topics()) {
    const TopicTruth& truth = oracle_.topics.at(name);
    for (std::size_t i = 0; i < truth.partitions.size(); ++i) {
      const OwnedPartition partition{truth.id, static_cast<std::int32_t>(i)};
      if (one.reads(name) && !one.assigned.contains(partition) && !two.assigned.contains(partition)) return false;
    }
  }
  return true;
}

// Until both are members of the same epoch and have everything, and nobody else is there. Where both speak the classic protocol the
// group does. `settled`: as in settle().
io::Task<void> BrokerLife::settle_subscriber(Actor& actor, SubscriberTruth& member, const SubscriberTruth& other,
                                             Instant deadline, bool& settled) {
  while (report_.failure.empty() && !settled) {
    const bool together = member.epoch > 0 && member.epoch == other.epoch && own_everything(member, other);
    if (together) {
      const bool is_at_rest = member.classic && other.classic ? co_await is_stable(actor, member.group)
                                                              : co_await is_stable_with_subscribers(actor, member.group, 2);
      settled |= is_at_rest;
    }
    if (settled) break;
    if (io::Reactor::current().now() > deadline) {
      co_return fail(fmt::format("{} is stuck: epochs {} and {}, {} and {} partitions", member.group, member.epoch,
                                 other.epoch, member.assigned.size(), other.assigned.size()));
    }
    co_await beat(actor, member);
    co_await io::sleep_for(std::chrono::milliseconds(15));
  }
}

io::Task<void> BrokerLife::verify_subscribers_settle() {
  if (oracle_.subscribers.empty() || !oracle_.has_offsets_topic) co_return;
  const std::string group = oracle_.subscribers.front().group;
  if (oracle_.offsets_in_doubt.contains(engine::coordinator_partition(group, kOffsetsPartitions))) co_return;
  SubscriberTruth one{.group = group, .name = "settler"};
  one.moves = oracle_.subscribers.front().moves;
  SubscriberTruth two = one;
  for (SubscriberTruth* settler : {&one, &two}) {
    settler->classic = settler->moves && random_.chance(2);
    settler->topics = usable_topics();
  }
  if (!one.moves && random_.chance(2)) {
    one.knows_patterns = two.knows_patterns = true;
    one.pattern = two.pattern = kEveryTopic;
    one.topics.clear();
    two.topics.clear();
  }
  Actor first(*this, "subscribed settler 1");
  Actor second(*this, "subscribed settler 2");
  const Instant deadline = io::Reactor::current().now() + kSettledAfter;
  io::Gate gate;
  bool settled = false;
  gate.spawn(settle_subscriber(first, one, two, deadline, settled));
  gate.spawn(settle_subscriber(second, two, one, deadline, settled));
  co_await gate.close();
  if (report_.failure.empty()) co_await verify_settled(first, one, two);
  co_await first.close();
  co_await second.close();
}

// They share the partitions out between them, and commit what they have read.
io::Task<void> BrokerLife::verify_settled(Actor& actor, SubscriberTruth& one, const SubscriberTruth& two) {
  for (const OwnedPartition& partition : one.assigned) {
    if (two.assigned.contains(partition)) fail(fmt::format("{} and {} have the same partition", one.member_id, two.member_id));
  }
  const Instant deadline = io::Reactor::current().now() + kSettledAfter;
  for (const std::uint64_t before = report_.commits; report_.commits == before && report_.failure.empty();) {
    co_await beat(actor, one);
    if (one.assigned.empty() && one.epoch > 0) co_return;
    co_await commit_as_subscriber(actor, one, false, false);
    if (io::Reactor::current().now() > deadline) fail(fmt::format("{} takes no commits of {}", one.group, one.member_id));
    co_await io::sleep_for(std::chrono::milliseconds(15));
  }
}

}  // namespace millrace::sim
