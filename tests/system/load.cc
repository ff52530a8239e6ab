// system_load: the load and the judge of the tests that kill a broker or cut its power.
//
//   system_load send   --bootstrap A --topic T --partitions N --history F --acks all|1 [--rate R]
//   system_load verify --bootstrap A --topic T --partitions N --history F [--tail-may-be-lost 1]
//
// `send` numbers the records of each partition and appends a line `partition offset number` to the
// history for every acknowledged one, until SIGTERM. With acks=all it is an idempotent producer
// that retries for ever; with acks=1 it never sends a record twice. Either way each record may be
// in the log once at most, in the order of its number. `verify` reads the whole topic and holds it
// against the history: every acknowledged record at its offset, none twice, none out of order, none
// invented. With --tail-may-be-lost acknowledged records may be missing, but only from the end of a
// partition.

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace millrace::system {
namespace {

constexpr int kReadTimeoutMs = 60'000;
constexpr std::size_t kPaddingMax = 700;

struct Options {
  std::string bootstrap;
  std::string topic;
  std::string history;
  std::string acks = "all";
  int partitions = 1;
  std::uint64_t rate = 2'000;
  bool tail_may_be_lost = false;
};

volatile sig_atomic_t stop_requested = 0;
void on_signal(int) {
  stop_requested = 1;
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "system_load: %s\n", why.c_str());
  std::exit(2);
}

double now_seconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// The value of a record follows from its partition and number, so that a damaged one is noticed.
std::string value_of(int partition, std::uint64_t number) {
  const std::uint64_t mixed =
      (number * 0x9E3779B97F4A7C15ULL) ^ static_cast<std::uint64_t>(partition);
  const std::size_t padding = (mixed >> 20) % kPaddingMax;
  std::string value = std::to_string(partition) + " " + std::to_string(number) + " ";
  value.append(padding, static_cast<char>('a' + mixed % 26));
  return value;
}

rd_kafka_t* open_client(rd_kafka_type_t type,
                        const std::vector<std::pair<const char*, std::string>>& settings,
                        void* opaque,
                        void (*on_delivery)(rd_kafka_t*, const rd_kafka_message_t*, void*)) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char reason[512];
  for (const auto& [key, value] : settings) {
    if (rd_kafka_conf_set(conf, key, value.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK)
      give_up(reason);
  }
  rd_kafka_conf_set_opaque(conf, opaque);
  if (on_delivery != nullptr) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_conf_set_log_cb(conf, nullptr);
  rd_kafka_t* client = rd_kafka_new(type, conf, reason, sizeof reason);
  if (client == nullptr) give_up(reason);
  return client;
}

// Sender produces at a steady rate and writes down what was acknowledged.
class Sender {
 public:
  explicit Sender(const Options& options)
      : options_(options), next_(static_cast<std::size_t>(options.partitions), 0) {
    history_ = std::fopen(options.history.c_str(), "a");
    if (history_ == nullptr) give_up("cannot write " + options.history);
    const bool idempotent = options.acks == "all";
    producer_ =
        open_client(RD_KAFKA_PRODUCER,
                    {{"bootstrap.servers", options.bootstrap},
                     {"acks", options.acks},
                     {"enable.idempotence", idempotent ? "true" : "false"},
                     {"message.send.max.retries", idempotent ? "2147483647" : "0"},
                     // Without sequences, a request that could not be sent would be overtaken.
                     {"max.in.flight", idempotent ? "5" : "1"},
                     {"message.timeout.ms", "600000"},
                     {"socket.timeout.ms", "10000"},
                     {"reconnect.backoff.ms", "10"},
                     {"reconnect.backoff.max.ms", "100"},
                     {"retry.backoff.ms", "20"},
                     {"linger.ms", "2"},
                     {"queue.buffering.max.messages", "20000"}},
                    this, &Sender::on_delivery);
  }

  int run() {
    const double begin = now_seconds();
    std::uint64_t sent = 0;
    while (!stop_requested) {
      const auto due =
          static_cast<std::uint64_t>((now_seconds() - begin) * static_cast<double>(options_.rate));
      while (sent < due && send_one(static_cast<int>(sent % next_.size()))) ++sent;
      // A full queue means that the broker is away; what is overdue then is not made up for.
      if (sent < due) sent = due;
      rd_kafka_poll(producer_, 2);
      std::fflush(history_);
    }
    rd_kafka_flush(producer_, kFlushMs);
    std::fclose(history_);
    std::printf("{\"acknowledged\": %llu, \"failed\": %llu}\n",
                static_cast<unsigned long long>(acknowledged_),
                static_cast<unsigned long long>(failed_));
    std::fflush(stdout);
    std::_Exit(0);  // what is still queued stays unacknowledged
  }

 private:
  static constexpr int kFlushMs = 5'000;

  bool send_one(int partition) {
    std::uint64_t& number = next_[static_cast<std::size_t>(partition)];
    const std::string value = value_of(partition, number);
    const auto error = rd_kafka_producev(
        producer_, RD_KAFKA_V_TOPIC(options_.topic.c_str()), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(static_cast<std::uintptr_t>(number))),
        RD_KAFKA_V_END);
    if (error) return false;
    ++number;
    return true;
  }

  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto* sender = static_cast<Sender*>(opaque);
    if (message->err) {
      ++sender->failed_;
      return;
    }
    ++sender->acknowledged_;
    std::fprintf(
        sender->history_, "%d %lld %llu\n", message->partition,
        static_cast<long long>(message->offset),
        static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(message->_private)));
  }

  const Options options_;
  std::vector<std::uint64_t> next_;  // the next number of each partition
  std::FILE* history_ = nullptr;
  rd_kafka_t* producer_ = nullptr;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t failed_ = 0;
};

struct Partition {
  std::map<std::int64_t, std::uint64_t> acknowledged;  // offset to number
  std::map<std::int64_t, std::uint64_t> read;
};

// Judge reads the topic once and compares.
class Judge {
 public:
  explicit Judge(const Options& options)
      : options_(options), partitions_(static_cast<std::size_t>(options.partitions)) {}

  int run() {
    load_history();
    for (int i = 0; i < options_.partitions; ++i) read(i);
    for (int i = 0; i < options_.partitions; ++i) judge(i);
    std::printf(
        "{\"acknowledged\": %llu, \"read\": %llu, \"lost\": %llu, \"lost_not_at_the_end\": %llu, "
        "\"twice\": %llu, "
        "\"out_of_order\": %llu, \"different\": %llu, \"damaged\": %llu}\n",
        count(acknowledged_), count(read_), count(lost_), count(lost_inside_), count(twice_),
        count(out_of_order_), count(different_), count(damaged_));
    const std::uint64_t wrong = (options_.tail_may_be_lost ? lost_inside_ : lost_) + twice_ +
                                out_of_order_ + (options_.tail_may_be_lost ? 0 : different_) +
                                damaged_;
    return wrong == 0 ? 0 : 1;
  }

 private:
  static unsigned long long count(std::uint64_t value) { return value; }

  void load_history() {
    std::FILE* history = std::fopen(options_.history.c_str(), "r");
    if (history == nullptr) give_up("cannot read " + options_.history);
    int partition = 0;
    long long offset = 0;
    unsigned long long number = 0;
    while (std::fscanf(history, "%d %lld %llu", &partition, &offset, &number) == 3) {
      if (partition < 0 || partition >= options_.partitions)
        give_up("the history has an unknown partition");
      partitions_[static_cast<std::size_t>(partition)].acknowledged[offset] = number;
      ++acknowledged_;
    }
    std::fclose(history);
  }

  void read(int index) {
    rd_kafka_t* consumer = open_client(RD_KAFKA_CONSUMER,
                                       {{"bootstrap.servers", options_.bootstrap},
                                        {"group.id", "unused-because-the-partition-is-assigned"},
                                        {"enable.auto.commit", "false"},
                                        {"enable.partition.eof", "true"},
                                        {"check.crcs", "true"},
                                        {"fetch.wait.max.ms", "50"}},
                                       nullptr, nullptr);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t* assignment = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(assignment, options_.topic.c_str(), index)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, assignment);
    rd_kafka_topic_partition_list_destroy(assignment);
    const double deadline = now_seconds() + kReadTimeoutMs / 1e3;
    bool ended = false;
    while (!ended && now_seconds() < deadline) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, 200);
      if (message == nullptr) continue;
      ended = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
      if (!message->err)
        take(index, *message);
      else if (!ended)
        std::fprintf(stderr, "read: %s\n", rd_kafka_err2name(message->err));
      rd_kafka_message_destroy(message);
    }
    if (!ended) give_up("partition " + std::to_string(index) + " was not read to its end in time");
    rd_kafka_destroy(consumer);
  }

  void take(int index, const rd_kafka_message_t& message) {
    const std::string value(static_cast<const char*>(message.payload), message.len);
    int partition = -1;
    unsigned long long number = 0;
    ++read_;
    if (std::sscanf(value.c_str(), "%d %llu", &partition, &number) != 2 || partition != index ||
        value != value_of(partition, number)) {
      ++damaged_;
      return;
    }
    partitions_[static_cast<std::size_t>(index)].read[message.offset] = number;
  }

  void judge(int index) {
    const Partition& partition = partitions_[static_cast<std::size_t>(index)];
    const std::int64_t end = partition.read.empty() ? 0 : partition.read.rbegin()->first + 1;
    for (const auto& [offset, number] : partition.acknowledged) {
      const auto found = partition.read.find(offset);
      if (found != partition.read.end() && found->second == number) continue;
      complain("acknowledged but not there", index, offset, number);
      ++lost_;
      if (found == partition.read.end() && offset < end) ++lost_inside_;
      if (found != partition.read.end()) ++different_;
    }
    bool first = true;
    std::uint64_t last = 0;
    for (const auto& [offset, number] : partition.read) {
      if (!first && number == last) ++twice_, complain("there twice", index, offset, number);
      if (!first && number < last) ++out_of_order_, complain("out of order", index, offset, number);
      first = false;
      last = number;
    }
  }

  void complain(const char* what, int index, std::int64_t offset, std::uint64_t number) {
    if (++complaints_ > kComplaintsMax) return;
    std::fprintf(stderr, "%s: partition %d offset %lld number %llu\n", what, index,
                 static_cast<long long>(offset), count(number));
  }

  static constexpr int kComplaintsMax = 10;

  const Options options_;
  std::vector<Partition> partitions_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t read_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t lost_inside_ = 0;
  std::uint64_t twice_ = 0;
  std::uint64_t out_of_order_ = 0;
  std::uint64_t different_ = 0;
  std::uint64_t damaged_ = 0;
  int complaints_ = 0;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    const std::string value = argv[i + 1];
    if (key == "--bootstrap")
      options.bootstrap = value;
    else if (key == "--topic")
      options.topic = value;
    else if (key == "--history")
      options.history = value;
    else if (key == "--acks")
      options.acks = value;
    else if (key == "--partitions")
      options.partitions = std::stoi(value);
    else if (key == "--rate")
      options.rate = std::stoull(value);
    else if (key == "--tail-may-be-lost")
      options.tail_may_be_lost = value == "1";
    else
      give_up("unknown option " + key);
  }
  if (options.bootstrap.empty() || options.topic.empty() || options.history.empty() ||
      options.partitions < 1) {
    give_up("--bootstrap, --topic, --partitions and --history are needed");
  }
  return options;
}

}  // namespace
}  // namespace millrace::system

int main(int argc, char** argv) {
  using namespace millrace::system;
  if (argc < 2) give_up("say send or verify");
  const std::string what = argv[1];
  const Options options = parse(argc, argv);
  if (what == "verify") return Judge(options).run();
  if (what != "send") give_up("say send or verify");
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  return Sender(options).run();
}
