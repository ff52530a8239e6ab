// How the machine moves a group that has members from one protocol to the other.
#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "base/check.h"
#include "engine/group/classic_members.h"
#include "engine/group/group_machine.h"

namespace millrace::engine {

using wire::ErrorCode;

bool GroupMachine::move_up(Group& group, const ConsumerHeartbeat& question, GroupStep& step) {
  const wire::ConsumerGroupHeartbeatRequest& request = *question.request;
  const auto refuse = [&](ErrorCode error, std::string message) {
    step.reply(question.ticket, ConsumerHeartbeatResult{
                                    .error = error, .message = std::move(message), .member_id = {}, .assignment = {}});
    return false;
  };
  ClassicGroup& classic = group.classic;
  std::vector<GroupRecord> records;
  if (classic.state() != ClassicGroup::State::empty) {
    auto moved = move_to_consumer(classic, step.image, options_);
    if (!moved) return refuse(ErrorCode::group_id_not_found, std::move(moved.error()));
    // Who moves the group has to find a place in it: nothing is moved for nobody.
    const bool is_full = classic.members().size() >= options_.consumer.size_max;
    if (is_full && (!request.instance_id || classic.static_member(*request.instance_id) == nullptr)) {
      return refuse(ErrorCode::group_max_size_reached,
                    fmt::format("Group {} has as many members as group.consumer.max.size allows: {}.", classic.id(),
                                options_.consumer.size_max));
    }
    records = std::move(*moved);
  }
  auto consumer = std::make_unique<ConsumerGroup>(classic.id(), use_);
  if (!records.empty() && !ConsumerRebalance(*consumer, step).has_room_for_newcomer(question)) {
    return refuse(ErrorCode::coordinator_not_available, "The coordinator has no room for more members.");
  }
  group.consumer = std::move(consumer);
  if (records.empty()) return true;
  const std::size_t begin = step.out.records.size();
  step.out.records.push_back(group_tombstone(classic.id()));
  ClassicRebalance(classic, step).dismiss();
  classic.reset();
  ConsumerRebalance rebalance(*group.consumer, step);
  for (GroupRecord& record : records) rebalance.emit(std::move(record));
  rebalance.start_sessions();
  step.out.units.push_back({begin, step.out.records.size()});
  return true;
}

// Before that what is known of it says how long its offsets are kept.
void GroupMachine::end_empty_classic(Group& group, GroupStep& step) {
  if (group.consumer == nullptr || group.consumer->is_unwritten()) return;
  step.out.records.insert(step.out.records.begin(), group_tombstone(group.classic.id()));
  for (auto& unit : step.out.units) unit = {unit.begin + 1, unit.end + 1};
  group.classic.reset();
}

void GroupMachine::move_down_if_due(Group& group, GroupStep& step) {
  const auto leaving = std::exchange(step.classic_without, std::nullopt);
  if (!leaving) return;
  auto move = move_to_classic(*group.consumer, *leaving, std::nullopt, step.image, options_, step.wall_now);
  CHECK(move, "{} was to be a classic group without those who go", group.classic.id());
  move_down(group, std::move(*move), step);
}

bool GroupMachine::move_down_with(Group& group, const JoinGroup& question, GroupStep& step) {
  const ConsumerGroup::Member* former = ClassicMembers(*group.consumer, step).turncoat(question);
  if (former == nullptr) return false;
  // A classic group that is full takes nobody, not even in the place of another.
  if (group.consumer->members().size() >= options_.group_size_max) return false;
  auto move = move_to_classic(*group.consumer, {}, ClassicStandIn{.former = former->id, .question = &question}, step.image,
                              options_, step.wall_now);
  if (!move) return false;
  move_down(group, std::move(*move), step);
  return true;
}

void GroupMachine::move_down(Group& group, ClassicMove move, GroupStep& step) {
  const std::size_t begin = step.out.records.size();
  std::ranges::move(move.records, std::back_inserter(step.out.records));
  step.out.units.push_back({begin, step.out.records.size()});
  group.consumer.reset();
  // Ids that were given to classic members before they took part.
  group.classic.reset();
  group.classic.take_over(std::move(move.members), move.generation, move.written_generation, step.wall_now);
  ClassicRebalance rebalance(group.classic, step);
  rebalance.start_sessions();
  if (!move.is_settled) rebalance.rebalance();
}

}  // namespace millrace::engine
