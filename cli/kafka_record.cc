#include "cli/kafka_record.h"

namespace millrace::cli {

ConsumedRecord record_of(const rd_kafka_message_t& message) {
  ConsumedRecord record{.topic = rd_kafka_topic_name(message.rkt),
                        .partition = message.partition,
                        .offset = message.offset};
  record.timestamp_ms = rd_kafka_message_timestamp(&message, nullptr);
  if (message.key != nullptr)
    record.key = std::string_view(static_cast<const char*>(message.key), message.key_len);
  if (message.payload != nullptr)
    record.value = std::string_view(static_cast<const char*>(message.payload), message.len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    std::optional<std::string_view> text;
    if (value != nullptr) text = std::string_view(static_cast<const char*>(value), size);
    record.headers.emplace_back(name, text);
  }
  return record;
}

}  // namespace millrace::cli
