#include "tests/unit/replication/raft/cluster.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace millrace::raft {

struct Cluster::Node {
  int id = 0;
  SimLog log;
  QuorumState persisted;
  std::unique_ptr<Raft> raft;  // null while down
  // Tells what was scheduled for an earlier run from what is for this one.
  std::uint64_t run = 0;
  std::uint64_t next_request = 1;
  struct Pending {
    int from;
    std::uint64_t correlation;
    std::uint64_t from_run;
    std::optional<ReplicaKey> vote_for;
  };
  std::map<std::uint64_t, Pending> requests;
  LeaderEpoch epoch_seen{0};
  Offset high_watermark{0};
  std::optional<Instant> armed;
  // What flushes under way may report; lowered by truncation.
  std::vector<std::shared_ptr<Offset>> flushes;
};

namespace {

std::vector<std::byte> encode(const std::vector<SimRecord>& records) {
  std::vector<std::byte> bytes(records.size() * sizeof(SimRecord));
  if (!records.empty()) std::memcpy(bytes.data(), records.data(), bytes.size());
  return bytes;
}

std::vector<SimRecord> decode(const std::vector<std::byte>& bytes) {
  std::vector<SimRecord> records(bytes.size() / sizeof(SimRecord));
  if (!records.empty()) std::memcpy(records.data(), bytes.data(), bytes.size());
  return records;
}

}  // namespace

Cluster::Cluster(std::uint64_t seed, int voters, int observers, const Faults& faults)
    : random_(seed), faults_(faults), voter_count_(voters) {
  for (int id = 0; id < voters + observers; ++id) {
    auto node = std::make_unique<Node>();
    node->id = id;
    nodes_.push_back(std::move(node));
    restart(id);
  }
  schedule(from_ms(100), [this] { nemesis(); });
}

Cluster::~Cluster() = default;

const Raft& Cluster::raft(int node) const {
  return *nodes_[static_cast<std::size_t>(node)]->raft;
}
const SimLog& Cluster::log(int node) const {
  return nodes_[static_cast<std::size_t>(node)]->log;
}

void Cluster::schedule(Duration after, std::function<void()> run) {
  events_.push({now_ + after, next_order_++, std::move(run)});
}

void Cluster::run_for(Duration duration) {
  const Instant end = now_ + duration;
  while (!events_.empty() && events_.top().at <= end) {
    auto run = events_.top().run;
    now_ = events_.top().at;
    events_.pop();
    run();
  }
  now_ = end;
}

void Cluster::heal() {
  faults_.drop_one_in = faults_.double_one_in = faults_.crash_one_in = faults_.part_one_in = 0;
  faults_.flush_max = from_ms(5);
  cut_.clear();
  for (const auto& node : nodes_) {
    if (!node->raft) restart(node->id);
  }
}

std::optional<int> Cluster::leader() const {
  std::optional<int> best;
  for (const auto& node : nodes_) {
    if (!node->raft || !node->raft->is_leader()) continue;
    if (!best || raft(*best).epoch() < node->raft->epoch()) best = node->id;
  }
  return best;
}

bool Cluster::append() {
  const auto at = leader();
  if (!at) return false;
  Node& node = *nodes_[static_cast<std::size_t>(*at)];
  node.log.append({node.raft->epoch(), next_payload_++});
  step(node, Appended{});
  return true;
}

bool Cluster::all_have(Offset offset) const {
  return std::ranges::all_of(nodes_, [&](const auto& node) {
    return node->raft && node->raft->high_watermark().value_or(Offset(0)) >= offset;
  });
}

void Cluster::crash(int id) {
  Node& node = *nodes_[static_cast<std::size_t>(id)];
  if (!node.raft) return;
  node.raft.reset();
  node.log.crash(random_);
  node.requests.clear();
  node.flushes.clear();
}

void Cluster::restart(int id) {
  Node& node = *nodes_[static_cast<std::size_t>(id)];
  if (node.raft) return;
  ++node.run;
  node.armed.reset();
  node.high_watermark = Offset(0);
  std::vector<ReplicaKey> voters;
  for (int i = 0; i < voter_count_; ++i) voters.push_back({BrokerId(i), {}});
  node.raft = std::make_unique<Raft>(Raft::Options{.self = {BrokerId(id), {}},
                                                   .voters = *VoterSet::make(voters),
                                                   .cluster_id = "sim",
                                                   .timing = {}});
  Effects effects;
  node.raft->start(node.persisted, {now_, node.log, random_}, effects);
  carry_out(node, Tick{}, std::move(effects.list()));
}

void Cluster::isolate(int id) {
  for (const auto& other : nodes_) {
    cut_.insert({id, other->id});
    cut_.insert({other->id, id});
  }
}

void Cluster::resign(int id) {
  step(*nodes_[static_cast<std::size_t>(id)], Resign{});
}

void Cluster::step(Node& node, Input input) {
  if (!node.raft) return;
  ++steps_;
  Effects effects;
  node.raft->step(input, {now_, node.log, random_}, effects);
  carry_out(node, input, std::move(effects.list()));
}

void Cluster::carry_out(Node& node, const Input& input, std::vector<Effect> effects) {
  for (const auto& effect : effects) {
    if (faults_.crash_one_in != 0 && random_.chance(faults_.crash_one_in)) {
      crash(node.id);
      return;
    }
    std::visit([&](const auto& one) { do_effect(node, input, one); }, effect);
  }
  CHECK(node.raft->epoch() >= node.epoch_seen, "R2: epoch went back on {}", node.id);
  node.epoch_seen = node.raft->epoch();
  node.raft->check_invariants(node.log);
  if (node.raft->is_leader()) check_leader(node);
  arm(node);
}

void Cluster::check_leader(Node& node) {
  const auto [at, is_new] = leaders_.emplace(node.raft->epoch().value(), node.id);
  CHECK(at->second == node.id, "R1: {} and {} lead epoch {}", at->second, node.id, at->first);
  if (!is_new) return;
  // R5: a new leader has everything that was ever committed.
  for (Offset offset = node.log.start_offset(); offset < committed(); ++offset) {
    CHECK(node.log.holds(offset), "R5: leader {} lacks committed offset {}", node.id,
          offset.value());
    CHECK(node.log.at(offset) == committed_[static_cast<std::size_t>(offset.value())],
          "R5: leader {} has another record at {}", node.id, offset.value());
  }
}

void Cluster::arm(Node& node) {
  const auto deadline = node.raft->next_deadline();
  if (!deadline || (node.armed && *node.armed <= *deadline && *node.armed > now_)) return;
  const Instant at = std::max(*deadline, now_ + Duration(1));
  node.armed = at;
  schedule(at - now_, [this, &node, run = node.run, at] {
    if (!node.raft || node.run != run || node.armed != at) return;
    node.armed.reset();
    step(node, Tick{});
  });
}

void Cluster::transmit(int from, int to, std::function<void()> deliver) {
  if (cut_.contains({from, to})) return;
  if (faults_.drop_one_in != 0 && random_.chance(faults_.drop_one_in)) return;
  const int copies = faults_.double_one_in != 0 && random_.chance(faults_.double_one_in) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    const auto delay = Duration(static_cast<Duration::rep>(
        random_.below(static_cast<std::uint64_t>(faults_.delay_max.count()) + 1)));
    schedule(delay, deliver);
  }
}

void Cluster::do_effect(Node& node, const Input&, const Persist& effect) {
  node.persisted = effect.state;
  if (!effect.state.voted) return;
  const auto [vote, is_new] =
      votes_.emplace(std::pair(node.id, effect.state.epoch.value()), *effect.state.voted);
  CHECK(vote->second == *effect.state.voted, "R8: {} votes twice in epoch {}", node.id,
        effect.state.epoch.value());
}

void Cluster::do_effect(Node& node, const Input&, const SendRequest& effect) {
  const int to = effect.to.value();
  transmit(node.id, to, [this, from = node.id, from_run = node.run, to, effect] {
    Node& peer = *nodes_[static_cast<std::size_t>(to)];
    if (!peer.raft) return;
    const std::uint64_t number = peer.next_request++;
    Node::Pending pending{from, effect.correlation, from_run, {}};
    if (const auto* vote = std::get_if<VoteRequest>(&effect.request); vote && !vote->pre_vote) {
      pending.vote_for = vote->candidate;
    }
    peer.requests.emplace(number, pending);
    step(peer, RequestArrived{number, effect.request});
  });
}

void Cluster::do_effect(Node& node, const Input&, const SendReply& effect) {
  const auto found = node.requests.find(effect.request_number);
  CHECK(found != node.requests.end(), "a request is answered twice");
  const Node::Pending pending = found->second;
  node.requests.erase(found);
  Reply reply = effect.reply;
  if (const auto* vote = std::get_if<VoteReply>(&reply);
      vote && vote->granted && pending.vote_for) {
    CHECK(node.persisted.voted == pending.vote_for, "R8: a vote leaves before it is on disk");
    CHECK(node.persisted.epoch == vote->epoch, "R8: a vote of another epoch");
  }
  if (auto* fetch = std::get_if<FetchReply>(&reply); fetch && fetch->read_from) {
    fetch->records = encode(node.log.read(*fetch->read_from, 1 + random_.below(10)));
  }
  transmit(node.id, pending.from, [this, from = node.id, pending, reply] {
    Node& asker = *nodes_[static_cast<std::size_t>(pending.from)];
    // Connections do not outlive a process.
    if (!asker.raft || asker.run != pending.from_run) return;
    step(asker, ReplyArrived{BrokerId(from), pending.correlation, reply});
  });
}

void Cluster::do_effect(Node& node, const Input&, const AppendLeaderChange& effect) {
  node.log.append({effect.epoch, 0});
}

void Cluster::do_effect(Node& node, const Input& input, const AppendFetched& effect) {
  const auto& reply = std::get<FetchReply>(std::get<ReplyArrived>(input).reply);
  for (const auto& record : decode(reply.records)) node.log.append(record);
  const Offset end = node.log.end_offset();
  const auto delay = Duration(static_cast<Duration::rep>(
      random_.below(static_cast<std::uint64_t>(faults_.flush_max.count()) + 1)));
  schedule(delay, [this, &node, run = node.run, end, flush = effect.flush] {
    if (!node.raft || node.run != run) return;
    if (flush) node.log.flush_to(end);
    step(node, FetchedAppended{true, std::min(end, node.log.end_offset())});
  });
}

void Cluster::do_effect(Node& node, const Input&, const Flush&) {
  auto end = std::make_shared<Offset>(node.log.end_offset());
  node.flushes.push_back(end);
  const auto delay = Duration(static_cast<Duration::rep>(
      random_.below(static_cast<std::uint64_t>(faults_.flush_max.count()) + 1)));
  schedule(delay, [this, &node, run = node.run, end] {
    if (!node.raft || node.run != run) return;
    std::erase(node.flushes, end);
    node.log.flush_to(*end);
    step(node, Flushed{*end});
  });
}

void Cluster::do_effect(Node& node, const Input&, const Truncate& effect) {
  CHECK(effect.end_offset >= node.high_watermark, "R9: {} truncates below its high watermark",
        node.id);
  for (Offset offset = effect.end_offset; offset < std::min(committed(), node.log.end_offset());
       ++offset) {
    CHECK(!node.log.holds(offset) ||
              node.log.at(offset) != committed_[static_cast<std::size_t>(offset.value())],
          "R9: {} truncates committed offset {}", node.id, offset.value());
  }
  node.log.truncate(effect.end_offset);
  for (auto& end : node.flushes) *end = std::min(*end, effect.end_offset);
}

void Cluster::do_effect(Node& node, const Input&, const FetchSnapshot& effect) {
  const auto leader = effect.leader.value();
  const auto delay = Duration(static_cast<Duration::rep>(
      random_.below(20 * static_cast<std::uint64_t>(faults_.delay_max.count()) + 1)));
  schedule(delay, [this, &node, run = node.run, id = effect.id, leader] {
    if (!node.raft || node.run != run) return;
    const Node& source = *nodes_[static_cast<std::size_t>(leader)];
    const bool there =
        source.raft && source.log.latest_snapshot() == id && !cut_.contains({node.id, leader});
    step(node, SnapshotFetched{id, there});
  });
}

void Cluster::do_effect(Node& node, const Input&, const InstallSnapshot& effect) {
  CHECK(!node.raft->is_leader(), "R7: a leader loads a snapshot");
  CHECK(effect.id.end_offset >= node.high_watermark, "R9: {} drops committed records", node.id);
  CHECK(effect.id.end_offset <= committed(), "R6: a snapshot of what is not committed");
  node.log.install_snapshot(effect.id);
  for (auto& end : node.flushes) *end = Offset(0);
}

void Cluster::do_effect(Node& node, const Input&, const HighWatermark& effect) {
  CHECK(effect.offset > node.high_watermark, "R3: the high watermark of {} goes back", node.id);
  CHECK(effect.offset <= node.log.end_offset(), "R3: beyond the log of {}", node.id);
  node.high_watermark = effect.offset;
  for (Offset offset = node.log.start_offset(); offset < effect.offset; ++offset) {
    const auto index = static_cast<std::size_t>(offset.value());
    if (index < committed_.size()) {
      CHECK(node.log.at(offset) == committed_[index], "R4: {} has committed something else at {}",
            node.id, offset.value());
    } else {
      CHECK(index == committed_.size());
      committed_.push_back(node.log.at(offset));
    }
  }
  // R3: a majority of the voters has it on disk, whether they run or not.
  int durable = 0;
  for (int i = 0; i < voter_count_; ++i) {
    const Node& voter = *nodes_[static_cast<std::size_t>(i)];
    const Offset last = effect.offset - 1;
    if (voter.log.flushed() < effect.offset) continue;
    durable += !voter.log.holds(last) ||
               voter.log.at(last) == committed_[static_cast<std::size_t>(last.value())];
  }
  CHECK(durable > voter_count_ / 2, "R3: {} committed on {} of {} disks", effect.offset.value(),
        durable, voter_count_);
}

void Cluster::do_effect(Node&, const Input&, const LeaderChanged&) {}

void Cluster::do_effect(Node& node, const Input&, const Violation& effect) {
  CHECK(false, "node {}: {}", node.id, effect.what);
}

void Cluster::nemesis() {
  schedule(from_ms(100), [this] { nemesis(); });
  const auto any = [&] { return static_cast<int>(random_.below(nodes_.size())); };
  if (random_.chance(2)) append();
  if (faults_.snapshots && random_.chance(10)) {
    Node& node = *nodes_[static_cast<std::size_t>(any())];
    const auto known = node.raft ? node.raft->high_watermark() : std::nullopt;
    // R6: the log starts at a snapshot, and that at what is committed.
    if (known && *known <= node.log.end_offset()) node.log.take_snapshot(*known);
  }
  if (faults_.crash_one_in != 0) {
    for (const auto& node : nodes_) {
      if (!node->raft && random_.below(static_cast<std::uint64_t>(to_ms(faults_.down_max))) < 100) {
        restart(node->id);
      }
    }
  }
  if (faults_.part_one_in == 0) return;
  if (random_.chance(faults_.part_one_in)) isolate(any());
  if (random_.chance(faults_.part_one_in)) cut_.insert({any(), any()});
  if (random_.chance(faults_.part_one_in / 2 + 1)) cut_.clear();
  if (random_.chance(faults_.part_one_in * 4)) {
    if (const auto at = leader()) resign(*at);
  }
}

}  // namespace millrace::raft
