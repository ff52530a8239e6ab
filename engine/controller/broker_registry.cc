#include "engine/controller/broker_registry.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "engine/controller/elections.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;

// Its directories must be there, its own, and nobody else's.
std::optional<std::string> wrong_with_directories(const MetadataImage& image,
                                                  const RegisterBroker& question) {
  if (!has_directories(image.metadata_version())) return std::nullopt;
  if (question.log_directories.empty()) return "No directories specified in request";
  const std::set<Uuid> unique(question.log_directories.begin(), question.log_directories.end());
  if (unique.size() != question.log_directories.size()) return "Duplicate directory id in request";
  for (const Uuid& directory : unique) {
    if (directory == kDirectoryMigrating || directory == kDirectoryUnassigned ||
        directory == kDirectoryLost) {
      return fmt::format("Reserved directory ID in request: {}", directory.to_string());
    }
  }
  std::optional<std::string> wrong;
  image.brokers.for_each([&](BrokerId id, const BrokerImage& other) {
    if (id == question.id || wrong) return;
    for (const Uuid& directory : other.directories) {
      if (unique.contains(directory)) {
        wrong = fmt::format("Broker {} is already registered with directory {}", id.value(),
                            directory.to_string());
      }
    }
  });
  return wrong;
}

std::optional<std::string> wrong_with_features(const MetadataImage& image,
                                               const RegisterBroker& question) {
  std::optional<std::string> wrong;
  image.features.for_each([&](const std::string& name, std::int16_t level) {
    // A feature that is not named is one the broker does not have.
    FeatureRange range{.name = name};
    if (name == kMetadataVersionFeature) range = {name, 1, 1};
    for (const FeatureRange& supported : question.features) {
      if (supported.name == name) range = supported;
    }
    if (level >= range.min_supported_version && level <= range.max_supported_version) return;
    wrong = fmt::format(
        "Unable to register because the broker does not support finalized version {} of {}. The "
        "broker wants a "
        "version between {} and {}, inclusive.",
        level, name, range.min_supported_version, range.max_supported_version);
  });
  return wrong;
}

VersionedRecord fencing(const BrokerImage& broker, std::int8_t fenced) {
  return {
      BrokerRegistrationChangeRecord{
          .broker_id = broker.id.value(), .broker_epoch = broker.epoch.value(), .fenced = fenced},
      0};
}

}  // namespace

bool BrokerRegistry::alive(const Session& session, Instant now) const {
  return session.heard_of && now - *session.heard_of < options_.session_timeout;
}

void BrokerRegistry::start_sessions(const MetadataImage& image, Instant now) {
  image.brokers.for_each([&](BrokerId id, const BrokerImage& broker) {
    // An epoch is the offset of the registration that began it.
    sessions_[id] = {.heard_of = now, .registered_at = Offset(broker.epoch.value())};
  });
}

RegisterBrokerResult BrokerRegistry::register_broker(const MetadataImage& image,
                                                     const RegisterBroker& question,
                                                     Offset next_offset, Instant now,
                                                     std::vector<VersionedRecord>& records) {
  if (question.cluster_id != image.cluster_id) {
    return {ErrorCode::inconsistent_cluster_id,
            fmt::format("Expected cluster ID {}, but got cluster ID {}", image.cluster_id,
                        question.cluster_id)};
  }
  const BrokerImage* former = image.brokers.find(question.id);
  const bool same_process = former != nullptr && former->incarnation_id == question.incarnation_id;
  const auto session = sessions_.find(question.id);
  // This node's own former process is gone, or the lock on its directories would not be ours.
  if (former != nullptr && !same_process && session != sessions_.end() &&
      alive(session->second, now) && !former->fenced && question.id != options_.node_id) {
    return {ErrorCode::duplicate_broker_registration,
            "Another broker is registered with that broker id. If the broker was recently "
            "restarted this should "
            "self-resolve once the heartbeat manager expires the broker's session."};
  }
  if (const auto wrong = wrong_with_directories(image, question)) {
    return {ErrorCode::invalid_registration, *wrong};
  }
  if (const auto wrong = wrong_with_features(image, question))
    return {ErrorCode::unsupported_version, *wrong};

  BrokerImage broker{.id = question.id,
                     .epoch = BrokerEpoch(next_offset.value()),
                     .incarnation_id = question.incarnation_id,
                     .endpoints = question.listeners,
                     .features = question.features,
                     .rack = question.rack};
  // What the record cannot say the image must not have, or another controller would have another one.
  if (has_directories(image.metadata_version())) broker.directories = question.log_directories;
  if (same_process) {
    broker.epoch = former->epoch;
    broker.fenced = former->fenced;
    broker.in_controlled_shutdown = former->in_controlled_shutdown;
  }
  if (former != nullptr && !same_process) {
    // What it led it leads no more: it may not even know.
    Elections(image, options_.static_broker_config).broker_leaves(question.id, records);
    broker.epoch = BrokerEpoch(next_offset.value() + static_cast<std::int64_t>(records.size()));
  }
  records.push_back({to_record(broker), register_broker_record_version(image.metadata_version())});
  sessions_[question.id] = {.heard_of = now, .registered_at = Offset(broker.epoch.value())};
  return {.epoch = broker.epoch};
}

BrokerHeartbeatResult BrokerRegistry::heartbeat(const MetadataImage& image,
                                                const BrokerHeartbeat& question, Offset next_offset,
                                                Instant now,
                                                std::vector<VersionedRecord>& records) {
  const BrokerImage* broker = image.brokers.find(question.id);
  if (broker == nullptr || broker->epoch != question.epoch)
    return {.error = ErrorCode::stale_broker_epoch};
  Session& session = sessions_[question.id];
  session.heard_of = now;
  session.metadata_offset = std::max(session.metadata_offset, question.metadata_offset);
  const bool caught_up = question.metadata_offset >= session.registered_at;
  BrokerHeartbeatResult result{.is_caught_up = caught_up, .is_fenced = broker->fenced};

  if (!question.offline_directories.empty()) {
    std::vector<Uuid> online = broker->directories;
    std::erase_if(online, [&](const Uuid& directory) {
      return std::ranges::find(question.offline_directories, directory) !=
             question.offline_directories.end();
    });
    if (online.size() != broker->directories.size()) {
      records.push_back({BrokerRegistrationChangeRecord{.broker_id = broker->id.value(),
                                                        .broker_epoch = broker->epoch.value(),
                                                        .log_dirs = online},
                         2});
      Elections(image, options_.static_broker_config)
          .directories_fail(broker->id, question.offline_directories, records);
      return result;
    }
  }
  if (broker->fenced) {
    if (question.want_shutdown) {
      result.should_shut_down = true;
    } else if (!question.want_fence && caught_up) {
      unfence(image, *broker, records);
      result.is_fenced = false;
    }
    return result;
  }
  const bool leads = Elections(image, options_.static_broker_config).leads_any(broker->id);
  if (broker->in_controlled_shutdown) {
    const bool seen_by_all =
        !session.shutdown_at || *session.shutdown_at <= lowest_active_offset(image);
    if (!leads && seen_by_all) {
      fence(image, *broker, records);
      result.is_fenced = true;
      result.should_shut_down = true;
    }
  } else if (question.want_shutdown && leads) {
    begin_shutdown(image, *broker, records);
    session.shutdown_at = next_offset + static_cast<std::int64_t>(records.size()) - 1;
  } else if (question.want_shutdown || question.want_fence) {
    fence(image, *broker, records);
    result.is_fenced = true;
    result.should_shut_down = question.want_shutdown;
  }
  return result;
}

// Its partitions go first: a fenced broker leads nothing.
void BrokerRegistry::fence(const MetadataImage& image, const BrokerImage& broker,
                           std::vector<VersionedRecord>& records) {
  Elections(image, options_.static_broker_config).broker_leaves(broker.id, records);
  records.push_back(fencing(broker, 1));
}

void BrokerRegistry::unfence(const MetadataImage& image, const BrokerImage& broker,
                             std::vector<VersionedRecord>& records) {
  records.push_back(fencing(broker, -1));
  Elections(image, options_.static_broker_config).broker_joins(broker.id, records);
}

void BrokerRegistry::begin_shutdown(const MetadataImage& image, const BrokerImage& broker,
                                    std::vector<VersionedRecord>& records) {
  records.push_back({BrokerRegistrationChangeRecord{.broker_id = broker.id.value(),
                                                    .broker_epoch = broker.epoch.value(),
                                                    .in_controlled_shutdown = 1},
                     1});
  Elections(image, options_.static_broker_config).broker_leaves(broker.id, records);
}

Offset BrokerRegistry::lowest_active_offset(const MetadataImage& image) const {
  Offset lowest{std::numeric_limits<std::int64_t>::max()};
  image.brokers.for_each([&](BrokerId id, const BrokerImage& broker) {
    if (!broker.active()) return;
    const auto session = sessions_.find(id);
    if (session != sessions_.end()) lowest = std::min(lowest, session->second.metadata_offset);
  });
  return lowest;
}

OperationResult BrokerRegistry::unregister(const MetadataImage& image,
                                           const UnregisterBroker& question,
                                           std::vector<VersionedRecord>& records) {
  const BrokerImage* broker = image.brokers.find(question.id);
  if (broker == nullptr) {
    return {ErrorCode::broker_id_not_registered,
            fmt::format("Broker ID {} is not currently registered", question.id.value())};
  }
  Elections(image, options_.static_broker_config).broker_leaves(broker->id, records);
  records.push_back({UnregisterBrokerRecord{broker->id.value(), broker->epoch.value()}, 0});
  return {};
}

OperationResult BrokerRegistry::assign_directories(const MetadataImage& image,
                                                   const AssignDirectories& question,
                                                   std::vector<VersionedRecord>& records) const {
  if (!has_directories(image.metadata_version())) {
    return {ErrorCode::unsupported_version,
            fmt::format("Directory assignment is not supported yet with metadata version {}",
                        image.metadata_version())};
  }
  const BrokerImage* broker = image.brokers.find(question.broker);
  if (broker == nullptr || broker->epoch != question.broker_epoch) {
    return {ErrorCode::stale_broker_epoch,
            fmt::format("Expected broker epoch {}, but received {}",
                        broker == nullptr ? -1 : broker->epoch.value(), question.broker_epoch.value())};
  }
  if (question.replicas.size() > kRecordsPerOperationMax) {
    return {ErrorCode::policy_violation, fmt::format("{} replicas at once", question.replicas.size())};
  }
  std::set<TopicPartition> seen;  // a second change would not see what the first one did
  const Elections elections(image, options_.static_broker_config);
  for (const ReplicaDirectory& replica : question.replicas) {
    if (std::ranges::find(broker->directories, replica.directory) == broker->directories.end()) continue;
    if (!seen.insert(replica.partition).second) continue;
    elections.replica_is_in(question.broker, replica.partition, replica.directory, records);
  }
  return {};
}

bool BrokerRegistry::fence_stale(const MetadataImage& image, Instant now,
                                 std::vector<VersionedRecord>& records) {
  for (auto& [id, session] : sessions_) {
    const BrokerImage* broker = image.brokers.find(id);
    if (broker == nullptr || broker->fenced || alive(session, now)) continue;
    session.heard_of.reset();
    fence(image, *broker, records);
    return true;
  }
  return false;
}

std::optional<Instant> BrokerRegistry::next_expiry(const MetadataImage& image) const {
  std::optional<Instant> next;
  for (const auto& [id, session] : sessions_) {
    const BrokerImage* broker = image.brokers.find(id);
    if (broker == nullptr || broker->fenced || !session.heard_of) continue;
    const Instant over = *session.heard_of + options_.session_timeout;
    if (!next || over < *next) next = over;
  }
  return next;
}

}  // namespace millrace::engine
