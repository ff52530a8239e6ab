#include "engine/group/consumer_group.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/check.h"
#include "engine/group/record_codec.h"

namespace millrace::engine {
namespace {

using Kind = ConsumerGroupKey::Kind;

// What is counted for a member beside its texts, and for a partition that it is to have or has.
constexpr std::size_t kMemberBytes = 768;
constexpr std::size_t kPartitionBytes = 64;
// What is counted for a name that members use beside its text.
constexpr std::size_t kNameBytes = 96;

ConsumerGroup::Profile to_profile(ConsumerGroupMemberMetadataValue value) {
  ConsumerGroup::Profile profile{.instance_id = std::move(value.instance_id),
                                 .rack_id = std::move(value.rack_id),
                                 .client_id = std::move(value.client_id),
                                 .client_host = std::move(value.client_host),
                                 .topics = std::move(value.subscribed_topic_names),
                                 .pattern = value.subscribed_topic_regex.value_or(""),
                                 .rebalance_timeout_ms = value.rebalance_timeout_ms,
                                 .assignor = std::move(value.server_assignor),
                                 .classic = std::nullopt};
  std::ranges::sort(profile.topics);
  const auto repeated = std::ranges::unique(profile.topics);
  profile.topics.erase(repeated.begin(), repeated.end());
  if (!value.classic_member_metadata) return profile;
  profile.classic.emplace();
  profile.classic->session_timeout_ms = value.classic_member_metadata->session_timeout_ms;
  for (const auto& protocol : value.classic_member_metadata->supported_protocols) {
    profile.classic->protocols.push_back(
        {protocol.name, Blob(protocol.metadata.begin(), protocol.metadata.end())});
  }
  return profile;
}

}  // namespace

ConsumerGroup::ConsumerGroup(std::string id, GroupUse& use) : id_(std::move(id)), use_(use) {
  use_.bytes += consumer_group_bytes(id_.size());
}

std::size_t ConsumerGroup::bytes_of(const ConsumerAssignment& assignment) {
  return (assignment.size() + partition_count(assignment)) * kPartitionBytes;
}

std::size_t ConsumerGroup::bytes_of(std::string_view text, const Pattern& pattern) {
  std::size_t total = kNameBytes + sizeof(pattern) + text.size();
  for (const std::string& topic : pattern.topics) total += sizeof(topic) + topic.size();
  return total;
}

// Its id is a key too, of its target as well, and stands in timers with the group's.
std::size_t ConsumerGroup::bytes_of(const Member& member) const {
  const auto& [id, profile, current, session, revocation, rejoin] = member;
  std::size_t total = kMemberBytes + 5 * id.size() + 2 * id_.size() + profile.client_id.size() +
                      profile.client_host.size() + profile.pattern.size() +
                      profile.rack_id.value_or("").size() + profile.assignor.value_or("").size() +
                      2 * profile.instance_id.value_or("").size();
  for (const std::string& topic : profile.topics) total += sizeof(topic) + topic.size();
  if (profile.classic) {
    for (const auto& protocol : profile.classic->protocols) {
      total += sizeof(protocol) + protocol.name.size() + protocol.metadata.size();
    }
  }
  return total + bytes_of(current.assigned) + bytes_of(current.pending_revocation);
}

ConsumerGroup::~ConsumerGroup() {
  for (const auto& [id, member] : members_) {
    --use_.members;
    use_.bytes -= bytes_of(member);
  }
  use_.bytes -= consumer_group_bytes(id_.size());
  for (const auto& [text, pattern] : patterns_) use_.bytes -= bytes_of(text, pattern);
  for (const auto& [id, target] : targets_) use_.bytes -= bytes_of(target);
  for (const Users* users : {&topic_users_, &pattern_users_, &pattern_topics_, &classic_protocol_users_}) {
    for (const auto& [name, count] : *users) use_.bytes -= kNameBytes + name.size();
  }
}

std::string_view ConsumerGroup::state_name() const {
  if (members_.empty()) return "Empty";
  if (epoch_ > assignment_epoch_) return "Assigning";
  const bool settled = std::ranges::all_of(members_, [&](const auto& entry) {
    const Current& current = entry.second.current;
    return current.state == MemberState::stable && current.epoch == assignment_epoch_;
  });
  return settled ? "Stable" : "Reconciling";
}

ConsumerGroup::Member* ConsumerGroup::find(std::string_view member) {
  const auto found = members_.find(member);
  return found == members_.end() ? nullptr : &found->second;
}

const ConsumerGroup::Member* ConsumerGroup::find(std::string_view member) const {
  const auto found = members_.find(member);
  return found == members_.end() ? nullptr : &found->second;
}

const ConsumerGroup::Member* ConsumerGroup::static_member(std::string_view instance_id) const {
  const auto found = static_members_.find(instance_id);
  return found == static_members_.end() ? nullptr : find(found->second);
}

const ConsumerAssignment* ConsumerGroup::target(std::string_view member) const {
  const auto found = targets_.find(member);
  return found == targets_.end() ? nullptr : &found->second;
}

bool ConsumerGroup::is_held_by_other(const TopicId& topic, std::int32_t partition,
                                     std::string_view member) const {
  const auto partitions = holders_.find(topic);
  if (partitions == holders_.end()) return false;
  const auto holder = partitions->second.find(partition);
  return holder != partitions->second.end() && *holder->second != member;
}

// ---- Subscriptions

std::set<std::string_view> ConsumerGroup::topics() const {
  std::set<std::string_view> topics;
  for (const auto& [topic, users] : topic_users_) topics.insert(topics.end(), topic);
  for (const auto& [topic, patterns] : pattern_topics_) topics.insert(topic);
  return topics;
}

bool ConsumerGroup::is_subscribed_to(std::string_view topic) const {
  return topic_users_.contains(topic) || pattern_topics_.contains(topic);
}

bool ConsumerGroup::all_classic_know(std::string_view protocol) const {
  if (classic_members_ == 0) return true;
  const auto users = classic_protocol_users_.find(protocol);
  return users != classic_protocol_users_.end() && users->second == classic_members_;
}

std::vector<std::string> ConsumerGroup::unresolved_patterns() const {
  std::vector<std::string> patterns;
  for (const auto& [text, users] : pattern_users_) {
    if (!patterns_.contains(text) && !patterns_refused.contains(text)) patterns.push_back(text);
  }
  return patterns;
}

bool ConsumerGroup::has_unresolved_patterns() const {
  // Those that are known are in use, but for a moment.
  if (patterns_refused.empty() && patterns_.size() == pattern_users_.size()) {
    return !std::ranges::equal(patterns_ | std::views::keys, pattern_users_ | std::views::keys);
  }
  return !unresolved_patterns().empty();
}

void ConsumerGroup::count_names(const Profile& profile, bool added) {
  for (const std::string& topic : profile.topics) count_name(topic_users_, topic, added);
  if (!profile.pattern.empty()) count_name(pattern_users_, profile.pattern, added);
  if (!profile.classic) return;
  added ? ++classic_members_ : --classic_members_;
  // JoinGroup refuses a list that names one twice, but who knows what is in a log.
  std::set<std::string_view> counted;
  for (const auto& protocol : profile.classic->protocols) {
    if (counted.insert(protocol.name).second) count_name(classic_protocol_users_, protocol.name, added);
  }
}

void ConsumerGroup::count_name(Users& users, const std::string& name, bool added) {
  const auto at = users.try_emplace(name, 0).first;
  if (added && at->second++ == 0) {
    use_.bytes += kNameBytes + name.size();
    metadata_stale = true;
  }
  if (added || --at->second > 0) return;
  use_.bytes -= kNameBytes + name.size();
  metadata_stale = true;
  users.erase(at);
}

// None: it is not looked up any more.
void ConsumerGroup::set_pattern(const std::string& text, std::optional<Pattern> pattern) {
  const auto at = patterns_.find(text);
  // The new first: what both stand for is not looked up anew.
  if (pattern) {
    for (const std::string& topic : pattern->topics) count_name(pattern_topics_, topic, true);
  }
  if (at != patterns_.end()) {
    use_.bytes -= bytes_of(at->first, at->second);
    for (const std::string& topic : at->second.topics) count_name(pattern_topics_, topic, false);
    if (!pattern) patterns_.erase(at);
  }
  if (!pattern) return;
  use_.bytes += bytes_of(text, *pattern);
  patterns_.insert_or_assign(text, std::move(*pattern));
}

// ---- Members

ConsumerGroup::Member& ConsumerGroup::find_or_add(const std::string& member) {
  const auto [at, added] = members_.try_emplace(member);
  if (added) {
    at->second.id = member;
    ++use_.members;
    use_.bytes += bytes_of(at->second);
  }
  return at->second;
}

void ConsumerGroup::erase(const std::string& member) {
  const auto at = members_.find(member);
  if (at == members_.end()) return;
  release(at->second);
  count_names(at->second.profile, false);
  if (const auto& instance = at->second.profile.instance_id) {
    const auto entry = static_members_.find(*instance);
    if (entry != static_members_.end() && entry->second == member) static_members_.erase(entry);
  }
  --use_.members;
  use_.bytes -= bytes_of(at->second);
  members_.erase(at);
}

void ConsumerGroup::set_profile(Member& member, Profile profile) {
  if (const auto& instance = member.profile.instance_id; instance && instance != profile.instance_id) {
    const auto entry = static_members_.find(*instance);
    if (entry != static_members_.end() && entry->second == member.id) static_members_.erase(entry);
  }
  use_.bytes -= bytes_of(member);
  // The new first: what both use is not looked up anew.
  count_names(profile, true);
  count_names(member.profile, false);
  member.profile = std::move(profile);
  use_.bytes += bytes_of(member);
  if (member.profile.instance_id) static_members_[*member.profile.instance_id] = member.id;
}

void ConsumerGroup::set_current(Member& member, Current current) {
  release(member);
  use_.bytes -= bytes_of(member);
  member.current = std::move(current);
  use_.bytes += bytes_of(member);
  hold(member);
}

void ConsumerGroup::hold(const Member& member) {
  for (const ConsumerAssignment* held : {&member.current.assigned, &member.current.pending_revocation}) {
    for (const auto& [topic, partitions] : *held) {
      for (const std::int32_t partition : partitions) holders_[topic][partition] = &member.id;
    }
  }
}

// What another holds by now stays with it: records that were applied once may be applied again.
void ConsumerGroup::release(const Member& member) {
  for (const ConsumerAssignment* held : {&member.current.assigned, &member.current.pending_revocation}) {
    for (const auto& [topic, partitions] : *held) {
      const auto holders = holders_.find(topic);
      if (holders == holders_.end()) continue;
      for (const std::int32_t partition : partitions) {
        const auto holder = holders->second.find(partition);
        if (holder != holders->second.end() && holder->second == &member.id) holders->second.erase(holder);
      }
      if (holders->second.empty()) holders_.erase(holders);
    }
  }
}

// ---- Records

Result<void> ConsumerGroup::apply(const ConsumerGroupKey& key, std::optional<ConstBytes> value) {
  if (value) return apply_value(key, *value);
  apply_tombstone(key);
  return {};
}

Result<void> ConsumerGroup::apply_value(const ConsumerGroupKey& key, ConstBytes value) {
  switch (key.kind) {
    case Kind::metadata: {
      TRY(read, read_record_value<ConsumerGroupMetadataValue>(value));
      has_epoch_ = true;
      epoch_ = read.epoch;
      metadata_hash_ = read.metadata_hash;
      return {};
    }
    case Kind::partition_metadata:
      has_partition_metadata_ = true;
      return {};
    case Kind::member: {
      TRY(read, read_record_value<ConsumerGroupMemberMetadataValue>(value));
      set_profile(find_or_add(key.member), to_profile(std::move(read)));
      return {};
    }
    case Kind::target_assignment: {
      TRY(read, read_record_value<ConsumerGroupTargetAssignmentMetadataValue>(value));
      has_assignment_epoch_ = true;
      assignment_epoch_ = read.assignment_epoch;
      return {};
    }
    case Kind::target_assignment_of_member: {
      TRY(read, read_record_value<ConsumerGroupTargetAssignmentMemberValue>(value));
      ConsumerAssignment& target = targets_[key.member];
      use_.bytes -= bytes_of(target);
      target = to_assignment(read.topic_partitions);
      use_.bytes += bytes_of(target);
      return {};
    }
    case Kind::current_assignment_of_member: {
      TRY(read, read_record_value<ConsumerGroupCurrentMemberAssignmentValue>(value));
      set_current(find_or_add(key.member),
                  {.epoch = read.member_epoch,
                   .previous_epoch = read.previous_member_epoch,
                   .state = read.state >= 0 && read.state <= 2 ? static_cast<MemberState>(read.state)
                                                               : MemberState::unknown,
                   .assigned = to_assignment(read.assigned_partitions),
                   .pending_revocation = to_assignment(read.partitions_pending_revocation)});
      return {};
    }
    case Kind::regular_expression: {
      TRY(read, read_record_value<ConsumerGroupRegularExpressionValue>(value));
      std::ranges::sort(read.topics);
      const auto repeated = std::ranges::unique(read.topics);
      read.topics.erase(repeated.begin(), repeated.end());
      set_pattern(key.regular_expression, Pattern{std::move(read.topics), read.version, read.timestamp});
      return {};
    }
  }
  return {};
}

void ConsumerGroup::apply_tombstone(const ConsumerGroupKey& key) {
  switch (key.kind) {
    case Kind::metadata:
      has_epoch_ = false;
      epoch_ = 0;
      metadata_hash_ = 0;
      metadata_stale = true;
      return;
    case Kind::partition_metadata:
      has_partition_metadata_ = false;
      return;
    case Kind::member:
      return erase(key.member);
    case Kind::target_assignment:
      has_assignment_epoch_ = false;
      assignment_epoch_ = 0;
      return;
    case Kind::target_assignment_of_member:
      if (const auto at = targets_.find(key.member); at != targets_.end()) {
        use_.bytes -= bytes_of(at->second);
        targets_.erase(at);
      }
      return;
    case Kind::current_assignment_of_member:
      if (Member* member = find(key.member)) set_current(*member, {});
      return;
    case Kind::regular_expression:
      return set_pattern(key.regular_expression, std::nullopt);
  }
}

GroupRecord ConsumerGroup::member_record(std::string_view group, std::string_view member,
                                         const Profile& profile) {
  ConsumerGroupMemberMetadataValue value{.instance_id = profile.instance_id,
                                         .rack_id = profile.rack_id,
                                         .client_id = profile.client_id,
                                         .client_host = profile.client_host,
                                         .subscribed_topic_names = profile.topics,
                                         .subscribed_topic_regex = profile.pattern,
                                         .rebalance_timeout_ms = profile.rebalance_timeout_ms,
                                         .server_assignor = profile.assignor,
                                         .classic_member_metadata = std::nullopt};
  if (profile.classic) {
    auto& classic = value.classic_member_metadata.emplace();
    classic.session_timeout_ms = profile.classic->session_timeout_ms;
    for (const auto& protocol : profile.classic->protocols) {
      classic.supported_protocols.push_back({protocol.name, ConstBytes(protocol.metadata)});
    }
  }
  return consumer_record(Kind::member, group, member, value);
}

GroupRecord ConsumerGroup::current_record(std::string_view group, std::string_view member,
                                          const Current& current) {
  return consumer_record(
      Kind::current_assignment_of_member, group, member,
      ConsumerGroupCurrentMemberAssignmentValue{
          .member_epoch = current.epoch,
          .previous_member_epoch = current.previous_epoch,
          .state = static_cast<std::int8_t>(current.state),
          .assigned_partitions = to_topic_partitions(current.assigned),
          .partitions_pending_revocation = to_topic_partitions(current.pending_revocation)});
}

std::vector<GroupRecord> ConsumerGroup::to_records() const {
  std::vector<GroupRecord> records;
  for (const auto& [id, member] : members_) records.push_back(member_record(id_, id, member.profile));
  for (const auto& [text, pattern] : patterns_) {
    records.push_back(consumer_record(
        Kind::regular_expression, id_, text,
        ConsumerGroupRegularExpressionValue{pattern.topics, pattern.version, pattern.timestamp}));
  }
  if (has_epoch_) {
    records.push_back(
        consumer_record(Kind::metadata, id_, "", ConsumerGroupMetadataValue{epoch_, metadata_hash_}));
  }
  for (const auto& [id, target] : targets_) {
    records.push_back(consumer_record(Kind::target_assignment_of_member, id_, id,
                                      ConsumerGroupTargetAssignmentMemberValue{to_topic_partitions(target)}));
  }
  if (has_assignment_epoch_) {
    records.push_back(consumer_record(Kind::target_assignment, id_, "",
                                      ConsumerGroupTargetAssignmentMetadataValue{assignment_epoch_}));
  }
  for (const auto& [id, member] : members_) records.push_back(current_record(id_, id, member.current));
  return records;
}

std::vector<GroupRecord> ConsumerGroup::tombstones_of(std::string_view member) const {
  return {consumer_tombstone(Kind::current_assignment_of_member, id_, member),
          consumer_tombstone(Kind::target_assignment_of_member, id_, member),
          consumer_tombstone(Kind::member, id_, member)};
}

std::vector<GroupRecord> ConsumerGroup::tombstones() const {
  std::vector<GroupRecord> records;
  std::set<std::string_view> ids;
  for (const auto& [id, member] : members_) ids.insert(id);
  for (const auto& [id, target] : targets_) ids.insert(id);
  for (const auto id : ids) std::ranges::move(tombstones_of(id), std::back_inserter(records));
  if (has_assignment_epoch_) records.push_back(consumer_tombstone(Kind::target_assignment, id_));
  for (const auto& [text, pattern] : patterns_) {
    records.push_back(consumer_tombstone(Kind::regular_expression, id_, text));
  }
  if (has_partition_metadata_) records.push_back(consumer_tombstone(Kind::partition_metadata, id_));
  if (has_epoch_) records.push_back(consumer_tombstone(Kind::metadata, id_));
  return records;
}

void ConsumerGroup::check_invariants() const {
  std::size_t held = 0;
  for (const auto& [id, member] : members_) {
    CHECK(id == member.id);
    held += partition_count(member.current.assigned) + partition_count(member.current.pending_revocation);
  }
  std::size_t counted = 0;
  for (const auto& [topic, holders] : holders_) counted += holders.size();
  CHECK(held == counted, "{}: members hold {} partitions, {} have a holder", id_, held, counted);
  for (const auto& [instance, id] : static_members_) CHECK(members_.contains(id), "{} has gone", id);
  Users topics;
  for (const auto& [id, member] : members_) {
    for (const std::string& topic : member.profile.topics) ++topics[topic];
  }
  CHECK(topics == topic_users_, "{}: the readers of a topic are miscounted", id_);
  Users of_patterns;
  for (const auto& [text, pattern] : patterns_) {
    for (const std::string& topic : pattern.topics) ++of_patterns[topic];
  }
  CHECK(of_patterns == pattern_topics_, "{}: the patterns of a topic are miscounted", id_);
  const auto classic = std::ranges::count_if(members_, [](const auto& entry) { return entry.second.is_classic(); });
  CHECK(static_cast<std::size_t>(classic) == classic_members_, "{}: {} classic members, {} counted", id_, classic, classic_members_);
  if (!joining.empty()) {
    std::set<std::string_view> waiting;
    for (const Joining& each : joining) waiting.insert(each.member);
    CHECK(joining_end.at.has_value(), "{}: nothing ends the wait of {} members", id_, waiting.size());
    const bool all_wait = std::ranges::all_of(members_, [&](const auto& entry) {
      return waiting.contains(entry.first) && entry.second.current == Current{};
    });
    CHECK(all_wait, "{}: a member that does not wait is among those who do", id_);
    CHECK(waiting.size() == members_.size(), "{}: {} wait, {} are members", id_, waiting.size(), members_.size());
  }
  for (const auto& [name, users] : classic_protocol_users_) CHECK(users <= classic_members_, "{}: {} users of {}", id_, users, name);
}

}  // namespace millrace::engine
