#include "engine/metadata/features.h"

#include <array>
#include <charconv>

namespace millrace::engine {
namespace {

constexpr std::array<MetadataVersion, 23> kVersions{{
    {7, "3.3-IV3", true},   {8, "3.4-IV0", true},   {9, "3.5-IV0", false},  {10, "3.5-IV1", false},
    {11, "3.5-IV2", true},  {12, "3.6-IV0", false}, {13, "3.6-IV1", true},  {14, "3.6-IV2", true},
    {15, "3.7-IV0", true},  {16, "3.7-IV1", false}, {17, "3.7-IV2", true},  {18, "3.7-IV3", false},
    {19, "3.7-IV4", false}, {20, "3.8-IV0", false}, {21, "3.9-IV0", false}, {22, "4.0-IV0", false},
    {23, "4.0-IV1", true},  {24, "4.0-IV2", false}, {25, "4.0-IV3", false}, {26, "4.1-IV0", false},
    {27, "4.1-IV1", false}, {28, "4.2-IV0", false}, {29, "4.2-IV1", false},
}};
static_assert(kVersions.front().level == kMetadataVersionMin);
static_assert(kVersions.back().level == kMetadataVersionMax);

}  // namespace

const MetadataVersion* metadata_version(std::int16_t level) {
  if (level < kMetadataVersionMin || level > kMetadataVersionMax) return nullptr;
  return &kVersions[static_cast<std::size_t>(level - kMetadataVersionMin)];
}

std::optional<std::int16_t> parse_metadata_version(std::string_view text) {
  std::optional<std::int16_t> found;
  for (const MetadataVersion& version : kVersions) {
    if (version.name == text) return version.level;
    const std::string_view release = version.name.substr(0, version.name.find('-'));
    if (release == text) found = version.level;
  }
  if (found) return found;
  std::int16_t level = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), level);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (metadata_version(level) == nullptr) return std::nullopt;
  return level;
}

bool downgrade_loses_metadata(std::int16_t from, std::int16_t to) {
  for (const MetadataVersion& version : kVersions) {
    if (version.level > to && version.level <= from && version.changes_metadata) return true;
  }
  return false;
}

const std::vector<SupportedFeature>& supported_features() {
  // What Kafka 4.2 gives a new cluster. Those of the coordinators change what coordinators write to their own topics and
  // nothing in the metadata.
  static const std::vector<SupportedFeature> features{
      {kMetadataVersionFeature, kMetadataVersionMin, kMetadataVersionMax},
      {kEligibleLeadersFeature, 0, 1, 26, 23},
      {"group.version", 0, 1, 22},
      {"share.version", 0, 1, 28},
      {"streams.version", 0, 1, 29},
      {"transaction.version", 0, 2, 24}};
  return features;
}

const SupportedFeature* supported_feature(std::string_view name) {
  for (const SupportedFeature& feature : supported_features()) {
    if (feature.name == name) return &feature;
  }
  return nullptr;
}

std::vector<FeatureRange> feature_ranges() {
  std::vector<FeatureRange> ranges;
  for (const SupportedFeature& feature : supported_features()) {
    ranges.push_back({std::string(feature.name), feature.min_level, feature.max_level});
  }
  return ranges;
}

FeatureLevels default_feature_levels(std::int16_t metadata_version) {
  FeatureLevels levels;
  for (const SupportedFeature& feature : supported_features()) {
    const bool is_version = feature.name == kMetadataVersionFeature;
    if (!is_version && metadata_version < feature.default_from) continue;
    levels.set(std::string(feature.name), is_version ? metadata_version : feature.max_level);
  }
  return levels;
}

std::int16_t register_broker_record_version(std::int16_t metadata_version) {
  if (metadata_version >= 17) return 3;
  return metadata_version >= 8 ? 2 : 1;
}

std::int16_t partition_record_version(std::int16_t metadata_version) {
  if (metadata_version >= 23) return 2;
  return metadata_version >= 17 ? 1 : 0;
}

std::int16_t partition_change_record_version(std::int16_t metadata_version) {
  return partition_record_version(metadata_version);
}

}  // namespace millrace::engine
