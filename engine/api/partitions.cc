// Requests about the logs of partitions: DeleteRecords, OffsetForLeaderEpoch, DescribeProducers.
#include "engine/api/decode.h"
#include "engine/api/error_map.h"
#include "engine/api/handlers.h"
#include "engine/api/partition_parts.h"
#include "engine/metadata/topic_name.h"
#include "net/wire/delete_records.h"
#include "net/wire/describe_producers.h"
#include "net/wire/offset_for_leader_epoch.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

using DeletePart = PartitionPart<wire::DeleteRecordsRequest::Partition, wire::DeleteRecordsResponse::Partition>;
using EpochPart =
    PartitionPart<wire::OffsetForLeaderEpochRequest::Partition, wire::OffsetForLeaderEpochResponse::Partition>;
using ProducersPart = PartitionPart<std::int32_t, wire::DescribeProducersResponse::Partition>;

// "Everything there is": Kafka's value for an offset the client does not know.
constexpr std::int64_t kToHighWatermark = -1;

io::Task<void> delete_records(Partition& partition, DeletePart& part) {
  auto& answer = *part.answer;
  if (const auto leads = partition.check_leader(kNoLeaderEpoch); !leads) {
    answer.error_code = to_error_code(leads.error().code);
    co_return;
  }
  const auto state = partition.state();
  // What is in an internal topic is its coordinator's.
  if (is_internal_topic(partition.topic())) {
    answer.error_code = ErrorCode::invalid_topic_exception;
    co_return;
  }
  const std::int64_t to = part.wanted->offset == kToHighWatermark ? state.high_watermark.value() : part.wanted->offset;
  if (to < 0 || !partition.log()->options().deletes) {
    answer.error_code = to < 0 ? ErrorCode::offset_out_of_range : ErrorCode::policy_violation;
    co_return;
  }
  const auto start = partition.delete_records(Offset{to});
  if (!start) {
    answer.error_code = to_error_code(start.error().code);
    co_return;
  }
  answer.low_watermark = start->value();
}

io::Task<void> find_epoch_end(Partition& partition, EpochPart& part) {
  auto& answer = *part.answer;
  if (const auto leads = partition.check_leader(LeaderEpoch{part.wanted->current_leader_epoch}); !leads) {
    answer.error_code = to_error_code(leads.error().code);
    co_return;
  }
  const LeaderEpoch asked{part.wanted->leader_epoch};
  const auto end = partition.log()->end_offset_for(asked);
  if (!end) co_return;  // -1 and -1: not known
  answer.leader_epoch = end->epoch.value();
  // What is not committed is not there for a consumer.
  answer.end_offset = std::min(end->end_offset, partition.state().high_watermark).value();
}

io::Task<void> describe_producers(Partition& partition, ProducersPart& part) {
  auto& answer = *part.answer;
  if (const auto leads = partition.check_leader(kNoLeaderEpoch); !leads) {
    answer.error_code = to_error_code(leads.error().code);
    co_return;
  }
  for (const auto& producer : partition.log()->active_producers()) {
    auto& said = answer.active_producers.emplace_back();
    said.producer_id = producer.producer_id.value();
    said.producer_epoch = producer.producer_epoch;
    said.last_sequence = producer.last_sequence;
    said.last_timestamp = producer.last_timestamp;
    said.coordinator_epoch = producer.coordinator_epoch;
    said.current_txn_start_offset = producer.current_transaction_start.value();
  }
}

}  // namespace

io::Task<net::Response> handle_delete_records(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::DeleteRecordsRequest);
  wire::DeleteRecordsResponse response;
  auto parts = plan_parts(*here.image(), wanted.topics, response.topics, Repeated::answered_once);
  for (auto& topic : response.topics) {
    for (auto& partition : topic.partitions) partition.low_watermark = -1;
  }
  co_await on_partitions(broker, parts, delete_records);
  co_return answer(request, response);
}

io::Task<net::Response> handle_offset_for_leader_epoch(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::OffsetForLeaderEpochRequest);
  wire::OffsetForLeaderEpochResponse response;
  auto parts = plan_parts(*here.image(), wanted.topics, response.topics, Repeated::answered_once);
  co_await on_partitions(broker, parts, find_epoch_end);
  co_return answer(request, response);
}

io::Task<net::Response> handle_describe_producers(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(wanted, wire::DescribeProducersRequest);
  wire::DescribeProducersResponse response;
  auto parts = plan_parts(*here.image(), wanted.topics, response.topics, Repeated::answered_once);
  co_await on_partitions(broker, parts, describe_producers);
  TextArena texts;
  for (auto& topic : response.topics) {
    const auto valid = validate_topic_name(topic.name);
    if (valid) continue;
    for (auto& partition : topic.partitions) {
      partition.error_code = ErrorCode::invalid_topic_exception;
      partition.error_message = texts.keep(valid.error().message);
    }
  }
  co_return answer(request, response);
}

}  // namespace millrace::engine
