#include "engine/controller/bootstrap.h"

#include "engine/metadata/configs.h"
#include "engine/metadata/features.h"

namespace millrace::engine {

std::vector<VersionedRecord> bootstrap_records(const FeatureLevels& levels) {
  std::vector<VersionedRecord> records;
  for (const SupportedFeature& feature : supported_features()) {
    const std::int16_t* level = levels.find(std::string(feature.name));
    if (level != nullptr && *level > 0) records.push_back({FeatureLevelRecord{std::string(feature.name), *level}, 0});
  }
  return records;
}

std::vector<VersionedRecord> default_bootstrap_records(std::int16_t metadata_version) {
  return bootstrap_records(default_feature_levels(metadata_version));
}

std::vector<VersionedRecord> activation_records(
    const std::vector<VersionedRecord>& bootstrap_records, std::string_view min_insync_replicas) {
  std::int16_t level = kMetadataVersionMin;
  bool eligible_leaders = false;
  for (const VersionedRecord& record : bootstrap_records) {
    const auto* feature = std::get_if<FeatureLevelRecord>(&record.record);
    if (feature == nullptr) continue;
    if (feature->name == kMetadataVersionFeature) level = feature->feature_level;
    if (feature->name == kEligibleLeadersFeature) eligible_leaders = feature->feature_level > 0;
  }
  std::vector<VersionedRecord> records;
  if (has_transactions(level)) records.push_back({BeginTransactionRecord{"Bootstrap records"}, 0});
  records.insert(records.end(), bootstrap_records.begin(), bootstrap_records.end());
  if (eligible_leaders) {
    records.push_back({ConfigRecord{.resource_type = static_cast<std::int8_t>(ConfigResourceType::broker),
                                    .name = "min.insync.replicas",
                                    .value = std::string(min_insync_replicas)},
                       0});
  }
  if (has_zk_migration_record(level)) records.push_back({ZkMigrationStateRecord{0}, 0});
  if (has_transactions(level)) records.push_back({EndTransactionRecord{}, 0});
  return records;
}

}  // namespace millrace::engine
