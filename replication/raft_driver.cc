#include "replication/raft_driver.h"

#include <fmt/core.h>

#include "base/check.h"
#include "base/logging.h"

namespace millrace::replication {

namespace {
constexpr Duration kFullDiskPause = from_ms(100);
}

RaftDriver::RaftDriver(ReplicaLog& log, QuorumStateStore& store, PeerTransport& peers,
                       RaftListener& listener, Options options)
    : log_(log),
      store_(store),
      peers_(peers),
      listener_(listener),
      options_(std::move(options)),
      raft_(options_.raft),
      random_(options_.seed),
      timer_([this] { push(raft::Tick{}); }) {}

RaftDriver::~RaftDriver() {
  CHECK(waiters_ == 0, "{} still wait for the quorum", waiters_);
}

raft::Environment RaftDriver::environment() {
  return {io::Reactor::current().now(), log_, random_};
}

io::Task<Result<void>> RaftDriver::start() {
  CO_TRY(state, store_.load());
  // A voter's word counts for what is on disk. What was read back may only have been in the page
  // cache.
  CO_TRY_DONE(co_await log_.flush());
  raft_.start(state.value_or(raft::QuorumState{}), environment(), effects_);
  gate_.spawn(pump());
  if (failure_) co_return fail(*failure_);
  co_return Result<void>();
}

io::Task<void> RaftDriver::stop() {
  stopping_ = true;
  timer_.cancel();
  wake_.notify_all();
  progress_.notify_all();
  answered_.notify_all();
  co_await gate_.close();
  while (waiters_ > 0) co_await io::yield();
}

std::optional<Error> RaftDriver::ended() const {
  if (failure_) return failure_;
  if (stopping_) return Error{Errc::closed, "the quorum is stopping"};
  return std::nullopt;
}

void RaftDriver::push(raft::Input input) {
  inputs_.push_back(std::move(input));
  wake_.notify_all();
}

io::Task<void> RaftDriver::pump() {
  raft::Input start = raft::Tick{};
  co_await carry_out(start);
  while (!ended()) {
    if (inputs_.empty()) {
      arm_timer();
      if (inputs_.empty()) co_await wake_.wait();
      continue;
    }
    raft::Input input = std::move(inputs_.front());
    inputs_.pop_front();
    raft_.step(input, environment(), effects_);
    co_await carry_out(input);
  }
}

void RaftDriver::arm_timer() {
  const auto deadline = raft_.next_deadline();
  if (!deadline) return timer_.cancel();
  if (*deadline <= io::Reactor::current().now()) {
    timer_.cancel();
    push(raft::Tick{});
  } else if (!timer_.armed() || timer_.when() != *deadline) {
    timer_.arm(*deadline);
  }
}

io::Task<void> RaftDriver::carry_out(raft::Input& input) {
  for (auto& effect : effects_.list()) {
    if (ended()) break;
    if (const auto* persist = std::get_if<raft::Persist>(&effect)) {
      apply(*persist);
    } else if (auto* request = std::get_if<raft::SendRequest>(&effect)) {
      gate_.spawn(ask(std::move(*request)));
    } else if (auto* reply = std::get_if<raft::SendReply>(&effect)) {
      co_await answer(*reply);
    } else if (const auto* change = std::get_if<raft::AppendLeaderChange>(&effect)) {
      apply(*change);
    } else if (const auto* append = std::get_if<raft::AppendFetched>(&effect)) {
      apply(input, *append);
    } else if (std::holds_alternative<raft::Flush>(effect)) {
      request_flush();
    } else if (const auto* shorten = std::get_if<raft::Truncate>(&effect)) {
      co_await truncate(shorten->end_offset);
    } else if (const auto* snapshot = std::get_if<raft::FetchSnapshot>(&effect)) {
      LOG(warn, "quorum.snapshot_not_fetched", "leader={} end_offset={}", snapshot->leader.value(),
          snapshot->id.end_offset.value());
      push(raft::SnapshotFetched{snapshot->id, false});
    } else if (std::holds_alternative<raft::InstallSnapshot>(effect)) {
      // Never asked for, since none is ever fetched.
      fail_for_good(Error{Errc::unsupported, "a snapshot cannot be installed"});
    } else if (const auto* mark = std::get_if<raft::HighWatermark>(&effect)) {
      apply(*mark);
    } else if (const auto* leader = std::get_if<raft::LeaderChanged>(&effect)) {
      apply(*leader);
    } else if (const auto* violation = std::get_if<raft::Violation>(&effect)) {
      fail_for_good(Error{Errc::corrupt, violation->what});
    }
  }
  effects_.clear();
}

void RaftDriver::apply(const raft::Persist& effect) {
  if (auto saved = store_.save(effect.state); !saved) fail_for_good(std::move(saved).error());
}

void RaftDriver::apply(const raft::AppendLeaderChange& effect) {
  if (auto appended = log_.append_leader_change(effect); !appended) {
    return survive_or_fail(std::move(appended).error());
  }
  open_epoch_ = effect.epoch;
  leader_end_ = log_.end_offset();
}

// A full disk leaves the log as it was, so it may have room later; all else leaves it in doubt. A
// leader whose records are gone steps down: others may have them, and whoever waits for them must
// be told.
void RaftDriver::survive_or_fail(Error error) {
  if (error != Errc::disk_full) return fail_for_good(std::move(error));
  LOG(warn, "quorum.disk_full", "error={}", error.message);
  open_epoch_.reset();
  push(raft::Resign{});
}

void RaftDriver::apply(const raft::HighWatermark& effect) {
  listener_.on_commit(effect.offset);
  claim_if_committed();
  progress_.notify_all();
}

void RaftDriver::apply(const raft::LeaderChanged& effect) {
  // Our own claim waits until what came before it is committed.
  if (effect.leader != options_.raft.self.id) {
    listener_.on_leader_change(effect.epoch, effect.leader);
  }
  progress_.notify_all();
}

void RaftDriver::claim_if_committed() {
  if (!raft_.is_leader() || claimed_epoch_ == raft_.epoch()) return;
  if (raft_.high_watermark().value_or(Offset(0)) <= raft_.epoch_start()) return;
  claimed_epoch_ = raft_.epoch();
  listener_.on_leader_change(raft_.epoch(), options_.raft.self.id);
}

void RaftDriver::apply(raft::Input& input, const raft::AppendFetched& effect) {
  auto& reply = std::get<raft::FetchReply>(std::get<raft::ReplyArrived>(input).reply);
  auto appended = log_.append_as_follower(std::move(reply.records));
  if (!appended) {
    const bool refused =
        appended.error() == Errc::corrupt || appended.error() == Errc::out_of_range;
    if (!refused) return fail_for_good(std::move(appended).error());
    LOG(warn, "quorum.fetch_refused", "error={}", appended.error().message);
    return push(raft::FetchedAppended{false, log_.end_offset()});
  }
  if (effect.flush) {
    gate_.spawn(flush_fetched(log_.end_offset()));
  } else {
    push(raft::FetchedAppended{true, log_.end_offset()});
  }
}

io::Task<void> RaftDriver::flush_fetched(Offset end_offset) {
  auto flushed = co_await log_.flush();
  if (flushed) {
    push(raft::FetchedAppended{true, end_offset});
  } else if (flushed.error() == Errc::disk_full) {
    LOG(warn, "quorum.disk_full", "error={}", flushed.error().message);
    push(raft::FetchedAppended{false, log_.end_offset()});
  } else {
    fail_for_good(std::move(flushed).error());
  }
}

void RaftDriver::request_flush() {
  flush_wanted_ = true;
  if (!flushing_) gate_.spawn(flush_until_quiet());
}

io::Task<void> RaftDriver::flush_until_quiet() {
  flushing_ = true;
  while (flush_wanted_ && !failure_) {
    flush_wanted_ = false;
    flush_end_ = log_.end_offset();
    auto flushed = co_await log_.flush();
    if (flushed) {
      push(raft::Flushed{flush_end_});
      continue;
    }
    survive_or_fail(std::move(flushed).error());
    // Not at once again; and nothing new is on disk.
    if (!ended()) co_await io::sleep_for(kFullDiskPause);
    push(raft::Flushed{Offset(0)});
  }
  flushing_ = false;
}

io::Task<void> RaftDriver::truncate(Offset end_offset) {
  flush_end_ = std::min(flush_end_, end_offset);
  auto truncated = co_await log_.truncate(end_offset);
  if (!truncated) fail_for_good(std::move(truncated).error());
}

io::Task<void> RaftDriver::ask(raft::SendRequest request) {
  auto reply = co_await peers_.ask(request.to, std::move(request.request));
  if (reply) {
    push(raft::ReplyArrived{request.to, request.correlation, *std::move(reply)});
  } else {
    push(raft::RequestFailed{request.to, request.correlation});
  }
}

io::Task<void> RaftDriver::answer(raft::SendReply& reply) {
  const auto waiting = waiting_.find(reply.request_number);
  if (waiting == waiting_.end()) co_return;
  if (auto* fetch = std::get_if<raft::FetchReply>(&reply.reply); fetch && fetch->read_from) {
    auto records = co_await log_.read(*fetch->read_from, options_.fetch_bytes_max);
    if (records) {
      fetch->records = *std::move(records);
    } else {
      LOG(warn, "quorum.read_failed", "error={}", records.error().message);
      fetch->error = raft::RaftError::unknown;
    }
  }
  // Looked up again: while the log was read, its asker may have gone.
  if (const auto still = waiting_.find(reply.request_number); still != waiting_.end()) {
    still->second->reply = std::move(reply.reply);
    answered_.notify_all();
  }
}

io::Task<Result<raft::Reply>> RaftDriver::handle(raft::Request request) {
  if (auto error = ended()) co_return fail(*std::move(error));
  const Waiter waiter(*this);
  Waiting waiting;
  const std::uint64_t number = next_request_++;
  waiting_[number] = &waiting;
  push(raft::RequestArrived{number, std::move(request)});
  while (!waiting.reply && !ended()) co_await answered_.wait();
  waiting_.erase(number);
  if (!waiting.reply) co_return fail(*ended());
  co_return *std::move(waiting.reply);
}

void RaftDriver::resign() {
  if (!ended()) push(raft::Resign{});
}

Result<AppendedRange> RaftDriver::append(std::vector<std::byte> batches, LeaderEpoch epoch) {
  if (auto error = ended()) return fail(*std::move(error));
  if (!raft_.is_leader() || raft_.epoch() != epoch || open_epoch_ != epoch) {
    return fail(Errc::not_leader,
                fmt::format("epoch {} is not, or no more, led by this node", epoch.value()));
  }
  if (log_.end_offset() != leader_end_) {
    // A full disk has taken back what others were told of; their offsets must not be given to new
    // records in this epoch.
    survive_or_fail(Error{Errc::disk_full, "records of this epoch are gone"});
    return fail(Errc::not_leader, "the disk was full; leadership ends");
  }
  TRY(range, log_.append_as_leader(std::move(batches), epoch));
  leader_end_ = range.end_offset;
  push(raft::Appended{});
  return range;
}

io::Task<Result<void>> RaftDriver::committed(AppendedRange range) {
  const Waiter waiter(*this);
  while (raft_.high_watermark().value_or(Offset(0)) < range.end_offset) {
    if (auto error = ended()) co_return fail(*std::move(error));
    if (!raft_.is_leader() || raft_.epoch() != range.epoch) {
      co_return fail(Errc::not_leader, "leadership was lost before the records were committed");
    }
    co_await progress_.wait();
  }
  // A later leader may have committed other records there.
  if (raft_.epoch() != range.epoch) {
    co_return fail(Errc::not_leader, "leadership was lost before the records were committed");
  }
  co_return Result<void>();
}

io::Task<Result<AppendedRange>> RaftDriver::append_and_commit(std::vector<std::byte> batches,
                                                              LeaderEpoch epoch) {
  CO_TRY(range, append(std::move(batches), epoch));
  const AppendedRange appended = range;
  CO_TRY_DONE(co_await committed(appended));
  co_return appended;
}

io::Task<Result<LeaderEpoch>> RaftDriver::wait_to_lead() {
  const Waiter waiter(*this);
  while (!raft_.is_leader() || claimed_epoch_ != raft_.epoch()) {
    if (auto error = ended()) co_return fail(*std::move(error));
    co_await progress_.wait();
  }
  co_return raft_.epoch();
}

void RaftDriver::fail_for_good(Error error) {
  if (failure_ || stopping_) return;
  LOG(error, "quorum.failed", "error={}", error.message);
  failure_ = error;
  timer_.cancel();
  wake_.notify_all();
  progress_.notify_all();
  answered_.notify_all();
  listener_.on_failure(error);
}

}  // namespace millrace::replication
