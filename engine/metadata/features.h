// Features: named levels that the whole cluster has agreed on. metadata.version is the one that
// decides how records are written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/metadata/persistent_map.h"
#include "engine/metadata/records.h"

namespace millrace::engine {

using FeatureLevels = PersistentMap<std::string, std::int16_t>;

inline constexpr std::string_view kMetadataVersionFeature = "metadata.version";
// Not one of supported_features(): its level is a control record of the metadata log, fixed when a directory is formatted.
inline constexpr std::string_view kKRaftVersionFeature = "kraft.version";
inline constexpr std::int16_t kKRaftVersionMax = 1;
inline constexpr std::string_view kEligibleLeadersFeature = "eligible.leader.replicas.version";

// A level of metadata.version and what it is called, "4.0-IV3".
struct MetadataVersion {
  std::int16_t level;
  std::string_view name;
  // Whether what was written at this level cannot be read one level below.
  bool changes_metadata;
};

// What this release works at. New clusters start at the highest.
inline constexpr std::int16_t kMetadataVersionMin = 7;
inline constexpr std::int16_t kMetadataVersionMax = 29;

// Null for a level outside of what this release works at.
const MetadataVersion* metadata_version(std::int16_t level);
// Accepts "4.2-IV1", "4.2" (its last level) and "29". Empty when it is none of them.
std::optional<std::int16_t> parse_metadata_version(std::string_view text);
// Whether going from level `from` down to `to` would leave records behind that `to` cannot read.
bool downgrade_loses_metadata(std::int16_t from, std::int16_t to);

// A feature this release supports, with its levels; what a broker registers and ApiVersions tells. A level says how a cluster
// may write its logs, not which requests a broker serves: clients ask ApiVersions for those.
struct SupportedFeature {
  std::string_view name;
  std::int16_t min_level;
  std::int16_t max_level;
  // From this metadata.version on a new cluster begins at max_level, and it may not be above 0 below the second.
  std::int16_t default_from = kMetadataVersionMin;
  std::int16_t needs_metadata_version = kMetadataVersionMin;
};
// metadata.version first, the others by name.
const std::vector<SupportedFeature>& supported_features();
// Null for a feature that this release does not have.
const SupportedFeature* supported_feature(std::string_view name);
// All of them, as a broker registers them.
std::vector<FeatureRange> feature_ranges();
// With what a new cluster begins at a level of metadata.version, that one included.
FeatureLevels default_feature_levels(std::int16_t metadata_version);

// The version in which a record has to be written at a level of metadata.version.
std::int16_t register_broker_record_version(std::int16_t metadata_version);
std::int16_t partition_record_version(std::int16_t metadata_version);
std::int16_t partition_change_record_version(std::int16_t metadata_version);

// What a level of metadata.version brings.
constexpr bool has_directories(std::int16_t metadata_version) {
  return metadata_version >= 17;
}
constexpr bool has_transactions(std::int16_t metadata_version) {
  return metadata_version >= 13;
}
// At and after the change to Kafka 4 the record is not written any more.
constexpr bool has_zk_migration_record(std::int16_t metadata_version) {
  return metadata_version >= 8 && metadata_version <= 21;
}
constexpr bool bumps_leader_epoch_on_shrink(std::int16_t metadata_version) {
  return metadata_version < 12;
}

}  // namespace millrace::engine
