#include "net/wire/fetch.h"

#include <algorithm>

#include "base/prng.h"
#include "engine/api/decode.h"
#include "engine/api/error_map.h"
#include "engine/api/handlers.h"
#include "engine/api/shard_route.h"
#include "io/file.h"
#include "io/reactor.h"
#include "net/wire/fetch_layout.h"

namespace millrace::engine {
namespace {

using wire::ErrorCode;
using wire::FetchRequest;
using wire::FetchResponse;

constexpr std::int16_t kFirstWithTopicIds = 13;
// So little that the protocol can say an answer's length, with all that stands beside the records.
constexpr std::int32_t kRecordBytesMax = 1 << 30;
// A request of up to so many bytes gives its buffer back while it waits.
constexpr std::size_t kForgottenBytesMax = 16 << 10;

// One partition of the request on its way to the owner and back.
struct FetchPart {
  TopicPartition partition;
  std::list<FetchPartition>::iterator wanted;
  ErrorCode error = ErrorCode::none;
  PartitionState state;
  log::ReadRange range;
  bool more_follows = false;  // there is more than one read can give
  std::optional<std::vector<log::AbortedTransaction>> aborted;  // for readers of committed records
  std::optional<replication::EpochEnd> diverging;  // where the reader's history and ours part
};

// What a fetch may take: shared by all its partitions, in their order.
struct FetchBudget {
  std::size_t bytes_left = 0;
  bool first = true;  // the first batch found is given even if it is too large (KIP-74)
};

void check_divergence(const log::Log& log, FetchPart& part) {
  const LeaderEpoch asked{part.wanted->last_fetched_epoch};
  if (asked == kNoLeaderEpoch) return;
  const auto end = log.end_offset_for(asked);
  if (!end) {
    part.error = ErrorCode::offset_out_of_range;
  } else if (end->epoch < asked || end->end_offset < Offset{part.wanted->fetch_offset}) {
    part.diverging = end;
  }
}

// A partition of which something must be brought into memory before it can be read without waiting, and how much is wanted of it.
struct ColdPartition {
  std::shared_ptr<Partition> partition;
  std::size_t bytes_max = 0;
};

enum class Warmth : std::uint8_t { unknown, warmed };

ColdPartition read_part(BrokerShard& owner, FetchPart& part, FetchBudget& budget, Isolation isolation, Warmth warmth) {
  part.range = {};
  part.more_follows = false;
  part.aborted.reset();
  const auto partition = owner.find(part.partition);
  if (partition == nullptr) {
    part.error = ErrorCode::not_leader_or_follower;
    return {};
  }
  if (const auto leads = partition->check_leader(LeaderEpoch{part.wanted->current_leader_epoch});
      !leads) {
    part.error = to_error_code(leads.error().code);
    return {};
  }
  part.state = partition->state();
  const Offset from{part.wanted->fetch_offset};
  if (from < part.state.log_start_offset || from > part.state.log_end_offset) {
    part.error = ErrorCode::offset_out_of_range;
    return {};
  }
  check_divergence(*partition->log(), part);
  if (part.error != ErrorCode::none || part.diverging) return {};
  if (isolation == Isolation::read_committed) part.aborted.emplace();
  // What is there and not durable yet will be readable: nothing for now.
  if (from > part.state.high_watermark) return {};
  const auto partition_max = static_cast<std::size_t>(std::max(part.wanted->partition_max_bytes, 0));
  if (budget.bytes_left == 0 && !budget.first) return {};
  const std::size_t bytes_max = std::min(partition_max, budget.bytes_left);
  if (warmth == Warmth::unknown && partition->is_cold(from, isolation, bytes_max)) return {partition, bytes_max};
  auto range = partition->read(from, isolation, bytes_max, budget.first);
  if (!range) {
    part.error = to_error_code(range.error().code);
    return {};
  }
  if (range->empty()) return {};
  if (isolation == Isolation::read_committed) {
    auto aborted = partition->log()->aborted_in(*range);
    if (!aborted) {
      part.error = to_error_code(aborted.error().code);
      return {};
    }
    part.aborted = std::move(*aborted);
  }
  part.range = std::move(*range);
  // One read is of one segment: who waits for more at the end of an older one waits although it is there.
  part.more_follows =
      from < partition->log()->active_segment_base() && part.range.end_offset < partition->read_end(isolation);
  budget.first = false;
  budget.bytes_left -= std::min<std::size_t>(budget.bytes_left, part.range.length);
  return {};
}

io::Task<void> read_group(BrokerShard& owner, const std::vector<FetchPart*>& parts, FetchBudget& budget,
                          Isolation isolation) {
  for (FetchPart* part : parts) {
    part->error = ErrorCode::none;
    part->diverging.reset();
    const ColdPartition cold = read_part(owner, *part, budget, isolation, Warmth::unknown);
    if (cold.partition == nullptr) continue;
    co_await cold.partition->warm(Offset{part->wanted->fetch_offset}, isolation, cold.bytes_max);
    (void)read_part(owner, *part, budget, isolation, Warmth::warmed);
  }
  co_return;
}

// ---- Waiting for more

// A fetch's wait on one shard. The fields are used on that shard only; the object lives in the fetch's frame.
struct ShardWait {
  std::span<FetchPart* const> parts;
  Instant deadline;  // shards share the clock
  DataWaiter* waiter = nullptr;
  bool canceled = false;
};

io::Task<void> wait_here(BrokerShard& owner, ShardWait& wait) {
  if (wait.canceled || owner.ending()) co_return;
  DataWaiter waiter;
  for (const FetchPart* part : wait.parts) {
    const auto partition = owner.find(part->partition);
    if (partition == nullptr) co_return;
    // What came between the read and now must not be slept through.
    if (partition->state().high_watermark != part->state.high_watermark) co_return;
    partition->wait_for_data(waiter);
  }
  wait.waiter = &waiter;
  co_await waiter.until(wait.deadline);
  wait.waiter = nullptr;
}

io::Task<void> cancel_here(ShardWait& wait) {
  wait.canceled = true;
  if (wait.waiter != nullptr) wait.waiter->wake();
  co_return;
}

io::Task<void> cancel_on(Broker& broker, ShardId shard, ShardWait& wait) {
  co_await broker.shards().call(shard, [&]() -> io::Task<void> { return cancel_here(wait); });
}

io::Task<void> wait_on(Broker& broker, ShardId shard, ShardWait& wait) {
  co_await broker.shards().call(shard, [&]() -> io::Task<void> { return wait_here(broker.at(shard), wait); });
}

// Ends a wait on one shard when the client has gone.
class CancelAtEnd final : public net::EndWatch {
 public:
  CancelAtEnd(Broker& broker, ShardId shard, ShardWait& wait) : broker_(broker), shard_(shard), wait_(wait) {}
  void on_end() override { canceling_.spawn(cancel_on(broker_, shard_, wait_)); }
  io::Task<void> close() { return canceling_.close(); }

 private:
  Broker& broker_;
  ShardId shard_;
  ShardWait& wait_;
  io::Gate canceling_;
};

io::Task<void> wait_on_one(Broker& broker, const net::ConnectionInfo& connection, ShardParts<FetchPart>& group,
                           Instant deadline) {
  ShardWait wait{.parts = group.parts, .deadline = deadline};
  CancelAtEnd cancel(broker, group.shard, wait);
  connection.tell(cancel);
  co_await wait_on(broker, group.shard, wait);
  co_await cancel.close();
}

// Wakes who waits for one of several shards, also when the client has gone.
class WakeAtEnd final : public net::EndWatch {
 public:
  void on_end() override { someone.notify_all(); }
  io::Event someone;
};

io::Task<void> wait_and_tell(Broker& broker, ShardId shard, ShardWait& wait, io::Event& someone) {
  co_await wait_on(broker, shard, wait);
  someone.notify_all();
}

io::Task<void> wait_on_many(Broker& broker, const net::ConnectionInfo& connection,
                            std::vector<ShardParts<FetchPart>>& groups, Instant deadline) {
  std::vector<ShardWait> waits;
  waits.reserve(groups.size());
  for (const auto& group : groups) waits.push_back({.parts = group.parts, .deadline = deadline});
  io::Gate gate;
  WakeAtEnd woken;
  connection.tell(woken);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    gate.spawn(wait_and_tell(broker, groups[i].shard, waits[i], woken.someone));
  }
  if (gate.running() == groups.size()) co_await woken.someone.wait();
  for (std::size_t i = 0; i < groups.size(); ++i) co_await cancel_on(broker, groups[i].shard, waits[i]);
  co_await gate.close();
}

// Returns when a partition has news, at the deadline, or when the client has gone.
io::Task<void> wait_for_news(Broker& broker, const net::ConnectionInfo& connection,
                             std::vector<ShardParts<FetchPart>>& groups, Instant deadline) {
  return groups.size() == 1 ? wait_on_one(broker, connection, groups.front(), deadline)
                            : wait_on_many(broker, connection, groups, deadline);
}

// ---- Request and answer

FetchSessionRequest to_session_request(const FetchRequest& fetch, std::int16_t version) {
  FetchSessionRequest wanted;
  wanted.session_id = fetch.session_id;
  wanted.session_epoch = version >= 7 ? fetch.session_epoch : kSessionEpochFinal;
  wanted.uses_topic_ids = version >= kFirstWithTopicIds;
  for (const auto& topic : fetch.topics) {
    for (const auto& partition : topic.partitions) {
      FetchPartition& added = wanted.partitions.emplace_back();
      added.topic = topic.topic;
      added.topic_id = topic.topic_id;
      added.partition = partition.partition;
      added.current_leader_epoch = partition.current_leader_epoch;
      added.fetch_offset = partition.fetch_offset;
      added.last_fetched_epoch = partition.last_fetched_epoch;
      added.log_start_offset = partition.log_start_offset;
      added.partition_max_bytes = partition.partition_max_bytes;
    }
  }
  for (const auto& topic : fetch.forgotten_topics_data) {
    for (const std::int32_t index : topic.partitions) {
      wanted.forgotten.push_back({std::string(topic.topic), topic.topic_id, index});
    }
  }
  return wanted;
}

ErrorCode to_error_code(FetchSessionError error) {
  switch (error) {
    case FetchSessionError::none: return ErrorCode::none;
    case FetchSessionError::id_not_found: return ErrorCode::fetch_session_id_not_found;
    case FetchSessionError::invalid_epoch: return ErrorCode::invalid_fetch_session_epoch;
    case FetchSessionError::topic_id: return ErrorCode::fetch_session_topic_id_error;
  }
  return ErrorCode::unknown_server_error;
}

// Which partition of ours is meant; none when the image has no such one, with the error the client is told.
std::vector<FetchPart> resolve(const MetadataImage& image, std::list<FetchPartition>& wanted, bool by_name) {
  std::vector<FetchPart> parts;
  parts.reserve(wanted.size());
  const TopicImage* topic = nullptr;
  for (auto it = wanted.begin(); it != wanted.end(); ++it) {
    FetchPart& part = parts.emplace_back();
    part.wanted = it;
    const bool same_topic =
        topic != nullptr && (by_name ? topic->name == it->topic : topic->id == it->topic_id);
    if (!same_topic) topic = by_name ? image.topics.find(it->topic) : image.topics.find(it->topic_id);
    if (topic == nullptr) {
      part.error = by_name ? ErrorCode::unknown_topic_or_partition : ErrorCode::unknown_topic_id;
    } else if (topic->partition(PartitionIndex{it->partition}) == nullptr) {
      part.error = ErrorCode::unknown_topic_or_partition;
    } else {
      part.partition = {topic->id, PartitionIndex{it->partition}};
    }
  }
  return parts;
}

// Whether an incremental answer has to name the partition (KIP-227), and what it was told from now on.
bool note_news(const FetchPart& part) {
  FetchPartition& told = *part.wanted;
  const bool is_error = part.error != ErrorCode::none;
  bool news = !part.range.empty() || part.diverging || is_error || told.told_error;
  if (!is_error) {
    news |= told.told_high_watermark != part.state.high_watermark.value();
    news |= told.told_log_start_offset != part.state.log_start_offset.value();
    told.told_high_watermark = part.state.high_watermark.value();
    told.told_log_start_offset = part.state.log_start_offset.value();
  }
  told.told_error = is_error;
  return news;
}

FetchResponse::Partition to_answer(const FetchPart& part) {
  FetchResponse::Partition said;
  said.partition_index = part.wanted->partition;
  said.error_code = part.error;
  const bool known = part.error == ErrorCode::none || part.error == ErrorCode::offset_out_of_range;
  said.high_watermark = known ? part.state.high_watermark.value() : -1;
  said.last_stable_offset = known ? part.state.last_stable_offset.value() : -1;
  said.log_start_offset = known ? part.state.log_start_offset.value() : -1;
  said.aborted_transactions = std::nullopt;
  if (part.error == ErrorCode::none && part.aborted) {
    auto& listed = said.aborted_transactions.emplace();
    for (const auto& one : *part.aborted) listed.push_back({one.producer_id.value(), one.first_offset.value()});
  }
  if (part.diverging) {
    said.diverging_epoch = {part.diverging->epoch.value(), part.diverging->end_offset.value()};
  }
  said.records.here = wire::WireBytes{};
  said.records.size_elsewhere = part.range.length;
  return said;
}

net::Response to_reply(const Request& request, FetchSessions::Opened& opened, std::vector<FetchPart>& parts) {
  FetchResponse response;
  response.session_id = opened.session_id;
  std::vector<FetchPart*> with_records;
  for (auto& part : parts) {
    const bool news = note_news(part);
    if (opened.incremental && !news) continue;
    const FetchPartition& wanted = *part.wanted;
    if (response.responses.empty() || response.responses.back().topic != wanted.topic ||
        response.responses.back().topic_id != wanted.topic_id) {
      auto& topic = response.responses.emplace_back();
      topic.topic = wanted.topic;
      topic.topic_id = wanted.topic_id;
    }
    response.responses.back().partitions.push_back(to_answer(part));
    if (!part.range.empty()) with_records.push_back(&part);
  }
  auto layout = wire::encode_fetch_response(response, request.header.api_version,
                                            request.header.correlation_id);
  net::Response reply(std::move(layout.bytes));
  CHECK(layout.gaps.size() == with_records.size());
  for (std::size_t i = 0; i < layout.gaps.size(); ++i) {
    log::ReadRange& range = with_records[i]->range;
    const net::FileRange file{range.file->handle(), range.position, range.length};
    reply.insert(layout.gaps[i].position, file, std::move(range.file));
  }
  // Who had records goes to the end, so that nobody starves behind a busy partition.
  for (FetchPart* part : with_records) opened.session->move_to_back(part->wanted);
  return reply;
}

// Keeps a session's partitions as they are while a request of it waits.
class BusySession {
 public:
  explicit BusySession(std::shared_ptr<FetchSession> session) : session_(std::move(session)) {
    if (session_) session_->set_busy(true);
  }
  BusySession(const BusySession&) = delete;
  ~BusySession() {
    if (session_) session_->set_busy(false);
  }

 private:
  std::shared_ptr<FetchSession> session_;
};

// Shards are read one after the other, and the first takes what it can of the budget. Each fetch of a client begins with
// another, so that one whose partitions always have more does not starve the rest. Drawn from the number of the request, so
// that other requests in between do not make it the same one each time.
void vary_order(std::vector<ShardParts<FetchPart>>& groups, std::int32_t correlation_id) {
  if (groups.size() < 2) return;
  const auto first = Prng(static_cast<std::uint32_t>(correlation_id)).below(groups.size());
  std::ranges::rotate(groups, groups.begin() + static_cast<std::ptrdiff_t>(first));
}

net::Response session_error(const Request& request, FetchSessionError error) {
  FetchResponse response;
  response.error_code = to_error_code(error);
  return answer(request, response);
}

}  // namespace

io::Task<net::Response> handle_fetch(Broker& broker, BrokerShard& here, Request& request) {
  DECODE(fetch, FetchRequest);
  const Instant started = io::Reactor::current().now();
  auto opened = here.fetch_sessions().open(to_session_request(fetch, request.header.api_version), started);
  if (opened.error != FetchSessionError::none) co_return session_error(request, opened.error);

  const BusySession busy(opened.session);
  // All that is needed was copied. Of a large request the copy is large as well: it stays counted as memory of requests.
  if (request.body.size() <= kForgottenBytesMax) request.buffer.reset();
  const SharedImage image = here.image();
  auto parts = resolve(*image, opened.partitions(), request.header.api_version < kFirstWithTopicIds);
  std::vector<FetchPart*> resolved;
  for (auto& part : parts) {
    if (part.error == ErrorCode::none) resolved.push_back(&part);
  }
  const Isolation isolation =
      fetch.isolation_level == 1 ? Isolation::read_committed : Isolation::read_uncommitted;
  const auto bytes_max = static_cast<std::size_t>(
      std::clamp(fetch.max_bytes, 0, std::min(broker.options().fetch_bytes_max, kRecordBytesMax)));
  const auto bytes_min = std::min<std::size_t>(static_cast<std::size_t>(std::max(fetch.min_bytes, 0)), bytes_max);
  const Instant deadline = started + from_ms(std::max(fetch.max_wait_ms, 0));
  auto groups = group_by_shard<FetchPart>(resolved, broker.shards().count());
  vary_order(groups, request.header.correlation_id);
  while (true) {
    FetchBudget budget{.bytes_left = bytes_max};
    for (auto& group : groups) {
      co_await broker.shards().call(group.shard, [&]() -> io::Task<void> {
        return read_group(broker.at(group.shard), group.parts, budget, isolation);
      });
    }
    std::size_t bytes = 0;
    // Of what there is not it need not be told at once: it would ask again as soon.
    bool answer_now = resolved.empty();
    for (const FetchPart* part : resolved) {
      bytes += part->range.length;
      answer_now |= part->error != ErrorCode::none || part->diverging || part->more_follows;
    }
    if (answer_now || bytes >= bytes_min || here.ending() || request.connection->ended ||
        io::Reactor::current().now() >= deadline) {
      break;
    }
    for (FetchPart* part : resolved) part->range = {};  // nothing is held open while waiting
    co_await wait_for_news(broker, *request.connection, groups, deadline);
  }
  co_return to_reply(request, opened, parts);
}

}  // namespace millrace::engine
