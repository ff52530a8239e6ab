#include "engine/controller/id_blocks.h"

#include <limits>

namespace millrace::engine {

ProducerIdBlock allocate_producer_ids(const MetadataImage& image,
                                      const AllocateProducerIds& question,
                                      std::vector<VersionedRecord>& records) {
  const BrokerImage* broker = image.brokers.find(question.broker);
  if (broker == nullptr || broker->epoch != question.broker_epoch) {
    return {.error = wire::ErrorCode::stale_broker_epoch};
  }
  const ProducerId first = image.next_producer_id;
  if (first.value() > std::numeric_limits<std::int64_t>::max() - kProducerIdBlock) {
    return {.error = wire::ErrorCode::unknown_server_error};
  }
  records.push_back({ProducerIdsRecord{question.broker.value(), question.broker_epoch.value(),
                                       (first + kProducerIdBlock).value()},
                     0});
  return {.first = first, .count = kProducerIdBlock};
}

}  // namespace millrace::engine
