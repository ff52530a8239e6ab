// What it costs to receive requests: CPU seconds of the serving thread per GB, the kernel's part
// included.
//
//   net_receive [--size BYTES] [--depth N] [--megabytes N] [--backend io_uring|epoll]
//
// `floor` is a bare loop: blocking recv of header and payload straight into one buffer, a checksum,
// a small answer. `server` is net/transport with a handler that does as much. Both are driven by
// the same thread over one loopback connection with `depth` requests outstanding.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <future>
#include <thread>
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
  std::string backend = "io_uring";
};

constexpr std::size_t kAnswerBytes = 32;

// Keeps `depth` requests outstanding until `count` are answered.
void drive(const Settings& settings, const net::Address& address, std::size_t count) {
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
}

struct Measured {
  double cpu_seconds = 0;
  std::uint64_t checksum = 0;
  std::uint64_t receive_calls = 0;
  std::uint64_t bytes_moved = 0;
};

Measured serve_floor(const Settings& settings, std::promise<net::Address>& ready) {
  net::Address address;
  const int listener = listen_somewhere(address);
  ready.set_value(address);
  const int socket = accept_one(listener);
  std::byte* buffer = make_buffer(settings.size);
  Measured measured;
  const double before = thread_cpu_seconds();
  while (receive_whole(socket, buffer, 4)) {
    const auto length = static_cast<std::size_t>(load_big_endian<std::int32_t>(buffer));
    if (!receive_whole(socket, buffer, length)) break;
    measured.checksum += crc32c({buffer, length});
    std::byte answer[kAnswerBytes] = {};
    if (!send_whole(socket, answer, sizeof answer)) break;
  }
  measured.cpu_seconds = thread_cpu_seconds() - before;
  ::close(socket);
  ::close(listener);
  std::free(buffer);
  return measured;
}

class ChecksumHandler final : public net::RequestHandler {
 public:
  io::Task<net::Response> handle(net::Request request) override {
    checksum += crc32c(request.body);
    co_return net::Response(std::vector<std::byte>(kAnswerBytes));
  }
  std::uint64_t checksum = 0;
};

io::Task<void> serve_one(net::Server& server) {
  while (server.counts().accepted == 0 || server.connections() > 0) {
    co_await io::sleep_for(std::chrono::milliseconds(1));
  }
  co_await server.stop(std::chrono::seconds(1));
}

Measured serve_server(const Settings& settings, std::promise<net::Address>& ready) {
  auto proactor =
      io::make_proactor(settings.backend == "epoll" ? io::Backend::epoll : io::Backend::io_uring);
  CHECK(proactor.has_value(), "{}", proactor.error().message);
  io::Reactor reactor(ShardId{0}, **proactor);
  const io::Reactor::Enter enter(reactor);
  net::TcpStack stack(**proactor);
  ChecksumHandler handler;
  net::ServerOptions options;
  options.listeners = {{.name = "BENCH", .listen = {.address = {.host = "127.0.0.1"}}}};
  net::Server server(stack, handler, {}, options);
  CHECK(server.listen().has_value());
  server.start();
  ready.set_value(server.address(0));
  const double before = thread_cpu_seconds();
  io::run_task(reactor, serve_one(server));
  return {.cpu_seconds = thread_cpu_seconds() - before,
          .checksum = handler.checksum,
          .receive_calls = server.connection_counts().receive_calls,
          .bytes_moved = server.connection_counts().bytes_moved};
}

using Serve = std::function<Measured(const Settings&, std::promise<net::Address>&)>;

Measured measure(const Settings& settings, const Serve& serve, std::size_t count) {
  std::promise<net::Address> ready;
  Measured measured;
  std::thread server([&] { measured = serve(settings, ready); });
  drive(settings, ready.get_future().get(), count);
  server.join();
  return measured;
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
  CLI11_PARSE(app, argc, argv);
  const std::size_t count =
      std::max<std::size_t>(1, settings.megabytes * 1'000'000 / settings.size);
  const double gigabytes = static_cast<double>(count * settings.size) / 1e9;
  for (const auto& [name, serve] : {std::pair<const char*, Serve>{"floor", serve_floor},
                                    std::pair<const char*, Serve>{"server", serve_server}}) {
    const Measured measured = measure(settings, serve, count);
    fmt::print(
        "{:6} size={} cpu_s_per_gb={:.3f} receives_per_request={:.2f} moved={:.4f} checksum={:x}\n",
        name, settings.size, measured.cpu_seconds / gigabytes,
        static_cast<double>(measured.receive_calls) / static_cast<double>(count),
        static_cast<double>(measured.bytes_moved) / (gigabytes * 1e9), measured.checksum);
  }
  return 0;
}
