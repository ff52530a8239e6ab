#include "engine/group/classic_group.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "net/wire/codec.h"

namespace millrace::engine {
namespace {

Blob to_blob(ConstBytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// Whether a subscription in Kafka's form names `topic`; none where it is not of that form.
std::optional<bool> subscription_names(ConstBytes subscription, std::string_view topic) {
  wire::Reader reader(subscription);
  (void)reader.integer<std::int16_t>();
  const auto count = reader.integer<std::int32_t>();
  bool named = false;
  for (std::int32_t i = 0; i < count && reader.ok(); ++i) {
    const auto length = reader.length16();
    if (length < 0) return std::nullopt;
    const std::string_view each = reader.text(static_cast<std::size_t>(length));
    if (reader.ok() && each == topic) named = true;
  }
  if (!reader.ok() || count < 0) return std::nullopt;
  return named;
}

}  // namespace

bool ClassicGroup::Member::matches(
    const std::vector<wire::JoinGroupRequest::Protocol>& others) const {
  return std::ranges::equal(protocols, others, [](const Protocol& a, const auto& b) {
    return a.name == b.name && std::ranges::equal(a.metadata, b.metadata);
  });
}

const Blob& ClassicGroup::Member::metadata_of(std::string_view protocol) const {
  const auto found = std::ranges::find(protocols, protocol, &Protocol::name);
  CHECK(found != protocols.end(), "member {} does not know protocol {}", id, protocol);
  return found->metadata;
}

std::size_t ClassicGroup::bytes_of(const Member& member) const {
  std::size_t total = kMemberBytes + bytes_of_id(member.id.size()) + member.client_id.size() +
                      member.client_host.size() + member.assignment.size();
  if (member.instance_id) total += 2 * member.instance_id->size();
  for (const Protocol& protocol : member.protocols)
    total += kProtocolBytes + 2 * protocol.name.size() + protocol.metadata.size();
  return total;
}

ClassicGroup::ClassicGroup(std::string id, GroupUse& use) : id_(std::move(id)), use_(use) {
  use_.bytes += group_bytes(id_.size());
}

ClassicGroup::~ClassicGroup() {
  use_.bytes -= group_bytes(id_.size());
  set_protocol_type({});
  for (const auto& [id, member] : members_) count(member, -1);
  use_.members -= pending_.size();
  for (const auto& [id, deadline] : pending_) use_.bytes -= bytes_of_id(id.size());
}

std::string_view ClassicGroup::state_name() const {
  switch (state_) {
    case State::empty:
      return "Empty";
    case State::preparing_rebalance:
      return "PreparingRebalance";
    case State::completing_rebalance:
      return "CompletingRebalance";
    case State::stable:
      return "Stable";
  }
  return "Dead";
}

ClassicGroup::Member* ClassicGroup::find(std::string_view member) {
  const auto found = members_.find(member);
  return found == members_.end() ? nullptr : &found->second;
}

const std::string* ClassicGroup::static_member(std::string_view instance_id) const {
  const auto found = static_members_.find(instance_id);
  return found == static_members_.end() ? nullptr : &found->second;
}

// ---- Members

void ClassicGroup::count(const Member& member, int direction) {
  if (direction > 0) {
    ++use_.members;
    use_.bytes += bytes_of(member);
  } else {
    --use_.members;
    use_.bytes -= bytes_of(member);
  }
}

// It stays when the members have gone.
void ClassicGroup::set_protocol_type(std::optional<std::string> type) {
  if (protocol_type_) use_.bytes -= protocol_type_->size();
  protocol_type_ = std::move(type);
  if (protocol_type_) use_.bytes += protocol_type_->size();
}

ClassicGroup::Member& ClassicGroup::add(Member member, std::string_view protocol_type) {
  if (members_.empty()) set_protocol_type(std::string(protocol_type));
  if (!leader_) leader_ = member.id;
  if (member.instance_id) static_members_[*member.instance_id] = member.id;
  for (const Protocol& protocol : member.protocols) ++supported_[protocol.name];
  remove_pending(member.id);
  if (member.awaiting_join) ++awaiting_join_;
  count(member, 1);
  const std::string id = member.id;
  const auto [at, added] = members_.emplace(id, std::move(member));
  CHECK(added, "member {} is already there", id);
  return at->second;
}

void ClassicGroup::remove(const std::string& member_id) {
  const auto at = members_.find(member_id);
  if (at == members_.end()) return;
  const Member& member = at->second;
  CHECK(!member.awaiting_join && !member.awaiting_sync, "{} is removed without an answer",
        member_id);
  for (const Protocol& protocol : member.protocols) {
    const auto known = supported_.find(protocol.name);
    if (--known->second == 0) supported_.erase(known);
  }
  if (member.instance_id) {
    const auto entry = static_members_.find(*member.instance_id);
    if (entry != static_members_.end() && entry->second == member_id) static_members_.erase(entry);
  }
  count(member, -1);
  awaited_syncs.erase(member_id);
  const bool led = is_leader(member_id);
  members_.erase(at);
  if (!led) return;
  leader_.reset();
  if (!members_.empty()) leader_ = members_.begin()->first;
}

ClassicGroup::Member& ClassicGroup::rename(const std::string& old_id, std::string new_id) {
  auto node = members_.extract(old_id);
  CHECK(!node.empty() && node.mapped().instance_id, "{} is no static member", old_id);
  count(node.mapped(), -1);
  node.key() = new_id;
  node.mapped().id = new_id;
  count(node.mapped(), 1);
  node.mapped().session = {};
  if (is_leader(old_id)) leader_ = new_id;
  static_members_[*node.mapped().instance_id] = new_id;
  if (awaited_syncs.erase(old_id) > 0) awaited_syncs.insert(new_id);
  const auto inserted = members_.insert(std::move(node));
  CHECK(inserted.inserted);
  return inserted.position->second;
}

void ClassicGroup::set_protocols(Member& member,
                                 const std::vector<wire::JoinGroupRequest::Protocol>& protocols) {
  count(member, -1);
  for (const Protocol& protocol : member.protocols) {
    const auto known = supported_.find(protocol.name);
    if (--known->second == 0) supported_.erase(known);
  }
  member.protocols.clear();
  for (const auto& protocol : protocols) {
    member.protocols.push_back({std::string(protocol.name), to_blob(protocol.metadata)});
    ++supported_[member.protocols.back().name];
  }
  count(member, 1);
}

void ClassicGroup::set_client(Member& member, std::string_view client_id,
                              std::string_view client_host) {
  count(member, -1);
  member.client_id = client_id;
  member.client_host = client_host;
  count(member, 1);
}

void ClassicGroup::set_assignment(Member& member, ConstBytes assignment) {
  count(member, -1);
  member.assignment = to_blob(assignment);
  count(member, 1);
}

void ClassicGroup::await_join(Member& member, Ticket ticket) {
  CHECK(!member.awaiting_join);
  member.awaiting_join = ticket;
  ++awaiting_join_;
}

std::optional<Ticket> ClassicGroup::take_join(Member& member) {
  if (member.awaiting_join) --awaiting_join_;
  return std::exchange(member.awaiting_join, std::nullopt);
}

std::vector<std::string> ClassicGroup::not_yet_rejoined() const {
  std::vector<std::string> ids;
  for (const auto& [id, member] : members_) {
    if (!member.awaiting_join) ids.push_back(id);
  }
  return ids;
}

void ClassicGroup::add_pending(const std::string& member) {
  if (!pending_.try_emplace(member).second) return;
  ++use_.members;
  use_.bytes += bytes_of_id(member.size());
}

void ClassicGroup::remove_pending(std::string_view member) {
  const auto at = pending_.find(member);
  if (at == pending_.end()) return;
  --use_.members;
  use_.bytes -= bytes_of_id(at->first.size());
  pending_.erase(at);
}

// ---- Protocols

bool ClassicGroup::supports(std::string_view protocol_type,
                            const std::vector<wire::JoinGroupRequest::Protocol>& protocols) const {
  if (state_ == State::empty) return !protocol_type.empty() && !protocols.empty();
  if (protocol_type_ != protocol_type) return false;
  return std::ranges::any_of(protocols, [&](const auto& protocol) {
    const auto known = supported_.find(protocol.name);
    return (known == supported_.end() ? 0 : known->second) == members_.size();
  });
}

std::string ClassicGroup::select_protocol() const {
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id, member] : members_) {
    for (const Protocol& protocol : member.protocols) {
      if (supported_.find(protocol.name)->second != members_.size()) continue;
      ++votes[protocol.name];
      break;
    }
  }
  CHECK(!votes.empty(), "the members of {} share no protocol", id_);
  return std::string(
      std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; })->first);
}

bool ClassicGroup::is_subscribed_to(std::string_view topic) const {
  if (!is_consumers()) return false;
  if (members_.empty()) return false;
  // Without a choice of protocol nobody can say; then it counts as subscribed.
  if (!protocol_) return true;
  for (const auto& [id, member] : members_) {
    const auto known = std::ranges::find(member.protocols, *protocol_, &Protocol::name);
    if (known == member.protocols.end()) continue;
    const auto named = subscription_names(known->metadata, topic);
    if (!named || *named) return true;
  }
  return false;
}

// ---- Generations

Duration ClassicGroup::rebalance_timeout() const {
  Duration longest{};
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

void ClassicGroup::enter(State state, WallTime now) {
  state_ = state;
  state_timestamp_ = now.ms;
}

bool ClassicGroup::elect_joined_leader() {
  if (!leader_) return false;
  if (const Member* leader = find(*leader_); leader != nullptr && leader->awaiting_join)
    return true;
  for (const auto& [id, member] : members_) {
    if (!member.awaiting_join) continue;
    leader_ = id;
    return true;
  }
  return false;
}

void ClassicGroup::begin_generation(WallTime now) {
  // Wraps as Java's would, but stays a number that means "a generation".
  const std::int32_t last = std::max(generation_, std::exchange(written_generation_, 0));
  generation_ = last == std::numeric_limits<std::int32_t>::max() ? 1 : last + 1;
  awaited_syncs.clear();
  if (members_.empty()) {
    protocol_.reset();
    enter(State::empty, now);
    return;
  }
  protocol_ = select_protocol();
  enter(State::completing_rebalance, now);
}

// ---- Records

GroupMetadataValue ClassicGroup::to_value(
    WallTime now, const std::map<std::string_view, ConstBytes>* assignments) const {
  GroupMetadataValue value{.protocol_type = protocol_type_.value_or(""),
                           .generation = generation_,
                           .protocol = protocol_,
                           .leader = leader_,
                           .current_state_timestamp = now.ms,
                           .members = {}};
  value.members.reserve(members_.size());
  for (const auto& [id, member] : members_) {
    ConstBytes assignment = member.assignment;
    if (assignments != nullptr) {
      const auto found = assignments->find(id);
      assignment = found == assignments->end() ? ConstBytes() : found->second;
    }
    value.members.push_back(
        {.member_id = id,
         .group_instance_id = member.instance_id,
         .client_id = member.client_id,
         .client_host = member.client_host,
         .rebalance_timeout = static_cast<std::int32_t>(to_ms(member.rebalance_timeout)),
         .session_timeout = static_cast<std::int32_t>(to_ms(member.session_timeout)),
         .subscription = protocol_ ? ConstBytes(member.metadata_of(*protocol_)) : ConstBytes(),
         .assignment = assignment});
  }
  return value;
}

void ClassicGroup::on_written(const GroupMetadataValue& value) {
  if (value.generation != generation_) return;  // the same step went on to a newer one
  state_timestamp_ = value.current_state_timestamp;
  for (const auto& written : value.members) {
    if (Member* member = find(written.member_id)) set_assignment(*member, written.assignment);
  }
  if (state_ == State::completing_rebalance) state_ = State::stable;
}

void ClassicGroup::take_over(std::vector<Member> members, std::int32_t generation, std::int32_t written, WallTime now) {
  CHECK(members_.empty() && !members.empty(), "{} is taken over by {} members", id_, members.size());
  leader_.reset();
  generation_ = generation;
  written_generation_ = written;
  for (Member& member : members) add(std::move(member), "consumer");
  protocol_ = select_protocol();
  enter(State::stable, now);
}

void ClassicGroup::reset() {
  for (const auto& [id, member] : members_) {
    CHECK(!member.awaiting_join && !member.awaiting_sync, "{} is removed without an answer", id);
    count(member, -1);
  }
  members_.clear();
  while (!pending_.empty()) remove_pending(pending_.begin()->first);
  static_members_.clear();
  supported_.clear();
  awaited_syncs.clear();
  set_protocol_type({});
  protocol_.reset();
  leader_.reset();
  generation_ = 0;
  written_generation_ = 0;
  state_ = State::empty;
  state_timestamp_ = -1;
  join_deadline = {};
  sync_deadline = {};
  initial_rebalance = false;
  member_added = false;
}

void ClassicGroup::load(const GroupMetadataValue& value) {
  CHECK(members_.empty() && pending_.empty(), "{} is loaded into a group with members", id_);
  generation_ = value.generation;
  set_protocol_type({});
  if (!value.protocol_type.empty()) set_protocol_type(std::string(value.protocol_type));
  protocol_ = value.protocol;
  leader_ = value.leader;
  state_timestamp_ = value.current_state_timestamp;
  for (const auto& read : value.members) {
    if (members_.contains(read.member_id)) continue;
    Member member{.id = read.member_id,
                  .instance_id = read.group_instance_id,
                  .client_id = read.client_id,
                  .client_host = read.client_host,
                  .rebalance_timeout = from_ms(read.rebalance_timeout >= 0 ? read.rebalance_timeout
                                                                           : read.session_timeout),
                  .session_timeout = from_ms(read.session_timeout),
                  .protocols = {{value.protocol.value_or(""), to_blob(read.subscription)}},
                  .assignment = to_blob(read.assignment)};
    add(std::move(member), value.protocol_type);
  }
  // add() makes the first a leader where there is none.
  if (leader_ && !members_.contains(*leader_)) {
    leader_.reset();
    if (!members_.empty()) leader_ = members_.begin()->first;
  }
  if (!members_.empty() && !protocol_) protocol_ = "";
  state_ = members_.empty() ? State::empty : State::stable;
}

void ClassicGroup::check_invariants() const {
  CHECK(!leader_ || members_.contains(*leader_), "{} is led by {}, which is no member", id_,
        *leader_);
  CHECK((state_ == State::empty) <= members_.empty(), "{} is empty and has members", id_);
  std::size_t joining = 0;
  for (const auto& [id, member] : members_) {
    CHECK(id == member.id);
    joining += member.awaiting_join ? 1 : 0;
    CHECK(!pending_.contains(id), "{} is a member and pending", id);
    CHECK(!member.awaiting_sync || state_ == State::completing_rebalance,
          "{} waits for an assignment in {}", id, state_name());
    CHECK(!member.awaiting_join || state_ == State::preparing_rebalance,
          "{} waits for a rebalance in {}", id, state_name());
  }
  CHECK(joining == awaiting_join_, "{} members wait, {} were counted", joining, awaiting_join_);
  for (const auto& [instance, id] : static_members_)
    CHECK(members_.contains(id), "{} has gone", id);
  for (const auto& id : awaited_syncs)
    CHECK(members_.contains(id), "{} is awaited and has gone", id);
}

}  // namespace millrace::engine
