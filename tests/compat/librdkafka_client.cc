// compat_librdkafka BOOTSTRAP PREFIX: uses a broker as a program on librdkafka does.
//
// Creates topics whose names start with PREFIX, produces with every codec and every acks setting,
// reads back by offset, tail and timestamp, and compares content. Prints a line per check, `ok
// NAME` or `FAILED NAME: why`; the exit code is 1 if a check failed.

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace millrace::compat {
namespace {

constexpr int kTimeoutMs = 20'000;
constexpr int kAbsentTopicMs = 3'000;
constexpr int kMessages = 200;
constexpr int64_t kTimestampStep = 1'000;

using Settings = std::vector<std::pair<std::string, std::string>>;

// Record timestamps begin an hour ago: recent enough that no broker's retention removes them.
int64_t first_timestamp() {
  static const int64_t timestamp =
      std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::system_clock::now().time_since_epoch() - std::chrono::hours(1))
          .count();
  return timestamp;
}

struct Free {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
  void operator()(rd_kafka_DeleteTopic_t* topic) const { rd_kafka_DeleteTopic_destroy(topic); }
  void operator()(rd_kafka_NewPartitions_t* partitions) const {
    rd_kafka_NewPartitions_destroy(partitions);
  }
  void operator()(rd_kafka_ConfigResource_t* resource) const {
    rd_kafka_ConfigResource_destroy(resource);
  }
  void operator()(rd_kafka_DeleteRecords_t* records) const {
    rd_kafka_DeleteRecords_destroy(records);
  }
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// What one check found wrong; empty where nothing was.
using Complaint = std::string;

class Checks {
 public:
  void run(const std::string& name, const std::function<Complaint()>& check) {
    const Complaint complaint = check();
    if (complaint.empty()) {
      std::printf("ok %s\n", name.c_str());
    } else {
      std::printf("FAILED %s: %s\n", name.c_str(), complaint.c_str());
      failed_ = true;
    }
    std::fflush(stdout);
  }

  bool failed() const { return failed_; }

 private:
  bool failed_ = false;
};

struct Delivery {
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  int64_t offset = -1;
  bool answered = false;
};

struct Record {
  std::string key;
  std::string value;
  std::string header;
  int64_t offset = -1;
  int64_t timestamp = -1;
};

Record expected_record(const std::string& label, int index) {
  Record record;
  record.key = "key-" + std::to_string(index % 7);
  record.value =
      label + "-" + std::to_string(index) + "-" + std::string(static_cast<size_t>(index % 90), 'x');
  record.header = "header of " + std::to_string(index);
  record.offset = index;
  record.timestamp = first_timestamp() + index * kTimestampStep;
  return record;
}

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  auto* delivery = static_cast<Delivery*>(message->_private);
  if (delivery == nullptr) return;
  delivery->error = message->err;
  delivery->offset = message->offset;
  delivery->answered = true;
}

void drop_log(const rd_kafka_t*, int, const char*, const char*) {}

Owned<rd_kafka_t> open_client(rd_kafka_type_t type, const Settings& settings) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char reason[512];
  for (const auto& [key, value] : settings) {
    if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), reason, sizeof reason) !=
        RD_KAFKA_CONF_OK) {
      std::printf("FAILED setting: %s\n", reason);
      std::exit(2);
    }
  }
  rd_kafka_conf_set_log_cb(conf, drop_log);
  if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t* handle = rd_kafka_new(type, conf, reason, sizeof reason);
  if (handle == nullptr) {
    std::printf("FAILED client: %s\n", reason);
    std::exit(2);
  }
  return Owned<rd_kafka_t>(handle);
}

std::string error_text(rd_kafka_resp_err_t error) {
  return std::string(rd_kafka_err2name(error)) + " (" + std::to_string(error) + ")";
}

// Client is one bootstrap address and the clients opened to it.
class Client {
 public:
  Client(std::string bootstrap, std::string prefix)
      : bootstrap_(std::move(bootstrap)),
        prefix_(std::move(prefix)),
        admin_(open(RD_KAFKA_PRODUCER, {})) {}

  std::string topic(const std::string& name) const { return prefix_ + "-" + name; }
  rd_kafka_t* admin() const { return admin_.get(); }

  Owned<rd_kafka_t> open(rd_kafka_type_t type, Settings settings) const {
    settings.emplace_back("bootstrap.servers", bootstrap_);
    return open_client(type, settings);
  }

  // Waits for the answer to an admin call that `start` puts on the queue.
  Owned<rd_kafka_event_t> ask(const std::function<void(rd_kafka_queue_t*)>& start) const {
    const Owned<rd_kafka_queue_t> queue(rd_kafka_queue_new(admin()));
    start(queue.get());
    return Owned<rd_kafka_event_t>(rd_kafka_queue_poll(queue.get(), kTimeoutMs));
  }

  // The error the broker gave for this one topic.
  rd_kafka_resp_err_t create(const std::string& name, int partitions,
                             const Settings& configs = {}) const {
    char reason[512];
    const Owned<rd_kafka_NewTopic_t> wanted(
        rd_kafka_NewTopic_new(name.c_str(), partitions, 1, reason, sizeof reason));
    if (!wanted) return RD_KAFKA_RESP_ERR__INVALID_ARG;
    for (const auto& [key, value] : configs) {
      rd_kafka_NewTopic_set_config(wanted.get(), key.c_str(), value.c_str());
    }
    rd_kafka_NewTopic_t* list[] = {wanted.get()};
    const auto event = ask(
        [&](rd_kafka_queue_t* queue) { rd_kafka_CreateTopics(admin(), list, 1, nullptr, queue); });
    if (!event) return RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (rd_kafka_event_error(event.get())) return rd_kafka_event_error(event.get());
    size_t count = 0;
    const auto* topics = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(event.get()), &count);
    if (count != 1) return RD_KAFKA_RESP_ERR__FAIL;
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(topics[0]);
    return error ? error : await_partitions(name, partitions);
  }

  // The number of partitions with a leader, or -1 where the topic is not there.
  int partitions(const std::string& name) const {
    rd_kafka_topic_t* handle = rd_kafka_topic_new(admin(), name.c_str(), nullptr);
    const rd_kafka_metadata_t* raw = nullptr;
    const auto error = rd_kafka_metadata(admin(), 0, handle, &raw, kTimeoutMs);
    rd_kafka_topic_destroy(handle);
    if (error) return -1;
    const Owned<const rd_kafka_metadata_t> metadata(raw);
    if (metadata->topic_cnt != 1 || metadata->topics[0].err) return -1;
    int count = 0;
    for (int i = 0; i < metadata->topics[0].partition_cnt; ++i)
      count += metadata->topics[0].partitions[i].leader >= 0;
    return count;
  }

  // True if the list of all topics has this one. Asking for the topic itself might create it.
  bool listed(const std::string& name) const {
    const rd_kafka_metadata_t* raw = nullptr;
    if (rd_kafka_metadata(admin(), 1, nullptr, &raw, kTimeoutMs)) return false;
    const Owned<const rd_kafka_metadata_t> all(raw);
    for (int i = 0; i < all->topic_cnt; ++i) {
      if (name == all->topics[i].topic) return true;
    }
    return false;
  }

  // A deleted topic too may take a moment to reach the broker part of the process.
  bool await_unlisted(const std::string& name) const {
    for (int attempt = 0; attempt < 100; ++attempt) {
      if (!listed(name)) return true;
      rd_kafka_poll(admin(), 50);
    }
    return false;
  }

  // A created topic may take a moment to reach the broker part of the process.
  rd_kafka_resp_err_t await_partitions(const std::string& name, int wanted) const {
    for (int attempt = 0; attempt < 100; ++attempt) {
      if (partitions(name) == wanted) return RD_KAFKA_RESP_ERR_NO_ERROR;
      rd_kafka_poll(admin(), 50);
    }
    return RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
  }

 private:
  std::string bootstrap_;
  std::string prefix_;
  Owned<rd_kafka_t> admin_;
};

rd_kafka_resp_err_t send_one(rd_kafka_t* producer, const std::string& topic, int partition,
                             const Record& record, Delivery* delivery) {
  return rd_kafka_producev(
      producer, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
      RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
      RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()), record.value.size()),
      RD_KAFKA_V_HEADER("note", record.header.data(), static_cast<ssize_t>(record.header.size())),
      RD_KAFKA_V_TIMESTAMP(record.timestamp), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_OPAQUE(delivery), RD_KAFKA_V_END);
}

// Sends kMessages records and checks every delivery report. `offsets_known` is false for acks=0.
Complaint produce(const Client& client, const std::string& topic, const std::string& label,
                  const Settings& settings, bool offsets_known) {
  const auto producer = client.open(RD_KAFKA_PRODUCER, settings);
  std::vector<Delivery> deliveries(kMessages);
  for (int i = 0; i < kMessages; ++i) {
    const auto error = send_one(producer.get(), topic, 0, expected_record(label, i),
                                &deliveries[static_cast<size_t>(i)]);
    if (error) return "produce: " + error_text(error);
    if (i % 50 == 49) rd_kafka_flush(producer.get(), kTimeoutMs);  // several batches, not one
  }
  rd_kafka_flush(producer.get(), kTimeoutMs);
  for (int i = 0; i < kMessages; ++i) {
    const Delivery& delivery = deliveries[static_cast<size_t>(i)];
    if (!delivery.answered) return "no delivery report for message " + std::to_string(i);
    if (delivery.error) return "message " + std::to_string(i) + ": " + error_text(delivery.error);
    if (offsets_known && delivery.offset != i) {
      return "message " + std::to_string(i) + " got offset " + std::to_string(delivery.offset);
    }
  }
  return {};
}

struct Read {
  Complaint complaint;
  std::vector<Record> records;
};

Record to_record(const rd_kafka_message_t& message) {
  Record record;
  record.key.assign(static_cast<const char*>(message.key), message.key_len);
  record.value.assign(static_cast<const char*>(message.payload), message.len);
  record.offset = message.offset;
  record.timestamp = rd_kafka_message_timestamp(&message, nullptr);
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  if (!rd_kafka_message_headers(&message, &headers) &&
      !rd_kafka_header_get_last(headers, "note", &value, &size)) {
    record.header.assign(static_cast<const char*>(value), size);
  }
  return record;
}

// Reads partition 0 from `offset` to its end.
Read read_from(const Client& client, const std::string& topic, int64_t offset,
               Settings settings = {}, int timeout_ms = kTimeoutMs) {
  settings.emplace_back("group.id", "unused-because-partitions-are-assigned");
  settings.emplace_back("enable.auto.commit", "false");
  settings.emplace_back("enable.partition.eof", "true");
  settings.emplace_back("check.crcs", "true");
  settings.emplace_back("fetch.wait.max.ms", "50");
  const auto consumer = client.open(RD_KAFKA_CONSUMER, settings);
  rd_kafka_poll_set_consumer(consumer.get());
  const Owned<rd_kafka_topic_partition_list_t> assignment(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(assignment.get(), topic.c_str(), 0)->offset = offset;
  rd_kafka_assign(consumer.get(), assignment.get());
  Read read;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (std::chrono::steady_clock::now() < deadline) {
    const Owned<rd_kafka_message_t> message(rd_kafka_consumer_poll(consumer.get(), 200));
    if (!message) continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return read;
    if (message->err) {
      read.complaint = "consume: " + error_text(message->err);
      return read;
    }
    read.records.push_back(to_record(*message));
  }
  read.complaint =
      "no end of partition within the time; " + std::to_string(read.records.size()) + " records";
  return read;
}

// Compares what was read with records [first, kMessages) of `label`.
Complaint compare(const Read& read, const std::string& label, int first) {
  if (!read.complaint.empty()) return read.complaint;
  const auto wanted = static_cast<size_t>(kMessages - first);
  if (read.records.size() != wanted) {
    return std::to_string(read.records.size()) + " records, wanted " + std::to_string(wanted);
  }
  for (size_t i = 0; i < wanted; ++i) {
    const Record& got = read.records[i];
    const Record record = expected_record(label, first + static_cast<int>(i));
    const std::string where = "record " + std::to_string(record.offset) + ": ";
    if (got.offset != record.offset) return where + "offset " + std::to_string(got.offset);
    if (got.key != record.key) return where + "key " + got.key;
    if (got.value != record.value) return where + "value " + got.value;
    if (got.header != record.header) return where + "header " + got.header;
    if (got.timestamp != record.timestamp)
      return where + "timestamp " + std::to_string(got.timestamp);
  }
  return {};
}

Complaint wanted_error(rd_kafka_resp_err_t got, rd_kafka_resp_err_t wanted) {
  return got == wanted ? Complaint() : "got " + error_text(got) + ", wanted " + error_text(wanted);
}

void check_topics(const Client& client, Checks& checks) {
  const std::string topic = client.topic("topics");
  checks.run("create_topic",
             [&] { return wanted_error(client.create(topic, 3), RD_KAFKA_RESP_ERR_NO_ERROR); });
  checks.run("create_topic_again_is_refused", [&] {
    return wanted_error(client.create(topic, 3), RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
  });
  checks.run("invalid_topic_name_is_error_17", [&] {
    return wanted_error(client.create("not a topic!", 1), RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION);
  });
  checks.run("bad_topic_config_is_refused", [&] {
    return wanted_error(client.create(client.topic("bad"), 1, {{"retention.ms", "soon"}}),
                        RD_KAFKA_RESP_ERR_INVALID_CONFIG);
  });
  checks.run("create_partitions", [&]() -> Complaint {
    char reason[512];
    const Owned<rd_kafka_NewPartitions_t> more(
        rd_kafka_NewPartitions_new(topic.c_str(), 5, reason, sizeof reason));
    rd_kafka_NewPartitions_t* list[] = {more.get()};
    const auto event = client.ask([&](rd_kafka_queue_t* queue) {
      rd_kafka_CreatePartitions(client.admin(), list, 1, nullptr, queue);
    });
    if (!event) return "no answer";
    if (rd_kafka_event_error(event.get())) return error_text(rd_kafka_event_error(event.get()));
    return wanted_error(client.await_partitions(topic, 5), RD_KAFKA_RESP_ERR_NO_ERROR);
  });
  checks.run("delete_topic", [&]() -> Complaint {
    const Owned<rd_kafka_DeleteTopic_t> gone(rd_kafka_DeleteTopic_new(topic.c_str()));
    rd_kafka_DeleteTopic_t* list[] = {gone.get()};
    const auto event = client.ask([&](rd_kafka_queue_t* queue) {
      rd_kafka_DeleteTopics(client.admin(), list, 1, nullptr, queue);
    });
    if (!event) return "no answer";
    if (rd_kafka_event_error(event.get())) return error_text(rd_kafka_event_error(event.get()));
    return client.await_unlisted(topic) ? Complaint() : "still listed";
  });
}

// The value of one topic configuration, or what went wrong in angle brackets.
std::string describe_config(const Client& client, const std::string& topic,
                            const std::string& key) {
  const Owned<rd_kafka_ConfigResource_t> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  rd_kafka_ConfigResource_t* list[] = {resource.get()};
  const auto event = client.ask([&](rd_kafka_queue_t* queue) {
    rd_kafka_DescribeConfigs(client.admin(), list, 1, nullptr, queue);
  });
  if (!event || rd_kafka_event_error(event.get())) return "<no answer>";
  size_t count = 0;
  const auto* result = rd_kafka_event_DescribeConfigs_result(event.get());
  const auto* resources = rd_kafka_DescribeConfigs_result_resources(result, &count);
  if (count != 1 || rd_kafka_ConfigResource_error(resources[0])) return "<error>";
  const auto* entries = rd_kafka_ConfigResource_configs(resources[0], &count);
  for (size_t i = 0; i < count; ++i) {
    if (key == rd_kafka_ConfigEntry_name(entries[i])) return rd_kafka_ConfigEntry_value(entries[i]);
  }
  return "<not listed>";
}

void check_configs(const Client& client, Checks& checks) {
  const std::string topic = client.topic("configs");
  checks.run("configs_given_at_creation_are_described", [&]() -> Complaint {
    const auto error = client.create(topic, 1, {{"retention.ms", "123456"}});
    if (error) return error_text(error);
    const std::string value = describe_config(client, topic, "retention.ms");
    return value == "123456" ? Complaint() : "retention.ms is " + value;
  });
  checks.run("altered_configs_are_described", [&]() -> Complaint {
    const Owned<rd_kafka_ConfigResource_t> resource(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    rd_kafka_ConfigResource_set_config(resource.get(), "max.message.bytes", "777777");
    rd_kafka_ConfigResource_t* list[] = {resource.get()};
    const auto event = client.ask([&](rd_kafka_queue_t* queue) {
      rd_kafka_AlterConfigs(client.admin(), list, 1, nullptr, queue);
    });
    if (!event) return "no answer";
    for (int attempt = 0; attempt < 40; ++attempt) {
      if (describe_config(client, topic, "max.message.bytes") == "777777") return {};
      rd_kafka_poll(client.admin(), 50);
    }
    return "max.message.bytes is " + describe_config(client, topic, "max.message.bytes");
  });
}

void check_produce_and_consume(const Client& client, Checks& checks) {
  const auto round = [&](const std::string& label, const Settings& settings, bool offsets_known) {
    const std::string topic = client.topic(label);
    checks.run("produce_" + label, [&]() -> Complaint {
      const auto error = client.create(topic, 1);
      if (error) return "create: " + error_text(error);
      return produce(client, topic, label, settings, offsets_known);
    });
    checks.run("consume_" + label, [&] { return compare(read_from(client, topic, 0), label, 0); });
  };
  for (const char* codec : {"none", "gzip", "snappy", "lz4", "zstd"}) {
    round(std::string("acks_all_") + codec, {{"acks", "all"}, {"compression.codec", codec}}, true);
    round(std::string("idempotent_") + codec,
          {{"enable.idempotence", "true"}, {"compression.codec", codec}}, true);
  }
  round("acks_1", {{"acks", "1"}}, true);
  round("acks_0", {{"acks", "0"}}, false);
}

void check_offsets(const Client& client, Checks& checks) {
  const std::string label = "acks_all_lz4";  // produced by check_produce_and_consume
  const std::string topic = client.topic(label);
  checks.run("consume_from_offset",
             [&] { return compare(read_from(client, topic, 137), label, 137); });
  checks.run("consume_from_tail", [&] {
    return compare(read_from(client, topic, RD_KAFKA_OFFSET_TAIL(9)), label, kMessages - 9);
  });
  checks.run("consume_from_end", [&] {
    return compare(read_from(client, topic, RD_KAFKA_OFFSET_END), label, kMessages);
  });
  checks.run("offset_out_of_range_resets", [&] {
    return compare(read_from(client, topic, 100'000, {{"auto.offset.reset", "earliest"}}), label,
                   0);
  });
  checks.run("small_fetches_read_everything", [&] {
    const Settings small = {{"fetch.message.max.bytes", "1000"},
                            {"fetch.max.bytes", "1000"},
                            {"message.max.bytes", "1000"}};
    return compare(read_from(client, topic, 0, small), label, 0);
  });
  checks.run("watermarks", [&]() -> Complaint {
    int64_t low = -1;
    int64_t high = -1;
    const auto error =
        rd_kafka_query_watermark_offsets(client.admin(), topic.c_str(), 0, &low, &high, kTimeoutMs);
    if (error) return error_text(error);
    return low == 0 && high == kMessages ? Complaint()
                                         : std::to_string(low) + ".." + std::to_string(high);
  });
  for (const auto& [name, timestamp, wanted] :
       std::vector<std::tuple<const char*, int64_t, int64_t>>{
           {"timestamp_of_a_record", first_timestamp() + 60 * kTimestampStep, 60},
           {"timestamp_between_records", first_timestamp() + 60 * kTimestampStep + 1, 61},
           {"timestamp_before_all", 1, 0},
           {"timestamp_after_all", first_timestamp() * 2, RD_KAFKA_OFFSET_END}}) {
    checks.run(name, [&]() -> Complaint {
      const Owned<rd_kafka_topic_partition_list_t> times(rd_kafka_topic_partition_list_new(1));
      rd_kafka_topic_partition_list_add(times.get(), topic.c_str(), 0)->offset = timestamp;
      const auto error = rd_kafka_offsets_for_times(client.admin(), times.get(), kTimeoutMs);
      if (error) return error_text(error);
      const int64_t got = times->elems[0].offset;
      if (got != wanted)
        return "offset " + std::to_string(got) + ", wanted " + std::to_string(wanted);
      return wanted < 0 ? Complaint()
                        : compare(read_from(client, topic, got), label, static_cast<int>(wanted));
    });
  }
}

void check_delete_records(const Client& client, Checks& checks) {
  const std::string label = "acks_all_gzip";
  const std::string topic = client.topic(label);
  checks.run("delete_records", [&]() -> Complaint {
    rd_kafka_topic_partition_list_t* before = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(before, topic.c_str(), 0)->offset = 50;
    const Owned<rd_kafka_DeleteRecords_t> records(rd_kafka_DeleteRecords_new(before));
    rd_kafka_topic_partition_list_destroy(before);
    rd_kafka_DeleteRecords_t* list[] = {records.get()};
    const auto event = client.ask([&](rd_kafka_queue_t* queue) {
      rd_kafka_DeleteRecords(client.admin(), list, 1, nullptr, queue);
    });
    if (!event) return "no answer";
    if (rd_kafka_event_error(event.get())) return error_text(rd_kafka_event_error(event.get()));
    const auto* answers =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event.get()));
    if (answers->cnt != 1 || answers->elems[0].err) return "partition error";
    if (answers->elems[0].offset != 50)
      return "low watermark " + std::to_string(answers->elems[0].offset);
    return compare(read_from(client, topic, RD_KAFKA_OFFSET_BEGINNING), label, 50);
  });
  checks.run("reading_deleted_records_resets", [&] {
    return compare(read_from(client, topic, 10, {{"auto.offset.reset", "earliest"}}), label, 50);
  });
}

// Sends one record of `bytes` and waits for its fate.
Delivery send_large(const Client& client, const std::string& topic, size_t bytes) {
  const auto producer = client.open(
      RD_KAFKA_PRODUCER,
      {{"acks", "all"}, {"message.max.bytes", "8000000"}, {"message.timeout.ms", "15000"}});
  Record record = expected_record("large", 0);
  record.value.assign(bytes, 'L');
  Delivery delivery;
  delivery.error = send_one(producer.get(), topic, 0, record, &delivery);
  if (delivery.error) return delivery;
  rd_kafka_flush(producer.get(), kTimeoutMs);
  if (!delivery.answered) {
    delivery.error = RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_purge(producer.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(producer.get(), 1'000);
  }
  return delivery;
}

void check_sizes_and_names(const Client& client, Checks& checks) {
  const std::string topic = client.topic("large");
  checks.run("large_record", [&]() -> Complaint {
    const auto error = client.create(topic, 1);
    if (error) return error_text(error);
    const Delivery delivery = send_large(client, topic, 900'000);
    if (delivery.error) return error_text(delivery.error);
    const Read read = read_from(client, topic, 0);
    if (!read.complaint.empty()) return read.complaint;
    return read.records.size() == 1 && read.records[0].value == std::string(900'000, 'L')
               ? Complaint()
               : "content differs";
  });
  checks.run("too_large_record_is_refused", [&] {
    return wanted_error(send_large(client, topic, 3'000'000).error,
                        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  });
  checks.run("produce_creates_the_topic", [&]() -> Complaint {
    const std::string automatic = client.topic("automatic");
    const Complaint complaint = produce(client, automatic, "auto", {{"acks", "all"}}, true);
    return complaint.empty() ? compare(read_from(client, automatic, 0), "auto", 0) : complaint;
  });
  checks.run("consumer_does_not_create_the_topic", [&]() -> Complaint {
    const Read read = read_from(client, client.topic("absent"), 0, {}, kAbsentTopicMs);
    if (!read.records.empty()) return "records from nowhere";
    return client.listed(client.topic("absent")) ? "it was created" : Complaint();
  });
}

void check_waiting_fetch(const Client& client, Checks& checks) {
  checks.run("waiting_fetch_sees_new_record_at_once", [&]() -> Complaint {
    const std::string topic = client.topic("waiting");
    if (const auto error = client.create(topic, 1)) return error_text(error);
    const auto consumer = client.open(
        RD_KAFKA_CONSUMER,
        {{"group.id", "unused"}, {"enable.auto.commit", "false"}, {"fetch.wait.max.ms", "9000"}});
    rd_kafka_poll_set_consumer(consumer.get());
    const Owned<rd_kafka_topic_partition_list_t> assignment(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(assignment.get(), topic.c_str(), 0)->offset = 0;
    rd_kafka_assign(consumer.get(), assignment.get());
    if (Owned<rd_kafka_message_t>(rd_kafka_consumer_poll(consumer.get(), 1'000)))
      return "something before the record";
    const auto producer = client.open(RD_KAFKA_PRODUCER, {{"linger.ms", "0"}});
    Delivery delivery;
    send_one(producer.get(), topic, 0, expected_record("waiting", 0), &delivery);
    rd_kafka_flush(producer.get(), kTimeoutMs);
    const auto acknowledged = std::chrono::steady_clock::now();
    const Owned<rd_kafka_message_t> message(rd_kafka_consumer_poll(consumer.get(), kTimeoutMs));
    const auto waited = std::chrono::steady_clock::now() - acknowledged;
    if (!message || message->err) return "no record";
    return waited < std::chrono::seconds(3) ? Complaint() : "came only when the fetch timed out";
  });
}

}  // namespace
}  // namespace millrace::compat

int main(int argc, char** argv) {
  using namespace millrace::compat;
  if (argc != 3) {
    std::fprintf(stderr, "usage: compat_librdkafka BOOTSTRAP PREFIX\n");
    return 2;
  }
  const Client client(argv[1], argv[2]);
  Checks checks;
  check_topics(client, checks);
  check_configs(client, checks);
  check_produce_and_consume(client, checks);
  check_offsets(client, checks);
  check_delete_records(client, checks);
  check_sizes_and_names(client, checks);
  check_waiting_fetch(client, checks);
  return checks.failed() ? 1 : 0;
}
