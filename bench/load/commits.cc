// bench_commits --port P --topic T [--groups G] [--connections C] [--depth D] [--seconds S] [--warm-up S]
//
// Committers of offsets: each of C connections keeps D requests on their way, each of one offset, for the G groups in
// turn. They are no members of their groups, so that all of a broker's work is for the commits. One thread and one
// epoll serve all of them. Prints one line of JSON: acknowledged commits per second and the quantiles of the time from
// request to answer.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <deque>
#include <memory>

#include "bench/load/histogram.h"
#include "bench/load/poll.h"
#include "bench/load/request.h"

namespace millrace::bench {
namespace {

constexpr std::int16_t kOffsetCommit = 8;
constexpr std::int16_t kVersion = 7;

struct Options {
  std::uint16_t port = 0;
  std::string topic;
  std::size_t groups = 1;
  std::size_t connections = 32;
  std::size_t depth = 8;
  std::uint64_t seconds = 10;
  std::uint64_t warm_up_seconds = 2;
};

std::string group_name(std::size_t number) {
  return "commits-" + std::to_string(number);
}

Writer commit_of(const Options& options, std::size_t group) {
  Writer body = begin_request(kOffsetCommit, kVersion);
  body.text(group_name(group));
  body.number<std::int32_t>(-1);
  body.text("");
  body.number<std::int16_t>(-1);
  body.number<std::int32_t>(1);
  body.text(options.topic);
  body.number<std::int32_t>(1);
  body.number<std::int32_t>(0);
  body.number<std::int64_t>(static_cast<std::int64_t>(group) + 1'000'000);
  body.number<std::int32_t>(-1);
  body.text("");
  return body;
}

std::int16_t error_of(std::span<const std::byte> answer) {
  Reader reader(answer);
  reader.number<std::int32_t>();
  reader.number<std::int32_t>();
  reader.text();
  reader.number<std::int32_t>();
  reader.number<std::int32_t>();
  return reader.number<std::int16_t>();
}

// Committer is one connection; answers come in the order of the requests.
class Committer {
 public:
  Committer(const Options& options, const std::vector<std::vector<std::byte>>& frames,
            std::size_t number)
      : frames_(frames),
        next_(number),
        step_(options.connections),
        socket_(connect_to(options.port)) {}
  ~Committer() { close(socket_); }
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  int socket() const { return socket_; }

  void send(std::size_t count) {
    Writer all;
    for (std::size_t i = 0; i < count; ++i, next_ += step_) {
      all.append(frames_[next_ % frames_.size()]);
      sent_at_ns_.push_back(now_ns());
    }
    send_all(socket_, all.bytes());
  }

  // Reads what has come, counts it, and sends as many requests again.
  void serve(Histogram& histogram, std::uint64_t now, bool counts) {
    answers_.receive(socket_);
    std::size_t answered = 0;
    for (std::span<const std::byte> answer; !(answer = answers_.next()).empty(); ++answered) {
      if (const std::int16_t error = error_of(answer); error != 0) {
        give_up("OffsetCommit answered error " + std::to_string(error));
      }
      if (counts) histogram.add((now - sent_at_ns_.front()) / 1'000);
      sent_at_ns_.pop_front();
    }
    if (answered > 0) send(answered);
  }

 private:
  const std::vector<std::vector<std::byte>>& frames_;
  std::size_t next_;
  std::size_t step_;
  int socket_;
  std::deque<std::uint64_t> sent_at_ns_;
  Answers answers_;
};

void await_coordinators(const Options& options) {
  const int socket = connect_to(options.port);
  for (std::size_t group = 0; group < options.groups; ++group)
    await_coordinator(socket, group_name(group));
  close(socket);
}

int run(const Options& options) {
  await_coordinators(options);
  std::vector<std::vector<std::byte>> frames;
  for (std::size_t group = 0; group < options.groups; ++group) {
    frames.push_back(frame_of(commit_of(options, group)));
  }
  Poll<Committer> poll;
  std::vector<std::unique_ptr<Committer>> committers;
  for (std::size_t i = 0; i < options.connections; ++i) {
    committers.push_back(std::make_unique<Committer>(options, frames, i));
    poll.watch(*committers.back());
  }
  const std::uint64_t counted_from = now_ns() + options.warm_up_seconds * kNanosPerSecond;
  const std::uint64_t end = counted_from + options.seconds * kNanosPerSecond;
  for (const auto& committer : committers) committer->send(options.depth);
  auto histogram = std::make_unique<Histogram>();
  while (now_ns() < end) {
    const int served = poll.wait(20 * kNanosPerSecond, [&](Committer& committer, std::uint64_t now) {
      committer.serve(*histogram, now, now >= counted_from);
    });
    if (served <= 0) give_up("no answer for 20 seconds");
  }
  std::printf(
      "{\"commits\": %llu, \"commits_per_second\": %.1f, \"p50_us\": %llu, \"p99_us\": %llu}\n",
      static_cast<unsigned long long>(histogram->count()),
      static_cast<double>(histogram->count()) / static_cast<double>(options.seconds),
      static_cast<unsigned long long>(histogram->quantile(0.5)),
      static_cast<unsigned long long>(histogram->quantile(0.99)));
  return 0;
}

void describe(CLI::App& app, Options& options) {
  app.add_option("--port", options.port)->required();
  app.add_option("--topic", options.topic)->required();
  app.add_option("--groups", options.groups)->check(CLI::PositiveNumber);
  app.add_option("--connections", options.connections)->check(CLI::PositiveNumber);
  app.add_option("--depth", options.depth)->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
  app.add_option("--warm-up", options.warm_up_seconds);
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  millrace::bench::Options options;
  CLI::App app("Commits of offsets");
  millrace::bench::describe(app, options);
  CLI11_PARSE(app, argc, argv);
  return millrace::bench::run(options);
}
