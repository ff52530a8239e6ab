// The first records of a cluster.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/metadata/features.h"
#include "engine/metadata/records.h"

namespace millrace::engine {

// One record per feature above level 0, metadata.version first, as a formatter leaves them to the first controller.
std::vector<VersionedRecord> bootstrap_records(const FeatureLevels& levels);
// What a formatter that was told nothing else decides.
std::vector<VersionedRecord> default_bootstrap_records(std::int16_t metadata_version);

// What the controller that becomes active over an empty log writes first, as one batch. `min_insync_replicas`: the broker's
// own setting, which becomes the cluster's where eligible leader replicas go by it: all controllers must go by the same.
std::vector<VersionedRecord> activation_records(
    const std::vector<VersionedRecord>& bootstrap_records, std::string_view min_insync_replicas);

}  // namespace millrace::engine
