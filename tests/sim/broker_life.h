// BrokerLife: the parts of one simulated life that broker_crash.cc (starts, crashes, faults), broker_clients.cc (what clients
// do and check), broker_groups.cc (members of groups), broker_subscribers.cc (those of the consumer protocol),
// broker_movers.cc (those of groups that move) and broker_offsets.cc (committed offsets) share.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/gate.h"
#include "net/transport/client_connection.h"
#include "net/wire/consumer_group_heartbeat.h"
#include "net/wire/fetch.h"
#include "net/wire/join_group.h"
#include "net/wire/produce.h"
#include "net/wire/sync_group.h"
#include "tests/sim/broker_crash.h"
#include "tests/sim/broker_node.h"
#include "tests/sim/oracle.h"

namespace millrace::sim {

// ---- For those who write requests

// The text as requests hold it, which borrow theirs.
inline std::optional<std::string_view> view(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return *text;
}

// The topic's entry in a request, made at its first partition.
template <class Topics, class Matches>
auto& entry_for(Topics& topics, Matches matches) {
  const auto found = std::ranges::find_if(topics, matches);
  return found == topics.end() ? topics.emplace_back() : *found;
}

inline std::int16_t draw_version(Prng& random, std::int16_t least, std::int16_t most) {
  return static_cast<std::int16_t>(least + static_cast<std::int16_t>(random.below(static_cast<std::uint64_t>(most - least + 1))));
}

inline io::SleepAwaiter short_sleep(Prng& random, std::uint64_t microseconds) {
  return io::sleep_for(std::chrono::microseconds(random.below(microseconds)));
}

// Of members of the consumer protocol.
inline constexpr Duration kSubscriberSession = std::chrono::milliseconds(250);

enum class Trouble : std::uint8_t { none, full_disk, bad_partition, bad_write_ahead, resets, short_transfers };

class BrokerLife {
 public:
  explicit BrokerLife(const BrokerRun& run);
  BrokerReport live();

 private:
  struct Image {
    std::unique_ptr<SimDisk> disk;
    Oracle oracle;
    bool power = false;
  };
  // One client: a connection, opened again when it was lost.
  struct Actor {
    Actor(BrokerLife& of_life, std::string_view name)
        : life(of_life), random(of_life.world_.stream(fmt::format("{} {}", name, of_life.incarnation_))) {}
    template <class T>
    io::Task<Result<net::Answer<typename T::Response>>> call(const T& request, std::int16_t version);
    io::Task<void> close();

    BrokerLife& life;
    Prng random;
    std::unique_ptr<net::ClientConnection> connection;
  };
  // A reader of some partitions, with or without a session.
  struct Consumer {
    struct Position {
      std::string topic;
      std::int32_t partition = 0;
      std::int64_t offset = 0;
      std::int64_t known_end = 0;  // when it was last asked for
      bool changed = true;
      bool had_records = false;  // in the last answer, whole or not
    };
    std::int16_t version = 4;
    bool session = false;
    std::int32_t session_id = 0;
    std::int32_t epoch = 0;
    bool after_start = false;  // what the start was to keep is compared later
    std::vector<Position> positions;
  };
  using Records = std::vector<std::pair<std::int64_t, std::string>>;
  // What a fetch gave of one partition.
  using Sink = std::function<void(const Consumer::Position&, Records)>;
  using FetchedPartition = wire::FetchResponse::Partition;
  using ProducedPartition = wire::ProduceResponse::Partition;

  void fail(std::string what);
  void check(std::string wrong) {
    if (!wrong.empty()) fail(std::move(wrong));
  }
  // This node goes on for nothing.
  bool over() const { return image_ || !report_.failure.empty() || (node_ && node_->failure()); }
  void trace(std::uint64_t value) { report_.trace = (report_.trace ^ value) * 0x9e3779b97f4a7c15ULL; }
  template <class T>
  T run(io::Task<T> task) { return world_.run(reactor_, std::move(task)); }

  // ---- broker_crash.cc
  void arm(std::uint64_t after_changes);
  bool start_node();
  void stop_node(bool clean);
  void take_over_image();
  bool live_generation(int depth, bool last);
  void disturb();
  void heal();
  void end_generation(bool last);
  void note_offline_partitions();
  io::Task<void> work();
  io::Task<void> verify();
  io::Task<void> verify_topics(Actor& actor);
  io::Task<void> verify_records(Actor& actor);
  io::Task<void> verify_keyed(Actor& actor);
  io::Task<std::optional<Oracle::Found>> read_whole(Actor& actor, std::string topic, std::int32_t partition);
  io::Task<void> verify_liveness();
  io::Task<void> verify_partition_works(Actor& actor, const std::string& topic, std::int32_t partition);

  // ---- broker_clients.cc
  TopicTruth& topic(const std::string& name) { return oracle_.topics.at(name); }
  PartitionTruth& partition(const std::string& name, std::int32_t index) {
    return topic(name).partitions[static_cast<std::size_t>(index)];
  }
  std::vector<std::string> usable_topics() const;
  std::string name_of(const TopicId& id) const;
  bool may_fail(const std::string& topic, std::int32_t partition);
  io::Task<void> act_producer(std::size_t number);
  io::Task<void> act_consumer(std::uint64_t number);
  io::Task<void> act_admin();
  io::Task<void> produce(Actor& actor, ProducerTruth& producer);
  io::Task<void> init_producer(Actor& actor, ProducerTruth& producer);
  void make_batches(Prng& random, ProducerTruth& producer);
  SentBatch make_batch_for(Prng& random, const std::string& topic, std::int32_t partition);
  io::Task<void> send_outstanding(Actor& actor, ProducerTruth& producer);
  // Whether the batch is done with; `forget` when the producer must begin anew.
  bool take_answer(const SentBatch& batch, const ProducedPartition& answer, ProducerTruth& producer, bool& forget);
  Consumer make_consumer(Prng& random, std::size_t partitions);
  io::Task<void> poll(Actor& actor, Consumer& consumer, const Sink& sink);
  void take_fetched(Consumer::Position& position, const FetchedPartition& fetched, const Sink& sink);
  void take_fetch_error(Consumer::Position& position, const FetchedPartition& fetched);
  io::Task<void> create_topic(Actor& actor);
  io::Task<void> send_creation(Actor& actor, std::string name);
  io::Task<void> send_deletion(Actor& actor, std::string name);
  io::Task<void> replace_topic(Actor& actor);
  io::Task<void> produce_once(Actor& actor, std::string name);
  io::Task<void> create_by_metadata(Actor& actor);
  io::Task<void> delete_topic(Actor& actor);
  io::Task<void> alter_config(Actor& actor);
  io::Task<void> add_partitions(Actor& actor);
  io::Task<void> delete_records(Actor& actor);
  // The offset that stands for `timestamp`; empty: an error that may be.
  io::Task<std::optional<std::int64_t>> list_offset(Actor& actor, std::string topic, std::int32_t partition,
                                                    std::int64_t timestamp);
  io::Task<void> check_offsets(Actor& actor);

  // ---- broker_groups.cc
  // What members of groups do alike: `step` again and again, once the group's coordinator is asked for.
  io::Task<void> act_in_group(std::string name, std::string group, int steps, std::function<io::Task<void>(Actor&)> step);
  io::Task<void> act_member(std::size_t number);
  io::Task<void> find_coordinator(Actor& actor, std::string group);
  io::Task<void> weaken_offsets_topic(Actor& actor);
  bool group_may_fail(const std::string& group) const;
  // An error that a member of that group may be told: what it means for the member.
  void take_member_error(MemberTruth& member, wire::ErrorCode code, std::string_view request);
  io::Task<void> member_step(Actor& actor, MemberTruth& member);
  io::Task<void> join(Actor& actor, MemberTruth& member);
  io::Task<void> sync(Actor& actor, MemberTruth& member, const wire::JoinGroupResponse& joined);
  std::vector<wire::SyncGroupRequest::Assignment> share_out(Prng& random, const wire::JoinGroupResponse& joined,
                                                            std::deque<std::string>& texts);
  io::Task<void> heartbeat(Actor& actor, MemberTruth& member);
  io::Task<void> leave(Actor& actor, MemberTruth& member);
  // With a healthy node every group comes to rest.
  io::Task<void> verify_groups_settle();
  io::Task<void> settle(Actor& actor, MemberTruth& member, const MemberTruth& other, Instant deadline, bool& settled);
  io::Task<bool> is_stable(Actor& actor, std::string group);

  // ---- broker_subscribers.cc
  io::Task<void> act_subscriber(std::size_t number);
  io::Task<void> subscriber_step(Actor& actor, SubscriberTruth& member);
  void subscribe(Prng& random, SubscriberTruth& member);
  wire::ConsumerGroupHeartbeatRequest heartbeat_of(Prng& random, SubscriberTruth& member, std::int16_t version,
                                                   const OwnedPartitions& owned, bool says_all);
  io::Task<void> beat(Actor& actor, SubscriberTruth& member);
  io::Task<void> unsubscribe(Actor& actor, SubscriberTruth& member);
  io::Task<void> commit_as_subscriber(Actor& actor, SubscriberTruth& member, bool stale, bool unknown);
  // It has done nothing, and nothing has happened, for which it may be thrown out.
  bool must_be_member(const SubscriberTruth& member) const;
  void take_subscriber_error(SubscriberTruth& member, wire::ErrorCode code);
  // `in_step`: it knew before what the coordinator had for it.
  void take_assigned(Actor& actor, SubscriberTruth& member, std::uint64_t asked, const OwnedPartitions& partitions,
                     bool in_step);
  // Of the topics that the oracle knows.
  std::vector<PartitionName> names_of(const OwnedPartitions& partitions) const;
  bool own_everything(const SubscriberTruth& one, const SubscriberTruth& two) const;
  io::Task<void> verify_subscribers_settle();
  io::Task<void> verify_settled(Actor& actor, SubscriberTruth& one, const SubscriberTruth& two);
  io::Task<void> settle_subscriber(Actor& actor, SubscriberTruth& member, const SubscriberTruth& other, Instant deadline, bool& settled);
  io::Task<bool> is_stable_with_subscribers(Actor& actor, std::string group, std::size_t members);

  // ---- broker_movers.cc
  io::Task<void> beat_as_classic(Actor& actor, SubscriberTruth& member);
  io::Task<void> join_as_classic(Actor& actor, SubscriberTruth& member);
  std::vector<std::vector<std::byte>> share_out_to_readers(Prng& random, const wire::JoinGroupResponse& joined);
  io::Task<void> sync_as_classic(Actor& actor, SubscriberTruth& member, const wire::JoinGroupResponse& joined);
  io::Task<void> leave_as_classic(Actor& actor, SubscriberTruth& member);
  void take_classic_error(SubscriberTruth& member, wire::ErrorCode code, std::string_view request);

  // ---- broker_offsets.cc
  struct CommitPlan {
    std::string group;
    std::string member_id;
    std::optional<std::string> instance_id;
    std::int32_t generation = -1;
    std::vector<PartitionName> partitions;
    bool must_be_refused = false;
    std::int16_t least_version = 2;
  };
  using Committed = std::map<PartitionName, std::pair<std::int64_t, std::string>>;
  io::Task<void> act_committer();
  std::vector<PartitionName> some_partitions(Prng& random) const;
  io::Task<void> commit_as_member(Actor& actor, MemberTruth& member, bool stale, bool unknown);
  // Gives what the member is told that it is, besides what becomes of each partition.
  io::Task<wire::ErrorCode> commit(Actor& actor, CommitPlan plan);
  wire::ErrorCode take_commit(const CommitPlan& plan, const PartitionName& partition, std::uint64_t number,
                              wire::ErrorCode code);
  // All that is committed with no `partitions`; empty: an error that may be.
  io::Task<std::optional<Committed>> fetch_committed(Actor& actor, std::string group,
                                                     std::vector<PartitionName> partitions);
  io::Task<void> check_committed(Actor& actor, std::string group, std::vector<PartitionName> partitions);
  // Of a topic that is new.
  io::Task<void> check_and_commit(Actor& actor, std::string topic);
  io::Task<void> delete_group(Actor& actor, std::string group);
  io::Task<void> delete_committed(Actor& actor, std::string group);
  io::Task<void> verify_committed(Actor& actor);
  io::Task<void> verify_committed_of(Actor& actor, std::string group, GroupTruth& truth);

  BrokerRun run_;
  World world_;
  Prng random_;
  SimNetwork network_;
  SimDisk client_disk_;
  SimProactor client_proactor_;
  io::Reactor reactor_;  // all clients
  SimStack stack_;
  std::unique_ptr<SimDisk> disk_;
  std::unique_ptr<BrokerNode> node_;
  std::uint32_t directories_ = 1;
  Trouble trouble_ = Trouble::none;
  bool disturbed_ = false;
  std::string bad_partition_;
  Oracle oracle_;
  std::optional<Image> image_;
  bool after_power_cut_ = false;
  std::uint64_t changes_left_ = 0;
  std::uint64_t next_value_ = 1;
  std::uint64_t next_topic_ = 1;
  std::uint64_t next_mark_ = 1;
  bool offsets_fsync_ = true;  // what __consumer_offsets promises
  std::uint64_t incarnation_ = 0;
  BrokerReport report_;
};

template <class T>
io::Task<Result<net::Answer<typename T::Response>>> BrokerLife::Actor::call(const T& request, std::int16_t version) {
  if (connection == nullptr) {
    CO_TRY(stream, co_await life.stack_.connect({.host = "node", .port = kNodePort}));
    connection = std::make_unique<net::ClientConnection>(
        std::move(stream),
        net::ClientOptions{.client_id = "sim", .request_timeout = std::chrono::seconds(60)});
  }
  auto answer = co_await connection->call(request, version);
  life.trace(static_cast<std::uint64_t>(life.world_.now().time_since_epoch().count()));
  life.trace(static_cast<std::uint64_t>(T::kKey));
  if (answer) {
    ++life.report_.requests;
    life.trace(std::hash<std::string_view>{}(as_text(answer->bytes)));
    co_return answer;
  }
  const bool may_be = life.trouble_ == Trouble::resets && answer.error() == Errc::closed;
  if (!may_be) {
    life.fail(fmt::format("{} version {} is not answered: {}", T::kName, version, answer.error().message));
  }
  co_await close();
  co_return answer;
}

}  // namespace millrace::sim
