#include "engine/group/group_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "base/check.h"
#include "engine/group/classic_members.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

constexpr std::size_t kTimersKept = 1024;
constexpr std::size_t kTimerBytesKept = std::size_t{256} << 10;
// What comes up at the same time is done in several steps, between which others have their turn.
constexpr std::size_t kTimersPerTick = 1000;
// From this version on of OffsetCommit a group that is not there has an error of its own.
constexpr std::int16_t kKnowsMissingGroupsSince = 9;
// From this version on of OffsetCommit topics are named by their ids.
constexpr std::int16_t kKnowsTopicIdsSince = 10;
// From this version on of SyncGroup a member says which protocol it takes the group to use.
constexpr std::int16_t kNamesProtocolSince = 5;

FetchOffsetsResult::Partition committed(std::string_view topic, std::int32_t partition,
                                        const OffsetCommitValue* value) {
  FetchOffsetsResult::Partition said{
      .topic = std::string(topic), .partition = partition, .metadata = {}};
  if (value == nullptr) return said;
  said.offset = value->offset;
  said.leader_epoch = value->leader_epoch;
  said.metadata = value->metadata;
  return said;
}

// By sorting: a list may be millions long, and whoever wrote it may know how names are hashed.
bool names_one_twice(const std::vector<wire::JoinGroupRequest::Protocol>& protocols) {
  std::vector<std::string_view> names;
  names.reserve(protocols.size());
  for (const auto& protocol : protocols) names.push_back(protocol.name);
  std::ranges::sort(names);
  return std::ranges::adjacent_find(names) != names.end();
}

// Where one of them is not known nobody can say.
bool is_another_topic(const Uuid& one, const Uuid& other) {
  return !one.is_zero() && !other.is_zero() && one != other;
}

// Until when an offset is kept; -1 when its client did not say for how long.
std::int64_t expiry(WallTime now, std::int64_t retention_ms) {
  if (retention_ms < 0) return -1;
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  return now.ms > kNever - retention_ms ? kNever : now.ms + retention_ms;
}

}  // namespace

// One step: what is decided for each kind of question.
struct GroupMachine::Decide {
  GroupMachine& machine;
  GroupStep& step;

  void operator()(const ActivateGroups&) const {
    CHECK(!machine.active_, "activated twice");
    machine.active_ = true;
    for (const auto& [id, group] : machine.groups_) {
      ClassicRebalance(group->classic, step).start_sessions();
      if (group->consumer != nullptr) ConsumerRebalance(*group->consumer, step).start_sessions();
    }
    machine.timers_.set(machine.retention_, step.now + machine.options_.offsets_retention_check,
                        GroupTimerKind::retention, "", "");
  }
  void operator()(const GroupTick&) const {
    step.out.atomic = false;
    machine.run_timers(step);
  }

  void operator()(const JoinGroup& question) const {
    const wire::JoinGroupRequest& request = *question.request;
    const auto refuse = [&](ErrorCode error) {
      JoinResult result;
      result.error = error;
      result.member_id = request.member_id;
      step.reply(question.ticket, std::move(result));
    };
    if (request.group_id.empty()) return refuse(ErrorCode::invalid_group_id);
    const Duration session = from_ms(request.session_timeout_ms);
    if (session < machine.options_.session_timeout_min ||
        session > machine.options_.session_timeout_max) {
      return refuse(ErrorCode::invalid_session_timeout);
    }
    // The members that know a protocol are counted by their lists.
    if (names_one_twice(request.protocols)) return refuse(ErrorCode::inconsistent_group_protocol);
    Group* group = machine.find(request.group_id);
    if (group == nullptr) {
      if (!request.member_id.empty()) return refuse(ErrorCode::unknown_member_id);
      group = &machine.find_or_make(request.group_id);
    }
    if (group->consumer != nullptr) ConsumerRebalance(*group->consumer, step).end_joining();
    if (ConsumerGroup* consumer = consumers(*group); consumer != nullptr && !machine.move_down_with(*group, question, step)) {
      ClassicMembers(*consumer, step).join(question);
      return limit_batches();
    }
    ClassicRebalance(group->classic, step).join(question);
    // With its first classic member the group goes over to the classic protocol.
    if (group->consumer != nullptr && group->classic.state() != ClassicGroup::State::empty) {
      step.out.atomic = false;
      tombstones_of_consumer_group(*group);
    }
    limit_batches();
    machine.drop_if_useless(request.group_id);
  }
  void operator()(const SyncGroup& question) const {
    const wire::SyncGroupRequest& request = *question.request;
    // Versions that can say what they take the group for have to.
    if (question.version >= kNamesProtocolSince && (!request.protocol_type || !request.protocol_name)) {
      return step.reply(question.ticket, SyncResult{.error = ErrorCode::inconsistent_group_protocol});
    }
    if (ConsumerGroup* consumer = consumers(question.request->group_id)) {
      return ClassicMembers(*consumer, step).sync(question);
    }
    if (ClassicGroup* group = classic(question.request->group_id)) {
      return ClassicRebalance(*group, step).sync(question);
    }
    step.reply(question.ticket, SyncResult{.error = missing(question.request->group_id)});
  }
  void operator()(const GroupHeartbeat& question) const {
    if (ConsumerGroup* consumer = consumers(question.request->group_id)) {
      return ClassicMembers(*consumer, step).heartbeat(question);
    }
    if (ClassicGroup* group = classic(question.request->group_id)) {
      return ClassicRebalance(*group, step).heartbeat(question);
    }
    step.reply(question.ticket, HeartbeatResult{missing(question.request->group_id)});
  }
  void operator()(const LeaveGroup& question) const {
    if (ConsumerGroup* consumer = consumers(question.group)) {
      ConsumerRebalance(*consumer, step).end_joining();
      ClassicMembers(*consumer, step).leave(question);
      machine.move_down_if_due(*machine.find(question.group), step);
      return limit_batches();
    }
    ClassicGroup* group = classic(question.group);
    if (group == nullptr) {
      // As Kafka: a group that nobody knows is said of each member, not of the request.
      LeaveResult result;
      if (question.group.empty()) result.error = ErrorCode::invalid_group_id;
      result.members.resize(question.members.size(), ErrorCode::unknown_member_id);
      return step.reply(question.ticket, std::move(result));
    }
    ClassicRebalance(*group, step).leave(question);
    machine.drop_if_useless(question.group);
  }

  bool has_gone(const CommitOffsets& question, const Uuid& topic) const {
    return step.image != nullptr && step.image->position.offset > question.looked_up_at &&
           step.image->topics.find(topic) == nullptr;
  }
  void operator()(const CommitOffsets& question) const {
    step.out.atomic = false;
    CommitResult result;
    Group* group = machine.find(question.group);
    ErrorCode error = ErrorCode::none;
    if (group != nullptr) {
      error = group->consumer != nullptr ? ConsumerRebalance(*group->consumer, step).admit_commit(question)
                                         : ClassicRebalance(group->classic, step).admit_commit(question);
    } else if (question.generation >= 0) {
      error = question.version >= kKnowsMissingGroupsSince ? ErrorCode::group_id_not_found
                                                           : ErrorCode::illegal_generation;
    }
    if (error == ErrorCode::none && !has_room_for(question, group)) {
      error = ErrorCode::coordinator_not_available;
      step.warn_of_no_room(question.group);
    }
    const std::int64_t expires = expiry(step.wall_now, question.retention_ms);
    for (const CommitOffsets::Commit& commit : question.commits) {
      ErrorCode said = error;
      // What was committed for it has been dropped already.
      if (said == ErrorCode::none && has_gone(question, commit.topic_id)) {
        said = question.version >= kKnowsTopicIdsSince ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
      }
      if (said == ErrorCode::none &&
          commit.metadata.size() > machine.options_.offset_metadata_bytes_max) {
        said = ErrorCode::offset_metadata_too_large;
      }
      if (said == ErrorCode::none) {
        GroupRecord record = offset_commit_record({.group = std::string(question.group),
                                                   .topic = std::string(commit.at.topic),
                                                   .partition = commit.at.partition},
                                                  {.offset = commit.offset,
                                                   .leader_epoch = commit.leader_epoch,
                                                   .metadata = std::string(commit.metadata),
                                                   .commit_timestamp = step.wall_now.ms,
                                                   .expire_timestamp = expires,
                                                   .topic_id = commit.topic_id});
        // What the log does not take is said of this offset alone.
        if (record.key.size() + record.value->size() > machine.options_.record_bytes_max) {
          said = ErrorCode::invalid_commit_offset_size;
        } else {
          step.out.records.push_back(std::move(record));
        }
      }
      result.errors.push_back(said);
    }
    step.reply(question.ticket, std::move(result));
  }
  void operator()(const FetchOffsets& question) const {
    FetchOffsetsResult result;
    const Group* group = machine.find(question.group);
    if (group != nullptr && group->consumer != nullptr) {
      result.error = ConsumerRebalance(*group->consumer, step).admit_fetch(question);
      if (result.error != ErrorCode::none) return step.reply(question.ticket, std::move(result));
    }
    if (question.partitions) {
      for (const GroupPartition& at : *question.partitions) {
        const auto* value =
            group == nullptr ? nullptr : group->offsets.find(at.topic, at.partition);
        // Of one that had the name before, and is about to be dropped.
        if (value != nullptr && is_another_topic(value->topic_id, at.topic_id)) value = nullptr;
        result.partitions.push_back(committed(at.topic, at.partition, value));
      }
    } else if (group != nullptr) {
      group->offsets.for_each(
          [&](const std::string& topic, std::int32_t partition, const auto& value) {
            result.partitions.push_back(committed(topic, partition, &value));
          });
    }
    step.reply(question.ticket, std::move(result));
  }
  void operator()(const DeleteOffsets& question) const {
    step.out.atomic = false;
    DeleteOffsetsResult result;
    const Group* group = machine.find(question.group);
    if (question.group.empty()) {
      result.error = ErrorCode::invalid_group_id;
    } else if (group == nullptr) {
      result.error = ErrorCode::group_id_not_found;
    } else if (group->classic.state() != ClassicGroup::State::empty &&
               !group->classic.is_consumers()) {
      result.error = ErrorCode::non_empty_group;
    }
    for (const GroupPartition& at : question.partitions) {
      const bool read = result.error == ErrorCode::none &&
                        (group->classic.is_subscribed_to(at.topic) ||
                         (group->consumer != nullptr && group->consumer->is_subscribed_to(at.topic)));
      result.errors.push_back(read ? ErrorCode::group_subscribed_to_topic : result.error);
      if (read || result.error != ErrorCode::none) continue;
      if (group->offsets.find(at.topic, at.partition) == nullptr) continue;
      step.out.records.push_back(
          offset_tombstone({std::string(question.group), std::string(at.topic), at.partition}));
    }
    step.reply(question.ticket, std::move(result));
  }

  void operator()(const DescribeGroup& question) const {
    GroupDescription result;
    const Group* group = machine.find(question.group);
    if (group == nullptr || group->consumer != nullptr) {
      result.error = ErrorCode::group_id_not_found;
      result.message = fmt::format("Group {} {}.", question.group, group == nullptr ? "not found" : "is not a classic group");
      result.state = "Dead";
      return step.reply(question.ticket, std::move(result));
    }
    const ClassicGroup& classic = group->classic;
    result.state = classic.state_name();
    result.protocol_type = classic.protocol_type().value_or("");
    const bool stable = classic.state() == ClassicGroup::State::stable;
    if (stable) result.protocol = classic.protocol().value_or("");
    for (const auto& [id, member] : classic.members()) {
      auto& said = result.members.emplace_back();
      said.member_id = id;
      said.group_instance_id = member.instance_id;
      said.client_id = member.client_id;
      said.client_host = member.client_host;
      // While the group rebalances its members still have what they had.
      said.assignment = member.assignment;
      if (stable) said.metadata = member.metadata_of(*classic.protocol());
    }
    step.reply(question.ticket, std::move(result));
  }
  void operator()(const ListGroups& question) const {
    GroupList result;
    for (const auto& [id, group] : machine.groups_) {
      if (group->consumer != nullptr) {
        result.groups.push_back({id, "consumer", std::string(group->consumer->state_name()), "consumer"});
        continue;
      }
      result.groups.push_back({id, group->classic.protocol_type().value_or(""),
                               std::string(group->classic.state_name()), "classic"});
    }
    step.reply(question.ticket, std::move(result));
  }
  void operator()(const DeleteGroup& question) const {
    step.out.atomic = false;
    const Group* group = machine.find(question.group);
    ErrorCode error = ErrorCode::none;
    if (group == nullptr) {
      error = ErrorCode::group_id_not_found;
    } else if (group->classic.state() != ClassicGroup::State::empty ||
               (group->consumer != nullptr && !group->consumer->members().empty())) {
      error = ErrorCode::non_empty_group;
    } else {
      group->offsets.for_each([&](const std::string& topic, std::int32_t partition, const auto&) {
        step.out.records.push_back(
            offset_tombstone({std::string(question.group), topic, partition}));
      });
      tombstones_of_consumer_group(*group);
      // As Kafka: also where there is no record of it.
      const bool had_any = group->written || !group->offsets.empty();
      if (group->consumer == nullptr && had_any) step.out.records.push_back(group_tombstone(question.group));
    }
    step.reply(question.ticket, DeleteGroupResult{error});
  }
  void operator()(const DropTopics& dropped) const {
    step.out.atomic = false;
    for (const auto& [id, group] : machine.groups_) {
      // A group reads few topics, and many may go at once.
      group->offsets.for_each_topic([&](const std::string& topic) {
        const auto gone = dropped.topics.find(topic);
        if (gone == dropped.topics.end()) return;
        const TopicId& now = gone->second;
        group->offsets.for_each_of(topic, [&](std::int32_t partition, const OffsetCommitValue& value) {
          if (!now.is_zero() && value.topic_id == now) return;
          step.out.records.push_back(offset_tombstone({id, topic, partition}));
        });
      });
    }
  }

  // ---- Groups of the consumer protocol

  void operator()(const ConsumerHeartbeat& question) const {
    const wire::ConsumerGroupHeartbeatRequest& request = *question.request;
    if (auto refusal = ConsumerRebalance::refusal(question, machine.options_)) {
      return step.reply(question.ticket, std::move(*refusal));
    }
    if (request.member_epoch != 0) {
      const Group* known = machine.find(request.group_id);
      if (known == nullptr || known->consumer == nullptr) return refuse_missing(question);
    }
    const Group* before = machine.find(request.group_id);
    const bool was_empty =
        before != nullptr && before->consumer == nullptr && before->classic.state() == ClassicGroup::State::empty;
    Group& group = machine.find_or_make(request.group_id);
    if (group.consumer == nullptr && !machine.move_up(group, question, step)) {
      return machine.drop_if_useless(request.group_id);
    }
    ConsumerRebalance rebalance(*group.consumer, step);
    request.member_epoch < 0 ? rebalance.leave(question) : rebalance.heartbeat(question);
    machine.move_down_if_due(group, step);
    if (was_empty) machine.end_empty_classic(group, step);
    settle_consumer(group, request.group_id);
  }
  void operator()(const DescribeConsumerGroup& question) const {
    const Group* group = machine.find(question.group);
    if (group != nullptr && group->consumer != nullptr) {
      return step.reply(question.ticket, ConsumerRebalance(*group->consumer, step).describe());
    }
    ConsumerGroupDescription result;
    if (question.group.empty()) {
      result.error = ErrorCode::invalid_group_id;
      return step.reply(question.ticket, std::move(result));
    }
    result.error = ErrorCode::group_id_not_found;
    result.message = group == nullptr ? fmt::format("Group {} not found.", question.group)
                                      : fmt::format("Group {} is not a consumer group.", question.group);
    step.reply(question.ticket, std::move(result));
  }
  void operator()(const TopicsChanged& changed) const {
    for (const auto& [id, group] : machine.groups_) {
      if (group->consumer == nullptr) continue;
      ConsumerGroup& consumer = *group->consumer;
      if (changed.any_came_or_went) consumer.patterns_stale = true;
      if (consumer.metadata_stale) continue;
      consumer.metadata_stale = std::ranges::any_of(
          changed.topics, [&](const std::string& topic) { return consumer.is_subscribed_to(topic); });
    }
  }
  void operator()(const PatternsResolved& resolved) const {
    Group* group = machine.find(resolved.group);
    if (group == nullptr || group->consumer == nullptr) return;
    ConsumerRebalance(*group->consumer, step).take_patterns(resolved);
    limit_batches();
  }

  void refuse_missing(const ConsumerHeartbeat& question) const {
    const std::string_view id = question.request->group_id;
    const std::string_view what = machine.find(id) == nullptr ? "not found" : "is not a consumer group";
    step.reply(question.ticket, ConsumerHeartbeatResult{.error = ErrorCode::group_id_not_found,
                                                        .message = fmt::format("Group {} {}.", id, what),
                                                        .member_id = {},
                                                        .assignment = {}});
  }
  // A heartbeat that was refused leaves no trace.
  void settle_consumer(Group& group, std::string_view id) const {
    limit_batches();
    if (group.consumer != nullptr && group.consumer->is_unwritten()) group.consumer.reset();
    machine.drop_if_useless(id);
  }
  // As one, as long as the log takes it as one. What comes first makes the rest follow, if it is cut short there.
  void limit_batches() const {
    if (batch_bytes(step.out.records) > machine.options_.record_bytes_max) step.out.atomic = false;
  }

  // Null where the group has no members that the consumer protocol's rules are for.
  ConsumerGroup* consumers(const Group& group) const {
    return group.consumer == nullptr || group.consumer->members().empty() ? nullptr : group.consumer.get();
  }
  ConsumerGroup* consumers(std::string_view id) const {
    const Group* group = machine.find(id);
    return group == nullptr ? nullptr : consumers(*group);
  }
  ClassicGroup* classic(std::string_view id) const {
    Group* group = machine.find(id);
    return group == nullptr ? nullptr : &group->classic;
  }
  // What is committed anew takes no more room than it has.
  bool has_room_for(const CommitOffsets& question, const Group* group) const {
    std::size_t more = group == nullptr ? group_bytes(question.group.size()) : 0;
    std::string_view added_topic;
    for (const CommitOffsets::Commit& commit : question.commits) {
      const std::string_view topic = commit.at.topic;
      const auto* before = group == nullptr ? nullptr : group->offsets.find(topic, commit.at.partition);
      const std::size_t bytes = GroupOffsets::bytes_of(commit.metadata);
      more += bytes - (before == nullptr ? 0 : std::min(bytes, GroupOffsets::bytes_of(before->metadata)));
      // A topic is named for all its partitions, one after another.
      if (topic == added_topic || (group != nullptr && group->offsets.has_topic(topic))) continue;
      more += GroupOffsets::bytes_of_topic(topic);
      added_topic = topic;
    }
    return machine.use_.has_room_for_bytes(more);
  }
  static ErrorCode missing(std::string_view id) {
    return id.empty() ? ErrorCode::invalid_group_id : ErrorCode::unknown_member_id;
  }
  void tombstones_of_consumer_group(const Group& group) const {
    if (group.consumer == nullptr) return;
    std::ranges::move(group.consumer->tombstones(), std::back_inserter(step.out.records));
  }
};

GroupMachine::GroupMachine(GroupOptions options, GroupUse& use, std::uint64_t seed)
    : options_(options), use_(use), prng_(seed) {}

GroupMachine::~GroupMachine() = default;

void GroupMachine::step(const GroupInput& input, Instant now, GroupEffects& out) {
  out.clear();
  CHECK(active_ || std::holds_alternative<ActivateGroups>(input.event),
        "a step of a coordinator that is not active");
  GroupStep step{options_, use_,        timers_, prng_,
                 now,      input.wall_now, out,     input.image, &groups_with_patterns_,
                 &warning_};
  std::visit(Decide{*this, step}, input.event);
  if (timers_.size() > kTimersKept + 2 * timers_after_cleaning_ ||
      timers_.bytes() > kTimerBytesKept + 2 * timer_bytes_after_cleaning_) {
    timers_.drop_dead([this](const GroupTimer& timer) { return is_live(timer); });
    timers_after_cleaning_ = timers_.size();
    timer_bytes_after_cleaning_ = timers_.bytes();
  }
  out.wake_at = timers_.next();
}

GroupMachine::Group* GroupMachine::find(std::string_view group) {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second.get();
}

GroupMachine::Group& GroupMachine::find_or_make(std::string_view group) {
  if (Group* found = find(group)) return *found;
  std::string id(group);
  auto made = std::make_unique<Group>(id, use_);
  return *groups_.emplace(std::move(id), std::move(made)).first->second;
}

// A group that nothing is known of is not kept: whoever asks for it is answered as if it had never been.
void GroupMachine::drop_if_useless(std::string_view group) {
  const auto found = groups_.find(group);
  if (found == groups_.end() || !found->second->useless()) return;
  if (found->second->classic.pending().empty()) groups_.erase(found);
}

// ---- Records

Result<void> GroupMachine::apply(ConstBytes key_bytes, std::optional<ConstBytes> value) {
  TRY(key, decode_group_key(key_bytes));
  if (const auto* consumer = std::get_if<ConsumerGroupKey>(&key)) return apply_consumer(*consumer, value);
  if (!value) {
    apply_tombstone(key);
    return {};
  }
  if (const auto* commit = std::get_if<OffsetCommitKey>(&key)) {
    TRY(decoded, decode_offset_commit_value(*value));
    apply_commit(*commit, decoded);
  } else if (const auto* metadata = std::get_if<GroupMetadataKey>(&key)) {
    TRY(decoded, decode_group_metadata_value(*value));
    apply_metadata(*metadata, decoded);
  }
  return {};
}

void GroupMachine::apply_commit(const OffsetCommitKey& key, const OffsetCommitValue& value) {
  find_or_make(key.group).offsets.set(key.topic, key.partition, value);
}

void GroupMachine::apply_metadata(const GroupMetadataKey& key, const GroupMetadataValue& value) {
  if (Group* group = find(key.group); group != nullptr && active_) {
    group->classic.on_written(value);
    group->written = true;
    return;
  }
  // The latest record says all there is to know.
  find_or_make(key.group);
  make_afresh(key.group);
  Group& group = *find(key.group);
  group.classic.load(value);
  group.written = true;
}

void GroupMachine::make_afresh(const std::string& id) {
  auto& group = groups_.find(id)->second;
  auto fresh = std::make_unique<Group>(id, use_);
  fresh->consumer = std::move(group->consumer);
  group->offsets.for_each([&](const std::string& topic, std::int32_t partition, const auto& committed) {
    fresh->offsets.set(topic, partition, committed);
  });
  group = std::move(fresh);
}

Result<void> GroupMachine::apply_consumer(const ConsumerGroupKey& key, std::optional<ConstBytes> value) {
  Group* group = find(key.group);
  if (group == nullptr && !value) return {};
  if (group == nullptr) group = &find_or_make(key.group);
  if (group->consumer == nullptr && value) {
    group->consumer = std::make_unique<ConsumerGroup>(key.group, use_);
  }
  if (group->consumer != nullptr) TRY_DONE(group->consumer->apply(key, value));
  if (group->consumer != nullptr && group->consumer->is_unwritten()) group->consumer.reset();
  drop_if_useless(key.group);
  return {};
}

void GroupMachine::apply_tombstone(const GroupKey& key) {
  if (const auto* commit = std::get_if<OffsetCommitKey>(&key)) {
    if (Group* group = find(commit->group)) group->offsets.erase(commit->topic, commit->partition);
    return drop_if_useless(commit->group);
  }
  const auto* metadata = std::get_if<GroupMetadataKey>(&key);
  if (metadata == nullptr) return;
  Group* group = find(metadata->group);
  if (group == nullptr) return;
  if (!active_) {
    // What was read of its members before is over.
    make_afresh(metadata->group);
  } else {
    group->written = false;
  }
  drop_if_useless(metadata->group);
}

std::vector<GroupRecord> GroupMachine::hard_state() const {
  std::vector<GroupRecord> records;
  for (const auto& [id, group] : groups_) {
    const ClassicGroup& classic = group->classic;
    const bool settled = classic.state() == ClassicGroup::State::stable ||
                         classic.state() == ClassicGroup::State::empty;
    if (group->written && settled) {
      records.push_back(group_metadata_record(
          id, classic.to_value(WallTime{classic.state_timestamp()}, nullptr)));
    }
    group->offsets.for_each(
        [&](const std::string& topic, std::int32_t partition, const auto& value) {
          records.push_back(offset_commit_record({id, topic, partition}, value));
        });
    if (group->consumer != nullptr) std::ranges::move(group->consumer->to_records(), std::back_inserter(records));
  }
  return records;
}

GoneTopics GroupMachine::gone_topics(const MetadataImage& then, const MetadataImage& image) const {
  GoneTopics gone;
  for (const auto& [id, group] : groups_) {
    group->offsets.for_each_topic([&](const std::string& name) {
      const TopicImage* topic = image.topics.find(name);
      if (topic == nullptr) {
        gone.try_emplace(name);
        return;
      }
      // What does not say which topic it meant, of older brokers and of clients that say how long it is to be kept, meant the one
      // that had the name then.
      const TopicImage* before = then.topics.find(name);
      const bool is_made_anew = before == nullptr || before->id != topic->id;
      group->offsets.for_each_of(name, [&](std::int32_t, const OffsetCommitValue& value) {
        const bool is_of_another = value.topic_id.is_zero() ? is_made_anew : value.topic_id != topic->id;
        if (is_of_another) gone.try_emplace(name, topic->id);
      });
    });
  }
  return gone;
}

// ---- Time

void GroupMachine::run_timers(GroupStep& step) {
  // Those of one group that have fallen silent together are removed together.
  std::map<std::string, std::set<std::string>> overdue;
  for (std::size_t i = 0; i < kTimersPerTick; ++i) {
    const auto timer = timers_.pop(step.now);
    if (!timer) break;
    if (timer->kind == GroupTimerKind::retention) {
      if (timers_.is_due(retention_, *timer, step.now)) expire_offsets(step);
      continue;
    }
    Group* group = find(timer->group);
    if (group == nullptr) continue;
    if (timer->kind == GroupTimerKind::joining) {
      ConsumerGroup* consumer = group->consumer.get();
      if (consumer != nullptr && timers_.is_due(consumer->joining_end, *timer, step.now)) {
        ConsumerRebalance(*consumer, step).end_joining();
      }
      continue;
    }
    if (group->consumer != nullptr && group->consumer->find(timer->member) != nullptr) {
      if (ConsumerRebalance(*group->consumer, step).is_overdue(*timer)) overdue[timer->group].insert(timer->member);
      continue;
    }
    ClassicRebalance(group->classic, step).on_timer(*timer);
    // If it has just become empty, its record brings it back.
    drop_if_useless(timer->group);
  }
  for (const auto& [id, members] : overdue) {
    // A session may be shorter than the wait for others.
    ConsumerRebalance(*find(id)->consumer, step).end_joining();
    ConsumerRebalance(*find(id)->consumer, step).remove({members.begin(), members.end()});
    move_down_if_due(*find(id), step);
  }
}

// Whether an entry stands for something that is still waited for.
bool GroupMachine::is_live(const GroupTimer& timer) {
  const Deadline* deadline = &retention_;
  if (timer.kind != GroupTimerKind::retention) {
    Group* group = find(timer.group);
    if (group == nullptr) return false;
    ClassicGroup& classic = group->classic;
    if (timer.kind == GroupTimerKind::join) deadline = &classic.join_deadline;
    if (timer.kind == GroupTimerKind::sync) deadline = &classic.sync_deadline;
    if (timer.kind == GroupTimerKind::joining) return group->consumer != nullptr && group->consumer->joining_end.queued == timer.at;
    ConsumerGroup::Member* consumer = group->consumer == nullptr ? nullptr : group->consumer->find(timer.member);
    if (consumer != nullptr) {
      deadline = consumer->deadline(timer.kind);
      if (deadline == nullptr) return false;
    } else if (timer.kind == GroupTimerKind::session) {
      ClassicGroup::Member* member = classic.find(timer.member);
      if (member == nullptr) return false;
      deadline = &member->session;
    }
    if (timer.kind == GroupTimerKind::pending_member) {
      const auto pending = classic.pending().find(timer.member);
      if (pending == classic.pending().end()) return false;
      deadline = &pending->second;
    }
  }
  return deadline->queued == timer.at;
}

void GroupMachine::expire_offsets(GroupStep& step) {
  timers_.set(retention_, step.now + options_.offsets_retention_check, GroupTimerKind::retention,
              "", "");
  for (const auto& [id, group] : groups_) expire_offsets_of(id, *group, step);
}

// The offsets of a group that has members are kept, except of topics that its consumers no longer read; those of an empty group
// for a time after it became empty; those of a group that never had members for a time after each commit.
void GroupMachine::expire_offsets_of(const std::string& id, const Group& group, GroupStep& step) {
  const ClassicGroup& classic = group.classic;
  if (group.consumer != nullptr) return expire_offsets_of_consumers(id, group, step);
  const bool is_empty = classic.state() == ClassicGroup::State::empty;
  const bool is_stable = classic.state() == ClassicGroup::State::stable && classic.is_consumers();
  std::size_t kept = group.offsets.size();
  if (is_empty || is_stable) {
    group.offsets.for_each([&](const std::string& topic, std::int32_t partition,
                               const auto& value) {
      if (is_stable && classic.is_subscribed_to(topic)) return;
      const bool since_empty =
          is_empty && classic.protocol_type() && classic.state_timestamp() >= 0;
      const std::int64_t since = since_empty ? classic.state_timestamp() : value.commit_timestamp;
      const bool over = value.expire_timestamp >= 0
                            ? step.wall_now.ms >= value.expire_timestamp
                            : step.wall_now.ms - since >= to_ms(options_.offsets_retention);
      if (!over) return;
      step.out.records.push_back(offset_tombstone({id, topic, partition}));
      --kept;
    });
  }
  // As Kafka: also where there is no record of it.
  const bool had_any = group.written || !group.offsets.empty();
  if (is_empty && kept == 0 && had_any && classic.members().empty()) {
    step.out.records.push_back(group_tombstone(id));
  }
}

// Of the consumer protocol: those of topics that nobody reads any more, for a time after each commit.
void GroupMachine::expire_offsets_of_consumers(const std::string& id, const Group& group, GroupStep& step) {
  std::size_t kept = group.offsets.size();
  const auto read = group.consumer->topics();
  group.offsets.for_each([&](const std::string& topic, std::int32_t partition, const auto& value) {
    if (read.contains(topic)) return;
    const bool over = value.expire_timestamp >= 0
                          ? step.wall_now.ms >= value.expire_timestamp
                          : step.wall_now.ms - value.commit_timestamp >= to_ms(options_.offsets_retention);
    if (!over) return;
    step.out.records.push_back(offset_tombstone({id, topic, partition}));
    --kept;
  });
  if (kept > 0 || !group.consumer->members().empty()) return;
  std::ranges::move(group.consumer->tombstones(), std::back_inserter(step.out.records));
}

std::optional<PatternQuestion> GroupMachine::next_pattern_question() {
  while (!groups_with_patterns_.empty()) {
    const std::string id = std::move(groups_with_patterns_.extract(groups_with_patterns_.begin()).value());
    Group* group = find(id);
    if (group == nullptr || group->consumer == nullptr || group->consumer->patterns_asked) continue;
    ConsumerGroup& consumer = *group->consumer;
    if (std::exchange(consumer.patterns_due, false)) {
      // Topics that come from now on may be missed by the answer.
      consumer.patterns_stale = false;
      consumer.patterns_asked_all = true;
      consumer.patterns_refused.clear();
    }
    PatternQuestion question{.group = id, .patterns = consumer.unresolved_patterns()};
    if (consumer.patterns_asked_all) {
      for (const auto& [text, pattern] : consumer.patterns()) question.patterns.push_back(text);
    }
    if (question.patterns.empty()) {
      consumer.patterns_asked_all = false;
      continue;
    }
    consumer.patterns_asked = true;
    return question;
  }
  return std::nullopt;
}

void GroupMachine::check_invariants() const {
  std::size_t offsets = 0;
  for (const auto& [id, group] : groups_) {
    CHECK(id == group->classic.id());
    group->classic.check_invariants();
    if (group->consumer != nullptr) group->consumer->check_invariants();
    offsets += group->offsets.size();
  }
  CHECK(offsets <= use_.offsets, "{} offsets, {} were counted", offsets, use_.offsets);
}

}  // namespace millrace::engine
