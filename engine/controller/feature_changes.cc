#include "engine/controller/feature_changes.h"

#include <fmt/core.h>

#include <optional>
#include <set>
#include <string>

#include "engine/controller/new_partitions.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using Update = wire::UpdateFeaturesRequest::Feature;

enum UpgradeType : std::int8_t { kUpgrade = 1, kSafeDowngrade = 2, kUnsafeDowngrade = 3 };

Refusal invalid_version(const Update& update, std::string why) {
  return {ErrorCode::invalid_update_version,
          fmt::format("Invalid update version {} for feature {}. {}", update.max_version_level,
                      update.feature, why)};
}

std::optional<Refusal> check_supported(const MetadataImage& image, const ControllerOptions& options,
                                       const Update& update) {
  if (update.feature == kKRaftVersionFeature) {
    return invalid_version(update, "It is fixed when the directory is formatted; this version does not change it.");
  }
  const SupportedFeature* ours = supported_feature(update.feature);
  const std::int16_t level = update.max_version_level;
  if (ours == nullptr) {
    return invalid_version(update, fmt::format("Local controller {} does not support this feature.",
                                               options.node_id.value()));
  }
  if (level != 0 && (level < ours->min_level || level > ours->max_level)) {
    return invalid_version(update,
                           fmt::format("Local controller {} only supports versions {}-{}",
                                       options.node_id.value(), ours->min_level, ours->max_level));
  }
  std::optional<Refusal> refusal;
  image.brokers.for_each([&](BrokerId id, const BrokerImage& broker) {
    for (const FeatureRange& range : broker.features) {
      if (range.name != update.feature || level == 0) continue;
      if (level >= range.min_supported_version && level <= range.max_supported_version) return;
      refusal = invalid_version(
          update, fmt::format("Broker {} only supports versions {}-{}", id.value(),
                              range.min_supported_version, range.max_supported_version));
    }
  });
  return refusal;
}

std::optional<Refusal> check_direction(const MetadataImage& image, const Update& update,
                                       std::int8_t type) {
  const std::int16_t now = image.feature_level(update.feature);
  const std::int16_t level = update.max_version_level;
  if (level > now && type != kUpgrade)
    return invalid_version(update, "Can't downgrade to a newer version.");
  if (level >= now) return std::nullopt;
  if (type == kUpgrade) {
    return invalid_version(
        update,
        "Can't downgrade the version of this feature without setting the upgrade type to either "
        "safe or unsafe downgrade.");
  }
  if (update.feature != kMetadataVersionFeature) return std::nullopt;
  if (!downgrade_loses_metadata(now, level)) return std::nullopt;
  return invalid_version(update, type == kUnsafeDowngrade
                                     ? "Unsafe metadata downgrade is not supported in this version."
                                     : "Refusing to perform the requested downgrade because it "
                                       "might delete metadata information.");
}

// Without the feature nobody is eligible: a partition that has nobody else would be without a leader for good.
std::optional<Refusal> check_nobody_needs_it(const MetadataImage& image, const Update& update) {
  if (update.feature != kEligibleLeadersFeature || update.max_version_level > 0) return std::nullopt;
  std::optional<Refusal> refusal;
  image.topics.for_each([&](const TopicImage& topic) {
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& partition) {
      if (refusal || !partition.isr.empty()) return;
      refusal = invalid_version(
          update, fmt::format("Partition {}-{} has no replica in sync: bring one of its eligible leaders back first.",
                              topic.name, index.value()));
    });
  });
  return refusal;
}

std::optional<Refusal> check(const MetadataImage& image, const ControllerOptions& options,
                             const Update& update) {
  // Version 0 of the request has a flag where later ones have a type.
  const std::int8_t type =
      update.allow_downgrade ? std::int8_t{kSafeDowngrade} : update.upgrade_type;
  if (type < kUpgrade || type > kUnsafeDowngrade) {
    return invalid_version(update, "The controller does not support the given upgrade type.");
  }
  if (update.max_version_level < 0) {
    return invalid_version(update, "A feature version cannot be less than 0.");
  }
  if (update.feature == kMetadataVersionFeature && update.max_version_level == 0) {
    return invalid_version(update, "metadata.version cannot be removed.");
  }
  if (auto refusal = check_supported(image, options, update)) return refusal;
  if (auto refusal = check_nobody_needs_it(image, update)) return refusal;
  return check_direction(image, update, type);
}

// What the request as a whole leaves behind: no feature above 0 at a metadata.version that cannot carry it.
std::optional<Refusal> check_together(const MetadataImage& image,
                                      const wire::UpdateFeaturesRequest& request) {
  const auto level_of = [&](std::string_view name) {
    for (const Update& update : request.feature_updates) {
      if (update.feature == name) return update.max_version_level;
    }
    return image.feature_level(name);
  };
  const std::int16_t version = level_of(kMetadataVersionFeature);
  for (const SupportedFeature& feature : supported_features()) {
    const std::int16_t level = level_of(feature.name);
    if (level == 0 || version >= feature.needs_metadata_version) continue;
    return Refusal{ErrorCode::invalid_update_version,
                   fmt::format("{} could not be set to {} because it depends on metadata.version level {}",
                               feature.name, level, feature.needs_metadata_version)};
  }
  return std::nullopt;
}

// What comes with the level of eligible leader replicas: all controllers must go by the same min.insync.replicas, which is no
// broker's own any more, and without the feature nobody is eligible.
void follow_eligible_leaders(const MetadataImage& image, const ControllerOptions& options, std::int16_t level,
                             std::vector<VersionedRecord>& records) {
  if (level == 0) {
    records.push_back({ClearElrRecord{}, 0});
    return;
  }
  constexpr std::string_view kKey = "min.insync.replicas";
  image.configs.for_each([&](const ConfigResource& resource, const ConfigValues& values) {
    if (resource.type != ConfigResourceType::broker || resource.name.empty() || !values.contains(kKey)) return;
    records.push_back({ConfigRecord{static_cast<std::int8_t>(resource.type), resource.name, std::string(kKey), std::nullopt}, 0});
  });
  if (image.config(ConfigResource::cluster_default()).contains(kKey)) return;
  const auto ours = options.static_broker_config.find(kKey);
  records.push_back({ConfigRecord{.resource_type = static_cast<std::int8_t>(ConfigResourceType::broker),
                                  .name = std::string(kKey),
                                  .value = ours == options.static_broker_config.end() ? "1" : ours->second},
                     0});
}

}  // namespace

Reply<wire::UpdateFeaturesResponse> update_features(const MetadataImage& image,
                                                    const ControllerOptions& options,
                                                    const wire::UpdateFeaturesRequest& request,
                                                    std::vector<VersionedRecord>& records) {
  Reply<wire::UpdateFeaturesResponse> reply;
  auto& response = reply.response;
  response.error_message.reset();
  std::optional<Refusal> refusal;
  std::set<std::string_view> seen;
  for (const Update& update : request.feature_updates) {
    auto& answer = response.results.emplace_back();
    answer.feature = reply.keep(update.feature);
    answer.error_message.reset();
    if (refusal) continue;
    if (!seen.insert(update.feature).second) {
      refusal =
          Refusal{ErrorCode::invalid_request,
                  fmt::format("Feature {} appears more than once in the request.", update.feature)};
    } else {
      refusal = check(image, options, update);
    }
    if (refusal || update.max_version_level == image.feature_level(update.feature)) continue;
    records.push_back(
        {FeatureLevelRecord{std::string(update.feature), update.max_version_level}, 0});
    if (update.feature == kEligibleLeadersFeature) {
      follow_eligible_leaders(image, options, update.max_version_level, records);
    }
  }
  if (!refusal) refusal = check_together(image, request);
  if (refusal) {
    // All or nothing.
    records.clear();
    response.error_code = refusal->error;
    response.error_message =
        reply.keep("The update failed for all features since the following feature had an error: " +
                   refusal->message);
    response.results.clear();
  }
  if (request.validate_only) records.clear();
  return reply;
}

}  // namespace millrace::engine
