// Blocks of producer ids: each is given out once, to one broker.
#pragma once

#include <vector>

#include "engine/controller/controller_input.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

inline constexpr std::int32_t kProducerIdBlock = 1000;

ProducerIdBlock allocate_producer_ids(const MetadataImage& image,
                                      const AllocateProducerIds& question,
                                      std::vector<VersionedRecord>& records);

}  // namespace millrace::engine
