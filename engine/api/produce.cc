#include "net/wire/produce.h"

#include <algorithm>

#include "base/logging.h"
#include "engine/api/decode.h"
#include "engine/api/error_map.h"
#include "engine/api/handlers.h"
#include "engine/api/shard_route.h"
#include "engine/log/format/record_batch.h"
#include "engine/metadata/topic_name.h"
#include "io/reactor.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using wire::ProduceRequest;
using wire::ProduceResponse;

// One partition of the request on its way to the owner and back.
struct ProducePart {
  TopicPartition partition;
  Bytes records;
  bool acks_all = false;
  ProduceResponse::Partition* answer = nullptr;
  // Written by the owner, read by us when it has returned.
  std::string error_message;
  std::vector<log::RecordError> record_errors;
};

ErrorCode append_error_code(Errc code) {
  switch (code) {
    case Errc::refused: return ErrorCode::not_enough_replicas;
    // Sent again it would be as wrong as now, and clients do send again what is called corrupt.
    case Errc::malformed:
    case Errc::unsupported: return ErrorCode::invalid_record;
    default: return to_error_code(code);
  }
}

void refuse(ProducePart& part, const Error& error) {
  part.answer->base_offset = -1;
  part.answer->error_code = append_error_code(error.code);
  part.error_message = error.message;
}

io::Task<void> append_part(BrokerShard& owner, ProducePart& part) {
  auto partition = owner.find(part.partition);
  if (partition != nullptr && partition->log() == nullptr) partition = co_await owner.find_or_make(part.partition);
  if (partition == nullptr) {
    refuse(part, Error{Errc::not_leader, {}});
    co_return;
  }
  if (const auto leads = partition->check_leader(kNoLeaderEpoch); !leads) {
    refuse(part, leads.error());
    co_return;
  }
  const WallTime now = io::Reactor::current().wall_now();
  const auto appended = co_await partition->append(part.records, now, part.acks_all);
  if (!appended) {
    refuse(part, appended.error());
    // A refused batch is refused before anything is waited for, so these are its own.
    const bool by_record = appended.error() == Errc::malformed || appended.error() == Errc::invalid_timestamp;
    if (by_record) part.record_errors = partition->log()->record_errors();
    co_return;
  }
  part.answer->base_offset = appended->first_offset.value();
  part.answer->log_append_time_ms = appended->log_append_time_ms;
  part.answer->log_start_offset = appended->log_start_offset.value();
}

// All parts are staged before the first is waited for, so that they share one write and one sync.
io::Task<void> append_parts(BrokerShard& owner, std::span<ProducePart* const> parts) {
  if (parts.size() == 1) {
    co_await append_part(owner, *parts.front());
    co_return;
  }
  io::Gate gate;
  for (ProducePart* part : parts) gate.spawn(append_part(owner, *part));
  co_await gate.close();
}

const TopicImage* find_topic(const MetadataImage& image, const ProduceRequest::Topic& topic,
                             std::int16_t version) {
  return version >= 13 ? image.topics.find(topic.topic_id) : image.topics.find(topic.name);
}

// What a client of this version may not send; its consumers might not be able to read it (KIP-110).
bool is_zstd_too_early(std::span<const std::byte> records, std::int16_t version) {
  constexpr std::int16_t kFirstWithZstd = 7;
  if (version >= kFirstWithZstd) return false;
  const auto batch = log::RecordBatch::parse(records);
  return batch && batch->codec() == log::Codec::zstd;
}

// Fills the answer's skeleton and gives the parts that have somewhere to go.
std::vector<ProducePart> plan(const MetadataImage& image, const ProduceRequest& produce,
                              std::int16_t version, ProduceResponse& response) {
  std::size_t count = 0;
  for (const auto& topic : produce.topic_data) count += topic.partition_data.size();
  std::vector<ProducePart> parts;
  parts.reserve(count);
  response.responses.reserve(produce.topic_data.size());
  for (const auto& topic : produce.topic_data) {
    auto& topic_answer = response.responses.emplace_back();
    topic_answer.name = topic.name;
    topic_answer.topic_id = topic.topic_id;
    topic_answer.partition_responses.resize(topic.partition_data.size());
    const TopicImage* known = find_topic(image, topic, version);
    for (std::size_t i = 0; i < topic.partition_data.size(); ++i) {
      const auto& wanted = topic.partition_data[i];
      auto& partition_answer = topic_answer.partition_responses[i];
      partition_answer.index = wanted.index;
      partition_answer.base_offset = -1;
      const PartitionIndex index{wanted.index};
      if (known != nullptr && is_internal_topic(known->name)) {
        // What stands there the broker itself acts on.
        partition_answer.error_code = ErrorCode::invalid_topic_exception;
        continue;
      }
      if (known == nullptr || known->partition(index) == nullptr) {
        partition_answer.error_code = known == nullptr && version >= 13
                                          ? ErrorCode::unknown_topic_id
                                          : ErrorCode::unknown_topic_or_partition;
        continue;
      }
      if (!wanted.records || wanted.records->empty()) {
        partition_answer.error_code = ErrorCode::invalid_record;
        partition_answer.error_message = "a produce request needs exactly one record batch per partition";
        continue;
      }
      if (is_zstd_too_early(*wanted.records, version)) {
        partition_answer.error_code = ErrorCode::unsupported_compression_type;
        partition_answer.error_message = "zstd is for produce requests of version 7 and later";
        continue;
      }
      auto* data = const_cast<std::byte*>(wanted.records->data());  // the request's own buffer, ours to patch
      parts.push_back({.partition = {known->id, index},
                       .records = {data, wanted.records->size()},
                       .acks_all = produce.acks == -1,
                       .answer = &partition_answer});
    }
  }
  return parts;
}

void refuse_all(const ProduceRequest& produce, ErrorCode code, ProduceResponse& response) {
  for (const auto& topic : produce.topic_data) {
    auto& topic_answer = response.responses.emplace_back();
    topic_answer.name = topic.name;
    topic_answer.topic_id = topic.topic_id;
    for (const auto& wanted : topic.partition_data) {
      auto& partition_answer = topic_answer.partition_responses.emplace_back();
      partition_answer.index = wanted.index;
      partition_answer.base_offset = -1;
      partition_answer.error_code = code;
    }
  }
}

// Whether a batch says of itself that it belongs to a transaction.
bool any_transactional(const ProduceRequest& produce) {
  const auto transactional = [](const ProduceRequest::Partition& partition) {
    if (!partition.records || partition.records->empty()) return false;
    const auto batch = log::RecordBatch::parse(*partition.records);
    return batch && batch->is_transactional();
  };
  return std::ranges::any_of(produce.topic_data, [&](const ProduceRequest::Topic& topic) {
    return std::ranges::any_of(topic.partition_data, transactional);
  });
}

bool has_error(const ProduceResponse& response) {
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partition_responses) {
      if (partition.error_code != ErrorCode::none) return true;
    }
  }
  return false;
}

}  // namespace

io::Task<net::Response> handle_produce(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(produce, ProduceRequest);
  ProduceResponse response;
  if (produce.acks < -1 || produce.acks > 1) {
    refuse_all(produce, ErrorCode::invalid_required_acks, response);
    co_return answer(request, response);
  }
  if (produce.transactional_id) {
    // Nothing may be written under a transaction that nobody coordinates.
    if (produce.acks == 0) co_return close_connection(request, "a transactional produce request with acks=0");
    refuse_all(produce, ErrorCode::invalid_txn_state, response);
    co_return answer(request, response);
  }
  if (any_transactional(produce)) {
    if (produce.acks == 0) co_return close_connection(request, "a transactional batch with acks=0");
    refuse_all(produce, ErrorCode::transactional_id_authorization_failed, response);
    co_return answer(request, response);
  }
  const SharedImage image = here.image();  // names in the plan stay valid across the wait
  auto parts = plan(*image, produce, request.header.api_version, response);
  if (!parts.empty()) {
    std::vector<ProducePart*> pointers;
    pointers.reserve(parts.size());
    for (auto& part : parts) pointers.push_back(&part);
    co_await on_owners<ProducePart>(broker, pointers, append_parts);
  }
  for (const auto& part : parts) {
    if (!part.error_message.empty()) part.answer->error_message = part.error_message;
    for (const auto& error : part.record_errors) {
      part.answer->record_errors.push_back({error.batch_index, std::string_view(error.message)});
    }
  }
  if (produce.acks == 0) {
    // Kafka's way to tell a producer that does not listen: it then looks at the metadata again.
    if (has_error(response)) co_return close_connection(request, "a produce request with acks=0 failed");
    co_return net::Response::none();
  }
  co_return answer(request, response);
}

}  // namespace millrace::engine
