#include "server/broker_setup.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "server/settings_table.h"

namespace millrace::server {
namespace {

std::string own_host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

std::string told_host(const Listener& listener) {
  const bool every_address = listener.host.empty() || listener.host == "0.0.0.0" || listener.host == "::";
  return every_address ? own_host() : listener.host;
}

io::Backend backend(const Settings& settings) {
  const std::string name = settings.text("millrace.io.backend");
  if (name == "uring") return io::Backend::io_uring;
  if (name == "epoll") return io::Backend::epoll;
  return io::Backend::automatic;
}

engine::MigrationPolicy migration_policy(std::string policy) {
  std::ranges::transform(policy, policy.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (policy == "disabled") return engine::MigrationPolicy::disabled;
  if (policy == "upgrade") return engine::MigrationPolicy::upgrade;
  return policy == "downgrade" ? engine::MigrationPolicy::downgrade : engine::MigrationPolicy::bidirectional;
}

engine::ConsumerGroupOptions consumer_group_options(const Settings& settings) {
  engine::ConsumerGroupOptions options;
  const auto protocols = settings.list("group.coordinator.rebalance.protocols");
  options.enabled = std::ranges::find(protocols, "consumer") != protocols.end();
  options.assignors = settings.list("group.consumer.assignors");
  options.heartbeat_interval = settings.milliseconds("group.consumer.heartbeat.interval.ms");
  options.heartbeat_interval_min = settings.milliseconds("group.consumer.min.heartbeat.interval.ms");
  options.heartbeat_interval_max = settings.milliseconds("group.consumer.max.heartbeat.interval.ms");
  options.session_timeout = settings.milliseconds("group.consumer.session.timeout.ms");
  options.session_timeout_min = settings.milliseconds("group.consumer.min.session.timeout.ms");
  options.session_timeout_max = settings.milliseconds("group.consumer.max.session.timeout.ms");
  options.size_max = static_cast<std::size_t>(settings.number("group.consumer.max.size"));
  options.migration = migration_policy(settings.text("group.consumer.migration.policy"));
  options.join_pause = settings.milliseconds("millrace.group.join.pause.ms");
  options.pattern_refresh = settings.milliseconds("group.consumer.regex.refresh.interval.ms");
  return options;
}

engine::GroupOptions group_options(const Settings& settings) {
  engine::GroupOptions options;
  options.consumer = consumer_group_options(settings);
  options.initial_rebalance_delay = settings.milliseconds("group.initial.rebalance.delay.ms");
  options.session_timeout_min = settings.milliseconds("group.min.session.timeout.ms");
  options.session_timeout_max = settings.milliseconds("group.max.session.timeout.ms");
  options.group_size_max = static_cast<std::size_t>(settings.number("group.max.size"));
  options.offset_metadata_bytes_max =
      static_cast<std::size_t>(std::max<std::int64_t>(settings.number("offset.metadata.max.bytes"), 0));
  options.memory_bytes_max = static_cast<std::size_t>(settings.number("millrace.group.memory.bytes"));
  options.offsets_retention = settings.minutes("offsets.retention.minutes");
  options.offsets_retention_check = settings.milliseconds("offsets.retention.check.interval.ms");
  return options;
}

}  // namespace

io::ShardOptions shard_options(const Settings& settings) {
  io::ShardOptions options;
  options.backend = backend(settings);
  const std::string poll = settings.text("millrace.poll");
  options.reactor.spin_always = poll == "always";
  if (poll == "adaptive") {
    options.reactor.spin = std::chrono::microseconds(settings.number("millrace.poll.us"));
  }
  return options;
}

engine::BrokerOptions broker_options(const Settings& settings, std::uint64_t random_seed) {
  engine::BrokerOptions options;
  options.node_id = settings.node_id();
  options.log_directories = settings.log_dirs();
  options.metadata_directory = settings.metadata_log_dir();
  options.rack = settings.text("broker.rack");
  const auto listeners = settings.client_listeners();
  const auto advertised = settings.advertised_listeners(own_host());
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    options.listeners.push_back({.name = listeners[i].name,
                                 .host = listeners[i].host,
                                 .port = listeners[i].port,
                                 .advertised_host = advertised[i].host,
                                 .advertised_port = advertised[i].port});
  }
  for (const Listener& listener : settings.listeners()) {
    if (!settings.is_controller_listener(listener.name)) continue;
    options.controller_endpoints.push_back({.listener = listener.name,
                                            .host = told_host(listener),
                                            .port = listener.port});
  }
  options.static_configs = settings.all_set();
  options.config_definitions = setting_definitions();
  options.auto_create_topics = settings.flag("auto.create.topics.enable");
  options.delete_topics = settings.flag("delete.topic.enable");
  options.metadata_segment_bytes = settings.number("metadata.log.segment.bytes");
  options.metadata_snapshot_bytes =
      static_cast<std::size_t>(settings.number("metadata.log.max.record.bytes.between.snapshots"));
  options.default_partitions = static_cast<std::int32_t>(settings.number("num.partitions"));
  options.default_replication_factor =
      static_cast<std::int16_t>(settings.number("default.replication.factor"));
  options.fetch_bytes_max = static_cast<std::int32_t>(settings.number("fetch.max.bytes"));
  options.fetch_sessions_max =
      static_cast<std::size_t>(settings.number("max.incremental.fetch.session.cache.slots"));
  options.write_ahead_bytes = static_cast<std::uint64_t>(settings.number("millrace.wal.bytes"));
  options.disk_reserve_percent = static_cast<std::uint32_t>(settings.number("millrace.disk.reserve.percent"));
  options.retention_check_ms = to_ms(settings.milliseconds("log.retention.check.interval.ms"));
  options.checkpoint_ms = to_ms(settings.milliseconds("log.flush.offset.checkpoint.interval.ms"));
  options.groups = group_options(settings);
  options.offsets_topic_partitions =
      static_cast<std::int32_t>(settings.number("offsets.topic.num.partitions"));
  options.offsets_topic_replication_factor =
      static_cast<std::int16_t>(settings.number("offsets.topic.replication.factor"));
  options.offsets_topic_segment_bytes = settings.number("offsets.topic.segment.bytes");
  options.random_seed = random_seed;
  return options;
}

}  // namespace millrace::server
