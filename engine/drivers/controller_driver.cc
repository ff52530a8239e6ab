#include "engine/drivers/controller_driver.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "engine/controller/refusal.h"
#include "engine/log/format/batch_builder.h"
#include "engine/storage_format.h"

namespace millrace::engine {
namespace {

// Kafka's bound on a batch of the metadata log.
constexpr std::size_t kBatchBytesMax = std::size_t{8} << 20;

constexpr std::size_t kSnapshotBytesMin = std::size_t{1} << 20;

// Here not_leader is about the controller, not about a partition, so engine/api's table does not
// fit.
wire::ErrorCode refusal_code(Errc code) {
  switch (code) {
    case Errc::not_leader:
    case Errc::closed:
      return wire::ErrorCode::not_controller;
    case Errc::too_large:
      return wire::ErrorCode::policy_violation;
    case Errc::disk_full:
    case Errc::io_error:
    case Errc::offline:
      return wire::ErrorCode::kafka_storage_error;
    default:
      return wire::ErrorCode::unknown_server_error;
  }
}

}  // namespace

ControllerDriver::ControllerDriver(io::Proactor& proactor, Options options, PublishImage publish)
    : proactor_(proactor),
      options_(std::move(options)),
      publish_(std::move(publish)),
      prng_(options_.seed),
      timer_([this] { on_timer(); }) {}

ControllerDriver::~ControllerDriver() {
  CHECK(waiters_ == 0, "{} still wait for the controller", waiters_);
}

// ---- Start and stop

io::Task<Result<void>> ControllerDriver::start() {
  CO_TRY(bootstrap, read_bootstrap_records(proactor_, options_.metadata_directory));
  options_.controller.bootstrap_records = std::move(bootstrap);
  CO_TRY(log,
         co_await MetadataLog::open(proactor_, {.parent_directory = options_.metadata_directory,
                                                .segment_bytes = options_.segment_bytes}));
  log_ = std::move(log);
  follower_ = std::make_unique<MetadataFollower>(*log_, options_.cluster_id);
  CO_TRY_DONE(follower_->load_snapshot());
  if (log_->end_offset() == Offset{0}) CO_TRY_DONE(try_bootstrap());
  CO_TRY(voters, raft::VoterSet::make({{.id = options_.controller.node_id, .directory_id = {}}}));
  quorum_state_ = std::make_unique<replication::QuorumStateFile>(
      proactor_, log_->directory() + "/quorum-state", 0, voters);
  raft_ = std::make_unique<replication::RaftDriver>(
      log_->replica(), *quorum_state_, peers_, static_cast<replication::RaftListener&>(*this),
      replication::RaftDriver::Options{
          .raft = {.self = {.id = options_.controller.node_id, .directory_id = {}},
                   .voters = voters,
                   .cluster_id = options_.cluster_id,
                   .timing = {}},
          .seed = prng_.next()});
  gate_.spawn(run());
  CO_TRY_DONE(co_await raft_->start());
  ++waiters_;
  while (!ended() && (machine_ == nullptr || image_ == nullptr ||
                      follower_->next_offset() < log_->end_offset())) {
    co_await progress_.wait();
  }
  --waiters_;
  if (const auto error = ended()) co_return fail(*error);
  co_return Result<void>();
}

// Records that this release cannot work with must not become the beginning of a log.
Result<void> ControllerDriver::try_bootstrap() const {
  ImageBuilder scratch(follower_->builder());
  for (const VersionedRecord& record : options_.controller.bootstrap_records) {
    if (const auto applied = scratch.apply(record.record); !applied) {
      return fail(applied.error().code, fmt::format("{}/{}: {}", options_.metadata_directory, kBootstrapFile,
                                                    applied.error().message));
    }
  }
  return {};
}

io::Task<Result<void>> ControllerDriver::stop() {
  stopping_ = true;
  timer_.cancel();
  wake_.notify_all();
  progress_.notify_all();
  if (raft_ != nullptr) co_await raft_->stop();
  co_await gate_.close();
  while (waiters_ > 0) {
    progress_.notify_all();
    co_await io::yield();
  }
  resign();
  Result<void> closed;
  if (log_ != nullptr) closed = co_await log_->close();
  co_return closed;
}

std::optional<Error> ControllerDriver::ended() const {
  if (failure_) return failure_;
  if (stopping_) return Error{Errc::closed, "the controller is stopping"};
  return std::nullopt;
}

void ControllerDriver::fail_for_good(Error error) {
  if (failure_ || stopping_) return;
  LOG(error, "controller.failed", "error={}", error.message);
  failure_ = error;
  timer_.cancel();
  wake_.notify_all();
  progress_.notify_all();
  if (options_.on_failure) options_.on_failure(error);
}

// ---- What the quorum says

void ControllerDriver::on_commit(Offset high_watermark) {
  committed_ = high_watermark;
  wake_.notify_all();
}

void ControllerDriver::on_leader_change(LeaderEpoch epoch, BrokerId leader) {
  known_leader_ = leader;
  if (leader == options_.controller.node_id) {
    claimed_ = epoch;
  } else {
    resign();
  }
  wake_.notify_all();
}

void ControllerDriver::on_failure(const Error& error) {
  fail_for_good(error);
}

// What is decided and not committed may be lost: the next machine is made from the log.
void ControllerDriver::resign() {
  if (machine_ != nullptr) LOG(info, "controller.resigned", "epoch={}", epoch_.value());
  machine_.reset();
  claimed_.reset();
  written_.clear();
  timer_.cancel();
  progress_.notify_all();
}

void ControllerDriver::activate() {
  epoch_ = *std::exchange(claimed_, std::nullopt);
  follower_->set_controller(options_.controller.node_id);
  machine_ =
      std::make_unique<ControllerMachine>(options_.controller, follower_->builder(), prng_.next());
  LOG(info, "controller.active", "epoch={} topics={}", epoch_.value(),
      machine_->image().topics.size());
  if (auto decided = decide(Activate{}); !decided) fail_for_good(std::move(decided).error());
}

// ---- The loop: committed records become images

io::Task<void> ControllerDriver::run() {
  while (!ended()) {
    if (follower_->next_offset() < committed_) {
      const Offset before = follower_->next_offset();
      auto applied = co_await apply_committed();
      if (!applied) {
        fail_for_good(std::move(applied).error());
        co_return;
      }
      CHECK(follower_->next_offset() > before, "committed up to {}, applied up to {} only",
            committed_.value(), before.value());
      co_await publish();
    } else if (claimed_ && raft_->raft().is_leader() && raft_->raft().epoch() == *claimed_ &&
               follower_->next_offset() >= log_->end_offset()) {
      activate();
      co_await publish();
    } else if (snapshot_due()) {
      const auto written = co_await write_snapshot();
      // A snapshot can wait; the records are all in the log.
      if (!written) LOG(warn, "metadata.snapshot_failed", "error={}", written.error().message);
    } else {
      co_await wake_.wait();
    }
  }
}

io::Task<Result<void>> ControllerDriver::apply_committed() {
  CO_TRY_DONE(apply_written());
  if (follower_->next_offset() < committed_ && written_.empty()) {
    CO_TRY_DONE(co_await follower_->catch_up(committed_));
  }
  co_return Result<void>();
}

// What this node's controller wrote need not be read back.
Result<void> ControllerDriver::apply_written() {
  while (!written_.empty() && written_.front().end_offset() <= committed_) {
    TRY_DONE(follower_->apply(written_.front()));
    written_.pop_front();
  }
  return {};
}

io::Task<void> ControllerDriver::publish() {
  auto [image, delta] = follower_->publish();
  co_await publish_(image, std::make_shared<const MetadataDelta>(std::move(delta)));
  // Only now: who asks meanwhile, and is answered with what others have decided, waits for it too.
  image_ = std::move(image);
  progress_.notify_all();
}

// So that a start has little to replay: when the records since the last snapshot are twice its
// size. Not before the start is over, which it would delay.
bool ControllerDriver::snapshot_due() const {
  if (machine_ == nullptr || follower_->builder().in_transaction()) return false;
  const std::size_t enough =
      std::min(options_.snapshot_bytes, std::max(kSnapshotBytesMin, 2 * last_snapshot_bytes_));
  if (follower_->bytes_since_snapshot() < enough) return false;
  const BrokerImage* own = image_->brokers.find(options_.controller.node_id);
  return own != nullptr && own->active();
}

io::Task<Result<void>> ControllerDriver::write_snapshot() {
  auto snapshot = follower_->make_snapshot(proactor_.wall_now());
  last_snapshot_bytes_ = snapshot.bytes.size();
  CO_TRY_DONE(co_await log_->write_snapshot(snapshot.id, std::move(snapshot.bytes)));
  LOG(info, "metadata.snapshot_written", "end_offset={} bytes={}", snapshot.id.end_offset.value(),
      last_snapshot_bytes_);
  co_return Result<void>();
}

// ---- Decisions

Result<void> ControllerDriver::append(std::vector<VersionedRecord> records, bool atomic) {
  const WallTime now = proactor_.wall_now();
  std::vector<std::vector<std::byte>> values;
  std::size_t total = 0;
  for (const VersionedRecord& record : records) {
    total += values.emplace_back(encode_record(record)).size() +
             log::BatchBuilder::record_bytes_max(0, 0);
  }
  if (atomic && total > kBatchBytesMax) {
    return fail(Errc::too_large, fmt::format("the operation would write {} bytes at once", total));
  }
  for (std::size_t begin = 0; begin < records.size();) {
    log::BatchBuilder builder({.leader_epoch = epoch_});
    std::size_t end = begin;
    for (; end < records.size() && (atomic || builder.size() < kBatchBytesMax / 2); ++end) {
      builder.append(now.ms, std::nullopt, values[end]);
    }
    const Bytes batch = builder.finish();
    TRY(range, raft_->append(std::vector<std::byte>(batch.begin(), batch.end()), epoch_));
    MetadataFollower::Written& written =
        written_.emplace_back(MetadataFollower::Written{.first_offset = range.first_offset,
                                                        .epoch = epoch_,
                                                        .timestamp = now.ms,
                                                        .bytes = batch.size(),
                                                        .records = {}});
    for (; begin < end; ++begin) {
      const Offset offset = written.end_offset();
      TRY_DONE(machine_->apply(records[begin].record, offset));
      written.records.push_back(std::move(records[begin]));
    }
    CHECK(written.end_offset() == range.end_offset);
  }
  return {};
}

Result<ControllerDriver::Decided> ControllerDriver::decide(ControllerEvent event) {
  if (const auto error = ended()) return fail(*error);
  if (machine_ == nullptr) return fail(Errc::not_leader, "this node's controller is not active");
  machine_->step({std::move(event), log_->end_offset()}, io::Reactor::current().now(), effects_);
  if (auto appended = append(std::exchange(effects_.records, {}), effects_.atomic); !appended) {
    // Refused as a whole: the machine has not changed. Anything else may leave it ahead of the log:
    // the next one is made from that.
    if (appended.error() != Errc::too_large) {
      const LeaderEpoch epoch = epoch_;
      resign();
      claimed_ = epoch;
      wake_.notify_all();
    }
    return fail(std::move(appended).error());
  }
  set_timer(effects_.wake_at);
  Decided decided{.reply = std::nullopt, .seen_end = log_->end_offset()};
  if (!effects_.replies.empty()) decided.reply = std::move(effects_.replies.front());
  return decided;
}

io::Task<Result<ControllerDriver::Decided>> ControllerDriver::decide_and_wait(
    ControllerEvent event) {
  CO_TRY(decided, decide(std::move(event)));
  const LeaderEpoch epoch = epoch_;
  ++waiters_;
  while (!ended() && machine_ != nullptr && epoch_ == epoch &&
         image_->position.offset + 1 < decided.seen_end) {
    co_await progress_.wait();
  }
  --waiters_;
  if (const auto error = ended()) co_return fail(*error);
  if (machine_ == nullptr || epoch_ != epoch) {
    co_return fail(Errc::not_leader, "leadership was lost before the records were committed");
  }
  co_return std::move(decided);
}

io::Task<ControllerReply> ControllerDriver::ask(ControllerEvent event) {
  // Copied: what is asked goes to the machine, and is looked at again only when it did not answer.
  auto decided = co_await decide_and_wait(event);
  if (decided) co_return std::move(*decided->reply);
  co_return refuse(event, refusal_code(decided.error().code), decided.error().message);
}

void ControllerDriver::set_timer(std::optional<Instant> when) {
  if (!when) return timer_.cancel();
  timer_.arm(*when);
}

void ControllerDriver::on_timer() {
  if (machine_ == nullptr) return;
  // This node's broker is this process, which runs: it is not fenced for having been paused.
  const BrokerImage* own = machine_->image().brokers.find(options_.controller.node_id);
  Result<Decided> decided;
  if (own != nullptr && own->active()) {
    decided = decide(BrokerHeartbeat{
        .id = own->id, .epoch = own->epoch, .metadata_offset = image_->position.offset});
  }
  if (decided) decided = decide(Tick{});
  if (!decided) LOG(warn, "controller.tick_failed", "error={}", decided.error().message);
}

// ---- The broker of this node

io::Task<Result<BrokerEpoch>> ControllerDriver::join(RegisterBroker question) {
  const auto reply = co_await ask(std::move(question));
  const auto& registered = std::get<RegisterBrokerResult>(reply);
  if (registered.error != wire::ErrorCode::none) {
    co_return fail(Errc::invalid_argument, registered.message);
  }
  co_return registered.epoch;
}

io::Task<BrokerHeartbeatResult> ControllerDriver::beat(BrokerEpoch epoch, bool want_shutdown) {
  const auto reply = co_await ask(BrokerHeartbeat{.id = options_.controller.node_id,
                                                  .epoch = epoch,
                                                  .metadata_offset = image_->position.offset,
                                                  .want_shutdown = want_shutdown});
  co_return std::get<BrokerHeartbeatResult>(reply);
}

io::Task<Result<void>> ControllerDriver::unfence(BrokerEpoch epoch) {
  const auto answer = co_await beat(epoch, false);
  if (answer.error == wire::ErrorCode::none && !answer.is_fenced) co_return Result<void>();
  co_return fail(Errc::invalid_argument,
                 fmt::format("the controller does not unfence this broker: {}",
                             wire::error_name(answer.error)));
}

io::Task<Result<void>> ControllerDriver::leave(BrokerEpoch epoch) {
  // The first takes its partitions away, the second finds that nothing is left to wait for.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto answer = co_await beat(epoch, true);
    if (answer.error != wire::ErrorCode::none) break;
    if (answer.should_shut_down) co_return Result<void>();
  }
  co_return fail(Errc::invalid_argument, "the controller does not let this broker go");
}

QuorumDescription ControllerDriver::describe_quorum() const {
  QuorumDescription description;
  if (raft_ == nullptr) return description;
  const raft::Raft& raft = raft_->raft();
  description.leader = raft.leader();
  description.epoch = raft.epoch();
  description.high_watermark = raft.high_watermark().value_or(kNoOffset);
  const auto to_replica = [&](const raft::ReplicaProgress& progress) {
    return QuorumReplica{.id = progress.key.id,
                         .log_end_offset = progress.end_offset.value_or(kNoOffset),
                         .last_fetch = progress.last_fetch,
                         .last_caught_up = progress.last_caught_up};
  };
  if (const raft::Progress* progress = raft.progress()) {
    for (const auto& [id, replica] : progress->voters())
      description.voters.push_back(to_replica(replica));
    for (const auto& [id, replica] : progress->observers())
      description.observers.push_back(to_replica(replica));
  }
  // Of itself the leader knows more than of the others.
  const Instant now = io::Reactor::current().now();
  for (QuorumReplica& voter : description.voters) {
    if (voter.id != options_.controller.node_id) continue;
    voter.log_end_offset = log_->end_offset();
    voter.last_fetch = voter.last_caught_up = now;
  }
  return description;
}

}  // namespace millrace::engine
