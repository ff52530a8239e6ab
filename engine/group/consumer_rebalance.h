// ConsumerRebalance: what a heartbeat, or silence, does to one group of the consumer protocol.
//
// Shard:      its machine's.
// Lifetime:   one step. The group changes by its records alone; they are applied as they are decided, because what is decided
//             next builds upon them. Applying them once more, as the driver does, changes nothing.
#pragma once

#include <expected>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/group/consumer_group.h"
#include "engine/group/group_step.h"

namespace millrace::engine {

struct AssignorInput;

class ConsumerRebalance {
 public:
  using Member = ConsumerGroup::Member;
  using Profile = ConsumerGroup::Profile;
  using Current = ConsumerGroup::Current;

  ConsumerRebalance(ConsumerGroup& group, GroupStep& step) : group_(group), step_(step) {}

  // Why a heartbeat is refused whatever the group is; none: it is not. Pure, of the request alone.
  static std::optional<ConsumerHeartbeatResult> refusal(const ConsumerHeartbeat& question,
                                                        const GroupOptions& options);
  // Requires: refusal() had none.
  void heartbeat(const ConsumerHeartbeat& question);
  void leave(const ConsumerHeartbeat& question);
  // NONE when whoever asks may commit, or read what is committed.
  wire::ErrorCode admit_commit(const CommitOffsets& question) const;
  wire::ErrorCode admit_fetch(const FetchOffsets& question) const;
  ConsumerGroupDescription describe() const;
  void take_patterns(const PatternsResolved& resolved);

  // Those who wait for others to join are assigned, together, and answered.
  void end_joining();

  // The log has been read: sessions begin.
  void start_sessions();
  // Whether the member has been silent for too long, or kept what it was to give back: it is to be removed.
  bool is_overdue(const GroupTimer& timer);

  // ---- For what the classic protocol asks of such a group
  // `member` says that of itself; a new one if there is none of that id. What follows from it is settled.
  // `owned`: what it says that it has; none: it did not say.
  void update(const std::string& member, Profile profile, const std::optional<ConsumerAssignment>& owned);
  // `member` walks on towards the target. Requires: it is a member.
  void reconcile(const std::string& member, const std::optional<ConsumerAssignment>& owned);
  // They go; or, where they leave classic members only, the machine is asked to make a classic group of those.
  void remove(const std::vector<std::string>& members);
  // The static member `former` goes on as `member` with what it had.
  void replace(const Member& former, const std::string& member, std::int32_t epoch);
  void restart_session(Member& member);
  // A large group pauses between two targets, so that many who come and go together are assigned together. Its epoch tells
  // meanwhile that a target is due, which the next heartbeat of any member works out.
  bool may_assign() const;
  // The epoch goes up if the topics have changed since the last look.
  void notice_topics() { refresh_epoch(false); }
  // Whether there is room for what `id` says of itself; `known` is who says it now.
  bool has_room(const Profile& profile, const Member* known, std::string_view id) const {
    return !check_room(profile, known, std::string(id));
  }
  // Whether there is room for whoever asks, as a new member.
  bool has_room_for_newcomer(const ConsumerHeartbeat& question) const {
    return has_room(profile_of(question, nullptr), nullptr, question.request->member_id);
  }
  void emit(GroupRecord record);
  // The step's records from `begin` on are one, if the log takes them as one: gives whether it does.
  bool keep_together(std::size_t begin);
  std::string drawn_member_id();

 private:
  struct Refusal {
    wire::ErrorCode error{};
    std::string message;
  };
  using Chosen = std::expected<std::string, Refusal>;

  Chosen choose_member(const ConsumerHeartbeat& question);
  Chosen choose_static_member(const ConsumerHeartbeat& question, const std::string& id);
  std::optional<Refusal> check_epoch(const Member& member, const ConsumerHeartbeat& question) const;
  Profile profile_of(const ConsumerHeartbeat& question, const Member* known) const;
  std::optional<Refusal> check_room(const Profile& profile, const Member* known, const std::string& id) const;
  bool fits(const GroupRecord& record) const;
  void refuse(Ticket ticket, const Refusal& refusal);
  void answer(Ticket ticket, const Member& member, bool with_assignment);

  bool waits_for_others(const Profile& profile) const;
  void wait_for_others(Ticket ticket, const std::string& id, Profile profile);

  // `id` says that of itself; the epoch goes up where something follows from it.
  void note(const std::string& id, Profile profile);
  void look_up_patterns();
  void drop_unused_patterns();
  std::int64_t topics_hash() const;
  void refresh_epoch(bool changed);
  // Why there is no new target; none: there is one.
  AssignorInput assignor_input() const;
  std::optional<Refusal> assign();
  std::string_view preferred_assignor() const;
  Current next(const Member& member, const std::optional<ConsumerAssignment>& owned) const;
  Current walk(const Current& from, const Member& member,
               const std::optional<ConsumerAssignment>& owned) const;
  Duration session_timeout(const Member& member) const;
  Duration heartbeat_interval() const;

  ConsumerGroup& group_;
  GroupStep& step_;
  std::optional<Refusal> unassigned_;  // this step could not work out a target, when it last tried
};

}  // namespace millrace::engine
