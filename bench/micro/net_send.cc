// What it costs to answer with a file's range: CPU seconds of the serving thread per GB, the
// kernel's part included.
//
//   net_send [--size BYTES] [--megabytes N] [--rounds N] [--file-megabytes N] [--cold]
//            [--backend io_uring|epoll] [--only floor|server]
//
// `floor` is a bare loop: a blocking recv of the request, send(header, MSG_MORE), sendfile.
// `server` is net/transport with a handler that answers with the range. The client asks for one
// range after the other over one loopback connection and throws away what it gets. Both run in
// turn, `rounds` times, on the same cores, with the same socket buffers and congestion control;
// medians are printed, and the median of the rounds' ratios. With --cold the file's pages are
// dropped before each of the two.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/sendfile.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/micro/loopback.h"
#include "io/run.h"
#include "io/shard.h"
#include "net/transport/server.h"
#include "net/transport/tcp_stack.h"

namespace millrace::bench {
namespace {

struct Settings {
  std::size_t size = 1 << 20;
  std::size_t megabytes = 64;
  std::size_t file_megabytes = 64;
  std::size_t rounds = 5;
  bool cold = false;
  std::string backend = "io_uring";
  std::string only;
};

constexpr std::size_t kHeaderBytes = 64;

std::uint64_t drive(const net::Address& address, std::size_t count, std::size_t answer_bytes) {
  const int socket = connect_to(address);
  std::vector<std::byte> request;
  wire::start_request_frame(
      request, {.api_key = wire::ApiKey::fetch, .api_version = 4, .client_id = "bench"}, 0);
  std::byte* buffer = make_buffer(1 << 20);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    CHECK(send_whole(socket, request.data(), request.size()));
    for (std::size_t left = answer_bytes; left > 0;) {
      // MSG_TRUNC: the kernel throws the bytes away instead of copying them.
      const ssize_t received =
          ::recv(socket, buffer, std::min<std::size_t>(left, 1 << 20), MSG_TRUNC);
      CHECK(received > 0);
      left -= static_cast<std::size_t>(received);
      bytes += static_cast<std::size_t>(received);
    }
  }
  ::close(socket);
  std::free(buffer);
  return bytes;
}

using Ready = std::promise<net::Address>;

void serve_floor(const Settings& settings, int file, Ready& ready, Used& used) {
  net::Address address;
  const int listener = listen_somewhere(address);
  ready.set_value(address);
  const int socket = accept_one(listener);
  const Meter meter;
  std::byte request[256];
  std::uint64_t position = 0;
  while (::recv(socket, request, sizeof request, 0) > 0) {
    const std::byte header[kHeaderBytes] = {};
    CHECK(::send(socket, header, sizeof header, MSG_MORE | MSG_NOSIGNAL) == sizeof header);
    auto at = static_cast<off_t>(position);
    for (std::size_t left = settings.size; left > 0;) {
      const ssize_t sent = ::sendfile(socket, file, &at, left);
      CHECK(sent > 0);
      left -= static_cast<std::size_t>(sent);
    }
    position = (position + settings.size) % (settings.file_megabytes << 20);
  }
  meter.stop(used);
  ::close(socket);
  ::close(listener);
}

class RangeHandler final : public net::RequestHandler {
 public:
  RangeHandler(const Settings& settings, int file) : settings_(settings), file_(file) {}
  io::Task<net::Response> handle(net::Request) override {
    net::Response response{std::vector<std::byte>(kHeaderBytes)};
    response.insert(kHeaderBytes, net::FileRange{file_, position_, settings_.size}, nullptr);
    position_ = (position_ + settings_.size) % (settings_.file_megabytes << 20);
    co_return response;
  }

 private:
  const Settings& settings_;
  io::FileHandle file_;
  std::uint64_t position_ = 0;
};

void serve_server(const Settings& settings, int file, Ready& ready, Used& used) {
  auto proactor =
      io::make_proactor(settings.backend == "epoll" ? io::Backend::epoll : io::Backend::io_uring);
  CHECK(proactor.has_value(), "{}", proactor.error().message);
  io::Reactor reactor(ShardId{0}, **proactor);
  const io::Reactor::Enter enter(reactor);
  net::TcpStack stack(**proactor);
  RangeHandler handler(settings, file);
  net::ServerOptions options;
  options.listeners = {bench_listener()};
  net::Server server(stack, handler, {}, options);
  CHECK(server.listen().has_value());
  server.start();
  ready.set_value(server.address(0));
  const Meter meter;
  io::run_task(reactor, serve_one(server));
  meter.stop(used);
}

using Serve = std::function<void(const Settings&, int, Ready&, Used&)>;

// What the rounds gave for one of the two.
struct Side {
  const char* name;
  Serve serve;
  std::vector<double> cpu_s_per_gb;
  std::vector<double> gb_per_s;
  std::vector<double> sleeps_per_request;
  std::uint64_t bytes = 0;
};

void run_round(const Settings& settings, int file, Side& side) {
  if (settings.cold) ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  const std::size_t count = std::max<std::size_t>(1, (settings.megabytes << 20) / settings.size);
  const Used used =
      measure([&](Ready& ready, Used& measured) { side.serve(settings, file, ready, measured); },
              [&](const net::Address& address) {
                return drive(address, count, settings.size + kHeaderBytes);
              });
  const double gigabytes = static_cast<double>(used.bytes) / 1e9;
  side.cpu_s_per_gb.push_back(used.cpu_seconds / gigabytes);
  side.gb_per_s.push_back(gigabytes / used.wall_seconds);
  side.sleeps_per_request.push_back(static_cast<double>(used.sleeps) / static_cast<double>(count));
  side.bytes += used.bytes;
}

void print(const Settings& settings, const Side& side) {
  if (side.cpu_s_per_gb.empty()) return;
  fmt::print(
      "{:6} size={} {} cpu_s_per_gb={:.3f} gb_per_s={:.2f} sleeps_per_request={:.2f} checksum={}\n",
      side.name, settings.size, settings.cold ? "cold" : "hot", median(side.cpu_s_per_gb),
      median(side.gb_per_s), median(side.sleeps_per_request), side.bytes);
}

int make_file(const Settings& settings, const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(file >= 0, "{}", path);
  const std::vector<char> part(1 << 20, 'x');
  for (std::size_t i = 0; i < settings.file_megabytes; ++i) {
    CHECK(::write(file, part.data(), part.size()) == std::ssize(part));
  }
  CHECK(::fdatasync(file) == 0);
  return file;
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  using namespace millrace::bench;
  Settings settings;
  CLI::App app("CPU per GB sent from a file");
  app.add_option("--size", settings.size)->check(CLI::Range(1024, 64 << 20));
  app.add_option("--megabytes", settings.megabytes)->check(CLI::Range(1, 100000));
  app.add_option("--file-megabytes", settings.file_megabytes)->check(CLI::Range(1, 4096));
  app.add_option("--rounds", settings.rounds)->check(CLI::Range(1, 1000));
  app.add_flag("--cold", settings.cold);
  app.add_option("--backend", settings.backend)->check(CLI::IsMember({"io_uring", "epoll"}));
  app.add_option("--only", settings.only)->check(CLI::IsMember({"floor", "server"}));
  CLI11_PARSE(app, argc, argv);
  if ((settings.file_megabytes << 20) % settings.size != 0) {
    fmt::print(stderr, "the file's size must be a multiple of --size\n");
    return 2;
  }
  const std::string path =
      std::filesystem::temp_directory_path() / fmt::format("millrace_net_send_{}", ::getpid());
  const int file = make_file(settings, path);
  Side floor{.name = "floor", .serve = serve_floor};
  Side server{.name = "server", .serve = serve_server};
  for (std::size_t round = 0; round < settings.rounds; ++round) {
    if (settings.only != "server") run_round(settings, file, floor);
    if (settings.only != "floor") run_round(settings, file, server);
  }
  print(settings, floor);
  print(settings, server);
  if (settings.only.empty()) print_ratio(floor.cpu_s_per_gb, server.cpu_s_per_gb);
  ::close(file);
  ::unlink(path.c_str());
  return 0;
}
