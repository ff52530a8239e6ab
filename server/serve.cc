#include "server/serve.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <cstdlib>
#include <optional>

#include "base/logging.h"
#include "engine/broker.h"
#include "engine/storage_format.h"
#include "io/entropy.h"
#include "io/completion.h"
#include "io/reactor.h"
#include "net/transport/address.h"
#include "server/broker_setup.h"
#include "server/directory_lock.h"
#include "server/format.h"
#include "server/listeners.h"
#include "server/shard_memory.h"

namespace millrace::server {
namespace {

constexpr Duration kStopGrace = std::chrono::seconds(5);
// So long may a stop take that a failure has asked for: the disk may never answer again.
constexpr Duration kStopAfterFailureMax = std::chrono::seconds(30);

// SIGINT, SIGTERM and SIGHUP, which a closed terminal sends, as something shard 0 can wait for. Made before any thread, so that all of them block the signals.
class StopSignals {
 public:
  StopSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    fd_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    std::signal(SIGPIPE, SIG_IGN);
  }
  ~StopSignals() { ::close(fd_); }

  // As if somebody had sent SIGTERM: wait() ends, also when it has not begun.
  void ask() { ::kill(::getpid(), SIGTERM); }

  io::Task<void> wait() {
    io::Proactor& proactor = io::Reactor::current().proactor();
    co_await io::Operation(
        [&](io::Completion& done) { proactor.poll(io::SocketHandle{fd_}, POLLIN, done); });
  }

 private:
  int fd_ = -1;
};

// As many handles as the system lets us have: a broker with many partitions and connections needs them.
void raise_handle_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

logging::Level log_level(const std::string& name) {
  if (name == "debug") return logging::Level::debug;
  if (name == "warn") return logging::Level::warn;
  if (name == "error") return logging::Level::error;
  return logging::Level::info;
}

std::string core_list(const io::ShardReport& report) {
  std::string text;
  for (std::size_t i = 0; i < report.cores.size(); ++i) {
    if (i > 0) text += ", ";
    text += report.cores[i] < 0 ? fmt::format("shard {} unpinned", i)
                                : fmt::format("shard {} on core {}", i, report.cores[i]);
  }
  return text;
}

void print_ready(const engine::BrokerOptions& options, const io::ShardReport& report) {
  const auto& listener = options.listeners.front();
  const std::string address = net::to_text({.host = listener.advertised_host, .port = listener.advertised_port});
  std::string text = "millrace is ready\n";
  for (const auto& each : options.listeners) {
    text += fmt::format("  listener        {}://{}{}\n", each.name, net::to_text({.host = each.host, .port = each.port}),
               each.host.empty() ? " (every address)" : "");
  }
  text += fmt::format("  data            {}\n", fmt::join(options.log_directories, ", "));
  text += fmt::format("  cluster         {} (node {})\n", options.cluster_id, options.node_id.value());
  text += fmt::format("  shards          {}\n", core_list(report));
  text += fmt::format("  I/O             {}: {}\n", report.backend, report.backend_reason);
  text += "try\n";
  std::error_code unknown;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", unknown);
  const std::string program = unknown ? "millrace" : path.string();
  text += fmt::format("  echo hello | {} produce greetings -b {}\n", program, address);
  text += fmt::format("  {} consume greetings -b {} --exit\n", program, address);
  // Past stdio: a broker whose standard output is closed or full serves all the same.
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
}

// What happens on shard 0, which is in charge of the others.
class Service {
 public:
  Service(const Settings& settings, io::Shards& shards, io::ShardReport report, StopSignals& signals)
      : settings_(settings),
        shards_(shards),
        report_(std::move(report)),
        signals_(signals) {}

  io::Task<void> run(ShardId shard) {
    // The other shards answer calls of this one until it has returned.
    if (shard != ShardId{0}) co_return;
    const auto served = co_await serve();
    if (served) co_return;
    fmt::print(stderr, "millrace: {}\n", served.error().message);
    exit_code_ = 1;
  }
  int exit_code() const { return exit_code_; }

 private:
  io::Task<Result<void>> serve() {
    CO_TRY(options, co_await identify());
    options.on_failure = [this](const Error& error) { on_failure(error); };
    options.on_config = [this](const engine::ConfigLayers& layers) { listeners_->limit(layers); };
    broker_.emplace(shards_, std::move(options));
    listeners_.emplace(shards_, *broker_, settings_);
    auto served = co_await broker_->start();
    if (served) served = co_await listeners_->open();
    if (served) {
      LOG(info, "broker.ready", "node={} cluster={} last_stop={} backend={} shards={}",
          broker_->options().node_id.value(), broker_->options().cluster_id, last_stop(),
          report_.backend, report_.cores.size());
      print_ready(broker_->options(), report_);
      co_await signals_.wait();
      LOG(info, "broker.stopping", "");
      co_await listeners_->close(kStopGrace);
    }
    auto stopped = co_await broker_->stop();
    give_up_.cancel();
    LOG(info, "broker.stopped", "clean={}", stopped.has_value());
    if (!served) co_return served;
    if (failure_) {
      co_return fail(failure_->code, fmt::format("the metadata log has failed: {}; nothing that was acknowledged is "
                                                 "given up: mend the disk under {} and start again",
                                                 failure_->message, settings_.metadata_log_dir()));
    }
    co_return stopped;
  }

  std::string_view last_stop() const {
    if (broker_->first_start()) return "none";
    return broker_->clean_start() ? "clean" : "unclean";
  }

  // Without the metadata log nothing can be decided any more: an orderly stop is tried, and the process ends.
  void on_failure(const Error& error) {
    if (failure_) return;
    failure_ = error;
    give_up_.arm(io::Reactor::current().now() + kStopAfterFailureMax);
    signals_.ask();
  }

  // The disk does not answer: what was acknowledged is on it, and the next start recovers it.
  static void give_up() {
    LOG(error, "broker.gave_up", "reason=\"the stop after a failure takes too long\"");
    logging::stop();
    std::_Exit(1);
  }

  // What the broker is told; log directories of which none was ever used are formatted as a new cluster's, once nothing else
  // stands in the way of the start.
  io::Task<Result<engine::BrokerOptions>> identify() {
    io::Proactor& proactor = io::Reactor::current().proactor();
    Prng prng(io::entropy());
    engine::BrokerOptions options = broker_options(settings_, prng.next());
    std::vector<std::string> directories = options.log_directories;
    if (std::ranges::find(directories, options.metadata_directory) == directories.end()) {
      directories.push_back(options.metadata_directory);
    }
    CO_TRY_DONE(engine::refuse_foreign(proactor, directories));
    CO_TRY_DONE(lock_.take(directories));
    CO_TRY_DONE(co_await Listeners::check(settings_));
    CO_TRY(formatted, format_if_empty(proactor, settings_, prng));
    if (formatted) LOG(info, "storage.formatted", "directories={}", fmt::join(options.log_directories, ","));
    CO_TRY(identity, engine::claim_directories(proactor, options.log_directories, options.node_id, prng));
    CO_TRY_DONE(lock_.take(directories));  // those that were made just now
    options.cluster_id = identity.cluster_id;
    for (const auto& directory : identity.directories) {
      options.directory_ids.push_back(directory.properties->directory_id);
    }
    co_return options;
  }

  const Settings& settings_;
  io::Shards& shards_;
  DirectoryLock lock_;
  std::optional<engine::Broker> broker_;
  std::optional<Listeners> listeners_;
  io::ShardReport report_;
  StopSignals& signals_;
  std::optional<Error> failure_;
  io::Timer give_up_{[] { give_up(); }};
  int exit_code_ = 0;
};

}  // namespace

int serve(const Settings& settings) {
  StopSignals signals;
  raise_handle_limit();
  logging::start(log_level(settings.text("millrace.log.level")), settings.text("millrace.log.path"));
  for (const auto& warning : settings.warnings()) LOG(warn, "settings", "{}", warning);
  int exit_code = 1;
  {
    io::Shards shards(shard_count(settings));
    auto report = shards.start(shard_options(settings));
    if (!report) {
      fmt::print(stderr, "millrace: {}\n", report.error().message);
    } else {
      Service service(settings, shards, std::move(*report), signals);
      shards.run([&](ShardId shard) { return service.run(shard); });
      exit_code = service.exit_code();
    }
  }
  logging::stop();
  return exit_code;
}

}  // namespace millrace::server
