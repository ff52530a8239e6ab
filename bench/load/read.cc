// bench_read --port P --topic T --bytes-per-second N [--drop FOLDER]
//
// A consumer of partition 0 that reads it again and again at an even pace, a request of 1 MiB at a time, until its
// standard input ends. It looks at the heads of the batches and lets the kernel throw the records away, so that it takes
// from the broker's cores little more than a consumer on another machine would. With --drop, the segments in that folder
// leave the page cache before each pass. Prints one line of JSON: the bytes of records that came.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "bench/load/request.h"

namespace millrace::bench {
namespace {

constexpr std::int32_t kFetchBytes = 1 << 20;
constexpr std::int32_t kFetchWaitMs = 500;
constexpr std::size_t kBatchHeadBytes = 61;

struct Options {
  std::uint16_t port = 0;
  std::string topic;
  std::uint64_t bytes_per_second = 0;
  std::string drop;
};

// Fetch 11 of partition 0, outside any session.
Writer fetch_request(const std::string& topic, std::int64_t offset) {
  Writer body = begin_request(1, 11);
  body.number<std::int32_t>(-1);
  body.number<std::int32_t>(kFetchWaitMs);
  body.number<std::int32_t>(1);
  body.number<std::int32_t>(kFetchBytes);
  body.number<std::int8_t>(0);
  body.number<std::int32_t>(0);
  body.number<std::int32_t>(-1);
  body.number<std::int32_t>(1);
  body.text(topic);
  body.number<std::int32_t>(1);
  body.number<std::int32_t>(0);
  body.number<std::int32_t>(-1);
  body.number<std::int64_t>(offset);
  body.number<std::int64_t>(-1);
  body.number<std::int32_t>(kFetchBytes);
  body.number<std::int32_t>(0);
  body.text("");
  return body;
}

// Consumer holds the connection and where it reads.
class Consumer {
 public:
  explicit Consumer(const Options& options) : topic_(options.topic), socket_(connect_to(options.port)) {}
  ~Consumer() { close(socket_); }
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  std::uint64_t bytes_read() const { return bytes_read_; }
  void rewind() { offset_ = 0; }

  // One request and its answer. False at the end of the partition.
  bool fetch() {
    send_all(socket_, frame_of(fetch_request(topic_, offset_)));
    // Length, correlation id, throttle time, error, session, and what describes the only partition of the only topic.
    std::vector<std::byte> head(4 + 4 + 4 + 2 + 4 + 4 + 2 + topic_.size() + 4 + 4 + 2 + 8 * 3 + 4 + 4 + 4);
    receive(head);
    Reader reader(head);
    reader.take(4 + 4 + 4);
    const auto error = reader.number<std::int16_t>();
    reader.take(4 + 4 + 2 + topic_.size() + 4 + 4);
    const auto partition_error = reader.number<std::int16_t>();
    if (error != 0 || partition_error != 0) give_up("Fetch answered an error");
    const auto high_watermark = reader.number<std::int64_t>();
    reader.take(8 + 8);
    if (reader.number<std::int32_t>() > 0) give_up("Fetch named aborted transactions, which this does not read");
    reader.take(4);
    take_batches(std::max(reader.number<std::int32_t>(), 0));
    return offset_ < high_watermark;
  }

 private:
  // Moves offset_ behind the last whole batch of the `left` bytes that come next.
  void take_batches(std::int32_t left) {
    bytes_read_ += static_cast<std::uint64_t>(left);
    while (left > 0) {
      std::byte bytes[kBatchHeadBytes];
      const auto head = std::span(bytes).first(std::min<std::size_t>(kBatchHeadBytes, static_cast<std::size_t>(left)));
      receive(head);
      left -= static_cast<std::int32_t>(head.size());
      if (head.size() < kBatchHeadBytes) return;
      Reader reader(head);
      const auto base_offset = reader.number<std::int64_t>();
      const std::int32_t rest = reader.number<std::int32_t>() + 12 - static_cast<std::int32_t>(kBatchHeadBytes);
      reader.take(4 + 1 + 4 + 2);
      const auto last_offset_delta = reader.number<std::int32_t>();
      if (rest < 0) give_up("a batch is shorter than its head");
      discard(std::min(rest, left));
      if (rest > left) return;
      left -= rest;
      offset_ = base_offset + last_offset_delta + 1;
    }
  }

  void receive(std::span<std::byte> bytes) {
    if (recv(socket_, bytes.data(), bytes.size(), MSG_WAITALL) != static_cast<ssize_t>(bytes.size())) {
      give_up("the connection broke while waiting for an answer");
    }
  }

  void discard(std::int32_t count) {
    while (count > 0) {
      const ssize_t gone = recv(socket_, nullptr, static_cast<std::size_t>(count), MSG_TRUNC | MSG_WAITALL);
      if (gone <= 0) give_up("the connection broke within an answer");
      count -= static_cast<std::int32_t>(gone);
    }
  }

  std::string topic_;
  int socket_;
  std::int64_t offset_ = 0;
  std::uint64_t bytes_read_ = 0;
};

void drop_page_cache(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".log") continue;
    const int file = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0 || fdatasync(file) != 0 || posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0) {
      give_up("cannot drop " + entry.path().string());
    }
    close(file);
  }
}

// Sleeps until `until`. False as soon as standard input has ended.
bool goes_on(std::uint64_t until) {
  const std::uint64_t now = now_ns();
  const std::uint64_t wait_ns = until > now ? until - now : 0;
  const timespec wait{.tv_sec = static_cast<time_t>(wait_ns / kNanosPerSecond),
                      .tv_nsec = static_cast<long>(wait_ns % kNanosPerSecond)};
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ppoll(&input, 1, &wait, nullptr) == 0;
}

int run(const Options& options) {
  Consumer consumer(options);
  const std::uint64_t begin = now_ns();
  for (bool at_end = true, going = true; going;) {
    if (at_end) {
      consumer.rewind();
      if (!options.drop.empty()) drop_page_cache(options.drop);
    }
    at_end = !consumer.fetch();
    const double due = static_cast<double>(consumer.bytes_read()) / static_cast<double>(options.bytes_per_second);
    going = goes_on(begin + static_cast<std::uint64_t>(due * static_cast<double>(kNanosPerSecond)));
  }
  std::printf("{\"bytes_read\": %llu}\n", static_cast<unsigned long long>(consumer.bytes_read()));
  return 0;
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  millrace::bench::Options options;
  CLI::App app("A consumer that reads a partition again and again at an even pace");
  app.add_option("--port", options.port)->required();
  app.add_option("--topic", options.topic)->required();
  app.add_option("--bytes-per-second", options.bytes_per_second)->required()->check(CLI::PositiveNumber);
  app.add_option("--drop", options.drop)->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);
  return millrace::bench::run(options);
}
