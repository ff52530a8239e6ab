#include "engine/controller/bootstrap.h"

#include "engine/metadata/features.h"

namespace millrace::engine {

std::vector<VersionedRecord> default_bootstrap_records(std::int16_t metadata_version) {
  return {{FeatureLevelRecord{std::string(kMetadataVersionFeature), metadata_version}, 0}};
}

std::vector<VersionedRecord> activation_records(
    const std::vector<VersionedRecord>& bootstrap_records) {
  std::int16_t level = kMetadataVersionMin;
  for (const VersionedRecord& record : bootstrap_records) {
    const auto* feature = std::get_if<FeatureLevelRecord>(&record.record);
    if (feature != nullptr && feature->name == kMetadataVersionFeature)
      level = feature->feature_level;
  }
  std::vector<VersionedRecord> records;
  if (has_transactions(level)) records.push_back({BeginTransactionRecord{"Bootstrap records"}, 0});
  records.insert(records.end(), bootstrap_records.begin(), bootstrap_records.end());
  if (has_zk_migration_record(level)) records.push_back({ZkMigrationStateRecord{0}, 0});
  if (has_transactions(level)) records.push_back({EndTransactionRecord{}, 0});
  return records;
}

}  // namespace millrace::engine
