// GroupStep: what one step of the group coordinator works with.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "engine/group/group_input.h"
#include "engine/group/group_timers.h"

namespace millrace::engine {

struct GroupStep {
  const GroupOptions& options;
  GroupUse& use;
  GroupTimers& timers;
  Prng& prng;
  Instant now;
  WallTime wall_now;
  GroupEffects& out;
  const MetadataImage* image = nullptr;
  // Groups with patterns to look up.
  std::set<std::string, std::less<>>* groups_with_patterns = nullptr;
  std::optional<GroupWarning>* warning = nullptr;
  // Members that go, and with them the last that speaks the consumer protocol: the machine makes a classic group of who stays.
  std::optional<std::vector<std::string>> classic_without = {};

  void warn(std::string_view event, std::string_view group, std::string text) {
    if (warning != nullptr) *warning = GroupWarning{event, std::string(group), std::move(text)};
  }
  // There is no room for what somebody wants to be remembered.
  void warn_of_no_room(std::string_view group) {
    warn("groups.full", group,
         fmt::format("{} members, {} committed offsets and what belongs to them take {} bytes of "
                     "millrace.group.memory.bytes={}",
                     use.members, use.offsets, use.bytes, use.bytes_max));
  }
  void reply(Ticket ticket, GroupAnswer answer) {
    out.replies.push_back({ticket, std::move(answer)});
  }
};

}  // namespace millrace::engine
