// bench_durable --port P --topic T [--partitions N] [--batch-bytes B] [--seconds S] [--warm-up S] [--every-us U]
//
// Many producers that each wait for the acknowledgement: one connection per partition, one Produce
// request (acks=all, one batch) outstanding on each. One thread and one epoll serve all of them, so
// that the load takes little from the broker's cores. With --every-us the loop is open: a connection's request is due so
// long after its last one was, and its time counts from when it was due. Prints one line of JSON: batches per second
// and the quantiles of the time from request to answer.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <memory>

#include "base/crc32c.h"
#include "bench/load/histogram.h"
#include "bench/load/poll.h"
#include "bench/load/request.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kAnswerBytesMax = 4096;
constexpr std::uint64_t kAnswerWaitNs = 20 * kNanosPerSecond;

struct Options {
  std::uint16_t port = 0;
  std::string topic;
  int partitions = 64;
  std::size_t batch_bytes = 16 * 1024;
  std::uint64_t seconds = 10;
  std::uint64_t warm_up_seconds = 2;
  std::uint64_t every_us = 0;
};

// A record batch of format 2 with one record, about `size` bytes long.
std::vector<std::byte> make_batch(std::size_t size) {
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  const std::int64_t timestamp = static_cast<std::int64_t>(wall.tv_sec) * 1000;
  const std::vector<std::byte> value(size > 80 ? size - 80 : 1, std::byte{'v'});
  Writer record;
  record.number<std::int8_t>(0);
  record.varint(0);
  record.varint(0);
  record.varint(-1);
  record.varint(static_cast<std::int64_t>(value.size()));
  record.append(value);
  record.varint(0);
  Writer covered;  // what the checksum covers
  covered.number<std::int16_t>(0);
  covered.number<std::int32_t>(0);
  covered.number<std::int64_t>(timestamp);
  covered.number<std::int64_t>(timestamp);
  covered.number<std::int64_t>(-1);
  covered.number<std::int16_t>(-1);
  covered.number<std::int32_t>(-1);
  covered.number<std::int32_t>(1);
  covered.varint(static_cast<std::int64_t>(record.bytes().size()));
  covered.append(record.bytes());
  Writer batch;
  batch.number<std::int64_t>(0);
  batch.number<std::int32_t>(static_cast<std::int32_t>(covered.bytes().size() + 9));
  batch.number<std::int32_t>(-1);
  batch.number<std::int8_t>(2);
  batch.number<std::uint32_t>(crc32c(covered.bytes()));
  batch.append(covered.bytes());
  return batch.bytes();
}

// A Produce request, version 7, acks=all, for one partition, with its length in front.
std::vector<std::byte> make_request(const std::string& topic, int partition,
                                    std::span<const std::byte> batch) {
  Writer body = begin_request(0, 7);
  body.number<std::int16_t>(-1);
  body.number<std::int16_t>(-1);
  body.number<std::int32_t>(30'000);
  body.number<std::int32_t>(1);
  body.text(topic);
  body.number<std::int32_t>(1);
  body.number<std::int32_t>(partition);
  body.number<std::int32_t>(static_cast<std::int32_t>(batch.size()));
  body.append(batch);
  return frame_of(body);
}

struct FreeAligned {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};
using AlignedBytes = std::unique_ptr<std::byte[], FreeAligned>;

AlignedBytes aligned_copy(std::span<const std::byte> bytes) {
  const std::size_t rounded = (bytes.size() + kPageBytes - 1) / kPageBytes * kPageBytes;
  AlignedBytes copy(static_cast<std::byte*>(std::aligned_alloc(kPageBytes, rounded)));
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  return copy;
}

// Producer is one connection with one request that is sent again whenever it was answered.
class Producer {
 public:
  Producer(const Options& options, int partition) {
    const auto request = make_request(options.topic, partition, make_batch(options.batch_bytes));
    request_ = aligned_copy(request);
    request_bytes_ = request.size();
    answer_offset_ =
        4 + 4 + 4 + 2 + options.topic.size() + 4 + 4;  // up to the partition's error code
    socket_ = connect_to(options.port);
  }
  ~Producer() { close(socket_); }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  int socket() const { return socket_; }
  std::uint64_t due_at_ns() const { return due_at_ns_; }
  bool waits() const { return waits_; }

  // `due` is the moment that the request's time counts from.
  void send(std::uint64_t due) {
    due_at_ns_ = due;
    waits_ = true;
    send_all(socket_, {request_.get(), request_bytes_});
  }

  // Reads what has come. True once the whole answer is there and says that the batch was taken.
  bool answered() {
    const ssize_t count = recv(socket_, answer_ + answer_bytes_, sizeof answer_ - answer_bytes_, 0);
    if (count <= 0) give_up("the connection broke while waiting for an answer");
    answer_bytes_ += static_cast<std::size_t>(count);
    if (answer_bytes_ < 4) return false;
    std::uint32_t length = 0;
    std::memcpy(&length, answer_, sizeof length);
    length = ntohl(length);
    if (length + 4 > sizeof answer_) give_up("an answer is too long");
    if (answer_bytes_ < length + 4) return false;
    const int error = (answer_[answer_offset_ + 4] << 8) | answer_[answer_offset_ + 5];
    if (error != 0) give_up("Produce answered error " + std::to_string(error));
    answer_bytes_ = 0;
    waits_ = false;
    return true;
  }

 private:
  int socket_ = -1;
  AlignedBytes request_;
  std::size_t request_bytes_ = 0;
  std::size_t answer_offset_ = 0;
  std::uint64_t due_at_ns_ = 0;
  bool waits_ = false;  // for an answer
  unsigned char answer_[kAnswerBytesMax];
  std::size_t answer_bytes_ = 0;
};

using Producers = std::vector<std::unique_ptr<Producer>>;

std::uint64_t until_next(const Producers& producers, std::uint64_t every_ns, std::uint64_t now) {
  std::uint64_t least = kAnswerWaitNs;
  for (const auto& producer : producers) {
    if (producer->waits()) continue;
    const std::uint64_t due = producer->due_at_ns() + every_ns;
    least = std::min(least, due > now ? due - now : 0);
  }
  return least;
}

void send_due(const Producers& producers, std::uint64_t every_ns, std::uint64_t now) {
  for (const auto& producer : producers) {
    const std::uint64_t due = producer->due_at_ns() + every_ns;
    if (!producer->waits() && due <= now) producer->send(due);
  }
}

int run(const Options& options) {
  Poll<Producer> poll;
  std::vector<std::unique_ptr<Producer>> producers;
  for (int i = 0; i < options.partitions; ++i) {
    producers.push_back(std::make_unique<Producer>(options, i));
    poll.watch(*producers.back());
  }
  const std::uint64_t counted_from = now_ns() + options.warm_up_seconds * kNanosPerSecond;
  const std::uint64_t end = counted_from + options.seconds * kNanosPerSecond;
  const std::uint64_t every_ns = options.every_us * 1'000;
  for (std::size_t i = 0; i < producers.size(); ++i) {
    producers[i]->send(now_ns() + every_ns * i / producers.size());
  }
  auto histogram = std::make_unique<Histogram>();
  std::uint64_t now = now_ns();
  while (now < end) {
    const std::uint64_t wait_ns =
        every_ns == 0 ? kAnswerWaitNs : until_next(producers, every_ns, now);
    const int served = poll.wait(wait_ns, [&](Producer& producer, std::uint64_t at) {
      now = at;
      if (!producer.answered()) return;
      if (now >= counted_from && now < end && now > producer.due_at_ns()) {
        histogram->add((now - producer.due_at_ns()) / 1'000);
      }
      if (every_ns == 0) producer.send(now_ns());
    });
    if (served <= 0 && wait_ns >= kAnswerWaitNs) give_up("no answer for 20 seconds");
    now = now_ns();
    if (every_ns > 0) send_due(producers, every_ns, now);
  }
  std::printf(
      "{\"batches\": %llu, \"batches_per_second\": %.1f, \"p50_us\": %llu, \"p99_us\": %llu, "
      "\"max_us\": %llu}\n",
      static_cast<unsigned long long>(histogram->count()),
      static_cast<double>(histogram->count()) / static_cast<double>(options.seconds),
      static_cast<unsigned long long>(histogram->quantile(0.5)),
      static_cast<unsigned long long>(histogram->quantile(0.99)),
      static_cast<unsigned long long>(histogram->max()));
  return 0;
}

void describe(CLI::App& app, Options& options) {
  app.add_option("--port", options.port)->required();
  app.add_option("--topic", options.topic)->required();
  app.add_option("--partitions", options.partitions)->check(CLI::PositiveNumber);
  app.add_option("--batch-bytes", options.batch_bytes)->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
  app.add_option("--warm-up", options.warm_up_seconds);
  app.add_option("--every-us", options.every_us);
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  millrace::bench::Options options;
  CLI::App app("Producers that wait for acks=all");
  millrace::bench::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  return millrace::bench::run(options);
}
