// ClassicRebalance: what a request, or silence, does to one group of the classic protocol.
//
// Shard:      its machine's.
// Lifetime:   one step. What it decides goes to the step's effects; the group's assignments change when their record is applied.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/group/classic_group.h"
#include "engine/group/group_input.h"
#include "engine/group/group_step.h"
#include "engine/group/group_timers.h"

namespace millrace::engine {

class ClassicRebalance {
 public:
  ClassicRebalance(ClassicGroup& group, GroupStep& step) : group_(group), step_(step) {}

  void join(const JoinGroup& question);
  void sync(const SyncGroup& question);
  void heartbeat(const GroupHeartbeat& question);
  void leave(const LeaveGroup& question);
  // NONE when whoever asks may commit offsets now; then it counts as a sign of life.
  wire::ErrorCode admit_commit(const CommitOffsets& question);

  // Its members are to join anew. Requires: members.
  void rebalance() { prepare_or_complete(); }
  // Whoever waits for an answer is to join again: the group is of the other protocol from now on.
  void dismiss();

  // The log has been read: sessions begin.
  void start_sessions();
  void on_timer(const GroupTimer& timer);

 private:
  using Member = ClassicGroup::Member;
  using State = ClassicGroup::State;

  wire::ErrorCode check_member(std::string_view member_id,
                               const std::optional<std::string_view>& instance_id) const;
  bool accepts(std::string_view member_id) const;
  bool has_room(const JoinGroup& question) const;
  void join_new(const JoinGroup& question);
  void join_again(const JoinGroup& question);
  void join_as_static(const JoinGroup& question, const std::string& old_id, std::string new_id);
  void answer_replaced_static(const JoinGroup& question, Member& member,
                              const std::string& old_leader);
  void add_member(const JoinGroup& question, std::string member_id);
  void update_member(const JoinGroup& question, Member& member);
  void refuse_join(Ticket ticket, wire::ErrorCode error, std::string_view member_id);
  JoinResult describe_generation(const Member& member, bool with_members) const;

  void prepare_or_complete();
  void prepare();
  void complete_if_all_joined();
  void complete_join();
  void on_join_timeout();
  void on_sync_timeout();
  void end_session(const std::string& member_id);

  // Whether the log takes it.
  bool fits(const GroupRecord& record) const;
  // For how long members are waited for.
  Duration patience() const;
  void accept_assignment(const SyncGroup& question, Member& leader);
  void refuse_syncs(wire::ErrorCode error);
  void answer_sync(Member& member, wire::ErrorCode error, ConstBytes assignment);
  void remove_member(const std::string& member_id, wire::ErrorCode said);
  void restart_session(Member& member);

  ClassicGroup& group_;
  GroupStep& step_;
};

}  // namespace millrace::engine
