// What a broker is told at start. Plain values: server/ reads them from the settings.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "engine/group/group_input.h"
#include "engine/metadata/config_definition.h"

namespace millrace::engine {

// One of `listeners`, and what clients are told of it (`advertised.listeners`).
struct BrokerListener {
  std::string name;
  std::string host;  // numeric
  std::uint16_t port = 0;
  std::string advertised_host;
  std::uint16_t advertised_port = 0;  // 0: the port that was bound
};

// Where other nodes would find this one as a controller.
struct ControllerEndpoint {
  std::string listener;
  std::string host;
  std::uint16_t port = 0;
};

struct BrokerOptions {
  BrokerId node_id{1};
  std::string cluster_id;
  std::vector<std::string> log_directories;
  std::vector<Uuid> directory_ids;  // by log directory
  std::string metadata_directory;   // holds __cluster_metadata-0
  std::vector<BrokerListener> listeners;
  std::vector<ControllerEndpoint> controller_endpoints;  // named in answers; nobody listens there yet
  std::string rack;

  // What server.properties says and what its keys mean, for DescribeConfigs and topic defaults.
  ConfigMap static_configs;
  std::span<const ConfigDefinition> config_definitions;

  bool auto_create_topics = true;
  bool delete_topics = true;  // delete.topic.enable
  std::int32_t default_partitions = 1;
  std::int16_t default_replication_factor = 1;
  std::int32_t fetch_bytes_max = 55 * 1024 * 1024;  // fetch.max.bytes
  std::size_t fetch_sessions_max = 1000;
  std::uint64_t write_ahead_bytes = std::uint64_t{256} << 20;  // per shard
  std::uint32_t disk_reserve_percent = 5;                        // millrace.disk.reserve.percent
  std::int64_t retention_check_ms = 300'000;
  std::int64_t checkpoint_ms = 60'000;
  std::int64_t metadata_segment_bytes = std::int64_t{1} << 30;   // metadata.log.segment.bytes
  std::size_t metadata_snapshot_bytes = std::size_t{20} << 20;   // metadata.log.max.record.bytes.between.snapshots
  GroupOptions groups;
  std::int32_t offsets_topic_partitions = 50;             // offsets.topic.num.partitions
  std::int16_t offsets_topic_replication_factor = 3;      // offsets.topic.replication.factor
  std::int64_t offsets_topic_segment_bytes = 104'857'600;  // offsets.topic.segment.bytes
  std::uint64_t random_seed = 0;  // from the kernel
  // The metadata log has failed: nothing more can be decided, the process should end. Called on shard 0.
  std::function<void(const Error&)> on_failure;
  // What is set for this broker has changed, or is known for the first time. Called on shard 0.
  std::function<void(const ConfigLayers&)> on_config;
};

}  // namespace millrace::engine
