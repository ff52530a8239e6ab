// How handlers reach the controller, on shard 0, from whichever shard the connection is on.
#pragma once

#include <utility>
#include <variant>

#include "engine/api/request.h"
#include "engine/broker.h"
#include "engine/controller/controller_input.h"

namespace millrace::engine {

// Has the controller decide `event`; the answer comes when what it wrote is committed and every shard acts on it. What the event
// points to must live until then.
inline io::Task<ControllerReply> ask_controller(Broker& broker, ControllerEvent event) {
  co_return co_await broker.shards().call(ShardId{0}, [&]() -> io::Task<ControllerReply> {
    return broker.controller().ask(std::move(event));
  });
}

// Decodes a request the controller answers in the protocol's own terms, and sends that answer.
template <class Wanted>
io::Task<net::Response> answer_by_controller(Broker& broker, Request& request) {
  const auto wanted = wire::decode<Wanted>(request.body, request.header.api_version);
  if (!wanted) co_return close_connection(request, wanted.error().message);
  const auto reply = co_await ask_controller(broker, &*wanted);
  co_return answer(request, std::get<Reply<typename Wanted::Response>>(reply).response);
}

}  // namespace millrace::engine
