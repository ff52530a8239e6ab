#include "engine/producer_id_source.h"

#include <variant>

namespace millrace::engine {

io::Task<ProducerIdSource::Next> ProducerIdSource::next() {
  while (next_ == end_) {
    if (asking_) {
      co_await asked_.wait();
      continue;
    }
    asking_ = true;
    const auto reply = co_await controller_.ask(AllocateProducerIds{broker_, epoch_});
    asking_ = false;
    asked_.notify_all();
    const auto* block = std::get_if<ProducerIdBlock>(&reply);
    if (block == nullptr) co_return Next{wire::ErrorCode::unknown_server_error};
    if (block->error != wire::ErrorCode::none) co_return Next{block->error};
    next_ = block->first;
    end_ = block->first + block->count;
  }
  const ProducerId given = next_;
  ++next_;
  co_return Next{wire::ErrorCode::none, given};
}

}  // namespace millrace::engine
