// The first records of a cluster.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/metadata/records.h"

namespace millrace::engine {

// What a formatter that was told nothing else decides: the newest metadata.version.
std::vector<VersionedRecord> default_bootstrap_records(std::int16_t metadata_version);

// What the controller that becomes active over an empty log writes first, as one batch.
std::vector<VersionedRecord> activation_records(
    const std::vector<VersionedRecord>& bootstrap_records);

}  // namespace millrace::engine
