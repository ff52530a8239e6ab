#include "cli/bench.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "cli/clock.h"
#include "cli/interrupt.h"
#include "cli/kafka_client.h"
#include "cli/latency_histogram.h"
#include "cli/option_checks.h"
#include "cli/output.h"

namespace millrace::cli {
namespace {

constexpr std::size_t kStampBytes = sizeof(std::int64_t);
constexpr int kRecordsPerTurn = 1000;
constexpr Duration kTurnMax = std::chrono::milliseconds(50);
// A record that does not come back for so long after the last was sent is counted as missing.
constexpr Duration kPatience = std::chrono::seconds(10);

struct BenchOptions {
  ConnectionOptions connection;
  std::string topic = "millrace-bench";
  int rate = 10'000;  // records per second
  int size = 100;     // bytes of a record
  int seconds = 10;
  int warmup_seconds = 1;
  std::string acks = "all";
  std::string compression = "none";
  int linger_ms = 0;
  std::vector<std::string> properties;
};

struct Measured {
  LatencyHistogram acknowledged;  // from the intended send time to the broker's acknowledgement
  LatencyHistogram end_to_end;    // from the intended send time to the consumer
  std::int64_t sent = 0;
  std::int64_t failed = 0;
  std::int64_t confirmed = 0;
  std::int64_t received = 0;
  Instant counted_from{};  // what was intended before is warm-up
};

void add_since(Measured& measured, LatencyHistogram& histogram, std::int64_t intended_ns) {
  const Instant intended{Duration(intended_ns)};
  if (intended >= measured.counted_from) histogram.add(now() - intended);
}

// The intended time travels in the first bytes of the record.
std::int64_t stamp_of(const rd_kafka_message_t& message) {
  std::int64_t stamp = 0;
  if (message.len >= kStampBytes) std::memcpy(&stamp, message.payload, kStampBytes);
  return stamp;
}

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& measured = *static_cast<Measured*>(opaque);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++measured.failed;
  } else {
    ++measured.confirmed;
    add_since(measured, measured.acknowledged, stamp_of(*message));
  }
}

// Both of librdkafka's queues ring this when something is put into them, so that the one loop
// neither spins nor is late.
class WakeUp {
 public:
  WakeUp() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;
  ~WakeUp() { ::close(descriptor_); }

  void ring_for(rd_kafka_queue_t* queue) const {
    static constexpr std::uint64_t kOne = 1;
    rd_kafka_queue_io_event_enable(queue, descriptor_, &kOne, sizeof kOne);
  }

  void wait(Duration at_most) const {
    pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
    const timespec timeout{.tv_sec = at_most.count() / 1'000'000'000,
                           .tv_nsec = at_most.count() % 1'000'000'000};
    std::uint64_t rung = 0;
    if (::ppoll(&waiting, 1, &timeout, nullptr) > 0)
      static_cast<void>(::read(descriptor_, &rung, sizeof rung) == 0);
  }

 private:
  int descriptor_;
};

// Sends at the intended times whatever the broker does, and reads everything back, in one loop.
//
// Lifetime:  of one run. Threads are librdkafka's.
class BenchRun {
 public:
  explicit BenchRun(const BenchOptions& options)
      : options_(options), payload_(static_cast<std::size_t>(options.size), 'x') {}
  BenchRun(const BenchRun&) = delete;
  BenchRun& operator=(const BenchRun&) = delete;
  ~BenchRun() {
    for (const std::int32_t partition : reading_)
      rd_kafka_consume_stop(read_topic_.get(), partition);
  }

  Result<void> prepare() {
    TRY(own, parse_properties(options_.properties));
    std::vector<ClientProperty> produce = {
        {"request.required.acks", options_.acks == "all" ? "-1" : options_.acks},
        {"compression.codec", options_.compression},
        {"linger.ms", std::to_string(options_.linger_ms)},
        {"queue.buffering.max.messages", "1000000"}};
    std::vector<ClientProperty> consume = {{"fetch.wait.max.ms", "100"}, {"check.crcs", "false"}};
    produce.insert(produce.end(), own.begin(), own.end());
    TRY(producer,
        make_client({RD_KAFKA_PRODUCER, options_.connection, produce, on_delivery, &measured_}));
    TRY(consumer, make_client({RD_KAFKA_CONSUMER, options_.connection, consume, nullptr, nullptr}));
    producer_ = std::move(producer);
    consumer_ = std::move(consumer);
    TRY_DONE(reach_broker(producer_.get(), options_.connection));
    write_topic_.reset(rd_kafka_topic_new(producer_.get(), options_.topic.c_str(), nullptr));
    queue_.reset(rd_kafka_queue_new(consumer_.get()));
    QueueHandle reports(rd_kafka_queue_get_main(producer_.get()));
    wake_.ring_for(queue_.get());
    wake_.ring_for(reports.get());
    TRY_DONE(create_topic());
    // Only now does the reader ask for it: it would remember for a while that there was none.
    read_topic_.reset(rd_kafka_topic_new(consumer_.get(), options_.topic.c_str(), nullptr));
    TRY(partitions, partitions_of(consumer_.get(), options_.topic, options_.connection));
    for (const std::int32_t partition : partitions) TRY_DONE(read_from_end(partition));
    return {};
  }

  const Measured& run() {
    const Duration interval(1'000'000'000 / options_.rate);
    const Instant start = now() + std::chrono::milliseconds(200);
    const std::int64_t total =
        static_cast<std::int64_t>(options_.rate) * (options_.seconds + options_.warmup_seconds);
    measured_.counted_from = start + std::chrono::seconds(options_.warmup_seconds);
    while (measured_.sent < total && !interrupted()) {
      for (Instant due = start + interval * measured_.sent; due <= now() && measured_.sent < total;
           due += interval)
        send(due);
      turn(start + interval * measured_.sent - now());
    }
    const Instant give_up = now() + kPatience;
    while (!is_complete() && now() < give_up && !interrupted()) {
      turn(kTurnMax);
    }
    return measured_;
  }

 private:
  bool is_complete() const {
    const std::int64_t wanted = measured_.sent - measured_.failed;
    return measured_.confirmed >= wanted && measured_.received >= wanted;
  }

  // Asking for a topic that is not there makes the broker create it, where it does so by itself.
  Result<void> create_topic() {
    const Instant give_up = now() + from_ms(options_.connection.timeout_ms);
    while (true) {
      const auto partitions = partitions_of(producer_.get(), options_.topic, options_.connection);
      if (partitions) return {};
      if (now() > give_up || interrupted()) return fail(partitions.error());
      rd_kafka_poll(producer_.get(), 100);
    }
  }

  // The end is asked for by its number, so that no record can be sent before the reader stands
  // there.
  Result<void> read_from_end(std::int32_t partition) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto code =
        rd_kafka_query_watermark_offsets(consumer_.get(), options_.topic.c_str(), partition, &low,
                                         &high, options_.connection.timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(error_from_kafka(code, options_.topic));
    if (rd_kafka_consume_start_queue(read_topic_.get(), partition, high, queue_.get()) != 0) {
      return fail(error_from_kafka(rd_kafka_last_error(), options_.topic));
    }
    reading_.push_back(partition);
    return {};
  }

  void send(Instant intended) {
    const std::int64_t stamp = intended.time_since_epoch().count();
    std::memcpy(payload_.data(), &stamp, kStampBytes);
    const int refused =
        rd_kafka_produce(write_topic_.get(), RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                         payload_.data(), payload_.size(), nullptr, 0, nullptr);
    ++measured_.sent;
    if (refused != 0) ++measured_.failed;
  }

  // Takes what has come, then waits until more comes or `spare` is over.
  void turn(Duration spare) {
    int taken = rd_kafka_poll(producer_.get(), 0);
    for (int i = 0; i < kRecordsPerTurn; ++i) {
      MessageHandle message(rd_kafka_consume_queue(queue_.get(), 0));
      if (!message) break;
      ++taken;
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      ++measured_.received;
      add_since(measured_, measured_.end_to_end, stamp_of(*message));
    }
    if (taken == 0 && spare > Duration(0)) wake_.wait(std::min<Duration>(spare, kTurnMax));
  }

  const BenchOptions& options_;
  std::string payload_;
  WakeUp wake_;
  Measured measured_;
  ClientHandle producer_;
  ClientHandle consumer_;
  TopicHandle write_topic_;
  TopicHandle read_topic_;
  QueueHandle queue_;
  std::vector<std::int32_t> reading_;
};

double micros(Duration duration) {
  return static_cast<double>(duration.count() / 100) / 10.0;
}

void add_row(Table& table, const char* name, const LatencyHistogram& histogram) {
  table.add({name, histogram.count(), micros(histogram.percentile(0.5)),
             micros(histogram.percentile(0.9)), micros(histogram.percentile(0.99)),
             micros(histogram.percentile(0.999)), micros(histogram.largest())});
}

struct BenchCommand {
  BenchOptions options;
  OutputFormat format = OutputFormat::table;

  Exit run() const {
    catch_interrupts();
    BenchRun bench(options);
    if (const auto prepared = bench.prepare(); !prepared) return finish(prepared);
    const Measured& measured = bench.run();
    Table table({"latency_us", "records", "p50", "p90", "p99", "p99.9", "max"});
    add_row(table, "acknowledged", measured.acknowledged);
    add_row(table, "end to end", measured.end_to_end);
    if (format == OutputFormat::table) {
      print_out(
          "{} records of {} bytes at {} per second, acks={}, from the intended send time; {} "
          "failed\n",
          measured.sent, options.size, options.rate, options.acks, measured.failed);
    }
    table.print(format);
    if (measured.failed == 0 && measured.received >= measured.sent) return Exit::done;
    print_error(fmt::format("{} records failed and {} did not come back", measured.failed,
                            measured.sent - measured.received));
    return Exit::failed;
  }
};

Action define(CLI::App& app) {
  auto command = std::make_shared<BenchCommand>();
  BenchOptions& options = command->options;
  add_connection_options(app, options.connection);
  add_format_option(app, command->format);
  app.add_option("-t,--topic", options.topic, "Topic to use; it keeps the records")
      ->capture_default_str();
  app.add_option("--rate", options.rate, "Records per second")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--size", options.size, "Bytes of a record")
      ->check(CLI::Range(static_cast<int>(kStampBytes), 1'000'000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "How long to measure")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_option("--warmup", options.warmup_seconds, "Seconds before that are not counted")
      ->check(CLI::Range(0, 600))
      ->capture_default_str();
  app.add_option("--acks", options.acks, "0, 1 or all")
      ->transform(one_of({"0", "1", "all"}))
      ->capture_default_str();
  app.add_option("-z,--compression", options.compression, "Codec of batches")
      ->transform(one_of({"none", "gzip", "snappy", "lz4", "zstd"}))
      ->capture_default_str();
  app.add_option("--linger", options.linger_ms, "Milliseconds the producer gathers records")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("-X,--property", options.properties,
                 "A property of librdkafka's producer, as name=value; may be repeated")
      ->allow_extra_args(false);
  return [command] { return command->run(); };
}

}  // namespace

const Command kBenchCommand = {
    "bench", "Measure latency at a steady rate: open loop, from the intended send time.", define,
    "  millrace bench --rate 10000 --size 100 --seconds 30\n"
    "  millrace bench --topic mine --acks 1 --format json"};

}  // namespace millrace::cli
