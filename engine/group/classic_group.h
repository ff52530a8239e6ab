// ClassicGroup: one group of the classic protocol: its members, which protocols they share, whom it waits for.
//
//   Empty ── a member joins ──► PreparingRebalance ── all have joined, or time is up ──► CompletingRebalance
//     ▲                            ▲     │ nobody is left                                    │ the leader's assignment
//     └────────────────────────────┼─────┘                                                   ▼ is in the log
//                                  └── a member joins, changes, leaves or falls silent ── Stable
//
// Shard:      its machine's.
// Invariant:  every awaiting member is a member; the leader is a member, or there is none. What it uses is counted in GroupUse
//             for as long as it lives.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "engine/group/group_input.h"
#include "engine/group/group_timers.h"

namespace millrace::engine {

class ClassicGroup {
 public:
  enum class State : std::uint8_t { empty, preparing_rebalance, completing_rebalance, stable };

  struct Protocol {
    std::string name;
    Blob metadata;
  };
  struct Member {
    std::string id;
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string client_host;
    Duration rebalance_timeout{};
    Duration session_timeout{};
    std::vector<Protocol> protocols;
    Blob assignment;
    bool is_new = false;  // it has not been told its id
    std::optional<Ticket> awaiting_join;
    std::optional<Ticket> awaiting_sync;
    Deadline session;

    bool matches(const std::vector<wire::JoinGroupRequest::Protocol>& others) const;
    // Requires: it has that protocol.
    const Blob& metadata_of(std::string_view protocol) const;
  };
  // What members and protocols are counted as beside their payloads: a protocol's name is a key as well.
  static constexpr std::size_t kMemberBytes = 256;
  static constexpr std::size_t kProtocolBytes = sizeof(Protocol) + 96;
  using Members = std::map<std::string, Member, std::less<>>;

  ClassicGroup(std::string id, GroupUse& use);
  ~ClassicGroup();
  ClassicGroup(const ClassicGroup&) = delete;

  const std::string& id() const { return id_; }
  State state() const { return state_; }
  std::string_view state_name() const;
  std::int32_t generation() const { return generation_; }
  // None until the first member joined: a group that only keeps offsets.
  const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  const std::optional<std::string>& protocol() const { return protocol_; }
  const std::optional<std::string>& leader() const { return leader_; }
  bool is_leader(std::string_view member) const { return leader_ && *leader_ == member; }
  const Members& members() const { return members_; }
  Member* find(std::string_view member);
  // Null when nobody has that instance id.
  const std::string* static_member(std::string_view instance_id) const;
  std::int64_t state_timestamp() const { return state_timestamp_; }

  // What the id of a member is counted as: it is a key as well, may lead, and stands in timers, each with the group's id.
  std::size_t bytes_of_id(std::size_t member_bytes) const { return 256 + 5 * member_bytes + 2 * id_.size(); }
  std::size_t bytes_of(const Member& member) const;

  // ---- Members
  // Who comes first says of what type the group is. Requires: the group has no such member.
  Member& add(Member member, std::string_view protocol_type);
  void remove(const std::string& member);
  // The member named `old_id` goes on under a new id with all it had. Requires: a static member.
  Member& rename(const std::string& old_id, std::string new_id);
  void set_protocols(Member& member,
                     const std::vector<wire::JoinGroupRequest::Protocol>& protocols);
  void set_client(Member& member, std::string_view client_id, std::string_view client_host);
  void set_assignment(Member& member, ConstBytes assignment);
  void await_join(Member& member, Ticket ticket);
  std::optional<Ticket> take_join(Member& member);
  std::size_t awaiting_join() const { return awaiting_join_; }
  std::vector<std::string> not_yet_rejoined() const;

  // ---- Those who were given an id and have not come back with it
  std::map<std::string, Deadline, std::less<>>& pending() { return pending_; }
  void add_pending(const std::string& member);
  void remove_pending(std::string_view member);
  bool is_pending(std::string_view member) const { return pending_.contains(member); }

  // ---- Protocols
  bool supports(std::string_view protocol_type,
                const std::vector<wire::JoinGroupRequest::Protocol>& protocols) const;
  // The one that most members like best of those that all know. Requires: members.
  std::string select_protocol() const;
  // What its consumers read, where all of them say so in Kafka's own form.
  bool is_subscribed_to(std::string_view topic) const;
  bool is_consumers() const { return protocol_type_ == "consumer"; }

  // ---- Generations
  bool all_have_joined() const { return awaiting_join_ == members_.size() && pending_.empty(); }
  Duration rebalance_timeout() const;
  void enter(State state, WallTime now);
  // Whether a member that has joined leads now.
  bool elect_joined_leader();
  void begin_generation(WallTime now);
  std::set<std::string, std::less<>> awaited_syncs;
  Deadline join_deadline;
  Deadline sync_deadline;
  // The first rebalance of a group waits for more members for as long as more come.
  bool initial_rebalance = false;
  bool member_added = false;
  Duration initial_delay{};
  Duration initial_remaining{};

  // ---- Records
  // Members without an entry in `assignments` keep what they have.
  GroupMetadataValue to_value(WallTime now,
                              const std::map<std::string_view, ConstBytes>* assignments) const;
  // A record that this group wrote itself has come to be.
  void on_written(const GroupMetadataValue& value);
  // Who goes on in this group, which has no members, where one of the consumer protocol left off. Its next generation comes after
  // `written`, which the log knows. Requires: members, who share a protocol.
  void take_over(std::vector<Member> members, std::int32_t generation, std::int32_t written, WallTime now);
  // As if it had never been. Requires: nobody waits for an answer.
  void reset();
  // A record that was read from the log. Requires: no members.
  void load(const GroupMetadataValue& value);

  void check_invariants() const;

 private:
  void count(const Member& member, int direction);
  void set_protocol_type(std::optional<std::string> type);

  std::string id_;
  GroupUse& use_;
  State state_ = State::empty;
  std::int32_t generation_ = 0;
  std::int32_t written_generation_ = 0;  // by who left the group to us; where it is not the larger one it says nothing
  std::optional<std::string> protocol_type_;
  std::optional<std::string> protocol_;
  std::optional<std::string> leader_;
  std::int64_t state_timestamp_ = -1;
  Members members_;
  std::map<std::string, std::string, std::less<>> static_members_;
  std::map<std::string, std::size_t, std::less<>>
      supported_;  // protocols, by how many members know them
  std::map<std::string, Deadline, std::less<>> pending_;
  std::size_t awaiting_join_ = 0;
};

}  // namespace millrace::engine
