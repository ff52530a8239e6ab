// Groups of the consumer protocol: ConsumerGroupHeartbeat, ConsumerGroupDescribe.
#include <deque>
#include <set>
#include <string>

#include "engine/api/authorized_operations.h"
#include "engine/api/coordinator_requests.h"
#include "engine/api/decode.h"
#include "engine/api/handlers.h"
#include "net/wire/consumer_group_describe.h"
#include "net/wire/consumer_group_heartbeat.h"

namespace millrace::engine {
namespace {

using wire::ConsumerGroupDescribeResponse;
using wire::ErrorCode;

// The protocol that a member speaks, as version 1 says it.
constexpr std::int8_t kClassicMember = 0;
constexpr std::int8_t kConsumerMember = 1;

std::optional<std::string_view> view(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return *text;
}

// Topics that have gone have no name any more and are left out.
ConsumerGroupDescribeResponse::Assignment named(const MetadataImage& image, const ConsumerAssignment& assignment) {
  ConsumerGroupDescribeResponse::Assignment said;
  for (const auto& [id, partitions] : assignment) {
    const TopicImage* topic = image.topics.find(id);
    if (topic == nullptr) continue;
    auto& each = said.topic_partitions.emplace_back();
    each.topic_id = id;
    each.topic_name = topic->name;
    each.partitions = partitions;
  }
  return said;
}

void add_description(const MetadataImage& image, const ConsumerGroupDescription& said,
                     ConsumerGroupDescribeResponse::Group& group) {
  group.error_code = said.error;
  if (!said.message.empty()) group.error_message = said.message;
  group.group_state = said.state;
  group.group_epoch = said.epoch;
  group.assignment_epoch = said.assignment_epoch;
  group.assignor_name = said.assignor;
  for (const auto& member : said.members) {
    auto& each = group.members.emplace_back();
    each.member_id = member.member_id;
    each.instance_id = view(member.instance_id);
    each.rack_id = view(member.rack_id);
    each.member_epoch = member.epoch;
    each.client_id = member.client_id;
    each.client_host = member.client_host;
    each.subscribed_topic_names.assign(member.topics.begin(), member.topics.end());
    each.subscribed_topic_regex = member.pattern;
    each.assignment = named(image, member.assigned);
    each.target_assignment = named(image, member.target);
    each.member_type = member.is_classic ? kClassicMember : kConsumerMember;
  }
}

}  // namespace

io::Task<net::Response> handle_consumer_group_heartbeat(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::ConsumerGroupHeartbeatRequest);
  const std::string client_host = fmt::format("/{}", request.connection->peer.host);
  // Then the answer may wait for others who join.
  const bool joins = wanted.member_epoch == 0;
  const auto result = co_await ask_group<ConsumerHeartbeatResult>(
      broker, here, wanted.group_id,
      ConsumerHeartbeat{.ticket = {},
                        .request = &wanted,
                        .version = request.header.api_version,
                        .client_id = request.header.client_id.value_or(""),
                        .client_host = client_host},
      joins ? request.connection : nullptr);
  wire::ConsumerGroupHeartbeatResponse response;
  response.error_code = result ? result->error : result.error();
  if (!result) co_return answer(request, response);
  if (!result->message.empty()) response.error_message = result->message;
  if (response.error_code != ErrorCode::none) co_return answer(request, response);
  response.member_id = result->member_id;
  response.member_epoch = result->member_epoch;
  response.heartbeat_interval_ms = static_cast<std::int32_t>(to_ms(result->heartbeat_interval));
  if (result->assignment) {
    auto& assignment = response.assignment.emplace();
    for (const auto& [topic, partitions] : *result->assignment) {
      assignment.topic_partitions.push_back({topic, partitions});
    }
  }
  co_return answer(request, response);
}

io::Task<net::Response> handle_consumer_group_describe(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::ConsumerGroupDescribeRequest);
  const SharedImage image = here.image();
  wire::ConsumerGroupDescribeResponse response;
  std::deque<ConsumerGroupDescription> descriptions;  // what the response points into
  std::set<std::string_view> seen;
  for (const std::string_view group : wanted.group_ids) {
    // Once each: a name repeated must not make the answer larger than the groups are.
    if (!seen.insert(group).second) continue;
    auto result = co_await ask_group<ConsumerGroupDescription>(broker, here, group,
                                                               DescribeConsumerGroup{.ticket = {}, .group = group});
    auto& said = response.groups.emplace_back();
    said.group_id = group;
    if (!result) {
      said.error_code = result.error();
      continue;
    }
    descriptions.push_back(std::move(*result));
    add_description(*image, descriptions.back(), said);
    const bool known = said.error_code == ErrorCode::none;
    if (known && wanted.include_authorized_operations) said.authorized_operations = kGroupOperations;
  }
  co_return answer(request, response);
}

}  // namespace millrace::engine
