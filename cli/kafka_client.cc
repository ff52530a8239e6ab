#include "cli/kafka_client.h"

#include <fmt/core.h>

#include <array>

namespace millrace::cli {
namespace {

// Lines of librdkafka's log are for those who ask for them with -X debug=...
void drop_log(const rd_kafka_t*, int, const char*, const char*) {}

std::unexpected<Error> unreachable(const ConnectionOptions& connection, rd_kafka_resp_err_t code) {
  return fail(Errc::timed_out,
              fmt::format("no broker answered at {} ({}). Is it running? `make run` starts one; "
                          "--bootstrap-server names another",
                          connection.bootstrap, rd_kafka_err2str(code)));
}

}  // namespace

Result<ClientHandle> make_client(const ClientOptions& options) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  bool wants_log = false;
  std::vector<ClientProperty> properties = {{"bootstrap.servers", options.connection.bootstrap},
                                            {"client.id", "millrace"},
                                            {"socket.timeout.ms", "60000"},
                                            {"broker.address.family", "any"}};
  properties.insert(properties.end(), options.properties.begin(), options.properties.end());
  for (const auto& [name, value] : properties) {
    wants_log = wants_log || name == "debug";
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) ==
        RD_KAFKA_CONF_OK)
      continue;
    rd_kafka_conf_destroy(conf);
    return fail(Errc::invalid_argument, fmt::format("{}={}: {}", name, value, why.data()));
  }
  if (!wants_log) rd_kafka_conf_set_log_cb(conf, drop_log);
  if (options.on_delivery != nullptr) rd_kafka_conf_set_dr_msg_cb(conf, options.on_delivery);
  if (options.on_rebalance != nullptr) rd_kafka_conf_set_rebalance_cb(conf, options.on_rebalance);
  rd_kafka_conf_set_opaque(conf, options.opaque);
  rd_kafka_t* client = rd_kafka_new(options.type, conf, why.data(), why.size());
  if (client == nullptr) {
    rd_kafka_conf_destroy(conf);
    return fail(Errc::invalid_argument, why.data());
  }
  return ClientHandle(client);
}

Result<void> reach_broker(rd_kafka_t* client, const ConnectionOptions& connection) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto code = rd_kafka_metadata(client, 0, nullptr, &raw, connection.timeout_ms);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return unreachable(connection, code);
  MetadataHandle metadata(raw);
  return {};
}

Result<std::vector<std::int32_t>> partitions_of(rd_kafka_t* client, const std::string& topic,
                                                const ConnectionOptions& connection) {
  TopicHandle handle(rd_kafka_topic_new(client, topic.c_str(), nullptr));
  if (!handle) return fail(error_from_kafka(rd_kafka_last_error(), topic));
  const rd_kafka_metadata_t* raw = nullptr;
  const auto code = rd_kafka_metadata(client, 0, handle.get(), &raw, connection.timeout_ms);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return unreachable(connection, code);
  MetadataHandle metadata(raw);
  std::vector<std::int32_t> partitions;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& found = metadata->topics[i];
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return fail(error_from_kafka(found.err, "topic " + topic));
    for (int j = 0; j < found.partition_cnt; ++j) partitions.push_back(found.partitions[j].id);
  }
  if (partitions.empty())
    return fail(Errc::not_found, fmt::format("topic {} has no partitions", topic));
  return partitions;
}

Error error_from_kafka(rd_kafka_resp_err_t code, const std::string& what) {
  const std::string text = fmt::format("{}: {}", what, rd_kafka_err2str(code));
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return {Errc::not_found, text + ". `millrace topic list` shows what there is"};
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      return {Errc::closed, text};
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
      return {Errc::timed_out, text};
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return {Errc::out_of_range, text};
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return {Errc::invalid_argument, text};
    default:
      return {Errc::io_error, text};
  }
}

Result<std::vector<ClientProperty>> parse_properties(const std::vector<std::string>& texts) {
  std::vector<ClientProperty> properties;
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Errc::invalid_argument, fmt::format("-X {}: write property=value", text));
    }
    properties.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return properties;
}

}  // namespace millrace::cli
