#include "engine/group/consumer_rebalance.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "engine/group/consumer_assignor.h"
#include "engine/group/group_move.h"
#include "engine/group/group_settings.h"
#include "engine/group/member_id.h"
#include "engine/group/topic_pattern.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using Kind = ConsumerGroupKey::Kind;
using State = ConsumerGroup::MemberState;

// From this version on a client names itself.
constexpr std::int16_t kNamesItselfSince = 1;
// From this version on of OffsetCommit a member of the consumer protocol may commit.
constexpr std::int16_t kCommitsSince = 9;
// More partitions than this in one group are not assigned: the records would not fit the log.
constexpr std::size_t kPartitionsMax = 200'000;

std::optional<ConsumerAssignment> owned_by(const wire::ConsumerGroupHeartbeatRequest& request) {
  if (!request.topic_partitions) return std::nullopt;
  std::vector<ConsumerTopicPartitions> topics;
  for (const auto& topic : *request.topic_partitions) topics.push_back({topic.topic_id, topic.partitions});
  return to_assignment(topics);
}

bool any_in(const ConsumerAssignment& these, const ConsumerAssignment& those) {
  return std::ranges::any_of(these, [&](const auto& entry) {
    return std::ranges::any_of(entry.second, [&](std::int32_t partition) {
      return contains(those, entry.first, partition);
    });
  });
}

bool all_in(const ConsumerAssignment& these, const ConsumerAssignment& those) {
  return std::ranges::all_of(these, [&](const auto& entry) {
    return std::ranges::all_of(entry.second, [&](std::int32_t partition) {
      return contains(those, entry.first, partition);
    });
  });
}

// FNV-1a. It stands in records, so it is the same for ever.
class Fingerprint {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<std::uint8_t>(c));
    add_byte(0);
  }
  void add(const Uuid& id) {
    for (const std::uint8_t byte : id.bytes) add_byte(byte);
  }
  void add(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) add_byte(static_cast<std::uint8_t>(number >> shift));
  }
  std::int64_t value() const { return static_cast<std::int64_t>(hash_); }

 private:
  void add_byte(std::uint8_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3U; }
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

const TopicImage* find_topic(const MetadataImage* image, std::string_view name) {
  return image == nullptr ? nullptr : image->topics.find(name);
}

// Nothing but spaces and control characters.
bool is_blank(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' '; });
}

std::optional<std::string> refusal_of_first(const wire::ConsumerGroupHeartbeatRequest& request) {
  if (request.rebalance_timeout_ms == -1) return "RebalanceTimeoutMs must be provided in first request.";
  if (!request.topic_partitions || !request.topic_partitions->empty()) {
    return "TopicPartitions must be empty when (re-)joining.";
  }
  if (!request.subscribed_topic_names && !request.subscribed_topic_regex) {
    return "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
  }
  return std::nullopt;
}

std::optional<std::string> malformation(const ConsumerHeartbeat& question, const GroupOptions& options) {
  const wire::ConsumerGroupHeartbeatRequest& request = *question.request;
  const bool must_be_named = question.version >= kNamesItselfSince || request.member_epoch != 0;
  if (must_be_named && is_blank(request.member_id)) return "MemberId can't be empty.";
  if (is_blank(request.group_id)) return "GroupId can't be empty.";
  if (request.instance_id && is_blank(*request.instance_id)) return "InstanceId can't be empty.";
  if (request.rack_id && is_blank(*request.rack_id)) return "RackId can't be empty.";
  if (request.member_epoch < kLeaveForAMomentEpoch) return "MemberEpoch is invalid.";
  if (request.member_epoch == kLeaveForAMomentEpoch && !request.instance_id) return "InstanceId can't be null.";
  if (request.subscribed_topic_names && request.subscribed_topic_names->size() > options.consumer.topics_max) {
    return fmt::format("more than {} topics are named", options.consumer.topics_max);
  }
  // 0 is nobody's epoch: whoever says it joins.
  return request.member_epoch == 0 ? refusal_of_first(request) : std::nullopt;
}

}  // namespace

// ---- Heartbeats

std::optional<ConsumerHeartbeatResult> ConsumerRebalance::refusal(const ConsumerHeartbeat& question,
                                                                  const GroupOptions& options) {
  const wire::ConsumerGroupHeartbeatRequest& request = *question.request;
  const auto refuse = [](ErrorCode error, std::string message) {
    return ConsumerHeartbeatResult{.error = error, .message = std::move(message), .member_id = {}, .assignment = {}};
  };
  if (!options.consumer.enabled) return refuse(ErrorCode::unsupported_version, "");
  if (auto malformed = malformation(question, options)) {
    return refuse(ErrorCode::invalid_request, std::move(*malformed));
  }
  if (request.server_assignor &&
      std::ranges::find(options.consumer.assignors, *request.server_assignor) == options.consumer.assignors.end()) {
    return refuse(ErrorCode::unsupported_assignor,
                  fmt::format("ServerAssignor {} is not supported. Supported assignors: {}.",
                              *request.server_assignor, fmt::join(options.consumer.assignors, ", ")));
  }
  if (request.subscribed_topic_regex && !request.subscribed_topic_regex->empty()) {
    if (auto problem = pattern_problem(*request.subscribed_topic_regex, options.consumer.pattern_bytes_max)) {
      return refuse(ErrorCode::invalid_regular_expression, std::move(*problem));
    }
  }
  return std::nullopt;
}

void ConsumerRebalance::heartbeat(const ConsumerHeartbeat& question) {
  const wire::ConsumerGroupHeartbeatRequest& request = *question.request;
  const Member* known = group_.find(request.member_id);
  if (known == nullptr && group_.members().size() >= step_.options.consumer.size_max) {
    const bool takes_a_place = !request.instance_id || group_.static_member(*request.instance_id) == nullptr;
    if (takes_a_place) {
      return refuse(question.ticket, {ErrorCode::group_max_size_reached,
                                      fmt::format("The consumer group has reached its maximum capacity of {} members.",
                                                  step_.options.consumer.size_max)});
    }
  }
  const Chosen id = choose_member(question);
  if (!id) return refuse(question.ticket, id.error());
  // A static member that comes back under another id goes on with what its former self had, unless it is refused.
  const Member* former = request.instance_id ? group_.static_member(*request.instance_id) : nullptr;
  if (former != nullptr && former->id == *id) former = nullptr;
  known = former != nullptr ? former : group_.find(*id);
  Profile profile = profile_of(question, known);
  const bool adds_a_pattern = !profile.pattern.empty() && !group_.uses_pattern(profile.pattern);
  if (adds_a_pattern && group_.patterns().size() >= step_.options.consumer.patterns_max) {
    return refuse(question.ticket, {ErrorCode::invalid_regular_expression,
                                    fmt::format("The members of the group use {} patterns already.",
                                                step_.options.consumer.patterns_max)});
  }
  if (const auto refusal = check_room(profile, known, *id)) return refuse(question.ticket, *refusal);
  if (waits_for_others(profile)) return wait_for_others(question.ticket, *id, std::move(profile));
  const bool was_there = known != nullptr;
  end_joining();
  // Those who joined together are gone where there was no target for them.
  if (former != nullptr) former = group_.static_member(*request.instance_id);
  if (former != nullptr) replace(*former, *id, 0);
  known = group_.find(*id);
  const bool is_new = known == nullptr;
  // It was among those who joined together, and there was no target for them.
  if (was_there && is_new) return refuse(question.ticket, *unassigned_);
  const ConsumerAssignment before = known == nullptr ? ConsumerAssignment{} : known->current.assigned;
  update(*id, std::move(profile), owned_by(request));
  if (is_new && unassigned_) {
    // Those who were there before it keep what they have.
    remove({*id});
    return refuse(question.ticket, *unassigned_);
  }
  Member& member = *group_.find(*id);
  restart_session(member);
  member.classic_rejoin.clear();
  const bool says_all = request.member_epoch == 0 ||
                        (request.rebalance_timeout_ms != -1 && request.topic_partitions &&
                         (request.subscribed_topic_names || request.subscribed_topic_regex));
  answer(question.ticket, member, says_all || member.current.assigned != before);
}

void ConsumerRebalance::answer(Ticket ticket, const Member& member, bool with_assignment) {
  ConsumerHeartbeatResult result{.message = {},
                                 .member_id = member.id,
                                 .member_epoch = member.current.epoch,
                                 .heartbeat_interval = heartbeat_interval(),
                                 .assignment = {}};
  if (with_assignment) result.assignment = member.current.assigned;
  step_.reply(ticket, std::move(result));
}

void ConsumerRebalance::refuse(Ticket ticket, const Refusal& refusal) {
  step_.reply(ticket, ConsumerHeartbeatResult{
                          .error = refusal.error, .message = refusal.message, .member_id = {}, .assignment = {}});
}

// ---- Who it is

ConsumerRebalance::Chosen ConsumerRebalance::choose_member(const ConsumerHeartbeat& question) {
  const wire::ConsumerGroupHeartbeatRequest& request = *question.request;
  const std::string id =
      request.member_id.empty() ? drawn_member_id() : std::string(request.member_id);
  if (request.instance_id) return choose_static_member(question, id);
  const Member* known = group_.find(id);
  if (known == nullptr) {
    if (request.member_epoch == 0) return id;
    return std::unexpected(Refusal{ErrorCode::unknown_member_id,
                                   fmt::format("Member {} is not a member of group {}.", id, group_.id())});
  }
  if (auto refusal = check_epoch(*known, question)) return std::unexpected(std::move(*refusal));
  return id;
}

ConsumerRebalance::Chosen ConsumerRebalance::choose_static_member(const ConsumerHeartbeat& question,
                                                                  const std::string& id) {
  const wire::ConsumerGroupHeartbeatRequest& request = *question.request;
  const Member* holder = group_.static_member(*request.instance_id);
  if (holder == nullptr) {
    if (request.member_epoch == 0) return id;
    return std::unexpected(
        Refusal{ErrorCode::unknown_member_id, fmt::format("Instance id {} is unknown.", *request.instance_id)});
  }
  if (holder->id == id) {
    if (auto refusal = check_epoch(*holder, question)) return std::unexpected(std::move(*refusal));
    return id;
  }
  if (request.member_epoch != 0) {
    return std::unexpected(Refusal{ErrorCode::fenced_instance_id,
                                   fmt::format("Static member {} with instance id {} was fenced by member {}.", id,
                                               *request.instance_id, holder->id)});
  }
  // A member of the classic protocol does not say that it leaves for a moment.
  if (!holder->has_left_for_a_moment() && !holder->is_classic()) {
    return std::unexpected(
        Refusal{ErrorCode::unreleased_instance_id,
                fmt::format("Static member {} with instance id {} cannot join the group because the instance id is "
                            "owned by {} member.",
                            id, *request.instance_id, holder->id)});
  }
  return id;
}

// The answer that raised its epoch may not have reached a member: then it says the epoch before, and has nothing that it was
// not given.
std::optional<ConsumerRebalance::Refusal> ConsumerRebalance::check_epoch(const Member& member,
                                                                         const ConsumerHeartbeat& question) const {
  const std::int32_t said = question.request->member_epoch;
  const std::int32_t epoch = member.current.epoch;
  if (said == 0 || said == epoch) return std::nullopt;
  if (said > epoch) {
    return Refusal{ErrorCode::fenced_member_epoch,
                   fmt::format("The consumer group member has a greater member epoch ({}) than the one known by the "
                               "group coordinator ({}). The member must abandon all its partitions and rejoin.",
                               said, epoch)};
  }
  const auto owned = owned_by(*question.request);
  if (said == member.current.previous_epoch && owned && all_in(*owned, member.current.assigned)) return std::nullopt;
  return Refusal{ErrorCode::fenced_member_epoch,
                 fmt::format("The consumer group member has a smaller member epoch ({}) than the one known by the group "
                             "coordinator ({}). The member must abandon all its partitions and rejoin.",
                             said, epoch)};
}

void ConsumerRebalance::replace(const Member& former, const std::string& member, std::int32_t epoch) {
  const Profile profile = former.profile;
  Current current = former.current;
  current.epoch = epoch;
  current.previous_epoch = 0;
  const ConsumerAssignment* known = group_.target(former.id);
  const ConsumerAssignment target = known == nullptr ? ConsumerAssignment{} : *known;
  const std::size_t begin = step_.out.records.size();
  for (GroupRecord& record : group_.tombstones_of(std::string(former.id))) emit(std::move(record));
  emit(ConsumerGroup::member_record(group_.id(), member, profile));
  emit(consumer_record(Kind::target_assignment_of_member, group_.id(), member,
                       ConsumerGroupTargetAssignmentMemberValue{to_topic_partitions(target)}));
  emit(ConsumerGroup::current_record(group_.id(), member, current));
  (void)keep_together(begin);
}

std::string ConsumerRebalance::drawn_member_id() {
  return kafka_uuid(step_.prng);
}

ConsumerRebalance::Profile ConsumerRebalance::profile_of(const ConsumerHeartbeat& question,
                                                         const Member* known) const {
  const wire::ConsumerGroupHeartbeatRequest& request = *question.request;
  Profile profile = known == nullptr ? Profile{} : known->profile;
  if (request.instance_id) profile.instance_id = *request.instance_id;
  if (request.rack_id) profile.rack_id = *request.rack_id;
  if (request.rebalance_timeout_ms != -1) profile.rebalance_timeout_ms = request.rebalance_timeout_ms;
  if (request.server_assignor) profile.assignor = *request.server_assignor;
  if (request.subscribed_topic_names) {
    profile.topics.assign(request.subscribed_topic_names->begin(), request.subscribed_topic_names->end());
    std::ranges::sort(profile.topics);
    const auto repeated = std::ranges::unique(profile.topics);
    profile.topics.erase(repeated.begin(), repeated.end());
  }
  if (request.subscribed_topic_regex) profile.pattern = *request.subscribed_topic_regex;
  profile.client_id = question.client_id;
  profile.client_host = question.client_host;
  profile.classic.reset();
  return profile;
}

bool ConsumerRebalance::fits(const GroupRecord& record) const {
  return record.key.size() + (record.value ? record.value->size() : 0) <= step_.options.record_bytes_max;
}

std::optional<ConsumerRebalance::Refusal> ConsumerRebalance::check_room(const Profile& profile, const Member* known,
                                                                        const std::string& id) const {
  if (known != nullptr && known->profile == profile) return std::nullopt;
  if (!fits(ConsumerGroup::member_record(group_.id(), id, profile))) {
    return Refusal{ErrorCode::unknown_server_error,
                   fmt::format("What the member says of itself is more than max.message.bytes of __consumer_offsets "
                               "lets a record have, which is {} bytes.",
                               step_.options.record_bytes_max)};
  }
  Member like{.id = id, .profile = profile, .current = {}};
  if (known != nullptr) like.current = known->current;
  const std::size_t bytes = group_.bytes_of(like);
  const bool has_room = known == nullptr ? step_.use.has_room_for_member(bytes)
                                         : step_.use.has_room_for_bytes(bytes - std::min(bytes, group_.bytes_of(*known)));
  if (has_room) return std::nullopt;
  step_.warn_of_no_room(group_.id());
  return Refusal{ErrorCode::coordinator_not_available, "The coordinator has no room for more members."};
}

// ---- What follows from what a member says

void ConsumerRebalance::update(const std::string& id, Profile profile,
                               const std::optional<ConsumerAssignment>& owned) {
  note(id, std::move(profile));
  if (group_.epoch() > group_.assignment_epoch() && may_assign()) {
    unassigned_ = assign();
    if (unassigned_) step_.warn("groups.assign", group_.id(), unassigned_->message);
  }
  reconcile(id, owned);
}

void ConsumerRebalance::note(const std::string& id, Profile profile) {
  const Member* known = group_.find(id);
  const bool differs = known == nullptr || known->profile != profile;
  const bool reads_other = known == nullptr || !known->profile.reads_the_same_as(profile);
  if (differs) emit(ConsumerGroup::member_record(group_.id(), id, profile));
  if (reads_other) drop_unused_patterns();
  look_up_patterns();
  refresh_epoch(reads_other);
}

void ConsumerRebalance::look_up_patterns() {
  if (!group_.uses_patterns() || group_.patterns_asked || step_.groups_with_patterns == nullptr) return;
  const auto since = group_.patterns_resolved_at;
  const bool soon = group_.patterns_stale || !group_.patterns_refused.empty();
  const Duration pause = soon ? step_.options.consumer.pattern_pause : step_.options.consumer.pattern_refresh;
  if (!since || step_.now - *since >= pause) group_.patterns_due = true;
  if (group_.patterns_due || group_.has_unresolved_patterns()) step_.groups_with_patterns->insert(group_.id());
}

void ConsumerRebalance::drop_unused_patterns() {
  std::vector<std::string> unused;
  for (const auto& [text, pattern] : group_.patterns()) {
    if (!group_.uses_pattern(text)) unused.push_back(text);
  }
  for (const std::string& text : unused) emit(consumer_tombstone(Kind::regular_expression, group_.id(), text));
  std::erase_if(group_.patterns_refused, [&](const std::string& text) { return !group_.uses_pattern(text); });
}

void ConsumerRebalance::take_patterns(const PatternsResolved& resolved) {
  group_.patterns_asked = false;
  if (std::exchange(group_.patterns_asked_all, false)) group_.patterns_resolved_at = step_.now;
  bool changed = false;
  for (const auto& [text, topics] : resolved.topics) {
    if (!group_.uses_pattern(text)) continue;
    std::vector<std::string> sorted = topics;
    std::ranges::sort(sorted);
    const auto known = group_.patterns().find(text);
    if (known != group_.patterns().end() && known->second.topics == sorted) continue;
    const std::size_t bytes = ConsumerGroup::bytes_of(text, {.topics = sorted});
    const std::size_t before = known == group_.patterns().end() ? 0 : ConsumerGroup::bytes_of(text, known->second);
    const std::size_t more = bytes - std::min(bytes, before);
    const bool stands_for_any = !sorted.empty();
    GroupRecord record = consumer_record(
        Kind::regular_expression, group_.id(), text,
        ConsumerGroupRegularExpressionValue{std::move(sorted), resolved.version, step_.wall_now.ms});
    // More topics than the log takes in one record, or than there is room for; what was known before stands.
    if (!fits(record)) {
      group_.patterns_refused.insert(text);
      step_.warn("groups.assign", group_.id(),
                 fmt::format("pattern {} stands for more topics than a record takes", text));
      continue;
    }
    if (!step_.use.has_room_for_bytes(more)) {
      group_.patterns_refused.insert(text);
      step_.warn_of_no_room(group_.id());
      continue;
    }
    // A pattern that is new and stands for nothing changes nothing that anybody reads.
    changed = changed || known != group_.patterns().end() || stands_for_any;
    emit(std::move(record));
  }
  if (changed) refresh_epoch(true);
}

// 0 when none of the topics is there.
std::int64_t ConsumerRebalance::topics_hash() const {
  Fingerprint hash;
  bool any = false;
  for (const std::string_view name : group_.topics()) {
    const TopicImage* topic = find_topic(step_.image, name);
    if (topic == nullptr) continue;
    any = true;
    hash.add(name);
    hash.add(topic->id);
    hash.add(static_cast<std::uint64_t>(topic->partitions.size()));
  }
  return any ? hash.value() : 0;
}

void ConsumerRebalance::refresh_epoch(bool changed) {
  if (!changed && !group_.metadata_stale) return;
  const std::int64_t hash = group_.metadata_stale ? topics_hash() : group_.metadata_hash();
  group_.metadata_stale = false;
  if (!changed && hash == group_.metadata_hash()) return;
  emit(consumer_record(Kind::metadata, group_.id(), "", ConsumerGroupMetadataValue{group_.epoch() + 1, hash}));
}

// What most members ask for.
std::string_view ConsumerRebalance::preferred_assignor() const {
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id, member] : group_.members()) {
    if (member.profile.assignor) ++votes[*member.profile.assignor];
  }
  const auto most = std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
  const auto& offered = step_.options.consumer.assignors;
  if (most != votes.end() && std::ranges::find(offered, most->first) != offered.end()) return most->first;
  return offered.empty() ? kUniformAssignor : std::string_view(offered.front());
}

bool ConsumerRebalance::may_assign() const {
  const ConsumerGroupOptions& options = step_.options.consumer;
  const std::size_t members = group_.members().size();
  if (members <= options.assign_at_once_max || !group_.assigned_at) return true;
  const auto count = static_cast<std::int64_t>(std::min<std::size_t>(members, 1'000'000));
  const Duration pause = std::min(count * options.assign_pause_per_member, options.assign_pause_max);
  return step_.now - *group_.assigned_at >= pause;
}

// Most members read what others read: names are looked up once for all of them.
AssignorInput ConsumerRebalance::assignor_input() const {
  const auto reads_less = [](const Profile* one, const Profile* other) {
    return std::tie(one->pattern, one->topics) < std::tie(other->pattern, other->topics);
  };
  AssignorInput input;
  std::map<const Profile*, std::size_t, decltype(reads_less)> known(reads_less);
  std::unordered_map<std::string_view, const TopicImage*> topics;
  for (const auto& [id, member] : group_.members()) {
    AssignorInput::Member& said = input.members.emplace_back();
    said.id = id;
    if (member.profile.instance_id) said.instance_id = *member.profile.instance_id;
    said.before = group_.target(id);
    const auto [at, is_new] = known.try_emplace(&member.profile, input.subscriptions.size());
    said.subscription = at->second;
    if (!is_new) continue;
    std::vector<TopicId>& ids = input.subscriptions.emplace_back();
    const auto add = [&](const std::string& name) {
      const auto [found, is_asked] = topics.try_emplace(name, nullptr);
      if (is_asked) {
        found->second = find_topic(step_.image, name);
        if (const TopicImage* topic = found->second; topic != nullptr) {
          input.partitions.emplace(topic->id, static_cast<std::int32_t>(topic->partitions.size()));
        }
      }
      if (found->second != nullptr) ids.push_back(found->second->id);
    };
    std::ranges::for_each(member.profile.topics, add);
    const auto pattern = group_.patterns().find(member.profile.pattern);
    if (pattern != group_.patterns().end()) std::ranges::for_each(pattern->second.topics, add);
    std::ranges::sort(ids);
    const auto repeated = std::ranges::unique(ids);
    ids.erase(repeated.begin(), repeated.end());
  }
  return input;
}

std::optional<ConsumerRebalance::Refusal> ConsumerRebalance::assign() {
  group_.assigned_at = step_.now;
  const AssignorInput input = assignor_input();
  std::size_t partitions = 0;
  for (const auto& [topic, count] : input.partitions) partitions += static_cast<std::size_t>(count);
  const auto unassigned = [&](ErrorCode error, std::string_view why) {
    return Refusal{error, fmt::format("No target assignment for epoch {} of group {}: {}.", group_.epoch(), group_.id(), why)};
  };
  if (partitions > kPartitionsMax) {
    return unassigned(ErrorCode::unknown_server_error,
                      fmt::format("its members read {} partitions, more than {}", partitions, kPartitionsMax));
  }
  const auto targets =
      preferred_assignor() == kRangeAssignor ? assign_range(input) : assign_uniform(input);
  std::vector<GroupRecord> records;
  std::size_t more = 0;
  std::size_t less = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (input.members[i].before != nullptr && *input.members[i].before == targets[i]) continue;
    records.push_back(consumer_record(Kind::target_assignment_of_member, group_.id(), input.members[i].id,
                                      ConsumerGroupTargetAssignmentMemberValue{to_topic_partitions(targets[i])}));
    if (!fits(records.back())) {
      return unassigned(ErrorCode::unknown_server_error,
                        fmt::format("member {} is to have {} partitions, more than max.message.bytes of "
                                    "__consumer_offsets lets a record name, which is {} bytes",
                                    input.members[i].id, partition_count(targets[i]), step_.options.record_bytes_max));
    }
    more += ConsumerGroup::bytes_of(targets[i]);
    if (input.members[i].before != nullptr) less += ConsumerGroup::bytes_of(*input.members[i].before);
  }
  // A member that is to have a partition comes to have it.
  if (more > less && !step_.use.has_room_for_bytes(2 * (more - less))) {
    step_.warn_of_no_room(group_.id());
    return unassigned(ErrorCode::coordinator_not_available, "the coordinator has no room for it");
  }
  for (GroupRecord& record : records) emit(std::move(record));
  emit(consumer_record(Kind::target_assignment, group_.id(), "",
                       ConsumerGroupTargetAssignmentMetadataValue{group_.epoch()}));
  return std::nullopt;
}

// ---- From what a member has to what it is to have

void ConsumerRebalance::reconcile(const std::string& id, const std::optional<ConsumerAssignment>& owned) {
  Member& member = *group_.find(id);
  const ConsumerAssignment was_to_give_back = member.current.pending_revocation;
  Current to = next(member, owned);
  const bool is_new = member.current.epoch == 0 && member.current.previous_epoch == 0 &&
                      member.current.assigned.empty() && to.epoch == 0;
  if (is_new || to != member.current) {
    GroupRecord record = ConsumerGroup::current_record(group_.id(), id, to);
    if (fits(record)) {
      emit(std::move(record));
    } else {
      step_.warn("groups.assign", group_.id(),
                 fmt::format("what member {} has and is to give back is more than a record takes", id));
    }
  }
  if (member.current.state != State::unrevoked_partitions) return member.revocation.clear();
  // A classic member is given the time when it is asked to join again.
  if (member.is_classic()) return;
  // What it is to give back next has its own time.
  if (member.revocation.at && member.current.pending_revocation == was_to_give_back) return;
  step_.timers.set(member.revocation, step_.now + from_ms(std::max(member.profile.rebalance_timeout_ms, 0)),
                   GroupTimerKind::revocation, group_.id(), id);
}

ConsumerRebalance::Current ConsumerRebalance::next(const Member& member,
                                                   const std::optional<ConsumerAssignment>& owned) const {
  const Current& current = member.current;
  switch (current.state) {
    case State::stable:
      return current.epoch < group_.assignment_epoch() ? walk(current, member, owned) : current;
    case State::unrevoked_partitions:
      // It has to say that it has given them back.
      if (!owned || any_in(current.pending_revocation, *owned)) return current;
      return walk(current, member, owned);
    case State::unreleased_partitions:
      return walk(current, member, owned);
    case State::unknown:
      if (owned && any_in(current.pending_revocation, *owned)) return current;
      return walk(current, member, owned);
  }
  return current;
}

ConsumerRebalance::Current ConsumerRebalance::walk(const Current& from, const Member& member,
                                                   const std::optional<ConsumerAssignment>& owned) const {
  static const ConsumerAssignment kNothing;
  const ConsumerAssignment* known = group_.target(member.id);
  const ConsumerAssignment& target = known == nullptr ? kNothing : *known;
  Current to{.epoch = group_.assignment_epoch(), .previous_epoch = from.epoch, .assigned = {}, .pending_revocation = {}};
  ConsumerAssignment revoked;
  for (const auto& [topic, partitions] : from.assigned) {
    for (const std::int32_t partition : partitions) {
      (contains(target, topic, partition) ? to.assigned : revoked)[topic].push_back(partition);
    }
  }
  const bool owns_revoked = !revoked.empty() && (!owned || any_in(revoked, *owned));
  if (owns_revoked) {
    // First it gives back; it goes on under the epoch that it has.
    to.epoch = from.epoch;
    to.state = State::unrevoked_partitions;
    to.pending_revocation = std::move(revoked);
    return to;
  }
  bool unreleased = false;
  for (const auto& [topic, partitions] : target) {
    auto& assigned = to.assigned[topic];
    for (const std::int32_t partition : partitions) {
      if (std::ranges::binary_search(assigned, partition)) continue;
      if (group_.is_held_by_other(topic, partition, member.id)) {
        unreleased = true;
        continue;
      }
      assigned.insert(std::ranges::upper_bound(assigned, partition), partition);
    }
    if (assigned.empty()) to.assigned.erase(topic);
  }
  to.state = unreleased ? State::unreleased_partitions : State::stable;
  return to;
}

// ---- Leaving

void ConsumerRebalance::leave(const ConsumerHeartbeat& question) {
  end_joining();
  const wire::ConsumerGroupHeartbeatRequest& request = *question.request;
  const Member* member = request.instance_id ? group_.static_member(*request.instance_id)
                                             : group_.find(request.member_id);
  if (member == nullptr) {
    std::string message = request.instance_id
                              ? fmt::format("Instance id {} is unknown.", *request.instance_id)
                              : fmt::format("Member {} is not a member of group {}.", request.member_id, group_.id());
    return refuse(question.ticket, {ErrorCode::unknown_member_id, std::move(message)});
  }
  if (member->id != request.member_id) {
    return refuse(question.ticket, {ErrorCode::fenced_instance_id,
                                    fmt::format("Static member {} with instance id {} was fenced by member {}.",
                                                request.member_id, *request.instance_id, member->id)});
  }
  const std::string id = member->id;
  if (request.member_epoch == kLeaveForAMomentEpoch) {
    // Its partitions are kept for it until its session ends.
    Current current = member->current;
    current.epoch = kLeaveForAMomentEpoch;
    current.pending_revocation.clear();
    emit(ConsumerGroup::current_record(group_.id(), id, current));
    group_.find(id)->revocation.clear();
  } else {
    remove({id});
  }
  step_.reply(question.ticket, ConsumerHeartbeatResult{.message = {},
                                                       .member_id = id,
                                                       .member_epoch = request.member_epoch,
                                                       .assignment = {}});
}

void ConsumerRebalance::remove(const std::vector<std::string>& members) {
  if (move_to_classic(group_, members, std::nullopt, step_.image, step_.options, step_.wall_now)) {
    step_.classic_without = members;
    return;
  }
  const std::size_t begin = step_.out.records.size();
  const std::int64_t hash_before = group_.metadata_hash();
  for (const std::string& id : members) {
    for (GroupRecord& record : group_.tombstones_of(id)) emit(std::move(record));
  }
  drop_unused_patterns();
  refresh_epoch(true);
  if (keep_together(begin)) return;
  // A crash may leave a part of it. Then the epoch comes first: without it nobody would find out that what they had is free.
  step_.out.records.insert(step_.out.records.begin() + static_cast<std::ptrdiff_t>(begin),
                           consumer_record(Kind::metadata, group_.id(), "",
                                           ConsumerGroupMetadataValue{group_.epoch(), hash_before}));
}

// ---- Time

// What the group's own settings say goes before the broker's, within the bounds that the broker sets.
Duration ConsumerRebalance::session_timeout(const Member& member) const {
  if (member.is_classic()) return from_ms(member.profile.classic->session_timeout_ms);
  const ConsumerGroupOptions& options = step_.options.consumer;
  return group_duration(step_.image, group_.id(), kGroupSessionTimeout, options.session_timeout,
                        options.session_timeout_min, options.session_timeout_max);
}

Duration ConsumerRebalance::heartbeat_interval() const {
  const ConsumerGroupOptions& options = step_.options.consumer;
  return group_duration(step_.image, group_.id(), kGroupHeartbeatInterval, options.heartbeat_interval,
                        options.heartbeat_interval_min, options.heartbeat_interval_max);
}

void ConsumerRebalance::restart_session(Member& member) {
  step_.timers.set(member.session, step_.now + session_timeout(member), GroupTimerKind::session, group_.id(),
                   member.id);
}

void ConsumerRebalance::start_sessions() {
  for (const auto& [id, each] : group_.members()) {
    Member& member = *group_.find(id);
    restart_session(member);
    if (member.current.state != State::unrevoked_partitions || member.has_left_for_a_moment()) continue;
    if (member.is_classic()) continue;
    step_.timers.set(member.revocation, step_.now + from_ms(std::max(member.profile.rebalance_timeout_ms, 0)),
                     GroupTimerKind::revocation, group_.id(), id);
  }
}

bool ConsumerRebalance::is_overdue(const GroupTimer& timer) {
  Member* member = group_.find(timer.member);
  if (member == nullptr) return false;
  Deadline* deadline = member->deadline(timer.kind);
  return deadline != nullptr && step_.timers.is_due(*deadline, timer, step_.now);
}

// ---- Offsets

ErrorCode ConsumerRebalance::admit_commit(const CommitOffsets& question) const {
  // Tools commit for groups that nobody is in.
  if (question.generation < 0 && group_.members().empty()) return ErrorCode::none;
  const Member* member = group_.find(question.member_id);
  if (member == nullptr) return ErrorCode::unknown_member_id;
  if (member->is_classic()) {
    return question.generation == member->current.epoch ? ErrorCode::none : ErrorCode::illegal_generation;
  }
  if (question.version < kCommitsSince) return ErrorCode::unsupported_version;
  return question.generation == member->current.epoch ? ErrorCode::none : ErrorCode::stale_member_epoch;
}

ErrorCode ConsumerRebalance::admit_fetch(const FetchOffsets& question) const {
  if (!question.member_id && question.member_epoch < 0) return ErrorCode::none;
  const Member* member = group_.find(question.member_id.value_or(""));
  if (member == nullptr) return ErrorCode::unknown_member_id;
  if (question.member_epoch == member->current.epoch) return ErrorCode::none;
  return member->is_classic() ? ErrorCode::illegal_generation : ErrorCode::stale_member_epoch;
}

ConsumerGroupDescription ConsumerRebalance::describe() const {
  ConsumerGroupDescription result{.message = {},
                                  .state = std::string(group_.state_name()),
                                  .epoch = group_.epoch(),
                                  .assignment_epoch = group_.assignment_epoch(),
                                  .assignor = std::string(preferred_assignor()),
                                  .members = {}};
  for (const auto& [id, member] : group_.members()) {
    const ConsumerAssignment* target = group_.target(id);
    result.members.push_back({.member_id = id,
                              .instance_id = member.profile.instance_id,
                              .rack_id = member.profile.rack_id,
                              .epoch = member.current.epoch,
                              .client_id = member.profile.client_id,
                              .client_host = member.profile.client_host,
                              .topics = member.profile.topics,
                              .pattern = member.profile.pattern,
                              .assigned = member.current.assigned,
                              .target = target == nullptr ? ConsumerAssignment{} : *target,
                              .is_classic = member.is_classic()});
  }
  return result;
}

// Whether the log takes them as one, also where the rest of the step is several batches.
bool ConsumerRebalance::keep_together(std::size_t begin) {
  if (batch_bytes(step_.out.records, begin) > step_.options.record_bytes_max) return false;
  step_.out.units.push_back({begin, step_.out.records.size()});
  return true;
}

void ConsumerRebalance::emit(GroupRecord record) {
  const auto key = decode_group_key(record.key);
  CHECK(key && std::holds_alternative<ConsumerGroupKey>(*key), "not a record of a consumer group");
  std::optional<ConstBytes> value;
  if (record.value) value = *record.value;
  const auto applied = group_.apply(std::get<ConsumerGroupKey>(*key), value);
  CHECK(applied, "a record of this group cannot be applied: {}", applied.error().message);
  step_.out.records.push_back(std::move(record));
}

}  // namespace millrace::engine
