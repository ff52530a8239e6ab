// What the controller is asked, and what it answers.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "engine/effects.h"
#include "engine/metadata/config_definition.h"
#include "engine/metadata/image.h"
#include "net/wire/alter_configs.h"
#include "net/wire/create_partitions.h"
#include "net/wire/create_topics.h"
#include "net/wire/delete_topics.h"
#include "net/wire/error_code.h"
#include "net/wire/incremental_alter_configs.h"
#include "net/wire/update_features.h"

namespace millrace::engine {

struct ControllerOptions {
  BrokerId node_id;
  std::int32_t default_partitions = 1;                 // num.partitions
  std::int16_t default_replication_factor = 1;         // default.replication.factor
  bool delete_topics_enabled = true;                   // delete.topic.enable
  Duration session_timeout = std::chrono::seconds(9);  // broker.session.timeout.ms
  // The broker's configurations, ordered by name; empty refuses all changes to them.
  std::span<const ConfigDefinition> broker_configs;
  ConfigMap static_broker_config;  // server.properties
  // For an empty log: what format wrote to bootstrap.checkpoint.
  std::vector<VersionedRecord> bootstrap_records;
};

// Records that one operation may write.
inline constexpr std::size_t kRecordsPerOperationMax = 10'000;

// An answer of the protocol together with the text it points to, so that it stands on its own.
template <class Response>
struct Reply {
  Response response;

  Reply() = default;
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) noexcept = default;
  Reply(const Reply&) = delete;

  std::string_view keep(std::string_view text) { return texts_.emplace_back(text); }

 private:
  std::deque<std::string>
      texts_;  // a deque: what it holds stays where it is when it grows or moves
};

// ---- Questions. Those of the protocol are pointed to, and must live as long as the step.

// This node has become the active controller and everything in the log has been applied.
struct Activate {};
// Time has passed: sessions may be over.
struct Tick {};
struct RegisterBroker {
  BrokerId id;
  std::string cluster_id;
  Uuid incarnation_id;  // drawn anew by each start of the process
  std::vector<EndpointData> listeners;
  std::vector<FeatureRange> features;
  std::optional<std::string> rack;
  std::vector<Uuid> log_directories;
};
struct BrokerHeartbeat {
  BrokerId id;
  BrokerEpoch epoch;
  Offset metadata_offset;  // up to where the broker has acted on the metadata log
  bool want_fence = false;
  bool want_shutdown = false;
  std::vector<Uuid> offline_directories;
};
struct UnregisterBroker {
  BrokerId id;
};
struct AllocateProducerIds {
  BrokerId broker;
  BrokerEpoch broker_epoch;
};
struct ReplicaDirectory {
  TopicPartition partition;
  Uuid directory;
  bool operator==(const ReplicaDirectory&) const = default;
};
// Where a broker has these of its replicas, which is not what the metadata says.
struct AssignDirectories {
  BrokerId broker;
  BrokerEpoch broker_epoch;
  std::vector<ReplicaDirectory> replicas;
};

using ControllerEvent =
    std::variant<Activate, Tick, RegisterBroker, BrokerHeartbeat, UnregisterBroker,
                 AllocateProducerIds, AssignDirectories, const wire::CreateTopicsRequest*,
                 const wire::DeleteTopicsRequest*, const wire::CreatePartitionsRequest*,
                 const wire::IncrementalAlterConfigsRequest*, const wire::AlterConfigsRequest*,
                 const wire::UpdateFeaturesRequest*>;

struct ControllerInput {
  ControllerEvent event;
  // The offset the first record of this step will have.
  Offset next_offset;
};

// ---- Answers

struct OperationResult {
  wire::ErrorCode error{};
  std::string message;
};
struct RegisterBrokerResult {
  wire::ErrorCode error{};
  std::string message;
  BrokerEpoch epoch{-1};
};
struct BrokerHeartbeatResult {
  wire::ErrorCode error{};
  bool is_caught_up = false;
  bool is_fenced = true;
  bool should_shut_down = false;
};
struct ProducerIdBlock {
  wire::ErrorCode error{};
  ProducerId first;
  std::int32_t count = 0;
};

using ControllerReply =
    std::variant<OperationResult, RegisterBrokerResult, BrokerHeartbeatResult, ProducerIdBlock,
                 Reply<wire::CreateTopicsResponse>, Reply<wire::DeleteTopicsResponse>,
                 Reply<wire::CreatePartitionsResponse>,
                 Reply<wire::IncrementalAlterConfigsResponse>, Reply<wire::AlterConfigsResponse>,
                 Reply<wire::UpdateFeaturesResponse>>;

// Each input but Activate and Tick gets exactly one reply.
using ControllerEffects = Effects<VersionedRecord, ControllerReply>;

}  // namespace millrace::engine
