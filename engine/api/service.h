// RequestService: what the connections of one shard ask. The one place where a request enters the engine.
//
// Shard:      the connections'.
// Lifetime:   outlives the net::Server it is given to; the broker's part of this shard outlives it.
#pragma once

#include "engine/api/router.h"
#include "net/transport/request.h"

namespace millrace::engine {

class RequestService final : public net::RequestHandler {
 public:
  RequestService(Broker& broker, BrokerShard& here) : broker_(broker), here_(here) {}

  io::Task<net::Response> handle(net::Request request) override {
    co_return co_await route(broker_, here_, request);
  }

 private:
  Broker& broker_;
  BrokerShard& here_;
};

}  // namespace millrace::engine
