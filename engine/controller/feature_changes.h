// Raising and lowering finalized feature levels.
#pragma once

#include <vector>

#include "engine/controller/controller_input.h"
#include "engine/metadata/image.h"

namespace millrace::engine {

Reply<wire::UpdateFeaturesResponse> update_features(const MetadataImage& image,
                                                    const ControllerOptions& options,
                                                    const wire::UpdateFeaturesRequest& request,
                                                    std::vector<VersionedRecord>& records);

}  // namespace millrace::engine
