#include "engine/group/group_move.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "engine/group/embedded_protocol.h"

namespace millrace::engine {
namespace {

using Kind = ConsumerGroupKey::Kind;

// For what a batch has beside keys and values.
constexpr std::size_t kRecordOverheadBytes = 32;

bool moves_up(MigrationPolicy policy) {
  return policy == MigrationPolicy::upgrade || policy == MigrationPolicy::bidirectional;
}
bool moves_down(MigrationPolicy policy) {
  return policy == MigrationPolicy::downgrade || policy == MigrationPolicy::bidirectional;
}

// What a member said for the protocol that the group has; before the first rebalance has ended the group has none.
ConstBytes subscription_of(const ClassicGroup& group, const ClassicGroup::Member& member) {
  const auto chosen = std::ranges::find(member.protocols, group.protocol().value_or(""), &ClassicGroup::Protocol::name);
  if (chosen != member.protocols.end()) return chosen->metadata;
  return member.protocols.empty() ? ConstBytes() : ConstBytes(member.protocols.front().metadata);
}

// Nobody holds what another holds already, whatever the group's leader made of it.
void drop_held(ConsumerAssignment& assignment, std::set<std::pair<TopicId, std::int32_t>>& held) {
  for (auto& [topic, partitions] : assignment) {
    std::erase_if(partitions, [&](std::int32_t partition) { return !held.emplace(topic, partition).second; });
  }
  std::erase_if(assignment, [](const auto& entry) { return entry.second.empty(); });
}

struct MovedMember {
  std::string id;
  ConsumerGroup::Profile profile;
  ConsumerAssignment assigned;
  ConsumerAssignment owned;  // by its own word, when it last joined
};

std::expected<MovedMember, std::string> moved_up(const ClassicGroup& group, const ClassicGroup::Member& member,
                                                 const MetadataImage* image) {
  const auto said = read_embedded_subscription(subscription_of(group, member));
  if (!said) {
    return std::unexpected(fmt::format(
        "member {} does not say what it reads in the form of Kafka's consumers. Let it leave the group first.", member.id));
  }
  MovedMember moved{.id = member.id, .profile = {}, .assigned = {}, .owned = existing_partitions(said->owned, image)};
  if (!member.assignment.empty()) {
    const auto told = read_embedded_assignment(member.assignment);
    if (!told) {
      return std::unexpected(fmt::format("what member {} was told to read cannot be read. Let it join again first.", member.id));
    }
    if (told->user_data && !told->user_data->empty()) {
      return std::unexpected(fmt::format("its own assignor tells member {} more than partitions, which would be lost. Use an "
                                         "assignor of Kafka's first.",
                                         member.id));
    }
    moved.assigned = existing_partitions(told->topics, image);
  }
  ConsumerGroup::Profile& profile = moved.profile;
  profile.instance_id = member.instance_id;
  if (said->rack_id) profile.rack_id = *said->rack_id;
  profile.client_id = member.client_id;
  profile.client_host = member.client_host;
  profile.topics.assign(said->topics.begin(), said->topics.end());
  std::ranges::sort(profile.topics);
  const auto repeated = std::ranges::unique(profile.topics);
  profile.topics.erase(repeated.begin(), repeated.end());
  profile.rebalance_timeout_ms = static_cast<std::int32_t>(to_ms(member.rebalance_timeout));
  auto& classic = profile.classic.emplace();
  classic.session_timeout_ms = static_cast<std::int32_t>(to_ms(member.session_timeout));
  for (const auto& protocol : member.protocols) classic.protocols.push_back({protocol.name, protocol.metadata});
  return moved;
}

ClassicGroup::Member moved_down(const ConsumerGroup::Member& member, const MetadataImage* image) {
  ClassicGroup::Member moved{.id = member.id,
                             .instance_id = member.profile.instance_id,
                             .client_id = member.profile.client_id,
                             .client_host = member.profile.client_host,
                             .rebalance_timeout = from_ms(member.profile.rebalance_timeout_ms),
                             .session_timeout = from_ms(member.profile.classic->session_timeout_ms),
                             .protocols = {},
                             .assignment = {}};
  for (const auto& protocol : member.profile.classic->protocols) {
    moved.protocols.push_back({protocol.name, protocol.metadata});
  }
  moved.assignment = embedded_assignment(member.current.assigned, image, moved.protocols.front().metadata);
  return moved;
}

// The same member as it will say of itself in a moment.
ClassicGroup::Member stood_in(const ConsumerGroup::Member& member, const JoinGroup& question, const MetadataImage* image) {
  const wire::JoinGroupRequest& request = *question.request;
  ClassicGroup::Member moved{.id = member.id,
                             .instance_id = member.profile.instance_id,
                             .client_id = std::string(question.client_id),
                             .client_host = std::string(question.client_host),
                             .rebalance_timeout = from_ms(std::max(request.rebalance_timeout_ms, 0)),
                             .session_timeout = from_ms(request.session_timeout_ms),
                             .protocols = {},
                             .assignment = {}};
  for (const auto& protocol : request.protocols) {
    moved.protocols.push_back({std::string(protocol.name), Blob(protocol.metadata.begin(), protocol.metadata.end())});
  }
  moved.assignment = embedded_assignment(member.current.assigned, image, moved.protocols.front().metadata);
  return moved;
}

bool reads_the_same(const ConsumerGroup::Member& former, const JoinGroup& question) {
  const auto said = read_embedded_subscription(question.request->protocols.front().metadata);
  if (!said || !former.profile.pattern.empty()) return false;
  const std::set<std::string_view> topics(said->topics.begin(), said->topics.end());
  return std::ranges::equal(topics, former.profile.topics);
}

bool share_a_protocol(const std::vector<ClassicGroup::Member>& members) {
  std::map<std::string_view, std::size_t> known;
  for (const auto& member : members) {
    for (const auto& protocol : member.protocols) ++known[protocol.name];
  }
  return std::ranges::any_of(known, [&](const auto& entry) { return entry.second == members.size(); });
}

}  // namespace

std::size_t batch_bytes(const std::vector<GroupRecord>& records, std::size_t begin) {
  std::size_t bytes = 0;
  for (std::size_t i = begin; i < records.size(); ++i) {
    bytes += records[i].key.size() + (records[i].value ? records[i].value->size() : 0) + kRecordOverheadBytes;
  }
  return bytes;
}

std::expected<std::vector<GroupRecord>, std::string> move_to_consumer(const ClassicGroup& group, const MetadataImage* image,
                                                                      const GroupOptions& options) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected(
        fmt::format("Group {} is of the classic protocol and cannot move to the consumer protocol: {}", group.id(), why));
  };
  if (!moves_up(options.consumer.migration)) {
    return refuse("group.consumer.migration.policy forbids it. Set it to upgrade or bidirectional, or let all members leave first.");
  }
  if (!group.is_consumers()) return refuse("its members are not consumers. Use another group id.");
  if (group.members().size() > options.consumer.size_max) {
    return refuse("it has more members than group.consumer.max.size. Raise that, or let members leave first.");
  }
  std::vector<MovedMember> members;
  std::set<std::pair<TopicId, std::int32_t>> held;
  for (const auto& [id, member] : group.members()) {
    auto moved = moved_up(group, member, image);
    if (!moved) return refuse(moved.error());
    drop_held(moved->assigned, held);
    members.push_back(std::move(*moved));
  }
  // In the middle of a rebalance a cooperative member goes on reading what it said that it has, and what it was told may be gone.
  for (MovedMember& member : members) {
    drop_held(member.owned, held);
    for (const auto& [topic, partitions] : member.owned) {
      auto& assigned = member.assigned[topic];
      assigned.insert(assigned.end(), partitions.begin(), partitions.end());
      std::ranges::sort(assigned);
    }
  }
  const std::int32_t epoch = group.generation();
  std::vector<GroupRecord> records;
  for (const auto& member : members) records.push_back(ConsumerGroup::member_record(group.id(), member.id, member.profile));
  records.push_back(consumer_record(Kind::metadata, group.id(), "", ConsumerGroupMetadataValue{epoch, 0}));
  for (const auto& member : members) {
    records.push_back(consumer_record(Kind::target_assignment_of_member, group.id(), member.id,
                                      ConsumerGroupTargetAssignmentMemberValue{to_topic_partitions(member.assigned)}));
  }
  records.push_back(consumer_record(Kind::target_assignment, group.id(), "", ConsumerGroupTargetAssignmentMetadataValue{epoch}));
  for (auto& member : members) {
    records.push_back(ConsumerGroup::current_record(group.id(), member.id,
                                                    {.epoch = epoch,
                                                     .previous_epoch = epoch,
                                                     .state = ConsumerGroup::MemberState::stable,
                                                     .assigned = std::move(member.assigned),
                                                     .pending_revocation = {}}));
  }
  // With the tombstone of what was written of the group, which goes before them.
  if (batch_bytes({group_tombstone(group.id())}) + batch_bytes(records) > options.record_bytes_max) {
    return refuse("what its members say is more than the log takes at once. Let members leave first.");
  }
  return records;
}

std::optional<ClassicMove> move_to_classic(const ConsumerGroup& group, const std::vector<std::string>& leaving,
                                           const std::optional<ClassicStandIn>& stand_in, const MetadataImage* image,
                                           const GroupOptions& options, WallTime now) {
  if (!moves_down(options.consumer.migration)) return std::nullopt;
  const std::set<std::string_view> gone(leaving.begin(), leaving.end());
  const auto stands_in = [&](const auto& member) { return stand_in && stand_in->former == member.id; };
  std::size_t staying = 0;
  for (const auto& [id, member] : group.members()) {
    if (gone.contains(id)) continue;
    if (!member.is_classic() && !stands_in(member)) return std::nullopt;
    if (member.is_classic() && member.profile.classic->protocols.empty()) return std::nullopt;
    ++staying;
  }
  if (staying == 0 || staying > options.group_size_max) return std::nullopt;
  ClassicMove move{.members = {},
                   .generation = group.epoch(),
                   .written_generation = group.epoch(),
                   .is_settled = leaving.empty(),
                   .records = group.tombstones()};
  for (const auto& [id, member] : group.members()) {
    if (gone.contains(id)) continue;
    if (!stands_in(member)) {
      move.is_settled = move.is_settled && member.current.state == ConsumerGroup::MemberState::stable &&
                        member.current.epoch == group.epoch();
      move.members.push_back(moved_down(member, image));
      continue;
    }
    const ConsumerAssignment* target = group.target(id);
    const bool has_all = target == nullptr ? member.current.assigned.empty() : member.current.assigned == *target;
    move.is_settled = move.is_settled && has_all && reads_the_same(member, *stand_in->question);
    move.members.push_back(stood_in(member, *stand_in->question, image));
  }
  move.is_settled = move.is_settled && group.assignment_epoch() == group.epoch();
  if (!share_a_protocol(move.members)) return std::nullopt;
  if (!move.is_settled) ++move.written_generation;
  GroupUse use;
  ClassicGroup classic(group.id(), use);
  classic.take_over(move.members, move.generation, move.generation, now);
  GroupMetadataValue value = classic.to_value(now, nullptr);
  value.generation = move.written_generation;
  move.records.push_back(group_metadata_record(group.id(), value));
  // What the log does not take at once is no move: the group goes on as it is, with classic members only.
  if (batch_bytes(move.records) > options.record_bytes_max) return std::nullopt;
  return move;
}

}  // namespace millrace::engine
