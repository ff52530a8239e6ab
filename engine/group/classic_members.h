// ClassicMembers: what JoinGroup, SyncGroup, Heartbeat and LeaveGroup do in a group of the consumer protocol (KIP-848).
//
//   JoinGroup   says what the member reads and has; it walks on towards its target, and its generation is its epoch
//   SyncGroup   tells it what it has now
//   Heartbeat   REBALANCE_IN_PROGRESS when it is to join again: the group's epoch has gone up, it is to give something back, or
//               what it waited for is free. From then on it has its rebalance timeout to do so
//
// Nobody leads: the coordinator works out who reads what.
//
// Shard:      its machine's.
// Lifetime:   one step. The group changes by its records alone, as in ConsumerRebalance.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/group/consumer_group.h"
#include "engine/group/consumer_rebalance.h"
#include "engine/group/group_input.h"
#include "engine/group/group_step.h"

namespace millrace::engine {

class ClassicMembers {
 public:
  ClassicMembers(ConsumerGroup& group, GroupStep& step) : group_(group), step_(step), rebalance_(group, step) {}

  void join(const JoinGroup& question);
  void sync(const SyncGroup& question);
  void heartbeat(const GroupHeartbeat& question);
  void leave(const LeaveGroup& question);

  // The static member of the consumer protocol that comes back with the classic one by this; null: none does.
  const ConsumerGroup::Member* turncoat(const JoinGroup& question) const;
  // Whether the classic members of the group know one of the protocols, as all do.
  bool supports(const wire::JoinGroupRequest& request) const;

 private:
  using Member = ConsumerGroup::Member;
  using Profile = ConsumerGroup::Profile;

  std::expected<std::string, wire::ErrorCode> choose_member(const JoinGroup& question);
  Profile profile_of(const JoinGroup& question, const Member* known, const std::vector<std::string>& topics,
                     const std::optional<std::string>& rack_id) const;
  // Whether somebody has that name; and whether whoever has it speaks the classic protocol.
  wire::ErrorCode check_name(std::string_view member_id, const std::optional<std::string_view>& instance_id) const;
  wire::ErrorCode check_member(std::string_view member_id, const std::optional<std::string_view>& instance_id) const;
  bool must_join_again(const Member& member) const;
  bool waits_for_others(const Member& member) const;
  void expect(Member& member);
  void refuse_join(const JoinGroup& question, wire::ErrorCode error, std::string_view member_id);

  ConsumerGroup& group_;
  GroupStep& step_;
  ConsumerRebalance rebalance_;
};

}  // namespace millrace::engine
