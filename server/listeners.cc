#include "server/listeners.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/logging.h"
#include "engine/api/shard_route.h"
#include "engine/metadata/broker_config.h"
#include "io/gate.h"
#include "io/reactor.h"
#include "net/transport/address.h"
#include "server/settings_table.h"
#include "server/shard_memory.h"

namespace millrace::server {
namespace {

constexpr ShardId kLimitsHome{0};
constexpr Duration kPortPause = std::chrono::milliseconds(20);
constexpr int kPortAttempts = 500;  // ten seconds, over all listeners

std::uint32_t connection_limit(std::int64_t value) {
  // Kafka's "no limit" is the largest integer.
  return value >= std::numeric_limits<std::int32_t>::max() ? net::kNoConnectionLimit
                                                           : static_cast<std::uint32_t>(value);
}

// As the kernel names a peer. Errors: not_found.
Result<std::vector<std::string>> numeric_hosts(const std::string& host) {
  TRY(found, net::resolve({.host = host}));
  std::vector<std::string> hosts;
  for (const net::Address& each : found) {
    TRY(numeric, net::to_socket_address(each));
    hosts.push_back(net::from_socket_address(numeric).host);
  }
  return hosts;
}

Result<void> check_overrides(const Settings& settings) {
  TRY(limits, engine::parse_address_limits(settings.text("max.connections.per.ip.overrides")));
  for (const auto& [host, limit] : limits) {
    const auto found = numeric_hosts(host);
    if (found) continue;
    return fail(Errc::invalid_argument, fmt::format("max.connections.per.ip.overrides: {}; write an address or a name that has one",
                                                    found.error().message));
  }
  return {};
}

int socket_buffer(std::int64_t bytes) { return bytes < 0 ? 0 : static_cast<int>(bytes); }

// Pacing for far networks, as bbr does it, costs more CPU on a near one than everything else about a fetch.
void choose_congestion_control(const std::string& name, net::ListenOptions& options) {
  if (name == "system") return;
  options.congestion_control = name == "auto" ? "cubic" : name;
  options.congestion_control_required = name != "auto";
}

Error refusal(const Listener& listener, const Error& why) {
  const bool taken = why.code == Errc::already_exists;
  const std::string_view advice = taken ? "stop that process or choose another port"
                                        : "write an address or a name of this machine, or no host for all its addresses";
  return {taken ? Errc::already_exists : Errc::invalid_argument,
          fmt::format("listeners={}://{}: {}; {}", listener.name,
                      net::to_text({.host = listener.host, .port = listener.port}), why.message, advice)};
}

// Of a name the first IPv4 address, as Kafka's: `localhost` is 127.0.0.1 also where IPv6 comes first. No host stays none,
// which is every address of both families.
Result<net::Address> listen_address(const Listener& listener) {
  net::Address address{.host = listener.host, .port = listener.port};
  if (listener.host.empty()) return address;
  const auto found = net::resolve(address);
  if (!found) return fail(refusal(listener, found.error()));
  const auto v4 = std::ranges::find_if(*found, [](const net::Address& each) { return !each.host.contains(':'); });
  return v4 == found->end() ? found->front() : *v4;
}

Result<net::ServerOptions> server_options(const Settings& settings, std::uint32_t shard_count) {
  net::ServerOptions options;
  for (const auto& listener : settings.client_listeners()) {
    net::ListenerOptions& added = options.listeners.emplace_back();
    added.name = listener.name;
    TRY(address, listen_address(listener));
    added.listen.address = address;
    added.listen.backlog = static_cast<int>(std::max<std::int64_t>(settings.number("socket.listen.backlog.size"), 1));
    choose_congestion_control(settings.text("millrace.tcp.congestion"), added.listen);
    added.listen.send_buffer_bytes = socket_buffer(settings.number("socket.send.buffer.bytes"));
    added.listen.receive_buffer_bytes = socket_buffer(settings.number("socket.receive.buffer.bytes"));
  }
  options.connection.request_bytes_max = static_cast<std::size_t>(settings.number("socket.request.max.bytes"));
  options.connection.idle_max = settings.milliseconds("connections.max.idle.ms");
  TRY(memory, request_bytes_per_shard(settings, shard_count));
  options.buffers.bytes_max = memory;
  return options;
}

}  // namespace

Listeners::Listeners(io::Shards& shards, engine::Broker& broker, const Settings& settings)
    : shards_(shards),
      broker_(broker),
      settings_(settings),
      parts_(shards.count()) {
  limit({.static_broker = &settings.all_set()});
}

Listeners::~Listeners() = default;

void Listeners::limit(const engine::ConfigLayers& layers) {
  const auto definitions = setting_definitions();
  net::ConnectionLimitOptions options;
  options.connections_max = connection_limit(engine::broker_number(definitions, layers, "max.connections"));
  options.connections_per_ip_max = connection_limit(engine::broker_number(definitions, layers, "max.connections.per.ip"));
  const auto overrides =
      engine::parse_address_limits(engine::broker_text(definitions, layers, "max.connections.per.ip.overrides"));
  // Whoever wrote the metadata may have been of another mind.
  if (!overrides) LOG(warn, "settings", "{}", overrides.error().message);
  for (const auto& [host, most] : overrides.value_or(engine::AddressLimits())) {
    for (const std::string& address : addresses_of(host)) options.per_ip_overrides[address] = connection_limit(most);
  }
  for (const auto& [listener, most] : settings_.connections_per_listener()) {
    options.per_listener[listener] = connection_limit(most);
  }
  limits_.set(std::move(options));
}

// Names stand in the file only, so the resolver is asked when the broker starts and never again.
const std::vector<std::string>& Listeners::addresses_of(const std::string& host) {
  const auto known = addresses_.find(host);
  if (known != addresses_.end()) return known->second;
  return addresses_.emplace(host, numeric_hosts(host).value_or(std::vector<std::string>())).first->second;
}

io::Task<Result<void>> Listeners::check(const Settings& settings) {
  CO_TRY_DONE(check_overrides(settings));
  int attempts_left = kPortAttempts;
  for (const Listener& listener : settings.client_listeners()) {
    CO_TRY(address, listen_address(listener));
    auto free = net::check_port_free(address);
    while (!free && free.error() == Errc::already_exists && --attempts_left > 0) {
      if (attempts_left == kPortAttempts - 1) LOG(info, "listener.waits", "{}", free.error().message);
      co_await io::sleep_for(kPortPause);
      free = net::check_port_free(address);
    }
    if (!free) co_return fail(refusal(listener, free.error()));
  }
  co_return Result<void>{};
}

io::Task<Result<void>> Listeners::open() {
  CO_TRY(options, server_options(settings_, shards_.count()));
  options_ = std::move(options);
  Result<void> opened;
  for (std::uint32_t i = 0; i < shards_.count() && opened; ++i) {
    const ShardId shard{i};
    opened = co_await shards_.call(shard, [&]() -> io::Task<Result<void>> { return open_part(shard); });
  }
  if (!opened) co_await close(Duration{});
  co_return opened;
}

io::Task<Result<void>> Listeners::open_part(ShardId shard) {
  auto& part = parts_[shard.value()];
  part = std::make_unique<Part>(io::Reactor::current().proactor(), broker_, broker_.at(shard),
                                net::shared_admission(shards_, kLimitsHome, limits_), options_);
  auto listening = part->server.listen();
  if (!listening) {
    part.reset();
    co_return listening;
  }
  part->server.start();
  co_return Result<void>{};
}

io::Task<void> Listeners::close(Duration grace) {
  io::Gate gate;
  for (std::uint32_t i = 0; i < shards_.count(); ++i) gate.spawn(close_on(ShardId{i}, grace));
  co_await gate.close();
}

io::Task<void> Listeners::close_on(ShardId shard, Duration grace) {
  co_await shards_.call(shard, [&]() -> io::Task<void> { return close_part(shard, grace); });
}

io::Task<void> Listeners::close_part(ShardId shard, Duration grace) {
  auto& part = parts_[shard.value()];
  if (part == nullptr) co_return;
  broker_.at(shard).end_waits();
  co_await part->server.stop(grace);
  part.reset();
}

}  // namespace millrace::server
