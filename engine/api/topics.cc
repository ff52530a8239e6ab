// What the controller decides: topics, partitions, configurations, features.
#include "engine/api/controller_requests.h"
#include "engine/api/handlers.h"
#include "engine/api/shard_route.h"
#include "net/wire/alter_configs.h"
#include "net/wire/create_partitions.h"
#include "net/wire/create_topics.h"
#include "net/wire/delete_topics.h"
#include "net/wire/incremental_alter_configs.h"
#include "net/wire/update_features.h"

namespace millrace::engine {

io::Task<net::Response> handle_create_topics(Broker& broker, BrokerShard&, Request& request) {
  return answer_by_controller<wire::CreateTopicsRequest>(broker, request);
}

// Whoever is told that a topic has gone may make another of its name, and no crash may then bring back what groups had committed.
io::Task<net::Response> handle_delete_topics(Broker& broker, BrokerShard&, Request& request) {
  auto response = co_await answer_by_controller<wire::DeleteTopicsRequest>(broker, request);
  co_await on_every_shard(broker, [](BrokerShard& part) { return part.groups().topics_dropped(); });
  co_return response;
}

io::Task<net::Response> handle_create_partitions(Broker& broker, BrokerShard&, Request& request) {
  return answer_by_controller<wire::CreatePartitionsRequest>(broker, request);
}

io::Task<net::Response> handle_alter_configs(Broker& broker, BrokerShard&, Request& request) {
  return answer_by_controller<wire::AlterConfigsRequest>(broker, request);
}

io::Task<net::Response> handle_incremental_alter_configs(Broker& broker, BrokerShard&, Request& request) {
  return answer_by_controller<wire::IncrementalAlterConfigsRequest>(broker, request);
}

io::Task<net::Response> handle_update_features(Broker& broker, BrokerShard&, Request& request) {
  return answer_by_controller<wire::UpdateFeaturesRequest>(broker, request);
}

}  // namespace millrace::engine
