// What a cluster knows about a consumer group: its state and members, in either of Kafka's two
// protocols, and its committed offsets.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "cli/cluster_client.h"
#include "cli/topic_partition.h"

namespace millrace::cli {

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string host;
  std::optional<std::int32_t> epoch;  // of the consumer protocol
  std::vector<TopicPartition> partitions;
};

struct GroupState {
  std::string group;
  std::string type;  // classic or consumer
  std::string state;
  std::string protocol_type;  // "consumer" for consumers; empty when the group only keeps offsets
  std::string assignor;
  std::optional<std::int32_t> epoch;  // of the consumer protocol
  Coordinator coordinator;
  std::vector<GroupMember> members;

  // Whether somebody reads for the group, so that its offsets are not ours to change.
  bool is_active() const { return !members.empty(); }
};

struct CommittedOffset {
  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;
  std::string metadata;
};
using CommittedOffsets = std::map<TopicPartition, CommittedOffset>;

// Nothing: there is no such group.
Result<std::optional<GroupState>> find_group(ClusterClient& cluster, const std::string& group);
// Errors: not_found, with what to look at.
Result<GroupState> describe_group(ClusterClient& cluster, const std::string& group);

// All offsets that the group has committed.
Result<CommittedOffsets> committed_offsets(ClusterClient& cluster, const std::string& group);

// Reads the assignment that a consumer of the classic protocol got from its leader. Errors:
// malformed.
Result<std::vector<TopicPartition>> parse_assignment(ConstBytes bytes);

struct ListedGroup {
  std::string group;
  std::string type;   // empty where the broker does not tell
  std::string state;  // empty where the broker does not tell
  std::string protocol_type;
  std::int32_t coordinator = -1;
};

// The groups of all brokers, by name.
Result<std::vector<ListedGroup>> list_groups(ClusterClient& cluster);

}  // namespace millrace::cli
