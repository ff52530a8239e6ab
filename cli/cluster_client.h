// ClusterClient: all brokers of a cluster, for commands whose questions belong to one of them: the
// coordinator of a group, or the leader of a partition.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cli/admin_client.h"
#include "cli/clock.h"
#include "cli/topic_partition.h"
#include "net/wire/list_offsets.h"
#include "net/wire/metadata.h"

namespace millrace::cli {

// What ListOffsets answers for one partition.
struct ListedOffset {
  wire::ErrorCode error{};
  std::int64_t offset = -1;  // -1: no record is that young
};
// Partitions that nobody leads, or whose topic is not there, are missing.
using ListedOffsets = std::map<TopicPartition, ListedOffset>;

// Two of the timestamps that ListOffsets knows by meaning.
inline constexpr std::int64_t kLatestTimestamp = -1;
inline constexpr std::int64_t kEarliestTimestamp = -2;

struct Coordinator {
  std::int32_t node_id = -1;
  std::string address;  // host:port
};

// Lifetime:   one command's. Connections are opened when they are first needed.
// Invariant:  each question is asked again until the time that --timeout gives is over, as long as
//             the answer is an error of those that pass by themselves.
class ClusterClient {
 public:
  // Connects to the first broker that answers, and asks which brokers there are.
  static Result<ClusterClient> connect(const ConnectionOptions& options);

  const std::map<std::int32_t, std::string>& brokers() const { return brokers_; }
  Result<AdminClient*> broker(std::int32_t node_id);

  // Errors: what the broker says about the group, with what to check.
  Result<Coordinator> coordinator(const std::string& group);

  // Asks the group's coordinator. `error_of` picks from an answer the error that decides whether it
  // is to be asked again; any such error that stays is left in the answer.
  template <class T, class ErrorOf>
  Result<Answered<typename T::Response>> ask_coordinator(const std::string& group, const T& request,
                                                         ErrorOf error_of,
                                                         wire::VersionRange ours = T::kVersions) {
    const Instant deadline = now() + from_ms(options_.timeout_ms);
    while (true) {
      TRY(found, coordinator(group));
      TRY(client, broker(found.node_id));
      auto answer = client->call(request, ours);
      if (!answer || !passes_by_itself(error_of(answer->message)) || now() >= deadline)
        return answer;
      coordinators_.erase(group);
      pause_for(kPauseBetweenTries);
    }
  }
  // Whether the group's coordinator serves an API at all.
  Result<bool> coordinator_serves(const std::string& group, wire::ApiKey key);

  // Learns the partitions of these topics, and who leads them. Topics that are not there are left
  // out of what partitions_of() knows.
  Result<void> learn(const std::set<std::string>& topics);
  // Ascending. Errors: not_found, for a topic that learn() did not find.
  Result<std::vector<std::int32_t>> partitions_of(const std::string& topic) const;

  // For each partition the first offset whose record is not older than the timestamp, or one of the
  // two above. Requires: learn() of the topics.
  Result<ListedOffsets> list_offsets(const std::map<TopicPartition, std::int64_t>& timestamps);
  Result<ListedOffsets> list_offsets(const std::set<TopicPartition>& partitions,
                                     std::int64_t timestamp);

  // Partitions by the broker that leads them. Requires: learn() of the topics.
  std::map<std::int32_t, std::vector<TopicPartition>> by_leader(
      const std::set<TopicPartition>& partitions) const;

  // Errors that a coordinator or leader answers while it starts or moves.
  static bool passes_by_itself(wire::ErrorCode code);
  std::int32_t timeout_ms() const { return options_.timeout_ms; }

  static constexpr Duration kPauseBetweenTries = from_ms(100);

 private:
  explicit ClusterClient(ConnectionOptions options) : options_(std::move(options)) {}
  void take_brokers(const wire::MetadataResponse& metadata);
  Result<wire::ErrorCode> ask_for_coordinator(const std::string& group);
  Result<void> list_at(std::int32_t node_id, const std::vector<TopicPartition>& partitions,
                       const std::map<TopicPartition, std::int64_t>& timestamps,
                       ListedOffsets& listed);

  ConnectionOptions options_;
  std::unique_ptr<AdminClient> first_;
  std::map<std::int32_t, std::string> brokers_;  // as they advertise themselves
  std::map<std::int32_t, std::unique_ptr<AdminClient>> clients_;
  std::map<std::string, Coordinator> coordinators_;
  std::map<TopicPartition, std::int32_t> leaders_;  // -1: none
};

// host:port, with an IPv6 host in brackets.
std::string address_of(std::string_view host, std::int32_t port);

}  // namespace millrace::cli
