// Committed offsets: who commits what, as a member or not, and what is expected of every answer.
#include "engine/drivers/group_coordinators.h"
#include "net/wire/delete_groups.h"
#include "net/wire/offset_commit.h"
#include "net/wire/offset_delete.h"
#include "net/wire/offset_fetch.h"
#include "tests/sim/broker_life.h"

namespace millrace::sim {
namespace {

using wire::ErrorCode;

constexpr int kOperationsPerCommitter = 12;
constexpr std::int16_t kStaticSince = 7;
constexpr std::int16_t kAllSince = 2;
constexpr std::int16_t kSeveralGroupsSince = 8;
constexpr std::int16_t kTopicIdsSince = 10;
// Of OffsetCommit: what is committed in these versions may say for how long it is to be kept.
constexpr std::int16_t kRetentionSince = 2;
constexpr std::int16_t kRetentionUntil = 4;
// A start reads what was committed; until then it says so.
constexpr int kLoadAttempts = 1000;

bool is_no_member(ErrorCode code) {
  return code == ErrorCode::illegal_generation || code == ErrorCode::unknown_member_id ||
         code == ErrorCode::rebalance_in_progress || code == ErrorCode::fenced_instance_id ||
         code == ErrorCode::group_id_not_found || code == ErrorCode::stale_member_epoch;
}

}  // namespace

// ---- Commits

io::Task<void> BrokerLife::commit_as_member(Actor& actor, MemberTruth& member, bool stale, bool unknown) {
  CommitPlan plan{.group = member.group,
                  .member_id = unknown ? "nobody" : member.member_id,
                  .instance_id = unknown ? std::nullopt : member.instance_id,
                  .generation = stale ? member.generation - 1 : member.generation,
                  .partitions = {},
                  .must_be_refused = unknown};
  for (const auto& partition : member.partitions) {
    if (actor.random.chance(2)) plan.partitions.push_back(partition);
  }
  if (plan.partitions.empty()) co_return;
  const ErrorCode code = co_await commit(actor, std::move(plan));
  if (!stale && !unknown) take_member_error(member, code, "OffsetCommit");
}

ErrorCode BrokerLife::take_commit(const CommitPlan& plan, const PartitionName& partition, std::uint64_t number,
                                  ErrorCode code) {
  GroupTruth& truth = oracle_.groups[plan.group];
  const bool of_member = plan.generation >= 0;
  if (code == ErrorCode::none) {
    ++report_.commits;
    truth.commit_done(partition, number, of_member ? std::optional(plan.generation) : std::nullopt);
    if (plan.must_be_refused) {
      fail(fmt::format("a commit of {} in generation {} of {} was taken; known are {}", plan.member_id, plan.generation,
                       plan.group, truth.describe_generations()));
    }
    return code;
  }
  const bool may_be_another = topic(partition.first).may_be_gone() || topic(partition.first).reserved;
  const bool no_topic = code == ErrorCode::unknown_topic_or_partition || code == ErrorCode::unknown_topic_id;
  const bool refused = (no_topic && may_be_another) || (of_member && is_no_member(code)) ||
                       code == ErrorCode::coordinator_load_in_progress;
  if (refused) {
    truth.commit_refused(partition, number);
    return no_topic ? ErrorCode::none : code;
  }
  // Whether it was written nobody knows.
  const bool unknown = code == ErrorCode::coordinator_not_available || code == ErrorCode::not_coordinator;
  if (unknown && group_may_fail(plan.group)) return code;
  fail(fmt::format("commit of {} for {}-{}: {}", plan.group, partition.first, partition.second, wire::error_name(code)));
  return ErrorCode::none;
}

io::Task<ErrorCode> BrokerLife::commit(Actor& actor, CommitPlan plan) {
  GroupTruth& truth = oracle_.groups[plan.group];
  plan.must_be_refused |= plan.generation >= 0 && truth.is_stale(plan.generation);
  wire::OffsetCommitRequest request;
  request.group_id = plan.group;
  request.generation_id_or_member_epoch = plan.generation;
  request.member_id = plan.member_id;
  const std::int16_t version = draw_version(
      actor.random, plan.instance_id ? std::max(kStaticSince, plan.least_version) : plan.least_version, 10);
  if (plan.instance_id) request.group_instance_id = *plan.instance_id;
  const bool says_how_long = version >= kRetentionSince && version <= kRetentionUntil && actor.random.chance(2);
  const bool expires = says_how_long && plan.generation < 0 && actor.random.chance(4);
  if (says_how_long) request.retention_time_ms = expires ? 1 : 3'600'000;
  std::deque<std::string> texts;
  std::map<PartitionName, std::uint64_t> numbers;
  std::map<Uuid, std::string> names;
  for (const auto& partition : plan.partitions) {
    const auto& [name, index] = partition;
    const auto offset = static_cast<std::int64_t>(actor.random.below(1000));
    texts.push_back(fmt::format("c{}", next_mark_++));
    numbers[partition] = truth.begin_commit(partition, offset, texts.back(), expires);
    auto& of_topic = entry_for(request.topics, [&](const auto& entry) { return entry.name == name; });
    of_topic.name = name;
    of_topic.topic_id = topic(name).id;
    names[of_topic.topic_id] = name;
    of_topic.partitions.push_back(
        {.partition_index = index, .committed_offset = offset, .committed_metadata = texts.back()});
  }
  const auto answer = co_await actor.call(request, version);
  if (!answer) co_return ErrorCode::none;
  ErrorCode said = ErrorCode::none;
  for (const auto& of_topic : answer->message.topics) {
    const std::string name = version >= kTopicIdsSince ? names[of_topic.topic_id] : std::string(of_topic.name);
    for (const auto& part : of_topic.partitions) {
      const auto number = numbers.extract({name, part.partition_index});
      if (number.empty()) {
        fail(fmt::format("commit: an answer for {}-{}, which nobody asked", name, part.partition_index));
        continue;
      }
      const ErrorCode code = take_commit(plan, number.key(), number.mapped(), part.error_code);
      if (code != ErrorCode::none) said = code;
    }
  }
  if (!numbers.empty()) fail("commit: a partition is missing from the answer");
  co_return said;
}

// ---- Questions

io::Task<std::optional<BrokerLife::Committed>> BrokerLife::fetch_committed(Actor& actor, std::string group,
                                                                           std::vector<PartitionName> partitions) {
  const bool all = partitions.empty();
  const std::int16_t version = draw_version(actor.random, all ? kAllSince : 1, 10);
  wire::OffsetFetchRequest request;
  request.require_stable = version >= 7 && actor.random.chance(2);
  request.group_id = group;
  auto& of_group = request.groups.emplace_back();
  of_group.group_id = group;
  if (all) {
    request.topics.reset();
    of_group.topics.reset();
  }
  std::map<Uuid, std::string> names;
  for (const auto& [name, index] : partitions) {
    auto& old_form = entry_for(*request.topics, [&](const auto& entry) { return entry.name == name; });
    old_form.name = name;
    old_form.partition_indexes.push_back(index);
    auto& new_form = entry_for(*of_group.topics, [&](const auto& entry) { return entry.name == name; });
    new_form.name = name;
    new_form.topic_id = topic(name).id;
    names[new_form.topic_id] = name;
    new_form.partition_indexes.push_back(index);
  }
  if (version >= kSeveralGroupsSince) {
    request.group_id = {};
    request.topics.emplace();
  } else {
    request.groups.clear();
  }
  const auto answer = co_await actor.call(request, version);
  if (!answer) co_return std::nullopt;
  Committed committed;
  ErrorCode code = answer->message.error_code;
  const auto take = [&](const std::string& name, const auto& of_topic) {
    for (const auto& part : of_topic.partitions) {
      if (part.error_code == ErrorCode::unknown_topic_id) continue;
      if (part.error_code != ErrorCode::none) code = part.error_code;
      committed[{name, part.partition_index}] = {part.committed_offset, std::string(part.metadata.value_or(""))};
    }
  };
  for (const auto& of_topic : answer->message.topics) take(std::string(of_topic.name), of_topic);
  for (const auto& said : answer->message.groups) {
    if (said.error_code != ErrorCode::none) code = said.error_code;
    for (const auto& of_topic : said.topics) {
      if (version < kTopicIdsSince) take(std::string(of_topic.name), of_topic);
      else take(names.contains(of_topic.topic_id) ? names[of_topic.topic_id] : name_of(of_topic.topic_id), of_topic);
    }
  }
  if (code == ErrorCode::none) co_return committed;
  const bool may_be = code == ErrorCode::coordinator_load_in_progress ||
                      ((code == ErrorCode::coordinator_not_available || code == ErrorCode::not_coordinator) &&
                       group_may_fail(group));
  if (!may_be) fail(fmt::format("committed offsets of {}: {}", group, wire::error_name(code)));
  co_return std::nullopt;
}

io::Task<void> BrokerLife::check_committed(Actor& actor, std::string group, std::vector<PartitionName> partitions) {
  GroupTruth& truth = oracle_.groups[group];
  const std::uint64_t asked = truth.now();
  const auto committed = co_await fetch_committed(actor, group, std::move(partitions));
  const auto index = engine::coordinator_partition(group, kOffsetsPartitions);
  if (!committed || oracle_.offsets_in_doubt.contains(index)) co_return;
  for (const auto& [partition, value] : *committed) {
    const auto known = oracle_.topics.find(partition.first);
    if (known == oracle_.topics.end() || known->second.may_be_gone()) continue;
    const auto wrong = truth.read(partition, asked, value.first, value.second);
    if (!wrong.empty()) fail(fmt::format("{}: {}", group, wrong));
  }
}

io::Task<void> BrokerLife::check_and_commit(Actor& actor, std::string name) {
  for (const std::string group : {"s0", "s1", "s2"}) {
    if (over()) co_return;
    std::vector<PartitionName> partitions;
    for (std::size_t i = 0; i < topic(name).partitions.size(); ++i) {
      partitions.emplace_back(name, static_cast<std::int32_t>(i));
    }
    co_await check_committed(actor, group, partitions);
    if (over() || actor.random.chance(3)) continue;
    (void)co_await commit(actor, {.group = group, .member_id = {}, .instance_id = {}, .partitions = partitions});
  }
}

// ---- Deletion

io::Task<void> BrokerLife::delete_group(Actor& actor, std::string group) {
  GroupTruth& truth = oracle_.groups[group];
  const bool surely_there = truth.surely_has_offsets();
  std::map<PartitionName, std::uint64_t> numbers;
  truth.may_begin_anew();
  for (const auto& partition : truth.partitions()) {
    numbers[partition] = truth.begin_commit(partition, GroupTruth::kNothing, "");
  }
  wire::DeleteGroupsRequest request;
  request.groups_names.push_back(group);
  const auto answer = co_await actor.call(request, draw_version(actor.random, 0, 2));
  if (!answer) co_return;
  const ErrorCode code = answer->message.results.at(0).error_code;
  const bool refused = code == ErrorCode::non_empty_group || code == ErrorCode::group_id_not_found ||
                       code == ErrorCode::coordinator_load_in_progress;
  for (const auto& [partition, number] : numbers) {
    if (code == ErrorCode::none) truth.commit_done(partition, number, std::nullopt);
    if (refused) truth.commit_refused(partition, number);
  }
  // A topic that goes meanwhile takes its offsets along.
  const bool lost = code == ErrorCode::group_id_not_found && surely_there && truth.surely_has_offsets();
  const bool failed = code != ErrorCode::none && !refused;
  if ((lost || failed) && !group_may_fail(group)) {
    fail(fmt::format("delete group {}: {}", group, wire::error_name(code)));
  }
}

io::Task<void> BrokerLife::delete_committed(Actor& actor, std::string group) {
  GroupTruth& truth = oracle_.groups[group];
  const auto partitions = some_partitions(actor.random);
  if (partitions.empty()) co_return;
  const PartitionName partition = partitions.front();
  const std::uint64_t number = truth.begin_commit(partition, GroupTruth::kNothing, "");
  wire::OffsetDeleteRequest request;
  request.group_id = group;
  request.topics.push_back({.name = partition.first, .partitions = {{.partition_index = partition.second}}});
  const auto answer = co_await actor.call(request, 0);
  if (!answer) co_return;
  ErrorCode code = answer->message.error_code;
  if (code == ErrorCode::none) code = answer->message.topics.at(0).partitions.at(0).error_code;
  if (code == ErrorCode::none) truth.commit_done(partition, number, std::nullopt);
  const bool unknown = code == ErrorCode::coordinator_not_available || code == ErrorCode::not_coordinator;
  if (code != ErrorCode::none && !unknown) truth.commit_refused(partition, number);
  if (unknown && !group_may_fail(group)) fail(fmt::format("delete offsets of {}: {}", group, wire::error_name(code)));
}

// ---- A client that is no member

std::vector<PartitionName> BrokerLife::some_partitions(Prng& random) const {
  std::vector<PartitionName> partitions;
  for (const auto& [name, truth] : oracle_.topics) {
    if (truth.state != TopicTruth::State::exists || !random.chance(3)) continue;
    for (std::size_t i = 0; i < truth.partitions.size(); ++i) {
      if (random.chance(2)) partitions.emplace_back(name, static_cast<std::int32_t>(i));
    }
  }
  return partitions;
}

io::Task<void> BrokerLife::act_committer() {
  Actor actor(*this, "committer");
  co_await find_coordinator(actor, "s0");
  for (int i = 0; i < kOperationsPerCommitter && !over() && oracle_.has_offsets_topic; ++i) {
    const std::string group = fmt::format("s{}", actor.random.below(2));
    const auto partitions = some_partitions(actor.random);
    const std::uint64_t choice = actor.random.below(12);
    if (choice == 0 && actor.random.chance(2)) co_await delete_group(actor, actor.random.chance(2) ? "g0" : "k0");
    else if (choice == 0) co_await delete_group(actor, group);
    else if (choice == 1) co_await delete_committed(actor, actor.random.chance(3) ? "k0" : group);
    else if (choice <= 4) co_await check_committed(actor, group, actor.random.chance(2) ? partitions : std::vector<PartitionName>());
    else if (!partitions.empty()) (void)co_await commit(actor, {.group = group, .member_id = {}, .instance_id = {}, .partitions = partitions});
    co_await short_sleep(actor.random, 25'000);
  }
  co_await actor.close();
}

// ---- What a start must have left

io::Task<void> BrokerLife::verify_committed_of(Actor& actor, std::string group, GroupTruth& truth) {
  const auto index = engine::coordinator_partition(group, kOffsetsPartitions);
  const bool in_doubt = oracle_.offsets_in_doubt.contains(index);
  const bool any = in_doubt || (after_power_cut_ && !offsets_fsync_);
  std::vector<PartitionName> wanted;
  for (const auto& partition : truth.partitions()) {
    if (!topic(partition.first).may_be_gone()) wanted.push_back(partition);
  }
  std::optional<Committed> committed;
  const bool all = wanted.empty() || actor.random.chance(2);
  for (int i = 0; !committed && report_.failure.empty(); ++i) {
    committed = co_await fetch_committed(actor, group, all ? std::vector<PartitionName>() : wanted);
    if (committed) break;
    if (i > kLoadAttempts && in_doubt) co_return;
    if (i > kLoadAttempts) co_return fail(fmt::format("{} does not come back", group));
    co_await short_sleep(actor.random, 20'000);
  }
  if (!committed) co_return;
  for (const auto& partition : wanted) {
    const auto found = committed->find(partition);
    const auto& [offset, metadata] =
        found == committed->end() ? std::pair(GroupTruth::kNothing, std::string()) : found->second;
    const auto wrong = truth.read_after_start(partition, offset, metadata, any);
    if (!wrong.empty()) fail(fmt::format("{}: {}", group, wrong));
    committed->erase(partition);
  }
  for (const auto& [partition, value] : *committed) {
    const auto known = oracle_.topics.find(partition.first);
    if (known == oracle_.topics.end() || known->second.may_be_gone()) continue;
    fail(fmt::format("{}: {}-{} was committed by nobody", group, partition.first, partition.second));
  }
  if (any) truth.may_begin_anew();
  if (any) oracle_.ownerships[group].forget();
  for (SubscriberTruth& member : oracle_.subscribers) member.is_known &= !any || member.group != group;
}

io::Task<void> BrokerLife::verify_committed(Actor& actor) {
  if (!oracle_.has_offsets_topic) co_return;
  for (auto& [group, truth] : oracle_.groups) {
    if (report_.failure.empty()) co_await verify_committed_of(actor, group, truth);
  }
}

}  // namespace millrace::sim
