#include "cli/produce.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <memory>

#include "cli/interrupt.h"
#include "cli/kafka_client.h"
#include "cli/option_checks.h"
#include "cli/output.h"

namespace millrace::cli {
namespace {

// What delivery reports add up to.
struct Delivery {
  const ProduceOptions& options;
  std::int64_t delivered = 0;
  std::int64_t failed = 0;
  std::optional<Error> first_error;
};

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& delivery = *static_cast<Delivery*>(opaque);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++delivery.failed;
    if (!delivery.first_error)
      delivery.first_error = error_from_kafka(message->err, "record not delivered");
    return;
  }
  ++delivery.delivered;
  if (delivery.options.report) {
    write_out(report_line(delivery.options, message->partition, message->offset));
  }
}

// Frees what getdelim() grew.
struct LineBuffer {
  char* text = nullptr;
  std::size_t capacity = 0;
  LineBuffer() = default;
  LineBuffer(const LineBuffer&) = delete;
  LineBuffer& operator=(const LineBuffer&) = delete;
  ~LineBuffer() { std::free(text); }
};

Result<HeadersHandle> make_headers(const std::vector<std::string>& texts) {
  HeadersHandle headers(rd_kafka_headers_new(texts.size()));
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      return fail(Errc::invalid_argument, fmt::format("-H {}: write name=value", text));
    rd_kafka_header_add(headers.get(), text.data(), static_cast<ssize_t>(equals),
                        text.data() + equals + 1, static_cast<ssize_t>(text.size() - equals - 1));
  }
  return headers;
}

Result<std::vector<ClientProperty>> client_properties(const ProduceOptions& options) {
  std::vector<ClientProperty> properties = {
      {"compression.codec", options.compression},
      {"request.required.acks", options.acks == "all" ? "-1" : options.acks},
      {"enable.idempotence", options.idempotent ? "true" : "false"},
      {"message.timeout.ms", std::to_string(options.connection.timeout_ms + 20'000)}};
  TRY(own, parse_properties(options.properties));
  properties.insert(properties.end(), own.begin(), own.end());
  return properties;
}

// Hands one record to librdkafka, waiting while its queue is full.
Result<void> send(rd_kafka_t* client, const ProduceOptions& options, const ProducedRecord& record,
                  const rd_kafka_headers_t* headers) {
  const std::string_view key = record.key.value_or(std::string_view{});
  const std::string_view value = record.value.value_or(std::string_view{});
  while (!interrupted()) {
    HeadersHandle copy(options.headers.empty() ? nullptr : rd_kafka_headers_copy(headers));
    // An empty value that is not null needs a pointer; so does an empty key.
    const void* value_at = record.value ? (value.empty() ? "" : value.data()) : nullptr;
    const void* key_at = record.key ? (key.empty() ? "" : key.data()) : nullptr;
    const auto code = rd_kafka_producev(
        client, RD_KAFKA_V_TOPIC(options.topic.c_str()), RD_KAFKA_V_PARTITION(options.partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key_at, key.size()),
        RD_KAFKA_V_VALUE(const_cast<void*>(value_at), value.size()), RD_KAFKA_V_HEADERS(copy.get()),
        RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      static_cast<void>(copy.release());
      return {};
    }
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
      return fail(error_from_kafka(code, "record refused"));
    rd_kafka_poll(client, 100);
  }
  return fail(Errc::canceled, "interrupted");
}

Result<void> send_lines(rd_kafka_t* client, const ProduceOptions& options, std::FILE* input,
                        const Delivery& delivery) {
  TRY(headers, make_headers(options.headers));
  LineBuffer line;
  while (!interrupted() && !delivery.first_error) {
    const ssize_t length = getdelim(&line.text, &line.capacity, options.record_delimiter, input);
    if (length < 0) break;
    std::string_view text(line.text, static_cast<std::size_t>(length));
    if (text.ends_with(options.record_delimiter)) text.remove_suffix(1);
    TRY_DONE(send(client, options, split_record(text, options), headers.get()));
    rd_kafka_poll(client, 0);
  }
  if (std::ferror(input) != 0) return fail(error_from_errno(errno, "input"));
  return {};
}

struct ProduceCommand {
  ProduceOptions options;
  std::string record_delimiter = "\\n";

  Exit run() {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(nullptr, std::fclose);
    if (!options.file.empty()) {
      file.reset(std::fopen(options.file.c_str(), "rb"));
      if (!file) return finish(fail(error_from_errno(errno, options.file)));
    }
    options.record_delimiter = record_delimiter == "\\n"   ? '\n'
                               : record_delimiter == "\\0" ? '\0'
                                                           : record_delimiter.front();
    catch_interrupts();
    if (options.report_format == "table") write_out("PARTITION\tOFFSET\n");
    const auto sent = produce_all(options, file ? file.get() : stdin);
    if (!sent) return finish(fail(sent.error()));
    return Exit::done;
  }
};

Action define(CLI::App& app) {
  auto command = std::make_shared<ProduceCommand>();
  ProduceOptions& options = command->options;
  add_connection_options(app, options.connection);
  app.add_option("TOPIC,-t,--topic", options.topic, "Topic to write to")->required();
  app.add_option("-p,--partition", options.partition, "Partition; without it by key, or spread")
      ->check(whole_number({.most = std::numeric_limits<std::int32_t>::max()}));
  app.add_option("-k,--key", options.key, "Key of every record");
  app.add_option("-K,--key-delimiter", options.key_delimiter, "What parts key and value in a line");
  app.add_option("-D,--delimiter", command->record_delimiter,
                 "What parts records: one character, \\n or \\0")
      ->capture_default_str();
  app.add_option("-H,--header", options.headers,
                 "A header of every record, as name=value; may be repeated")
      ->allow_extra_args(false);
  app.add_option("-z,--compression", options.compression, "Codec of batches")
      ->transform(one_of({"none", "gzip", "snappy", "lz4", "zstd"}))
      ->capture_default_str();
  app.add_option("--acks", options.acks, "Who must have a record: 0, 1 or all")
      ->transform(one_of({"0", "1", "all"}))
      ->capture_default_str();
  app.add_flag("--idempotent", options.idempotent, "Let the broker drop what is sent twice");
  app.add_flag("-Z,--null", options.empty_is_null, "An empty value is a tombstone");
  auto* report = app.add_flag("-r,--report", options.report,
                              "Print partition and offset of each record that is delivered");
  app.add_option("--format", options.report_format,
                 "How to print the report; without it, lines that are parted by a tab")
      ->transform(one_of({"table", "json"}))
      ->needs(report);
  app.add_option("-f,--file", options.file, "Read records from this file");
  app.add_option("-X,--property", options.properties,
                 "A property of librdkafka, as name=value; may be repeated")
      ->allow_extra_args(false);
  return [command] { return command->run(); };
}

}  // namespace

ProducedRecord split_record(std::string_view line, const ProduceOptions& options) {
  ProducedRecord record;
  if (!options.key.empty()) record.key = options.key;
  std::string_view value = line;
  if (!options.key_delimiter.empty()) {
    const auto at = line.find(options.key_delimiter);
    if (at != std::string_view::npos) {
      record.key = line.substr(0, at);
      value = line.substr(at + options.key_delimiter.size());
    }
  }
  if (!value.empty() || !options.empty_is_null) record.value = value;
  return record;
}

std::string report_line(const ProduceOptions& options, std::int32_t partition,
                        std::int64_t offset) {
  if (options.report_format != "json") return fmt::format("{}\t{}\n", partition, offset);
  const Cell line = {{"topic", options.topic}, {"partition", partition}, {"offset", offset}};
  return line.dump(-1, ' ', false, Cell::error_handler_t::replace) + "\n";
}

Result<std::int64_t> produce_all(const ProduceOptions& options, std::FILE* input) {
  Delivery delivery{.options = options};
  TRY(properties, client_properties(options));
  TRY(client, make_client({.type = RD_KAFKA_PRODUCER,
                           .connection = options.connection,
                           .properties = properties,
                           .on_delivery = on_delivery,
                           .opaque = &delivery}));
  TRY_DONE(reach_broker(client.get(), options.connection));
  const auto sent = send_lines(client.get(), options, input, delivery);
  while (rd_kafka_outq_len(client.get()) > 0 && !interrupted()) rd_kafka_poll(client.get(), 100);
  // What is left when the user gave up is dropped, or destroying the client would wait for it.
  if (interrupted())
    rd_kafka_purge(client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_poll(client.get(), 0);
  if (delivery.first_error) {
    const auto& error = *delivery.first_error;
    return fail(error.code, fmt::format("{} ({} delivered, {} not)", error.message,
                                        delivery.delivered, delivery.failed));
  }
  if (!sent) return fail(sent.error());
  return delivery.delivered;
}

const Command kProduceCommand = {
    "produce", "Write records: one for each line of standard input.", define,
    "  echo hello | millrace produce greetings\n"
    "  millrace produce orders -K : -z zstd < orders.txt      # lines are key:value\n"
    "  echo k: | millrace produce orders -K : -Z              # a tombstone for k"};

}  // namespace millrace::cli
