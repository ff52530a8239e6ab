#include "cli/group_state.h"

#include <fmt/core.h>

#include <algorithm>

#include "net/wire/codec.h"
#include "net/wire/consumer_group_describe.h"
#include "net/wire/describe_groups.h"
#include "net/wire/list_groups.h"
#include "net/wire/offset_fetch.h"

namespace millrace::cli {
namespace {

using wire::ErrorCode;

constexpr std::string_view kConsumers = "consumer";
constexpr std::string_view kDead = "Dead";

// Topics go by name up to here. Later versions leave out topics that are gone, of which a group may
// still keep offsets.
constexpr wire::VersionRange kOffsetFetchByName{2, 9};

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  if (!text) return std::nullopt;
  return std::string(*text);
}

GroupMember member_of(const wire::ConsumerGroupDescribeResponse::Member& said) {
  GroupMember member{.id = std::string(said.member_id),
                     .instance_id = owned(said.instance_id),
                     .client_id = std::string(said.client_id),
                     .host = std::string(said.client_host),
                     .epoch = said.member_epoch,
                     .partitions = {}};
  for (const auto& topic : said.assignment.topic_partitions) {
    for (const std::int32_t partition : topic.partitions)
      member.partitions.push_back({std::string(topic.topic_name), partition});
  }
  return member;
}

// Nothing where the group is not one of the consumer protocol.
Result<std::optional<GroupState>> describe_as_consumer(ClusterClient& cluster,
                                                       const std::string& group) {
  wire::ConsumerGroupDescribeRequest request;
  request.group_ids.push_back(group);
  const auto error_of = [](const wire::ConsumerGroupDescribeResponse& answer) {
    return answer.groups.empty() ? ErrorCode::group_id_not_found : answer.groups.front().error_code;
  };
  TRY(answer, cluster.ask_coordinator(group, request, error_of));
  if (error_of(answer.message) == ErrorCode::group_id_not_found) return std::nullopt;
  const auto& said = answer.message.groups.front();
  TRY_DONE(check_answer("group " + group, said.error_code, said.error_message.value_or("")));
  GroupState state{.group = group,
                   .type = "consumer",
                   .state = std::string(said.group_state),
                   .protocol_type = std::string(kConsumers),
                   .assignor = std::string(said.assignor_name),
                   .epoch = said.group_epoch,
                   .coordinator = {},
                   .members = {}};
  for (const auto& member : said.members) state.members.push_back(member_of(member));
  return state;
}

Result<std::optional<GroupState>> describe_as_classic(ClusterClient& cluster,
                                                      const std::string& group) {
  wire::DescribeGroupsRequest request;
  request.groups.push_back(group);
  const auto error_of = [](const wire::DescribeGroupsResponse& answer) {
    return answer.groups.empty() ? ErrorCode::group_id_not_found : answer.groups.front().error_code;
  };
  TRY(answer, cluster.ask_coordinator(group, request, error_of));
  if (error_of(answer.message) == ErrorCode::group_id_not_found) return std::nullopt;
  const auto& said = answer.message.groups.front();
  TRY_DONE(check_answer("group " + group, said.error_code, said.error_message.value_or("")));
  if (said.group_state == kDead) return std::nullopt;
  GroupState state{.group = group,
                   .type = "classic",
                   .state = std::string(said.group_state),
                   .protocol_type = std::string(said.protocol_type),
                   .assignor = std::string(said.protocol_data),
                   .epoch = std::nullopt,
                   .coordinator = {},
                   .members = {}};
  for (const auto& each : said.members) {
    GroupMember member{.id = std::string(each.member_id),
                       .instance_id = owned(each.group_instance_id),
                       .client_id = std::string(each.client_id),
                       .host = std::string(each.client_host),
                       .epoch = std::nullopt,
                       .partitions = {}};
    // Other kinds of groups (Connect's, Schema Registry's) have assignments of their own form.
    if (said.protocol_type == kConsumers && !each.member_assignment.empty()) {
      TRY(partitions, parse_assignment(each.member_assignment));
      member.partitions = std::move(partitions);
    }
    state.members.push_back(std::move(member));
  }
  return state;
}

// Puts one topic's offsets into `offsets`, in either form of the answer.
template <class Topic>
Result<void> take_offsets(const Topic& topic, CommittedOffsets& offsets) {
  for (const auto& said : topic.partitions) {
    const TopicPartition partition{std::string(topic.name), said.partition_index};
    TRY_DONE(check_answer("committed offset of " + to_text(partition), said.error_code));
    if (said.committed_offset < 0) continue;
    offsets[partition] = {said.committed_offset, said.committed_leader_epoch,
                          std::string(said.metadata.value_or(""))};
  }
  return {};
}

}  // namespace

Result<std::optional<GroupState>> find_group(ClusterClient& cluster, const std::string& group) {
  TRY(coordinator, cluster.coordinator(group));
  TRY(knows_consumers, cluster.coordinator_serves(group, wire::ApiKey::consumer_group_describe));
  std::optional<GroupState> found;
  if (knows_consumers) {
    TRY(state, describe_as_consumer(cluster, group));
    found = std::move(state);
  }
  if (!found) {
    TRY(state, describe_as_classic(cluster, group));
    found = std::move(state);
  }
  if (!found) return std::nullopt;
  found->coordinator = coordinator;
  std::ranges::sort(found->members, {}, [](const GroupMember& member) {
    return std::pair(member.client_id, member.id);
  });
  for (GroupMember& member : found->members) std::ranges::sort(member.partitions);
  return found;
}

Result<GroupState> describe_group(ClusterClient& cluster, const std::string& group) {
  TRY(found, find_group(cluster, group));
  if (!found) {
    return fail(
        Errc::not_found,
        fmt::format("there is no group {}. `millrace group list` shows what there is", group));
  }
  return std::move(*found);
}

Result<CommittedOffsets> committed_offsets(ClusterClient& cluster, const std::string& group) {
  // Up to version 7 the group stands at the top, from 8 on in a list.
  wire::OffsetFetchRequest request{.group_id = group};
  request.topics.reset();  // null: all that the group has
  auto& asked = request.groups.emplace_back();
  asked.group_id = group;
  asked.topics.reset();
  const auto error_of = [](const wire::OffsetFetchResponse& answer) {
    return answer.groups.empty() ? answer.error_code : answer.groups.front().error_code;
  };
  TRY(answer, cluster.ask_coordinator(group, request, error_of, kOffsetFetchByName));
  CommittedOffsets offsets;
  if (error_of(answer.message) == ErrorCode::group_id_not_found) return offsets;
  TRY_DONE(check_answer("offsets of group " + group, error_of(answer.message)));
  for (const auto& topic : answer.message.topics) TRY_DONE(take_offsets(topic, offsets));
  for (const auto& each : answer.message.groups) {
    for (const auto& topic : each.topics) TRY_DONE(take_offsets(topic, offsets));
  }
  return offsets;
}

Result<std::vector<TopicPartition>> parse_assignment(ConstBytes bytes) {
  wire::Reader reader(bytes);
  reader.integer<std::int16_t>();  // later versions only add after what is read here
  std::vector<TopicPartition> partitions;
  const std::int64_t topics = reader.length32();
  for (std::int64_t i = 0; i < topics && reader.ok(); ++i) {
    const std::int64_t size = reader.length16();
    const std::string topic(reader.text(static_cast<std::size_t>(std::max<std::int64_t>(size, 0))));
    const std::int64_t count = reader.length32();
    for (std::int64_t j = 0; j < count && reader.ok(); ++j)
      partitions.push_back({topic, reader.integer<std::int32_t>()});
  }
  if (!reader.ok())
    return fail(Errc::malformed, fmt::format("assignment of a member: {}", reader.error()));
  return partitions;
}

Result<std::vector<ListedGroup>> list_groups(ClusterClient& cluster) {
  std::vector<ListedGroup> groups;
  for (const auto& [node_id, address] : cluster.brokers()) {
    TRY(client, cluster.broker(node_id));
    const Instant deadline = now() + from_ms(cluster.timeout_ms());
    while (true) {
      TRY(answer, client->call(wire::ListGroupsRequest{}));
      const ErrorCode code = answer.message.error_code;
      if (ClusterClient::passes_by_itself(code) && now() < deadline) {
        pause_for(ClusterClient::kPauseBetweenTries);
        continue;
      }
      TRY_DONE(check_answer(fmt::format("groups of broker {}", node_id), code));
      for (const auto& said : answer.message.groups) {
        groups.push_back({std::string(said.group_id), std::string(said.group_type),
                          std::string(said.group_state), std::string(said.protocol_type), node_id});
      }
      break;
    }
  }
  std::ranges::sort(groups, {}, &ListedGroup::group);
  return groups;
}

}  // namespace millrace::cli
