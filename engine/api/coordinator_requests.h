// How handlers reach the coordinator of a group, on the shard that owns its partition of __consumer_offsets.
#pragma once

#include <string_view>
#include <utility>

#include "engine/api/controller_requests.h"
#include "engine/api/request.h"
#include "engine/broker.h"
#include "engine/partition/placement.h"
#include "net/wire/create_topics.h"

namespace millrace::engine {

// Which partition of __consumer_offsets is the group's; none as long as there is no such topic.
inline std::optional<TopicPartition> offsets_partition(const MetadataImage& image, std::string_view group) {
  const TopicImage* topic = image.topics.find(kOffsetsTopic);
  if (topic == nullptr) return std::nullopt;
  const auto count = static_cast<std::int32_t>(topic->partitions.size());
  return TopicPartition{topic->id, PartitionIndex{coordinator_partition(group, count)}};
}

// Asks the group's coordinator. What the event points to must live until the answer, where the event does not keep it itself.
// With `waiting_for_it` nobody waits any more when that connection has ended.
io::Task<GroupOutcome> ask_coordinator(Broker& broker, BrokerShard& here, std::string_view group, GroupEvent event,
                                       const net::ConnectionInfo* waiting_for_it = nullptr);

// The same for an answer of the expected kind.
template <class Answer>
io::Task<std::expected<Answer, wire::ErrorCode>> ask_group(Broker& broker, BrokerShard& here,
                                                           std::string_view group, GroupEvent event,
                                                           const net::ConnectionInfo* waiting_for_it = nullptr) {
  auto outcome = co_await ask_coordinator(broker, here, group, std::move(event), waiting_for_it);
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return std::get<Answer>(std::move(*outcome));
}

// What __consumer_offsets is made as. The texts point into `options` or are constants, or are kept by `texts`.
void describe_offsets_topic(const BrokerOptions& options, const MetadataImage& image, TextArena& texts,
                            wire::CreateTopicsRequest::Topic& topic);

}  // namespace millrace::engine
