#include "engine/api/decode.h"
#include "engine/api/handlers.h"
#include "net/wire/init_producer_id.h"

namespace millrace::engine {

io::Task<net::Response> handle_init_producer_id(Broker& broker, BrokerShard&, Request& request) {
  DECODE(wanted, wire::InitProducerIdRequest);
  wire::InitProducerIdResponse response;
  response.producer_epoch = -1;
  if (wanted.transactional_id) {
    // Nobody coordinates transactions here yet; an error that clients do not try again says so.
    response.error_code = wanted.transactional_id->empty() ? wire::ErrorCode::invalid_request
                                                           : wire::ErrorCode::transactional_id_not_found;
    co_return answer(request, response);
  }
  // One without the other names no producer.
  if ((wanted.producer_id == -1) != (wanted.producer_epoch == -1)) {
    response.error_code = wire::ErrorCode::invalid_request;
    co_return answer(request, response);
  }
  const auto next = co_await broker.shards().call(
      ShardId{0}, [&]() -> io::Task<ProducerIdSource::Next> { return broker.producer_ids().next(); });
  response.error_code = next.error;
  if (next.error == wire::ErrorCode::none) {
    response.producer_id = next.id.value();
    response.producer_epoch = 0;
  }
  co_return answer(request, response);
}

}  // namespace millrace::engine
