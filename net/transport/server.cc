#include "net/transport/server.h"

#include <fmt/core.h>

#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "net/transport/address.h"

namespace millrace::net {
namespace {

// Without handles there is nothing to do but wait until somebody closes one.
constexpr Duration kAcceptBackOff = std::chrono::milliseconds(100);
// So many connections are accepted in a row before those that are open get a turn.
constexpr int kAcceptsPerTurn = 16;
constexpr int kShardIdShift = 48;

io::Task<Result<void>> admit_here(ConnectionLimits& limits, std::string listener,
                                  std::string host) {
  co_return limits.admit(listener, host);
}

io::Task<void> release_here(ConnectionLimits& limits, std::string listener, std::string host) {
  limits.release(listener, host);
  co_return;
}

io::Task<Result<void>> admit_at_home(io::Shards& shards, ShardId home, ConnectionLimits& limits,
                                     std::string listener, std::string host) {
  co_return co_await shards.call(home, [&] { return admit_here(limits, listener, host); });
}

io::Task<void> release_at_home(io::Shards& shards, ShardId home, ConnectionLimits& limits,
                               std::string listener, std::string host) {
  co_await shards.call(home, [&] { return release_here(limits, listener, host); });
}

}  // namespace

AdmissionPort local_admission(ConnectionLimits& limits) {
  return {
      .admit = [&limits](const std::string& listener,
                         const std::string& host) { return admit_here(limits, listener, host); },
      .release = [&limits](
                     const std::string& listener,
                     const std::string& host) { return release_here(limits, listener, host); },
  };
}

AdmissionPort shared_admission(io::Shards& shards, ShardId home, ConnectionLimits& limits) {
  return {
      .admit =
          [&shards, home, &limits](const std::string& listener, const std::string& host) {
            return admit_at_home(shards, home, limits, listener, host);
          },
      .release =
          [&shards, home, &limits](const std::string& listener, const std::string& host) {
            return release_at_home(shards, home, limits, listener, host);
          },
  };
}

Server::Server(Stack& stack, RequestHandler& handler, AdmissionPort admission,
               ServerOptions options)
    : stack_(stack),
      admission_(std::move(admission)),
      options_(std::move(options)),
      buffers_(options_.buffers),
      share_{.handler = handler, .buffers = buffers_, .options = options_.connection},
      sweep_timer_([this] { sweep(); }) {
  CHECK(options_.connection.request_bytes_max <= options_.buffers.bytes_max,
        "one request of {} bytes must fit into {}", options_.connection.request_bytes_max,
        options_.buffers.bytes_max);
}

Server::~Server() {
  CHECK(connections_.empty(), "{} connections", connections_.size());
}

Result<void> Server::listen() {
  CHECK(listeners_.empty());
  for (const ListenerOptions& options : options_.listeners) {
    auto opened = stack_.listen(options.listen);
    if (!opened) {
      listeners_.clear();
      return fail(opened.error().code,
                  fmt::format("listener {}: {}", options.name, opened.error().message));
    }
    listeners_.push_back({&options, std::move(*opened)});
  }
  return {};
}

const Address& Server::address(std::size_t listener) const {
  return listeners_.at(listener).listener->local();
}

void Server::start() {
  for (OpenListener& listener : listeners_) gate_.spawn(accept_from(listener));
  sweep_timer_.arm(io::Reactor::current().now() + options_.sweep_interval);
}

io::Task<void> Server::accept_from(OpenListener& from) {
  int accepts = 0;
  while (!stopping_) {
    auto accepted = co_await from.listener->accept();
    if (accepted) {
      ++counts_.accepted;
      gate_.spawn(serve(std::move(*accepted), *from.options));
      if (++accepts % kAcceptsPerTurn == 0) co_await io::yield();
      continue;
    }
    if (accepted.error().code == Errc::closed) break;
    ++counts_.accept_failures;
    complain_about_accept(*from.options, accepted.error());
    co_await io::sleep_for(kAcceptBackOff);
  }
}

void Server::complain_about_accept(const ListenerOptions& listener, const Error& error) {
  if (!complaints_.allow(io::Reactor::current().now())) return;
  LOG(warn, "listener.accept_failed", "listener={} reason=\"{}\" back_off_ms={} suppressed={}",
      listener.name, error.message, to_ms(kAcceptBackOff), complaints_.take_suppressed());
}

io::Task<void> Server::serve(std::unique_ptr<Stream> stream, const ListenerOptions& listener) {
  const Address peer = stream->peer();
  if (admission_.admit) {
    const auto admitted = co_await admission_.admit(listener.name, peer.host);
    if (!admitted) {
      ++counts_.refused;
      if (complaints_.allow(io::Reactor::current().now())) {
        LOG(warn, "connection.refused", "peer={} listener={} reason=\"{}\" suppressed={}",
            to_text(peer), listener.name, admitted.error().message, complaints_.take_suppressed());
      }
      co_return;
    }
  }
  {
    const std::uint64_t shard = io::Reactor::current().shard().value();
    Connection connection(share_, std::move(stream),
                          {.id = shard << kShardIdShift | ++next_connection_id_,
                           .peer = peer,
                           .listener = listener.name});
    connections_.push_back(connection);
    if (stopping_) connection.stop();
    co_await connection.run();
    connections_.erase(connections_.iterator_to(connection));
  }
  if (admission_.release) co_await admission_.release(listener.name, peer.host);
}

void Server::sweep() {
  const Instant now = io::Reactor::current().now();
  // sweep() of a connection ends waits but destroys nothing before the next turn.
  for (Connection& connection : connections_) connection.sweep(now);
  buffers_.trim();
  sweep_timer_.arm(now + options_.sweep_interval);
}

io::Task<void> Server::stop(Duration grace) {
  stopping_ = true;
  for (OpenListener& open : listeners_) open.listener->shutdown();
  for (Connection& connection : connections_) connection.stop();
  io::Timer give_up([this] {
    for (Connection& connection : connections_) connection.abort();
  });
  give_up.arm(io::Reactor::current().now() + grace);
  co_await gate_.close();
  sweep_timer_.cancel();
}

}  // namespace millrace::net
