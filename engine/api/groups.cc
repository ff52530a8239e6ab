// Consumer groups: JoinGroup, SyncGroup, Heartbeat, LeaveGroup; ListGroups, DescribeGroups, DeleteGroups.
#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/api/authorized_operations.h"
#include "engine/api/coordinator_requests.h"
#include "engine/api/decode.h"
#include "engine/api/handlers.h"
#include "engine/api/shard_route.h"
#include "net/wire/delete_groups.h"
#include "net/wire/describe_groups.h"
#include "net/wire/heartbeat.h"
#include "net/wire/join_group.h"
#include "net/wire/leave_group.h"
#include "net/wire/list_groups.h"
#include "net/wire/sync_group.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

// Holders of an instance id, as members; others have none.
std::optional<std::string_view> view(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return *text;
}

// A request that waits for others: its bytes are kept until the coordinator has read them, and its buffer is given back.
template <class T>
struct Kept {
  std::vector<std::byte> body;
  std::string client_id;
  std::string client_host;
  T request;  // points into `body`
};

template <class T>
Result<std::shared_ptr<const Kept<T>>> keep(Request& request) {
  auto kept = std::make_shared<Kept<T>>();
  kept->body.assign(request.body.begin(), request.body.end());
  kept->client_id = request.header.client_id.value_or("");
  kept->client_host = fmt::format("/{}", request.connection->peer.host);
  request.buffer.reset();
  TRY(decoded, wire::decode<T>(kept->body, request.header.api_version));
  kept->request = std::move(decoded);
  return kept;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool passes(const std::vector<std::string_view>& filter, std::string_view value) {
  return filter.empty() ||
         std::ranges::any_of(filter, [&](std::string_view each) { return equals_ignoring_case(each, value); });
}

// The groups of every coordinator of `part`, on its shard.
io::Task<void> list_here(BrokerShard& part, GroupList& list) {
  for (const auto& coordinator : part.groups().all()) {
    auto outcome = co_await coordinator->ask(ListGroups{});
    if (!outcome) {
      list.error = outcome.error();
      continue;
    }
    std::ranges::move(std::get<GroupList>(*outcome).groups, std::back_inserter(list.groups));
  }
}

void add_description(const GroupDescription& said, std::string_view group, std::int16_t version,
                     wire::DescribeGroupsResponse& response, TextArena& texts) {
  auto& answer = response.groups.emplace_back();
  answer.group_id = group;
  answer.group_state = said.state;
  answer.protocol_type = said.protocol_type;
  answer.protocol_data = said.protocol;
  // Older versions know a group that is not there as a dead one.
  if (said.error != ErrorCode::none && version >= 6) {
    answer.error_code = said.error;
    if (!said.message.empty()) answer.error_message = texts.keep(said.message);
  }
  for (const auto& member : said.members) {
    auto& each = answer.members.emplace_back();
    each.member_id = member.member_id;
    each.group_instance_id = view(member.group_instance_id);
    each.client_id = member.client_id;
    each.client_host = member.client_host;
    each.member_metadata = ConstBytes(member.metadata);
    each.member_assignment = ConstBytes(member.assignment);
  }
}

}  // namespace

io::Task<net::Response> handle_join_group(Broker& broker, BrokerShard& here, Request& request) {
  auto kept = keep<wire::JoinGroupRequest>(request);
  if (!kept) co_return close_connection(request, kept.error().message);
  const std::string group((*kept)->request.group_id);
  const std::string member_id((*kept)->request.member_id);
  JoinGroup question{.ticket = {},
                     .request = &(*kept)->request,
                     .version = request.header.api_version,
                     .client_id = (*kept)->client_id,
                     .client_host = (*kept)->client_host};
  question.kept = std::move(*kept);
  const auto result =
      co_await ask_group<JoinResult>(broker, here, group, std::move(question), request.connection);
  wire::JoinGroupResponse response;
  response.protocol_name.reset();
  if (!result) {
    response.error_code = result.error();
    response.member_id = member_id;
    co_return answer(request, response);
  }
  response.error_code = result->error;
  response.generation_id = result->generation;
  response.protocol_type = view(result->protocol_type);
  response.protocol_name = view(result->protocol_name);
  response.leader = result->leader;
  response.skip_assignment = result->skip_assignment;
  response.member_id = result->member_id;
  response.members.reserve(result->members.size());
  for (const auto& member : result->members) {
    response.members.push_back(
        {member.member_id, view(member.group_instance_id), ConstBytes(member.metadata)});
  }
  co_return answer(request, response);
}

io::Task<net::Response> handle_sync_group(Broker& broker, BrokerShard& here, Request& request) {
  auto kept = keep<wire::SyncGroupRequest>(request);
  if (!kept) co_return close_connection(request, kept.error().message);
  const std::string group((*kept)->request.group_id);
  SyncGroup question{.ticket = {}, .request = &(*kept)->request, .version = request.header.api_version};
  question.kept = std::move(*kept);
  const auto result =
      co_await ask_group<SyncResult>(broker, here, group, std::move(question), request.connection);
  wire::SyncGroupResponse response;
  if (!result) {
    response.error_code = result.error();
    co_return answer(request, response);
  }
  response.error_code = result->error;
  response.protocol_type = view(result->protocol_type);
  response.protocol_name = view(result->protocol_name);
  response.assignment = ConstBytes(result->assignment);
  co_return answer(request, response);
}

io::Task<net::Response> handle_heartbeat(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::HeartbeatRequest);
  const auto result = co_await ask_group<HeartbeatResult>(
      broker, here, wanted.group_id, GroupHeartbeat{.ticket = {}, .request = &wanted});
  wire::HeartbeatResponse response;
  response.error_code = result ? result->error : result.error();
  co_return answer(request, response);
}

io::Task<net::Response> handle_leave_group(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::LeaveGroupRequest);
  const bool several = request.header.api_version >= 3;
  LeaveGroup question{.ticket = {}, .group = wanted.group_id, .members = {}};
  if (!several) question.members.push_back({wanted.member_id, std::nullopt});
  for (const auto& member : wanted.members) {
    question.members.push_back({member.member_id, member.group_instance_id});
  }
  const auto result = co_await ask_group<LeaveResult>(broker, here, wanted.group_id, std::move(question));
  wire::LeaveGroupResponse response;
  response.error_code = result ? result->error : result.error();
  if (response.error_code != ErrorCode::none) co_return answer(request, response);
  if (!several) response.error_code = result->members.front();
  for (std::size_t i = 0; i < wanted.members.size(); ++i) {
    response.members.push_back(
        {wanted.members[i].member_id, wanted.members[i].group_instance_id, result->members[i]});
  }
  co_return answer(request, response);
}

io::Task<net::Response> handle_list_groups(Broker& broker, BrokerShard&, Request& request) {
  DECODE(wanted, wire::ListGroupsRequest);
  GroupList list;
  co_await on_every_shard(broker, [&](BrokerShard& part) { return list_here(part, list); });
  std::ranges::sort(list.groups, {}, &GroupList::Group::group);
  wire::ListGroupsResponse response;
  response.error_code = list.error;
  for (const auto& group : list.groups) {
    if (!passes(wanted.states_filter, group.state) || !passes(wanted.types_filter, group.type)) continue;
    response.groups.push_back({group.group, group.protocol_type, group.state, group.type});
  }
  co_return answer(request, response);
}

io::Task<net::Response> handle_describe_groups(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::DescribeGroupsRequest);
  wire::DescribeGroupsResponse response;
  std::deque<GroupDescription> descriptions;  // what the response points into
  TextArena texts;
  std::set<std::string_view> seen;
  for (const std::string_view group : wanted.groups) {
    // Once each: a name repeated must not make the answer larger than the groups are.
    if (!seen.insert(group).second) continue;
    auto result = co_await ask_group<GroupDescription>(broker, here, group,
                                                       DescribeGroup{.ticket = {}, .group = group});
    if (!result) {
      auto& said = response.groups.emplace_back();
      said.group_id = group;
      said.error_code = result.error();
      continue;
    }
    descriptions.push_back(std::move(*result));
    add_description(descriptions.back(), group, request.header.api_version, response, texts);
    auto& said = response.groups.back();
    const bool known = said.error_code == ErrorCode::none;
    if (known && wanted.include_authorized_operations) said.authorized_operations = kGroupOperations;
  }
  co_return answer(request, response);
}

io::Task<net::Response> handle_delete_groups(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::DeleteGroupsRequest);
  wire::DeleteGroupsResponse response;
  std::set<std::string_view> asked;
  for (const std::string_view group : wanted.groups_names) {
    // As Kafka: whoever names one twice is answered once.
    if (!asked.insert(group).second) continue;
    const auto result = co_await ask_group<DeleteGroupResult>(broker, here, group,
                                                              DeleteGroup{.ticket = {}, .group = group});
    response.results.push_back({group, result ? result->error : result.error()});
  }
  co_return answer(request, response);
}

}  // namespace millrace::engine
