// bench_latency --bootstrap A --topic T [--rate R] [--seconds S] [--warm-up S] [--bytes B] [--acks
// A]
//
// End-to-end latency with an open loop: records are sent at their intended times whether or not
// earlier ones have arrived, and the latency of a record runs from its intended time to the moment
// the consumer has it. A stalled broker is thus charged for every record it held up. Both clients
// are librdkafka with no linger. Prints one line of JSON, times in microseconds.

#include <librdkafka/rdkafka.h>
#include <sys/prctl.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/load/histogram.h"

namespace millrace::bench {
namespace {

constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;
// The Java client's default, and the most that an idempotent producer may have. While so many are
// unanswered, records gather into one batch, as they do in any real client.
constexpr int kRequestsInFlight = 5;
constexpr std::size_t kBatchMax = 256;

struct Options {
  std::string bootstrap;
  std::string topic;
  std::uint64_t rate = 10'000;
  std::uint64_t seconds = 20;
  std::uint64_t warm_up_seconds = 5;
  std::size_t record_bytes = 100;
  std::string acks = "all";
};

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNanosPerSecond +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void sleep_until(std::uint64_t when_ns) {
  const timespec when{static_cast<time_t>(when_ns / kNanosPerSecond),
                      static_cast<long>(when_ns % kNanosPerSecond)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr) != 0) {
  }
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_latency: %s\n", why.c_str());
  std::exit(1);
}

// Written by librdkafka's callback on the sending thread.
struct Sent {
  std::uint64_t acknowledged = 0;
  std::uint64_t failed = 0;
};

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* sent = static_cast<Sent*>(opaque);
  (message->err ? sent->failed : sent->acknowledged) += 1;
}

rd_kafka_t* open_client(rd_kafka_type_t type,
                        const std::vector<std::pair<const char*, std::string>>& settings,
                        Sent* sent) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char reason[512];
  for (const auto& [key, value] : settings) {
    if (rd_kafka_conf_set(conf, key, value.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK)
      give_up(reason);
  }
  if (sent != nullptr) {
    rd_kafka_conf_set_opaque(conf, sent);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  }
  rd_kafka_t* client = rd_kafka_new(type, conf, reason, sizeof reason);
  if (client == nullptr) give_up(reason);
  return client;
}

// Run is one measurement: a sending thread, a receiving thread and what they share.
class Run {
 public:
  explicit Run(Options options)
      : options_(std::move(options)),
        total_((options_.seconds + options_.warm_up_seconds) * options_.rate) {}

  int execute() {
    std::thread receiver([this] { receive(); });
    while (!receiving_.load()) sleep_until(now_ns() + kNanosPerSecond / 100);
    send();
    receiver.join();
    print();
    return received_ == total_ && sent_.failed == 0 ? 0 : 1;
  }

 private:
  void send() {
    prctl(PR_SET_TIMERSLACK, 1);
    rd_kafka_t* producer = open_client(RD_KAFKA_PRODUCER,
                                       {{"bootstrap.servers", options_.bootstrap},
                                        {"linger.ms", "0"},
                                        {"max.in.flight", std::to_string(kRequestsInFlight)},
                                        {"acks", options_.acks},
                                        {"queue.buffering.max.messages", "1000000"},
                                        {"message.timeout.ms", "30000"}},
                                       &sent_);
    rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, options_.topic.c_str(), nullptr);
    await_metadata(producer, topic);
    std::vector<char> payload(options_.record_bytes, 'x');
    const std::uint64_t interval = kNanosPerSecond / options_.rate;
    const std::uint64_t begin = now_ns() + kNanosPerSecond / 10;
    for (std::uint64_t i = 0; i < total_; ++i) {
      const std::uint64_t intended = begin + i * interval;
      if (now_ns() < intended) sleep_until(intended);
      std::memcpy(payload.data(), &i, sizeof i);
      std::memcpy(payload.data() + sizeof i, &intended, sizeof intended);
      if (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, payload.data(), payload.size(), nullptr,
                           0, nullptr) != 0) {
        ++sent_.failed;
      }
      if (i % 16 == 0) rd_kafka_poll(producer, 0);
      const std::uint64_t behind = now_ns() - intended;
      if (now_ns() > intended && behind > latest_send_ns_) latest_send_ns_ = behind;
    }
    rd_kafka_flush(producer, 30'000);
    sending_done_.store(true);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
  }

  static void await_metadata(rd_kafka_t* producer, rd_kafka_topic_t* topic) {
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(producer, 0, topic, &metadata, 10'000))
      give_up("no metadata for the topic");
    rd_kafka_metadata_destroy(metadata);
  }

  void receive() {
    rd_kafka_t* consumer = open_client(RD_KAFKA_CONSUMER,
                                       {{"bootstrap.servers", options_.bootstrap},
                                        {"group.id", "unused-because-the-partition-is-assigned"},
                                        {"enable.auto.commit", "false"},
                                        {"enable.partition.eof", "true"},
                                        {"fetch.wait.max.ms", "500"},
                                        {"fetch.min.bytes", "1"}},
                                       nullptr);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t* assignment = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(assignment, options_.topic.c_str(), 0)->offset =
        RD_KAFKA_OFFSET_END;
    rd_kafka_assign(consumer, assignment);
    rd_kafka_topic_partition_list_destroy(assignment);
    rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(consumer);
    std::uint64_t idle_since = now_ns();
    while (received_ < total_) {
      rd_kafka_message_t* messages[kBatchMax];
      const ssize_t count = next_messages(queue, messages);
      const std::uint64_t arrived = now_ns();
      if (count > 0) idle_since = arrived;
      if (sending_done_.load() && arrived - idle_since > 5 * kNanosPerSecond) break;
      if (!receiving_.load() && arrived - idle_since > 30 * kNanosPerSecond)
        give_up("the partition was never read");
      for (ssize_t i = 0; i < count; ++i)
        take(*messages[i], arrived), rd_kafka_message_destroy(messages[i]);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(consumer);
  }

  // Waits for one message, and takes with it what else is there. Asked for many, librdkafka waits until it has so many.
  static ssize_t next_messages(rd_kafka_queue_t* queue, rd_kafka_message_t** messages) {
    const ssize_t first = rd_kafka_consume_batch_queue(queue, 100, messages, 1);
    if (first < 1) return first;
    const ssize_t more = rd_kafka_consume_batch_queue(queue, 0, messages + 1, kBatchMax - 1);
    return 1 + std::max<ssize_t>(more, 0);
  }

  void take(const rd_kafka_message_t& message, std::uint64_t arrived) {
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) receiving_.store(true);
    if (message.err || message.len < 2 * sizeof(std::uint64_t)) return;
    std::uint64_t index = 0;
    std::uint64_t intended = 0;
    std::memcpy(&index, message.payload, sizeof index);
    std::memcpy(&intended, static_cast<const char*>(message.payload) + sizeof index,
                sizeof intended);
    ++received_;
    if (index >= options_.warm_up_seconds * options_.rate)
      histogram_.add((arrived - intended) / 1'000);
  }

  void print() const {
    std::printf(
        "{\"sent\": %llu, \"received\": %llu, \"failed\": %llu, \"p50_us\": %llu, \"p99_us\": "
        "%llu, "
        "\"p999_us\": %llu, \"max_us\": %llu, \"latest_send_us\": %llu}\n",
        number(total_), number(received_), number(sent_.failed), number(histogram_.quantile(0.5)),
        number(histogram_.quantile(0.99)), number(histogram_.quantile(0.999)),
        number(histogram_.max()), number(latest_send_ns_ / 1'000));
  }

  static unsigned long long number(std::uint64_t value) { return value; }

  const Options options_;
  const std::uint64_t total_;
  Sent sent_;                         // the sending thread's
  std::uint64_t latest_send_ns_ = 0;  // the sending thread's: how far it fell behind at worst
  Histogram histogram_;               // the receiving thread's
  std::uint64_t received_ = 0;        // the receiving thread's
  std::atomic<bool> receiving_ = false;
  std::atomic<bool> sending_done_ = false;
};

void describe(CLI::App& app, Options& options) {
  app.add_option("--bootstrap", options.bootstrap)->required();
  app.add_option("--topic", options.topic)->required();
  app.add_option("--rate", options.rate)->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
  app.add_option("--warm-up", options.warm_up_seconds);
  app.add_option("--bytes", options.record_bytes)->check(CLI::Range(16, 1 << 20));
  app.add_option("--acks", options.acks);
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  millrace::bench::Options options;
  CLI::App app("Time from the intended send to the receipt");
  millrace::bench::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  return millrace::bench::Run(options).execute();
}
