// What it costs to receive requests: CPU seconds of the serving thread per GB, the kernel's part
// included.
//
//   net_receive [--size BYTES] [--depth N] [--megabytes N] [--rounds N] [--backend io_uring|epoll]
//               [--only floor|server]
//
// `floor` is a bare loop: blocking recv of header and payload straight into one buffer, a checksum,
// a small answer. `server` is net/transport with a handler that does as much. Both are driven by
// the same thread over one loopback connection with `depth` requests outstanding, in turn, `rounds`
// times, on the same cores, with the same socket buffers and congestion control; medians are
// printed, and the median of the rounds' ratios.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "bench/micro/loopback.h"
#include "io/run.h"
#include "io/shard.h"
#include "net/transport/server.h"
#include "net/transport/tcp_stack.h"

namespace millrace::bench {
namespace {

struct Settings {
  std::size_t size = 131072;
  std::size_t depth = 5;
  std::size_t megabytes = 64;
  std::size_t rounds = 5;
  std::string backend = "io_uring";
  std::string only;
};

constexpr std::size_t kAnswerBytes = 32;

// Keeps `depth` requests outstanding until `count` are answered.
std::uint64_t drive(const Settings& settings, const net::Address& address, std::size_t count) {
  const int socket = connect_to(address);
  std::byte* frame = make_buffer(settings.size);
  std::vector<std::byte> start;
  const std::size_t body = settings.size - 64;
  const std::size_t at = wire::start_request_frame(
      start, {.api_key = wire::ApiKey::produce, .api_version = 3, .client_id = "bench"}, body);
  std::memcpy(frame, start.data(), at);
  const std::size_t bytes = at + body;
  std::byte answer[kAnswerBytes];
  std::size_t sent = 0;
  for (std::size_t done = 0; done < count; ++done) {
    for (; sent < count && sent < done + settings.depth; ++sent) {
      CHECK(send_whole(socket, frame, bytes));
    }
    CHECK(receive_whole(socket, answer, sizeof answer));
  }
  ::close(socket);
  std::free(frame);
  return std::uint64_t{count} * bytes;
}

// What the server tells of itself.
struct Told {
  std::uint64_t checksum = 0;
  std::uint64_t receive_calls = 0;
  std::uint64_t bytes_moved = 0;
};

using Ready = std::promise<net::Address>;

void serve_floor(const Settings& settings, Ready& ready, Used& used, Told& told) {
  net::Address address;
  const int listener = listen_somewhere(address);
  ready.set_value(address);
  const int socket = accept_one(listener);
  std::byte* buffer = make_buffer(settings.size);
  const Meter meter;
  while (receive_whole(socket, buffer, 4)) {
    const auto length = static_cast<std::size_t>(load_big_endian<std::int32_t>(buffer));
    if (!receive_whole(socket, buffer, length)) break;
    told.checksum += crc32c({buffer, length});
    std::byte answer[kAnswerBytes] = {};
    if (!send_whole(socket, answer, sizeof answer)) break;
  }
  meter.stop(used);
  ::close(socket);
  ::close(listener);
  std::free(buffer);
}

class ChecksumHandler final : public net::RequestHandler {
 public:
  io::Task<net::Response> handle(net::Request request) override {
    checksum += crc32c(request.body);
    co_return net::Response(std::vector<std::byte>(kAnswerBytes));
  }
  std::uint64_t checksum = 0;
};

void serve_server(const Settings& settings, Ready& ready, Used& used, Told& told) {
  auto proactor =
      io::make_proactor(settings.backend == "epoll" ? io::Backend::epoll : io::Backend::io_uring);
  CHECK(proactor.has_value(), "{}", proactor.error().message);
  io::Reactor reactor(ShardId{0}, **proactor);
  const io::Reactor::Enter enter(reactor);
  net::TcpStack stack(**proactor);
  ChecksumHandler handler;
  net::ServerOptions options;
  options.listeners = {bench_listener()};
  net::Server server(stack, handler, {}, options);
  CHECK(server.listen().has_value());
  server.start();
  ready.set_value(server.address(0));
  const Meter meter;
  io::run_task(reactor, serve_one(server));
  meter.stop(used);
  told = {.checksum = handler.checksum,
          .receive_calls = server.connection_counts().receive_calls,
          .bytes_moved = server.connection_counts().bytes_moved};
}

using Serve = std::function<void(const Settings&, Ready&, Used&, Told&)>;

// What the rounds gave for one of the two.
struct Side {
  const char* name;
  Serve serve;
  std::vector<double> cpu_s_per_gb;
  std::vector<double> sleeps_per_request;
  Told told;  // by the last round
};

void run_round(const Settings& settings, std::size_t count, Side& side) {
  const Used used = measure(
      [&](Ready& ready, Used& measured) { side.serve(settings, ready, measured, side.told); },
      [&](const net::Address& address) { return drive(settings, address, count); });
  side.cpu_s_per_gb.push_back(used.cpu_seconds / static_cast<double>(used.bytes) * 1e9);
  side.sleeps_per_request.push_back(static_cast<double>(used.sleeps) / static_cast<double>(count));
}

void print(const Settings& settings, std::size_t count, const Side& side) {
  if (side.cpu_s_per_gb.empty()) return;
  const auto requests = static_cast<double>(count);
  fmt::print(
      "{:6} size={} cpu_s_per_gb={:.3f} sleeps_per_request={:.2f} receives_per_request={:.2f} "
      "moved={:.4f} checksum={:x}\n",
      side.name, settings.size, median(side.cpu_s_per_gb), median(side.sleeps_per_request),
      static_cast<double>(side.told.receive_calls) / requests,
      static_cast<double>(side.told.bytes_moved) / (requests * static_cast<double>(settings.size)),
      side.told.checksum);
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  using namespace millrace::bench;
  Settings settings;
  CLI::App app("CPU per GB received");
  app.add_option("--size", settings.size)->check(CLI::Range(1024, 16 << 20));
  app.add_option("--depth", settings.depth)->check(CLI::Range(1, 1000));
  app.add_option("--megabytes", settings.megabytes)->check(CLI::Range(1, 100000));
  app.add_option("--backend", settings.backend)->check(CLI::IsMember({"io_uring", "epoll"}));
  app.add_option("--rounds", settings.rounds)->check(CLI::Range(1, 1000));
  app.add_option("--only", settings.only)->check(CLI::IsMember({"floor", "server"}));
  CLI11_PARSE(app, argc, argv);
  const std::size_t count =
      std::max<std::size_t>(1, settings.megabytes * 1'000'000 / settings.size);
  Side floor{.name = "floor", .serve = serve_floor};
  Side server{.name = "server", .serve = serve_server};
  for (std::size_t round = 0; round < settings.rounds; ++round) {
    if (settings.only != "server") run_round(settings, count, floor);
    if (settings.only != "floor") run_round(settings, count, server);
  }
  print(settings, count, floor);
  print(settings, count, server);
  if (settings.only.empty()) print_ratio(floor.cpu_s_per_gb, server.cpu_s_per_gb);
  return 0;
}
