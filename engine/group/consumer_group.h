// ConsumerGroup: one group of the consumer protocol (KIP-848), as its records have it.
//
// Three epochs chase each other. The group's goes up when members come, go or read other topics, and when the topics change. The
// target assignment is worked out for an epoch of the group. Each member walks to the target by itself: it gives back what it is
// not to have any more, then takes the target's epoch, then gets what others have given back.
//
//   STABLE ── a newer target, something is to be given back ──► UNREVOKED_PARTITIONS
//     ▲  ▲                                                          │ the member no longer owns it
//     │  └── nothing is awaited from others ────────────────────────┤
//     └───── the others have given it back ── UNRELEASED_PARTITIONS ◄── others still have what it is to get
//
// Shard:      its machine's.
// Invariant:  a partition is held by one member at most, as assigned or as pending revocation. What it uses is counted in
//             GroupUse for as long as it lives.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/group/consumer_records.h"
#include "engine/group/group_input.h"
#include "engine/group/group_timers.h"

namespace millrace::engine {

// A member that has left, and one that has left for a moment: it is static and will be back.
inline constexpr std::int32_t kLeaveEpoch = -1;
inline constexpr std::int32_t kLeaveForAMomentEpoch = -2;

// What a member of the classic protocol has said to a group of the consumer protocol.
struct ClassicSide {
  struct Protocol {
    std::string name;
    Blob metadata;
    bool operator==(const Protocol&) const = default;
  };
  std::int32_t session_timeout_ms = 0;
  std::vector<Protocol> protocols;
  bool operator==(const ClassicSide&) const = default;
};

class ConsumerGroup {
 public:
  enum class MemberState : std::int8_t {
    stable = 0,
    unrevoked_partitions = 1,
    unreleased_partitions = 2,
    unknown = 127,  // of a later release
  };
  using Classic = ClassicSide;
  // What a member has said of itself.
  struct Profile {
    std::optional<std::string> instance_id;
    std::optional<std::string> rack_id;
    std::string client_id;
    std::string client_host;
    std::vector<std::string> topics;  // sorted, each once
    std::string pattern;              // empty: none
    std::int32_t rebalance_timeout_ms = -1;
    std::optional<std::string> assignor;
    std::optional<Classic> classic;

    bool operator==(const Profile&) const = default;
    bool reads_the_same_as(const Profile& other) const {
      return topics == other.topics && pattern == other.pattern && assignor == other.assignor;
    }
  };
  // What a member has been told, and what it holds.
  struct Current {
    std::int32_t epoch = 0;
    std::int32_t previous_epoch = 0;
    MemberState state = MemberState::stable;
    ConsumerAssignment assigned;
    ConsumerAssignment pending_revocation;

    bool operator==(const Current&) const = default;
  };
  struct Member {
    std::string id;
    Profile profile;
    Current current;
    // Soft: until when it is waited for.
    Deadline session;
    Deadline revocation;
    Deadline classic_rejoin;

    bool is_classic() const { return profile.classic.has_value(); }
    bool has_left_for_a_moment() const { return current.epoch == kLeaveForAMomentEpoch; }
    // Null where timers of that kind are not a member's of this protocol.
    Deadline* deadline(GroupTimerKind kind) {
      if (kind == GroupTimerKind::session) return &session;
      if (kind == GroupTimerKind::revocation) return &revocation;
      return kind == GroupTimerKind::classic_rejoin ? &classic_rejoin : nullptr;
    }
  };
  using Members = std::map<std::string, Member, std::less<>>;
  struct Pattern {
    std::vector<std::string> topics;  // sorted
    std::int64_t version = 0;         // of the metadata they were found in
    std::int64_t timestamp = 0;
    bool operator==(const Pattern&) const = default;
  };
  using Patterns = std::map<std::string, Pattern, std::less<>>;
  // A member that has said that it joins, and has not been answered.
  struct Joining {
    Ticket ticket;
    std::string member;
  };

  ConsumerGroup(std::string id, GroupUse& use);
  ~ConsumerGroup();
  ConsumerGroup(const ConsumerGroup&) = delete;

  const std::string& id() const { return id_; }
  std::int32_t epoch() const { return epoch_; }
  std::int64_t metadata_hash() const { return metadata_hash_; }
  std::int32_t assignment_epoch() const { return assignment_epoch_; }
  // Empty, Assigning, Reconciling, Stable.
  std::string_view state_name() const;
  const Members& members() const { return members_; }
  Member* find(std::string_view member);
  const Member* find(std::string_view member) const;
  // Null when nobody has that instance id.
  const Member* static_member(std::string_view instance_id) const;
  // Null when nothing was worked out for it.
  const ConsumerAssignment* target(std::string_view member) const;
  bool is_held_by_other(const TopicId& topic, std::int32_t partition, std::string_view member) const;
  const Patterns& patterns() const { return patterns_; }
  // There is no record of it.
  bool is_unwritten() const {
    return !has_epoch_ && !has_assignment_epoch_ && !has_partition_metadata_ && members_.empty() &&
           targets_.empty() && patterns_.empty();
  }

  // What a member, and a pattern that is looked up, are counted as in GroupUse.
  std::size_t bytes_of(const Member& member) const;
  static std::size_t bytes_of(std::string_view text, const Pattern& pattern);
  static std::size_t bytes_of(const ConsumerAssignment& assignment);

  // ---- Subscriptions
  // What the members read: by name and, as far as it is known, by pattern.
  std::set<std::string_view> topics() const;
  bool is_subscribed_to(std::string_view topic) const;
  bool uses_pattern(std::string_view pattern) const { return pattern_users_.contains(pattern); }
  bool uses_patterns() const { return !pattern_users_.empty(); }
  // Whether every member of the classic protocol knows the assignor of this name.
  bool all_classic_know(std::string_view protocol) const;
  // Of which nothing is known; without those that were looked up for nothing.
  bool has_unresolved_patterns() const;
  std::vector<std::string> unresolved_patterns() const;

  // ---- Records
  // Errors: unsupported, malformed.
  Result<void> apply(const ConsumerGroupKey& key, std::optional<ConstBytes> value);
  // The records that make this group, in the order in which they may be read, and those that unmake it.
  std::vector<GroupRecord> to_records() const;
  std::vector<GroupRecord> tombstones() const;
  std::vector<GroupRecord> tombstones_of(std::string_view member) const;
  static GroupRecord member_record(std::string_view group, std::string_view member, const Profile& profile);
  static GroupRecord current_record(std::string_view group, std::string_view member, const Current& current);

  void check_invariants() const;

  // ---- Soft state
  // The topics, or which of them members read, may have changed since metadata_hash() was taken.
  bool metadata_stale = true;
  // Topics have come or gone since all patterns were last asked for.
  bool patterns_stale = true;
  // All are to be looked up again, not only those of which nothing is known.
  bool patterns_due = false;
  bool patterns_asked = false;
  bool patterns_asked_all = false;
  // When all were last looked up.
  std::optional<Instant> patterns_resolved_at;
  // Those whose topics could not be recorded; tried again when all are looked up.
  std::set<std::string, std::less<>> patterns_refused;
  // When the target was last worked out.
  std::optional<Instant> assigned_at;
  // Who joins a group that nobody was in, in the order in which they came: they are assigned together when `joining_end` comes.
  // While there are any, there are no other members.
  std::vector<Joining> joining;
  Instant joining_since;
  Deadline joining_end;

 private:
  // Names that members use, by how many of them do: what is asked of all members at every heartbeat.
  using Users = std::map<std::string, std::size_t, std::less<>>;

  Member& find_or_add(const std::string& member);
  void erase(const std::string& member);
  void set_profile(Member& member, Profile profile);
  void set_current(Member& member, Current current);
  void count_names(const Profile& profile, bool added);
  void count_name(Users& users, const std::string& name, bool added);
  void set_pattern(const std::string& text, std::optional<Pattern> pattern);
  void hold(const Member& member);
  void release(const Member& member);
  Result<void> apply_value(const ConsumerGroupKey& key, ConstBytes value);
  void apply_tombstone(const ConsumerGroupKey& key);

  std::string id_;
  GroupUse& use_;
  bool has_epoch_ = false;
  std::int32_t epoch_ = 0;
  std::int64_t metadata_hash_ = 0;
  bool has_partition_metadata_ = false;
  bool has_assignment_epoch_ = false;
  std::int32_t assignment_epoch_ = 0;
  Members members_;
  std::map<std::string, std::string, std::less<>> static_members_;
  std::map<std::string, ConsumerAssignment, std::less<>> targets_;
  Patterns patterns_;
  Users topic_users_;
  // Of the topics that patterns stand for, by how many patterns.
  Users pattern_topics_;
  Users pattern_users_;
  // Of members of the classic protocol: how many there are, and how many know an assignor.
  std::size_t classic_members_ = 0;
  Users classic_protocol_users_;
  // Who holds a partition; the names are keys of members_.
  std::map<TopicId, std::unordered_map<std::int32_t, const std::string*>> holders_;
};

}  // namespace millrace::engine
