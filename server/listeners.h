// Listeners: the network side of a running broker: on every shard a Server with all listeners, and the limits they share.
//
// Shard:      made by main's thread, used on shard 0; what belongs to a shard is made and destroyed on it.
// Lifetime:   open() after Broker::start(); close() before Broker::stop().
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/api/service.h"
#include "engine/broker.h"
#include "net/transport/connection_limits.h"
#include "net/transport/server.h"
#include "net/transport/tcp_stack.h"
#include "server/settings.h"

namespace millrace::server {

class Listeners {
 public:
  Listeners(io::Shards& shards, engine::Broker& broker, const Settings& settings);
  ~Listeners();

  // Whether every address is free. Before anything is written or opened, so that a second start harms nothing. Waits for a port that is
  // taken: a killed process has its sockets until the kernel has taken its ring apart, which is after its end was reported.
  // Errors: already_exists, invalid_argument, with the setting and what to write.
  static io::Task<Result<void>> check(const Settings& settings);
  // Errors: already_exists, invalid_argument, with the listener's name. Nothing is left open then.
  io::Task<Result<void>> open();
  // Connections are limited by what `layers` say from now on. On shard 0.
  void limit(const engine::ConfigLayers& layers);
  // Answers what is in flight, for at most `grace`.
  io::Task<void> close(Duration grace);

 private:
  struct Part {
    Part(io::Proactor& proactor, engine::Broker& broker, engine::BrokerShard& here,
         net::AdmissionPort admission, net::ServerOptions options)
        : stack(proactor), service(broker, here), server(stack, service, std::move(admission), std::move(options)) {}
    net::TcpStack stack;
    engine::RequestService service;
    net::Server server;
  };

  io::Task<Result<void>> open_part(ShardId shard);
  io::Task<void> close_on(ShardId shard, Duration grace);
  io::Task<void> close_part(ShardId shard, Duration grace);
  const std::vector<std::string>& addresses_of(const std::string& host);

  io::Shards& shards_;
  engine::Broker& broker_;
  const Settings& settings_;
  net::ServerOptions options_;  // from open() on: names are resolved then
  net::ConnectionLimits limits_{{}};
  std::map<std::string, std::vector<std::string>> addresses_;  // of hosts in max.connections.per.ip.overrides, looked up once
  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace millrace::server
