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
  const SupportedFeature* ours = nullptr;
  for (const SupportedFeature& feature : supported_features()) {
    if (feature.name == update.feature) ours = &feature;
  }
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
  return check_direction(image, update, type);
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
  }
  if (refusal) {
    // All or nothing.
    records.clear();
    response.error_code = refusal->error;
    response.error_message =
        reply.keep("The update failed for all features since the following feature had an error: " +
                   refusal->message);
    for (auto& answer : response.results) {
      answer.error_code = refusal->error;
      answer.error_message = reply.keep(refusal->message);
    }
  }
  if (request.validate_only) records.clear();
  return reply;
}

}  // namespace millrace::engine
