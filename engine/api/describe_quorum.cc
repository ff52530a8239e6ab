#include "net/wire/describe_quorum.h"

#include "engine/api/decode.h"
#include "engine/api/handlers.h"
#include "io/reactor.h"

namespace millrace::engine {
namespace {

using wire::DescribeQuorumRequest;
using wire::DescribeQuorumResponse;
using wire::ErrorCode;

constexpr std::string_view kMetadataTopic = "__cluster_metadata";

struct Described {
  QuorumDescription quorum;
  Instant now;
  WallTime wall_now;
};

io::Task<Described> describe_here(Broker& broker) {
  io::Reactor& reactor = io::Reactor::current();
  co_return Described{broker.controller().describe_quorum(), reactor.now(), reactor.wall_now()};
}

// The protocol wants calendar time, Raft counts on the monotonic clock.
std::int64_t to_timestamp(const Described& described, const std::optional<Instant>& when) {
  if (!when) return -1;
  return described.wall_now.ms - to_ms(described.now - *when);
}

void say(const Described& described, const std::vector<QuorumReplica>& replicas,
         const BrokerOptions& options, std::vector<DescribeQuorumResponse::ReplicaState>& states) {
  for (const QuorumReplica& replica : replicas) {
    auto& state = states.emplace_back();
    state.replica_id = replica.id.value();
    if (replica.id == options.node_id) state.replica_directory_id = options.directory_ids.front();
    state.log_end_offset = replica.log_end_offset.value();
    const bool is_leader = replica.id == described.quorum.leader;
    state.last_fetch_timestamp =
        is_leader ? described.wall_now.ms : to_timestamp(described, replica.last_fetch);
    state.last_caught_up_timestamp =
        is_leader ? described.wall_now.ms : to_timestamp(described, replica.last_caught_up);
  }
}

// The voters with their controllers' endpoints. There is one voter, this node.
void add_nodes(const Described& described, const BrokerOptions& options, DescribeQuorumResponse& response) {
  for (const QuorumReplica& voter : described.quorum.voters) {
    auto& node = response.nodes.emplace_back();
    node.node_id = voter.id.value();
    if (voter.id != options.node_id) continue;
    for (const ControllerEndpoint& endpoint : options.controller_endpoints) {
      node.listeners.push_back({endpoint.listener, endpoint.host, endpoint.port});
    }
  }
}

// As Kafka has it: a request is for the one partition there is, or it is for none that is known.
bool asks_for_metadata(const DescribeQuorumRequest& wanted) {
  if (wanted.topics.size() != 1 || wanted.topics.front().partitions.size() != 1) return false;
  const auto& topic = wanted.topics.front();
  return topic.topic_name == kMetadataTopic && topic.partitions.front().partition_index == 0;
}

}  // namespace

io::Task<net::Response> handle_describe_quorum(Broker& broker, BrokerShard&, Request& request) {
  DECODE(wanted, DescribeQuorumRequest);
  const auto described = co_await broker.shards().call(
      ShardId{0}, [&]() -> io::Task<Described> { return describe_here(broker); });
  DescribeQuorumResponse response;
  const bool known = asks_for_metadata(wanted);
  for (const auto& topic : wanted.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.topic_name = topic.topic_name;
    for (const auto& partition : topic.partitions) {
      auto& said = topic_answer.partitions.emplace_back();
      said.partition_index = partition.partition_index;
      if (!known) {
        said.error_code = ErrorCode::unknown_topic_or_partition;
        said.error_message = "This server does not host this topic-partition.";
        continue;
      }
      said.leader_id = described.quorum.leader.value();
      said.leader_epoch = described.quorum.epoch.value();
      said.high_watermark = described.quorum.high_watermark.value();
      say(described, described.quorum.voters, broker.options(), said.current_voters);
      say(described, described.quorum.observers, broker.options(), said.observers);
    }
  }
  if (known) add_nodes(described, broker.options(), response);
  co_return answer(request, response);
}

}  // namespace millrace::engine
