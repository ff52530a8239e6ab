// librdkafka, which produce, consume and bench go through, with its handles owned and its errors
// turned into ours.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/connection_options.h"

namespace millrace::cli {

using ClientProperty = std::pair<std::string, std::string>;

struct HandleDeleter {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
using ClientHandle = std::unique_ptr<rd_kafka_t, HandleDeleter>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, HandleDeleter>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_t, HandleDeleter>;
using MessageHandle = std::unique_ptr<rd_kafka_message_t, HandleDeleter>;
using HeadersHandle = std::unique_ptr<rd_kafka_headers_t, HandleDeleter>;
using MetadataHandle = std::unique_ptr<const rd_kafka_metadata_t, HandleDeleter>;
using PartitionListHandle = std::unique_ptr<rd_kafka_topic_partition_list_t, HandleDeleter>;

using DeliveryCallback = void (*)(rd_kafka_t*, const rd_kafka_message_t*, void* opaque);

using RebalanceCallback = void (*)(rd_kafka_t*, rd_kafka_resp_err_t,
                                   rd_kafka_topic_partition_list_t*, void* opaque);

struct ClientOptions {
  rd_kafka_type_t type = RD_KAFKA_PRODUCER;
  ConnectionOptions connection;
  std::vector<ClientProperty> properties;  // librdkafka's own; outweigh what we set
  DeliveryCallback on_delivery = nullptr;
  void* opaque = nullptr;
  RebalanceCallback on_rebalance = nullptr;
};

// A client that is not connected yet. Errors: invalid_argument, for a property librdkafka does not
// take.
Result<ClientHandle> make_client(const ClientOptions& options);

// The partitions of a topic. Errors: not_found; timed_out or closed when no broker answered, with
// what to check.
Result<std::vector<std::int32_t>> partitions_of(rd_kafka_t* client, const std::string& topic,
                                                const ConnectionOptions& connection);
// Whether any broker answers.
Result<void> reach_broker(rd_kafka_t* client, const ConnectionOptions& connection);

Error error_from_kafka(rd_kafka_resp_err_t code, const std::string& what);

// "key=value" texts as properties. Errors: invalid_argument.
Result<std::vector<ClientProperty>> parse_properties(const std::vector<std::string>& texts);

}  // namespace millrace::cli
