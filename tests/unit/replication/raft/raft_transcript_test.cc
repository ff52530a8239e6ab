// One Raft machine by transcripts (*.txt beside this file). The log is in memory, and does what the
// effects say; flushes and writes of fetched records end when a command says so.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "replication/raft/raft.h"
#include "tests/support/transcript.h"
#include "tests/unit/replication/raft/sim_log.h"

namespace millrace::raft {
namespace {

using tests::TranscriptCommand;

std::string name_of(RaftError error) {
  static constexpr const char* kNames[] = {"none",
                                           "inconsistent_cluster_id",
                                           "invalid_request",
                                           "fenced_leader_epoch",
                                           "unknown_leader_epoch",
                                           "not_leader",
                                           "invalid_voter_key",
                                           "unsupported_version",
                                           "unknown"};
  return kNames[static_cast<int>(error)];
}

RaftError error_of(const std::string& name) {
  for (int i = 0;; ++i) {
    if (name_of(static_cast<RaftError>(i)) == name) return static_cast<RaftError>(i);
  }
}

std::string text_of(EpochEnd end) {
  return fmt::format("{}@{}", end.epoch.value(), end.end_offset.value());
}

std::string text_of(const Request& request) {
  if (const auto* vote = std::get_if<VoteRequest>(&request)) {
    return fmt::format("{} epoch={} last={}@{}", vote->pre_vote ? "pre_vote" : "vote",
                       vote->epoch.value(), vote->last_epoch.value(), vote->last_offset.value());
  }
  if (const auto* begin = std::get_if<BeginQuorumEpochRequest>(&request)) {
    return fmt::format("begin_epoch epoch={}", begin->epoch.value());
  }
  if (const auto* end = std::get_if<EndQuorumEpochRequest>(&request)) {
    std::string successors;
    for (const auto& key : end->preferred_candidates) {
      successors += (successors.empty() ? "" : " ") + std::to_string(key.id.value());
    }
    return fmt::format("end_epoch epoch={} successors=({})", end->epoch.value(), successors);
  }
  const auto& fetch = std::get<FetchRequest>(request);
  return fmt::format("fetch epoch={} offset={} last_epoch={}", fetch.current_leader_epoch.value(),
                     fetch.fetch_offset.value(), fetch.last_fetched_epoch.value());
}

std::string text_of(const Reply& reply) {
  const auto head = [](const auto& one) {
    std::string text = one.error == RaftError::none ? "" : name_of(one.error) + " ";
    return text + fmt::format("epoch={} leader={}", one.epoch.value(), one.leader.value());
  };
  if (const auto* vote = std::get_if<VoteReply>(&reply)) {
    return head(*vote) + (vote->granted ? " granted" : " refused");
  }
  if (const auto* begin = std::get_if<BeginQuorumEpochReply>(&reply)) return head(*begin);
  if (const auto* end = std::get_if<EndQuorumEpochReply>(&reply)) return head(*end);
  const auto& fetch = std::get<FetchReply>(reply);
  std::string text = head(fetch);
  if (fetch.error != RaftError::none) return text;
  text += fmt::format(" high_watermark={}", fetch.high_watermark.value());
  if (fetch.diverging_epoch) text += " diverging=" + text_of(*fetch.diverging_epoch);
  if (fetch.snapshot_id) text += " snapshot=" + text_of(*fetch.snapshot_id);
  if (fetch.read_from) text += fmt::format(" read_from={}", fetch.read_from->value());
  return text;
}

class World {
 public:
  std::string handle(const TranscriptCommand& command) {
    static const std::map<std::string, void (World::*)(const TranscriptCommand&)> kCommands{
        {"start", &World::start},
        {"advance", &World::advance},
        {"vote", &World::vote},
        {"begin_epoch", &World::begin_epoch},
        {"end_epoch", &World::end_epoch},
        {"fetch", &World::fetch},
        {"voted", &World::voted},
        {"fetched", &World::fetched},
        {"acknowledged", &World::acknowledged},
        {"failed", &World::failed},
        {"append", &World::append},
        {"flushed", &World::flushed},
        {"appended", &World::appended},
        {"snapshot", &World::snapshot},
        {"resign", &World::resign},
        {"got_snapshot", &World::got_snapshot},
        {"state", &World::state}};
    const auto found = kCommands.find(command.name);
    if (found == kCommands.end()) return "no such command: " + command.name;
    out_.clear();
    (this->*found->second)(command);
    if (raft_) raft_->check_invariants(log_);
    return out_;
  }

 private:
  // start id=1 voters=(1 2 3) epoch=.. leader=.. voted=.. log=(1 1 2): the epochs of its records
  void start(const TranscriptCommand& command) {
    std::vector<ReplicaKey> voters;
    for (const auto id : command.numbers("voters"))
      voters.push_back({BrokerId(static_cast<int>(id)), {}});
    log_ = {};
    for (const auto epoch : command.numbers("log"))
      log_.append({LeaderEpoch(static_cast<int>(epoch)), 1});
    log_.flush_to(log_.end_offset());
    raft_ = std::make_unique<Raft>(
        Raft::Options{.self = {BrokerId(static_cast<int>(command.number("id", 1))), {}},
                      .voters = *VoterSet::make(voters),
                      .cluster_id = "c",
                      .timing = {}});
    QuorumState state{LeaderEpoch(static_cast<int>(command.number("epoch"))),
                      BrokerId(static_cast<int>(command.number("leader", -1))),
                      {}};
    if (command.has("voted"))
      state.voted = ReplicaKey{BrokerId(static_cast<int>(command.number("voted"))), {}};
    raft_->start(state, environment(), effects_);
    carry_out();
  }
  void advance(const TranscriptCommand& command) {
    const Instant end = now_ + from_ms(std::stoll(command.words.at(0)));
    while (raft_->next_deadline() && *raft_->next_deadline() <= end) {
      now_ = std::max(now_, *raft_->next_deadline());
      step(Tick{});
    }
    now_ = end;
  }
  void vote(const TranscriptCommand& command) {
    VoteRequest request{.cluster_id = command.text("cluster", "c"),
                        .epoch = epoch(command),
                        .candidate = {from(command), {}},
                        .last_epoch = LeaderEpoch(static_cast<int>(command.number("last_epoch"))),
                        .last_offset = Offset(command.number("last_offset")),
                        .pre_vote = !command.words.empty() && command.words[0] == "pre"};
    if (command.has("to"))
      request.recipient = ReplicaKey{BrokerId(static_cast<int>(command.number("to"))), {}};
    step(RequestArrived{++request_, request});
  }
  void begin_epoch(const TranscriptCommand& command) {
    step(RequestArrived{
        ++request_,
        BeginQuorumEpochRequest{
            .cluster_id = "c", .recipient = {}, .epoch = epoch(command), .leader = from(command)}});
  }
  void end_epoch(const TranscriptCommand& command) {
    EndQuorumEpochRequest request{
        .cluster_id = "c", .epoch = epoch(command), .leader = from(command)};
    for (const auto id : command.numbers("successors")) {
      request.preferred_candidates.push_back({BrokerId(static_cast<int>(id)), {}});
    }
    step(RequestArrived{++request_, request});
  }
  void fetch(const TranscriptCommand& command) {
    step(RequestArrived{++request_, FetchRequest{.cluster_id = "c",
                                                 .replica = {from(command), {}},
                                                 .current_leader_epoch = epoch(command),
                                                 .fetch_offset = Offset(command.number("offset")),
                                                 .last_fetched_epoch = LeaderEpoch(static_cast<int>(
                                                     command.number("last_epoch"))),
                                                 .max_wait = from_ms(command.number("wait", 0))}});
  }
  void voted(const TranscriptCommand& command) {
    step(ReplyArrived{
        from(command), correlations_[from(command)],
        VoteReply{.error = error_of(command.text("error", "none")),
                  .epoch = epoch(command),
                  .leader = BrokerId(static_cast<int>(command.number("leader", -1))),
                  .granted = !command.words.empty() && command.words[0] == "granted"}});
  }
  // fetched from=2 epoch=3 high_watermark=.. records=(3 3) diverging=(epoch offset) snapshot=(epoch
  // offset)
  void fetched(const TranscriptCommand& command) {
    FetchReply reply{
        .error = error_of(command.text("error", "none")),
        .epoch = epoch(command),
        .leader = BrokerId(static_cast<int>(command.number("leader", command.number("from")))),
        .high_watermark = Offset(command.number("high_watermark", -1))};
    const auto end = [&](const std::string& key) -> std::optional<EpochEnd> {
      if (!command.has(key)) return std::nullopt;
      const auto numbers = command.numbers(key);
      return EpochEnd{LeaderEpoch(static_cast<int>(numbers.at(0))), Offset(numbers.at(1))};
    };
    reply.diverging_epoch = end("diverging");
    reply.snapshot_id = end("snapshot");
    fetched_ = command.numbers("records");
    reply.records.resize(fetched_.size());
    step(ReplyArrived{from(command), correlations_[from(command)], reply});
  }
  void acknowledged(const TranscriptCommand& command) {
    step(ReplyArrived{from(command), correlations_[from(command)],
                      EndQuorumEpochReply{.epoch = epoch(command)}});
  }
  void failed(const TranscriptCommand& command) {
    step(RequestFailed{from(command), correlations_[from(command)]});
  }
  void append(const TranscriptCommand& command) {
    for (auto left = command.number("count", 1); left > 0; --left) log_.append({raft_->epoch(), 1});
    step(Appended{});
  }
  void flushed(const TranscriptCommand&) {
    log_.flush_to(log_.end_offset());
    step(Flushed{log_.end_offset()});
  }
  void appended(const TranscriptCommand& command) {
    const bool ok = command.words.empty() || command.words[0] != "refused";
    if (!ok) log_.truncate(end_before_fetched_);
    step(FetchedAppended{ok, log_.end_offset()});
  }
  void snapshot(const TranscriptCommand& command) {
    log_.take_snapshot(Offset(command.number("end_offset")));
  }
  // got_snapshot epoch=8 end_offset=100
  void got_snapshot(const TranscriptCommand& command) {
    step(SnapshotFetched{{epoch(command), Offset(command.number("end_offset"))},
                         command.words.empty() || command.words[0] != "not"});
  }
  void resign(const TranscriptCommand&) { step(Resign{}); }
  void state(const TranscriptCommand&) {
    say("{} epoch={} leader={} high_watermark={} log={}..{}", to_string(raft_->role()),
        raft_->epoch().value(), raft_->leader().value(),
        raft_->high_watermark() ? std::to_string(raft_->high_watermark()->value()) : "unknown",
        log_.start_offset().value(), log_.end_offset().value());
  }

  LeaderEpoch epoch(const TranscriptCommand& command) const {
    return LeaderEpoch(static_cast<int>(command.number("epoch", raft_->epoch().value())));
  }
  static BrokerId from(const TranscriptCommand& command) {
    return BrokerId(static_cast<int>(command.number("from", 2)));
  }
  Environment environment() { return {now_, log_, random_}; }
  void step(const Input& input) {
    raft_->step(input, environment(), effects_);
    carry_out();
  }
  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    out_ += fmt::format(format, std::forward<Args>(args)...) + "\n";
  }

  void carry_out() {
    const auto effects = std::exchange(effects_, {});
    for (const auto& effect : effects.list()) {
      std::visit([&](const auto& one) { carry_out(one); }, effect);
    }
  }
  void carry_out(const Persist& effect) {
    say("persist epoch={} leader={} voted={}", effect.state.epoch.value(),
        effect.state.leader.value(), effect.state.voted ? effect.state.voted->id.value() : -1);
  }
  void carry_out(const SendRequest& effect) {
    correlations_[effect.to] = effect.correlation;
    say("to {}: {}", effect.to.value(), text_of(effect.request));
  }
  void carry_out(const SendReply& effect) { say("answer: {}", text_of(effect.reply)); }
  void carry_out(const AppendLeaderChange& effect) {
    log_.append({effect.epoch, 0});
    std::string granting;
    for (const auto& key : effect.granting_voters) {
      granting += (granting.empty() ? "" : " ") + std::to_string(key.id.value());
    }
    say("append leader_change epoch={} granting=({})", effect.epoch.value(), granting);
  }
  void carry_out(const AppendFetched& effect) {
    end_before_fetched_ = log_.end_offset();
    for (const auto epoch : fetched_) log_.append({LeaderEpoch(static_cast<int>(epoch)), 1});
    say("append {} fetched records{}", fetched_.size(), effect.flush ? " and flush" : "");
  }
  void carry_out(const Flush&) { say("flush"); }
  void carry_out(const Truncate& effect) {
    log_.truncate(effect.end_offset);
    say("truncate to {}", effect.end_offset.value());
  }
  void carry_out(const FetchSnapshot& effect) {
    say("fetch snapshot {} from {}", text_of(effect.id), effect.leader.value());
  }
  void carry_out(const InstallSnapshot& effect) {
    log_.install_snapshot(effect.id);
    say("install snapshot {}", text_of(effect.id));
  }
  void carry_out(const HighWatermark& effect) { say("high_watermark={}", effect.offset.value()); }
  void carry_out(const LeaderChanged& effect) {
    say("leader={} epoch={}", effect.leader.value(), effect.epoch.value());
  }
  void carry_out(const Violation& effect) { say("violation: {}", effect.what); }

  SimLog log_;
  std::unique_ptr<Raft> raft_;
  Prng random_{1};
  Instant now_{};
  Effects effects_;
  std::string out_;
  std::uint64_t request_ = 0;
  std::map<BrokerId, std::uint64_t> correlations_;
  std::vector<long long> fetched_;
  Offset end_before_fetched_{0};
};

void run(const std::string& name) {
  World world;
  tests::run_transcript("tests/unit/replication/raft/" + name + ".txt",
                        [&](const TranscriptCommand& command) { return world.handle(command); });
}

TEST(RaftTranscript, lone_voter) {
  run("lone_voter");
}
TEST(RaftTranscript, elections) {
  run("elections");
}
TEST(RaftTranscript, votes) {
  run("votes");
}
TEST(RaftTranscript, leading) {
  run("leading");
}
TEST(RaftTranscript, following) {
  run("following");
}
TEST(RaftTranscript, restarts) {
  run("restarts");
}

}  // namespace
}  // namespace millrace::raft
