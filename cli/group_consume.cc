#include "cli/group_consume.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "cli/clock.h"
#include "cli/interrupt.h"
#include "cli/kafka_client.h"
#include "cli/kafka_record.h"
#include "cli/topic_partition.h"

namespace millrace::cli {
namespace {

constexpr int kWaitMs = 200;
constexpr Duration kTimeBetweenCommits = from_ms(1000);

// Where partitions begin of which the group has committed nothing.
Result<std::string> reset_of(const OffsetRange& range) {
  if (!range.stop && range.start.kind == RangeEnd::Kind::beginning) return "earliest";
  if (!range.stop && range.start.kind == RangeEnd::Kind::end) return "latest";
  return fail(Errc::invalid_argument,
              "-o: with --group only beginning and end can be given, for partitions of which the "
              "group has committed nothing. `millrace group seek` moves what it has committed");
}

// Lifetime:   from start() to close(), which leaves the group. librdkafka calls on_rebalance() from
//             within poll() and close(), on the same thread.
// Invariant:  what is committed was given to the sink, and the sink had nothing held back.
class GroupReader {
 public:
  GroupReader(const ConsumeOptions& options, const RecordSink& sink)
      : options_(options), sink_(sink) {}

  Result<void> start(const std::string& reset) {
    std::vector<ClientProperty> properties = {
        {"group.id", options_.group},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        {"auto.offset.reset", reset},
        {"isolation.level", options_.read_uncommitted ? "read_uncommitted" : "read_committed"}};
    TRY(own, parse_properties(options_.properties));
    properties.insert(properties.end(), own.begin(), own.end());
    TRY(client, make_client({.type = RD_KAFKA_CONSUMER,
                             .connection = options_.connection,
                             .properties = properties,
                             .opaque = this,
                             .on_rebalance = &GroupReader::on_rebalance}));
    client_ = std::move(client);
    const auto partitions = partitions_of(client_.get(), options_.topic, options_.connection);
    if (!partitions) return fail(partitions.error());
    rd_kafka_poll_set_consumer(client_.get());
    PartitionListHandle topics(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(topics.get(), options_.topic.c_str(), RD_KAFKA_PARTITION_UA);
    const auto code = rd_kafka_subscribe(client_.get(), topics.get());
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(error_from_kafka(code, options_.topic));
    return {};
  }

  Result<std::int64_t> read() {
    bool go_on = true;
    while (go_on && !interrupted() && !is_at_end()) {
      MessageHandle message(rd_kafka_consumer_poll(client_.get(), idle_ ? kWaitMs : 0));
      idle_ = !message;
      if (!message || now() >= next_commit_) go_on = settle();
      if (!message) continue;
      TRY(more, take(*message));
      go_on = go_on && more;
    }
    settle();
    if (failure_) return fail(*failure_);
    return count_;
  }

  // Leaves the group, so that the other members need not wait until this one is missed.
  Result<void> close() {
    const auto code = rd_kafka_consumer_close(client_.get());
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
      return fail(error_from_kafka(code, "group " + options_.group));
    return {};
  }

 private:
  Result<bool> take(const rd_kafka_message_t& message) {
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      at_end_.insert(message.partition);
      return true;
    }
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return fail(error_from_kafka(message.err, "group " + options_.group));
    at_end_.erase(message.partition);
    const ConsumedRecord record = record_of(message);
    ++count_;
    if (!sink_(&record)) return forget_unsettled();
    printed_[{std::string(record.topic), record.partition}] = record.offset + 1;
    return options_.count_max < 0 || count_ < options_.count_max;
  }

  bool is_at_end() const {
    return options_.exit_at_end && was_assigned_ && at_end_.size() >= assigned_;
  }

  // Has the sink write what it holds back, then commits that. False where it could not be written.
  bool settle() {
    next_commit_ = now() + kTimeBetweenCommits;
    if (!sink_(nullptr)) return forget_unsettled();
    if (printed_.empty()) return true;
    PartitionListHandle offsets(
        rd_kafka_topic_partition_list_new(static_cast<int>(printed_.size())));
    for (const auto& [partition, offset] : printed_) {
      rd_kafka_topic_partition_list_add(offsets.get(), partition.topic.c_str(), partition.partition)
          ->offset = offset;
    }
    const auto code = rd_kafka_commit(client_.get(), offsets.get(), 0);
    // A commit that came too late: whoever has the partitions now reads these records again.
    const bool is_late = code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
                         code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
                         code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
                         code == RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST;
    printed_.clear();
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || is_late) return true;
    failure_ = error_from_kafka(code, "commit of group " + options_.group);
    return false;
  }

  // After a write that failed nobody knows which of these were printed.
  bool forget_unsettled() {
    printed_.clear();
    return false;
  }

  static void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t code,
                           rd_kafka_topic_partition_list_t* partitions, void* opaque) {
    auto& self = *static_cast<GroupReader*>(opaque);
    const bool is_incremental =
        std::string_view(rd_kafka_rebalance_protocol(client)) == "COOPERATIVE";
    const bool is_assignment = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (!is_assignment) {
      self.settle();
      for (int i = 0; i < partitions->cnt; ++i) self.at_end_.erase(partitions->elems[i].partition);
    }
    const auto count = static_cast<std::size_t>(partitions->cnt);
    if (is_incremental) {
      rd_kafka_error_t* error = is_assignment ? rd_kafka_incremental_assign(client, partitions)
                                              : rd_kafka_incremental_unassign(client, partitions);
      if (error != nullptr) rd_kafka_error_destroy(error);
      self.assigned_ += is_assignment ? count : -std::min(count, self.assigned_);
    } else {
      rd_kafka_assign(client, is_assignment ? partitions : nullptr);
      self.assigned_ = is_assignment ? count : 0;
    }
    self.was_assigned_ = is_assignment;
  }

  const ConsumeOptions& options_;
  const RecordSink& sink_;
  ClientHandle client_;
  std::map<TopicPartition, std::int64_t> printed_;  // next offset, of what is not committed
  std::set<std::int32_t> at_end_;
  std::size_t assigned_ = 0;
  bool was_assigned_ = false;  // and not taken back since
  bool idle_ = false;
  Instant next_commit_ = now() + kTimeBetweenCommits;
  std::int64_t count_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

Result<std::int64_t> consume_in_group(const ConsumeOptions& options, const RecordSink& sink) {
  TRY(reset, reset_of(options.range));
  if (!options.partitions.empty()) {
    return fail(
        Errc::invalid_argument,
        "-p: with --group it is the group that gives out partitions; leave one of them out");
  }
  GroupReader reader(options, sink);
  TRY_DONE(reader.start(reset));
  const auto count = reader.read();
  const auto closed = reader.close();
  if (!count) return fail(count.error());
  if (!closed) return fail(closed.error());
  return *count;
}

}  // namespace millrace::cli
