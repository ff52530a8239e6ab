// The answer to each request, one function per API. Each runs on the connection's shard; `here` is that shard's part of the
// broker. They are thin: check, route, call, translate errors.
#pragma once

#include "engine/api/request.h"
#include "engine/broker.h"
#include "io/task.h"

namespace millrace::engine {

using Handler = io::Task<net::Response> (*)(Broker& broker, BrokerShard& here, Request& request);

io::Task<net::Response> handle_produce(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_fetch(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_list_offsets(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_metadata(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_find_coordinator(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_join_group(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_sync_group(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_heartbeat(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_leave_group(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_list_groups(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_describe_groups(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_delete_groups(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_consumer_group_heartbeat(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_consumer_group_describe(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_offset_commit(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_offset_fetch(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_offset_delete(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_api_versions(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_create_topics(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_delete_topics(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_create_partitions(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_delete_records(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_init_producer_id(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_offset_for_leader_epoch(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_describe_configs(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_alter_configs(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_incremental_alter_configs(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_list_config_resources(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_describe_cluster(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_describe_topic_partitions(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_describe_log_dirs(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_describe_quorum(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_update_features(Broker& broker, BrokerShard& here, Request& request);
io::Task<net::Response> handle_describe_producers(Broker& broker, BrokerShard& here, Request& request);

}  // namespace millrace::engine
